//! What one pod interface must be: plain data from the border, and its check. A checked attachment is trusted inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{Error, ErrorCode, Result};
use crate::object::{Family, Mac, Prefix};

/// Longest interface name (IFNAMSIZ less the final zero).
const NAME_MAX: usize = 15;
/// Longest interface alias (IFALIASZ less the final zero) less our prefix.
const ID_MAX: usize = 255 - ALIAS_PREFIX.len();
/// Smallest MTU IPv6 works with (RFC 8200, section 5); the kernel takes IPv6 off a link below it.
const MTU_MIN_IPV6: u32 = 1280;
/// Smallest MTU of an Ethernet-like device.
const MTU_MIN: u32 = 68;
/// Smallest rate: 1 kbit/s, as Kubernetes has it.
const RATE_MIN: f64 = 125.0;
/// Largest rate: what JavaScript counts exactly.
const RATE_MAX: f64 = 9_007_199_254_740_991.0;

/// Start of the alias of every host end.
pub const ALIAS_PREFIX: &str = "terway:";

/// How policy routing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleForm {
    /// What a packet costs does not grow with the pods: one rule 512 for all (main, but only host routes count), and the way out by routes
    /// with a source (IPv6) or a tree of rules (IPv4).
    Compact,
    /// Rules 512 and 2048 for each pod address, as Terway has them.
    PerPod,
}

/// The datapath mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// veth pair, host routes and policy rules.
    PolicyRoute,
    /// IPvlan L2 slave of the shared ENI.
    Ipvlan,
    /// 802.1Q link of the trunk ENI, born in the pod.
    Vlan,
    /// The ENI itself, moved into the pod.
    Exclusive,
    /// netkit pair, otherwise as `PolicyRoute`.
    Netkit,
}

impl Mode {
    const ALL: [Self; 5] = [Self::PolicyRoute, Self::Ipvlan, Self::Vlan, Self::Exclusive, Self::Netkit];

    /// True if what a pod sends through the node leaves it with the node's address: the answer to its own never meets the node.
    pub(crate) fn masquerades(self) -> bool {
        matches!(self, Self::Exclusive | Self::Ipvlan)
    }

    /// The name that crosses the border.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PolicyRoute => "policy_route",
            Self::Ipvlan => "ipvlan",
            Self::Vlan => "vlan",
            Self::Exclusive => "exclusive",
            Self::Netkit => "netkit",
        }
    }
}

/// Who delays what a pod sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BandwidthMode {
    /// A token bucket on its link.
    #[default]
    Tc,
    /// Departure times, kept by fq on the ENI.
    Edt,
}

/// Class of a pod's packets on the ENI, the first one goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Before all others.
    Guaranteed,
    /// The rest.
    Burstable,
    /// When nobody else sends.
    BestEffort,
}

/// Limits and class of a pod's traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shaping {
    /// Towards the pod, bytes per second.
    pub ingress: Option<u64>,
    /// From the pod, bytes per second.
    pub egress: Option<u64>,
    /// Who keeps the limit of what the pod sends.
    pub mode: BandwidthMode,
    /// None: the ENI has no classes.
    pub priority: Option<Priority>,
}

/// The pod is a member of a trunk ENI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Its VLAN id, 1 to 4094.
    pub vlan_id: u16,
    /// The trunk ENI's own IPv4 gateway, next hop of its table.
    pub gateway_ipv4: Option<Ipv4Addr>,
    /// The trunk ENI's own IPv6 gateway.
    pub gateway_ipv6: Option<Ipv6Addr>,
}

/// One address family of a pod interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyAddress<A> {
    /// The pod's address.
    pub address: A,
    /// Prefix length of its vSwitch.
    pub prefix_length: u8,
    /// The VPC gateway of that vSwitch.
    pub gateway: A,
}

/// A checked attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// `<container id>/<interface name>`.
    pub id: String,
    /// The larger one is the newer sandbox.
    pub generation: u64,
    /// Datapath mode.
    pub mode: Mode,
    /// Path of the pod's network namespace.
    pub netns: String,
    /// Interface name in the pod.
    pub if_name: String,
    /// Interface name on the host.
    pub host_if_name: String,
    /// MTU of the pair.
    pub mtu: u32,
    /// IPv4, if the pod has it.
    pub ipv4: Option<FamilyAddress<Ipv4Addr>>,
    /// IPv6, if the pod has it.
    pub ipv6: Option<FamilyAddress<Ipv6Addr>>,
    /// The ENI, found by MAC.
    pub eni_mac: Mac,
    /// The node's primary IPv4 address.
    pub host_ipv4: Option<Ipv4Addr>,
    /// The node's primary IPv6 address.
    pub host_ipv6: Option<Ipv6Addr>,
    /// The pod's default route goes through this interface.
    pub default_route: bool,
    /// Further destinations through this interface.
    pub extra_routes: Vec<Prefix>,
    /// Form of the rules.
    pub rule_form: RuleForm,
    /// The ENI is a trunk.
    pub trunk: Option<Trunk>,
    /// Its ENI carries security groups of its own: what it exchanges with pods of other ENIs leaves the node (`PolicyRoute`, `Netkit`;
    /// in the other modes it does anyway).
    pub own_groups: bool,
    /// The pod has further interfaces.
    pub multi_network: bool,
    /// Destinations that go through the node's own stack in every mode.
    pub host_stack: Vec<Prefix>,
    /// `Exclusive`: the pod also has a pair to its node.
    pub host_peer: bool,
    /// Limits and class of its traffic.
    pub shaping: Shaping,
}

/// The text of an attachment as it crosses the border.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// See [`Attachment`]; all fields unchecked.
    pub id: String,
    /// Unchecked.
    pub generation: f64,
    /// Unchecked.
    pub mode: String,
    /// Unchecked.
    pub netns: String,
    /// Unchecked.
    pub if_name: String,
    /// Unchecked.
    pub host_if_name: String,
    /// Unchecked.
    pub mtu: f64,
    /// Unchecked.
    pub ipv4: Option<DraftFamily>,
    /// Unchecked.
    pub ipv6: Option<DraftFamily>,
    /// Unchecked.
    pub eni_mac: String,
    /// Unchecked.
    pub host_ipv4: Option<String>,
    /// Unchecked.
    pub host_ipv6: Option<String>,
    /// Unchecked.
    pub default_route: bool,
    /// Unchecked.
    pub extra_routes: Vec<String>,
    /// Unchecked.
    pub rule_form: String,
    /// Unchecked.
    pub vlan_id: Option<f64>,
    /// Unchecked.
    pub trunk_gateway_ipv4: Option<String>,
    /// Unchecked.
    pub trunk_gateway_ipv6: Option<String>,
    /// Unchecked.
    pub own_groups: bool,
    /// Unchecked.
    pub multi_network: bool,
    /// Unchecked.
    pub host_stack: Vec<String>,
    /// Unchecked; true when none.
    pub host_peer: Option<bool>,
    /// Unchecked, bytes per second.
    pub ingress: Option<f64>,
    /// Unchecked, bytes per second.
    pub egress: Option<f64>,
    /// Unchecked; `tc` when none.
    pub bandwidth_mode: Option<String>,
    /// Unchecked.
    pub priority: Option<String>,
}

/// The text of one address family.
#[derive(Clone, Debug, Default)]
pub struct DraftFamily {
    /// Unchecked.
    pub address: String,
    /// Unchecked.
    pub prefix_length: f64,
    /// Unchecked.
    pub gateway: String,
}

impl Attachment {
    /// The pod's addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let ipv4 = self.ipv4.iter().map(|family| IpAddr::V4(family.address));
        ipv4.chain(self.ipv6.iter().map(|family| IpAddr::V6(family.address)))
    }

    /// The alias of its host end.
    pub fn alias(&self) -> String {
        alias_of(&self.id)
    }
}

/// The alias that marks the links of attachment `id`.
pub fn alias_of(id: &str) -> String {
    format!("{ALIAS_PREFIX}{id}")
}

impl TryFrom<Draft> for Attachment {
    type Error = Error;

    /// Checks every field; the first bad one is named.
    fn try_from(draft: Draft) -> Result<Self> {
        if draft.id.is_empty() || draft.id.len() > ID_MAX || draft.id.contains('\0') {
            return Err(invalid("id", &draft.id, "must have 1 to 248 bytes"));
        }
        if draft.netns.is_empty() || draft.netns.contains('\0') {
            return Err(invalid("netns", &draft.netns, "must be a path"));
        }
        check_name("ifName", &draft.if_name)?;
        check_name("hostIfName", &draft.host_if_name)?;
        let mode = Mode::ALL
            .into_iter()
            .find(|mode| mode.as_str() == draft.mode)
            .ok_or_else(|| invalid("mode", &draft.mode, "must be policy_route, ipvlan, vlan, exclusive or netkit"))?;
        let vlan_id = draft
            .vlan_id
            .map(|id| whole("vlanId", id, 1.0, 4094.0))
            .transpose()?
            .map(|id| id as u16);
        match (mode, vlan_id) {
            (Mode::Vlan, None) => return Err(invalid("vlanId", "", "is missing; mode vlan needs it")),
            (Mode::Exclusive, Some(id)) => {
                return Err(invalid(
                    "vlanId",
                    &id.to_string(),
                    "contradicts mode exclusive: a trunk serves many pods",
                ));
            }
            _ => {}
        }
        let rule_form = match draft.rule_form.as_str() {
            "compact" => RuleForm::Compact,
            "per_pod" => RuleForm::PerPod,
            other => return Err(invalid("ruleForm", other, "must be compact or per_pod")),
        };
        let ipv4 = draft
            .ipv4
            .as_ref()
            .map(|family| parse_family("ipv4", family, 32))
            .transpose()?;
        let ipv6 = draft
            .ipv6
            .as_ref()
            .map(|family| parse_family("ipv6", family, 128))
            .transpose()?;
        if ipv4.is_none() && ipv6.is_none() {
            return Err(invalid(
                "ipv4",
                "",
                "and ipv6 are both missing; at least one family is needed",
            ));
        }
        let least = if ipv6.is_some() { MTU_MIN_IPV6 } else { MTU_MIN };
        let mtu = whole("mtu", draft.mtu, f64::from(least), 65535.0)? as u32;
        let extra_routes = draft
            .extra_routes
            .iter()
            .map(|route| parse_extra_route(route, ipv4.is_some(), ipv6.is_some()));
        let trunk = parse_trunk(&draft, vlan_id)?;
        let shaping = parse_shaping(&draft)?;
        let host_stack = draft.host_stack.iter().map(|text| {
            let prefix: Prefix = text.parse().map_err(|()| invalid("hostStackCidrs", text, "must be a CIDR"))?;
            Ok(prefix.network())
        });
        Ok(Self {
            trunk,
            own_groups: draft.own_groups,
            multi_network: draft.multi_network,
            host_stack: host_stack.collect::<Result<_>>()?,
            host_peer: draft.host_peer.unwrap_or(true),
            shaping,
            generation: whole("generation", draft.generation, 0.0, 9_007_199_254_740_991.0)? as u64,
            mode,
            mtu,
            ipv4,
            ipv6,
            eni_mac: draft
                .eni_mac
                .parse()
                .map_err(|()| invalid("eniMac", &draft.eni_mac, "must be a MAC address"))?,
            host_ipv4: draft
                .host_ipv4
                .as_deref()
                .map(|text| parse_address("hostIpv4", text))
                .transpose()?,
            host_ipv6: draft
                .host_ipv6
                .as_deref()
                .map(|text| parse_address("hostIpv6", text))
                .transpose()?,
            default_route: draft.default_route,
            extra_routes: extra_routes.collect::<Result<_>>()?,
            rule_form,
            id: draft.id,
            netns: draft.netns,
            if_name: draft.if_name,
            host_if_name: draft.host_if_name,
        })
    }
}

fn parse_trunk(draft: &Draft, vlan_id: Option<u16>) -> Result<Option<Trunk>> {
    let (ipv4, ipv6) = (draft.trunk_gateway_ipv4.as_deref(), draft.trunk_gateway_ipv6.as_deref());
    let Some(vlan_id) = vlan_id else {
        for (field, gateway) in [("trunkGatewayIpv4", ipv4), ("trunkGatewayIpv6", ipv6)] {
            if let Some(gateway) = gateway {
                return Err(invalid(field, gateway, "has no meaning without vlanId"));
            }
        }
        return Ok(None);
    };
    Ok(Some(Trunk {
        vlan_id,
        gateway_ipv4: ipv4.map(|text| parse_address("trunkGatewayIpv4", text)).transpose()?,
        gateway_ipv6: ipv6.map(|text| parse_address("trunkGatewayIpv6", text)).transpose()?,
    }))
}

fn parse_shaping(draft: &Draft) -> Result<Shaping> {
    let rate = |field, rate: Option<f64>| rate.map(|rate| whole(field, rate, RATE_MIN, RATE_MAX)).transpose();
    Ok(Shaping {
        ingress: rate("bandwidth.ingress", draft.ingress)?.map(|rate| rate as u64),
        egress: rate("bandwidth.egress", draft.egress)?.map(|rate| rate as u64),
        mode: match draft.bandwidth_mode.as_deref() {
            None | Some("tc") => BandwidthMode::Tc,
            Some("edt") => BandwidthMode::Edt,
            Some(other) => return Err(invalid("bandwidthMode", other, "must be tc or edt")),
        },
        priority: match draft.priority.as_deref() {
            None => None,
            Some("guaranteed") => Some(Priority::Guaranteed),
            Some("burstable") => Some(Priority::Burstable),
            Some("best_effort") => Some(Priority::BestEffort),
            Some(other) => return Err(invalid("priority", other, "must be guaranteed, burstable or best_effort")),
        },
    })
}

fn invalid(field: &str, value: &str, why: &str) -> Error {
    Error {
        object: Some(field.to_owned()),
        ..Error::new(ErrorCode::InvalidAttachment, format!("{field} {value:?} {why}"))
    }
}

/// The kernel's own rule (`dev_valid_name`), and no `%`, which it would read as a template.
fn check_name(field: &str, name: &str) -> Result<()> {
    let bad = |c: char| c == '/' || c == ':' || c == '%' || c == '\0' || c.is_whitespace();
    if name.is_empty() || name.len() > NAME_MAX || name == "." || name == ".." || name.contains(bad) {
        return Err(invalid(
            field,
            name,
            "must have 1 to 15 bytes without '/', ':', '%' and white space",
        ));
    }
    Ok(())
}

fn whole(field: &str, value: f64, least: f64, most: f64) -> Result<f64> {
    if value.fract() != 0.0 || !(least..=most).contains(&value) {
        return Err(invalid(
            field,
            &value.to_string(),
            &format!("must be a whole number from {least} to {most}"),
        ));
    }
    Ok(value)
}

fn parse_address<A: std::str::FromStr + Into<IpAddr> + Copy>(field: &str, text: &str) -> Result<A> {
    let address: A = text
        .parse()
        .map_err(|_| invalid(field, text, "must be an address of its family"))?;
    let plain: IpAddr = address.into();
    if plain.is_unspecified() || plain.is_multicast() || plain.is_loopback() {
        return Err(invalid(field, text, "must be a unicast address"));
    }
    Ok(address)
}

fn parse_family<A: std::str::FromStr + Into<IpAddr> + Copy + PartialEq>(
    field: &str,
    draft: &DraftFamily,
    bits: u8,
) -> Result<FamilyAddress<A>> {
    let address = parse_address(&format!("{field}.address"), &draft.address)?;
    let gateway = parse_address(&format!("{field}.gateway"), &draft.gateway)?;
    if address == gateway {
        return Err(invalid(
            &format!("{field}.gateway"),
            &draft.gateway,
            "must not be the pod's own address",
        ));
    }
    let prefix_length = whole(&format!("{field}.prefixLength"), draft.prefix_length, 1.0, f64::from(bits))? as u8;
    let network = |address: A| {
        Prefix {
            address: address.into(),
            length: prefix_length,
        }
        .network()
    };
    if network(address) != network(gateway) {
        let why = format!("is outside the vSwitch of its gateway, {}", network(gateway));
        return Err(invalid(&format!("{field}.address"), &draft.address, &why));
    }
    Ok(FamilyAddress {
        address,
        prefix_length,
        gateway,
    })
}

fn parse_extra_route(text: &str, has_ipv4: bool, has_ipv6: bool) -> Result<Prefix> {
    let prefix: Prefix = text.parse().map_err(|()| invalid("extraRoutes", text, "must be a CIDR"))?;
    let possible = match prefix.family() {
        Family::V4 => has_ipv4,
        Family::V6 => has_ipv6,
    };
    if !possible {
        return Err(invalid("extraRoutes", text, "is of a family the pod does not have"));
    }
    if prefix.is_default() {
        return Err(invalid("extraRoutes", text, "is the default route; use defaultRoute"));
    }
    Ok(prefix.network())
}

#[cfg(test)]
mod tests;

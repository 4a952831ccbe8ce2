//! From a draft to an attachment.

use std::net::IpAddr;

use super::draft::{Draft, DraftFamily};
use super::{ALIAS_PREFIX, Attachment, BandwidthMode, FamilyAddress, Mode, Priority, RuleForm, Shaping, Trunk};
use crate::error::{Error, ErrorCode, Result};
use crate::object::{Family, Prefix};

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
            network_policy: draft.network_policy,
            fast_path: draft.fast_path,
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

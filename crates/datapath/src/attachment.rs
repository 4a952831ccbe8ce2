//! What one pod interface must be, as plain data. It comes from a [`Draft`], which checks it; a checked attachment is trusted inside.

mod check;
mod draft;

pub use draft::{Draft, DraftFamily};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::object::{Mac, Prefix};

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
    pub(crate) const ALL: [Self; 5] = [Self::PolicyRoute, Self::Ipvlan, Self::Vlan, Self::Exclusive, Self::Netkit];

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
    /// Its packets are judged.
    pub network_policy: bool,
    /// Kernel programs forward its packets past the node's stack where they can (`PolicyRoute`, `Netkit`).
    pub fast_path: bool,
}

impl Attachment {
    /// The pod's addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let ipv4 = self.ipv4.iter().map(|family| IpAddr::V4(family.address));
        ipv4.chain(self.ipv6.iter().map(|family| IpAddr::V6(family.address)))
    }

    /// Packets may go to its pair and come from it past the node's stack. A limit of what it gets is kept by the queue of its host end, which is on the
    /// way that would be left out.
    pub fn forwards(&self) -> bool {
        self.fast_path && matches!(self.mode, Mode::PolicyRoute | Mode::Netkit) && self.shaping.ingress.is_none()
    }

    /// Kernel programs stand on its links.
    pub fn is_hooked(&self) -> bool {
        self.network_policy || self.forwards()
    }

    /// Its number in the records of the kernel programs. Generations are unique on a node; 0 is no number.
    pub fn endpoint(&self) -> u32 {
        (self.generation % u64::from(u32::MAX)) as u32 + 1
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

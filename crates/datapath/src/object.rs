//! Kernel objects as data. The same types say what is wanted and what was seen, so that one comparison serves every verb.

mod address;
mod display;
mod name;
mod record;
mod traffic;

pub use address::{Family, Mac, Prefix};
pub use display::Names;
pub use name::IfName;
pub use record::{Record, RecordKey};
pub use traffic::{
    Attach, BAND_HANDLE, CLSACT_HANDLE, Direction, Discipline, FILTER_HANDLE, FILTER_PREFIX, FILTER_PRIORITY, FQ_HANDLE, Filter,
    PRIO_HANDLE, QDISC_HANDLE, Qdisc, TICK_NS,
};

use std::net::IpAddr;

/// Routing protocol number of every route and rule we make (`ip route show proto 116`); unassigned in `/etc/iproute2/rt_protos`.
/// What lacks it is foreign and is never removed.
pub const PROTOCOL: u8 = 116;
/// Start of the name of a host end that had to give its own name away; its index in hexadecimal follows.
pub const DISPLACED_PREFIX: &str = "trwy";
/// The main routing table.
pub const TABLE_MAIN: u32 = 254;
/// Group of host ends that wait to be deleted (`trwy` in ASCII); one request deletes them all.
pub const GROUP_RETIRED: u32 = 0x7472_7779;
/// Where IPv6 finds the way out of each pod by its source: number 1000 + 0, and no device has index 0.
pub const TABLE_SOURCES: u32 = 1000;
/// Host routes of pods whose ENI carries security groups of its own, and the first of the tables of such ENIs.
pub const TABLE_OWN_GROUPS: u32 = 0x2000_0000;
/// Priority of the rules towards pods.
pub const PRIORITY_TO_POD: u32 = 512;
/// Priority of the rules from pods.
pub const PRIORITY_FROM_POD: u32 = 2048;
/// Metric of the route of last resort, the value the kernel's VRF document uses for the same purpose.
pub const METRIC_LAST: u32 = 4_278_198_272;
/// Metric the kernel gives an IPv6 route that names none.
pub const METRIC_IPV6: u32 = 1024;

/// Which network namespace an object lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The node's namespace.
    Host,
    /// The pod's namespace.
    Pod,
}

/// A device by its part in an attachment, because indices are not known before the pair is born.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// The end of the pair in the host namespace.
    HostEnd,
    /// The end of the pair in the pod.
    PodEnd,
    /// The slave of the ENI in the host namespace that all its IPvlan pods share.
    HostSlave,
    /// The ENI that carries the pod's addresses.
    Eni,
    /// The device with the node's default route.
    Uplink,
    /// Any other device, by index.
    Index(u32),
}

/// How the MTU of a link is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mtu {
    /// This and no other.
    Exactly(u32),
    /// ENIs are shared by attachments that may differ: never lowered.
    AtLeast(u32),
}

impl Mtu {
    /// The number itself.
    pub fn value(self) -> u32 {
        match self {
            Self::Exactly(mtu) | Self::AtLeast(mtu) => mtu,
        }
    }

    /// True if a link with `mtu` is good enough.
    pub fn accepts(self, mtu: u32) -> bool {
        match self {
            Self::Exactly(want) => want == mtu,
            Self::AtLeast(want) => mtu >= want,
        }
    }
}

/// A link that must exist and be up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which one.
    pub device: Device,
    /// Its name, if it is ours to set.
    pub name: Option<String>,
    /// Its MTU.
    pub mtu: Mtu,
    /// Its interface alias, if it is ours to set.
    pub alias: Option<String>,
    /// Whether it asks for MACs (`IFF_NOARP` is off), if that is ours to set.
    pub arp: Option<bool>,
}

/// An address on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Where.
    pub device: Device,
    /// Address and prefix length as they stand on the link.
    pub prefix: Prefix,
}

/// What a route does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RouteKind {
    /// Forward it.
    Unicast,
    /// Refuse it with an ICMP error.
    Unreachable,
    /// Anything else, seen only.
    Other(u8),
}

/// Scope of an IPv4 route; IPv6 knows only `Universe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Anywhere.
    Universe,
    /// Directly attached.
    Link,
    /// Anything else, seen only.
    Other(u8),
}

/// One route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// Routing table.
    pub table: u32,
    /// Destination.
    pub destination: Prefix,
    /// Only packets from here; IPv6 alone has it (`CONFIG_IPV6_SUBTREES`).
    pub source: Option<Prefix>,
    /// What it does.
    pub kind: RouteKind,
    /// Output device; none for `Unreachable`.
    pub device: Option<Device>,
    /// Next hop.
    pub gateway: Option<IpAddr>,
    /// The next hop is on the link although no address says so.
    pub onlink: bool,
    /// Scope.
    pub scope: Scope,
    /// Priority; 0 for IPv4, 1024 for IPv6 where nothing is named.
    pub metric: u32,
    /// Who made it.
    pub protocol: u8,
}

impl Route {
    /// Routes to what is on a link in main: host routes to a gateway, one for each ENI of a vSwitch, and what the interfaces of a pod in
    /// one vSwitch have in common. They differ in the device alone.
    pub(crate) fn stands_beside(&self) -> bool {
        let possible = match self.device {
            Some(Device::Eni) => self.destination.is_host(),
            Some(Device::PodEnd) => true,
            _ => false,
        };
        possible && self.table == TABLE_MAIN && self.gateway.is_none()
    }
}

/// What a rule does with a packet that it selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleAction {
    /// Look a table up; what is not found there goes on to the next rule.
    Lookup(u32),
    /// Go on at the first rule of this priority.
    Goto(u32),
    /// Go on; a place to jump to.
    Nop,
}

impl RuleAction {
    /// The table it looks up, if it does.
    pub fn table(self) -> Option<u32> {
        match self {
            Self::Lookup(table) => Some(table),
            Self::Goto(_) | Self::Nop => None,
        }
    }
}

/// Source and destination of a rule.
pub type Selectors = (Option<Prefix>, Option<Prefix>);

/// One policy rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Address family.
    pub family: Family,
    /// Priority.
    pub priority: u32,
    /// Source selector.
    pub from: Option<Prefix>,
    /// Destination selector.
    pub to: Option<Prefix>,
    /// Packets that come in through this device (`iif`).
    pub input: Option<IfName>,
    /// Packets of the namespace itself that are bound to this device (`oif`).
    pub output: Option<IfName>,
    /// What it does.
    pub action: RuleAction,
    /// Answers of this prefix length or shorter do not count.
    pub suppress_prefix_length: Option<u32>,
    /// Who made it.
    pub protocol: u8,
    /// Seen only: it has selectors or actions that none of ours has.
    pub foreign_form: bool,
}

/// Where the MAC of a neighbour comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkAddress {
    /// Whatever this device has now.
    Of(Device),
    /// This one.
    Is(Mac),
}

/// One permanent neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Neighbour {
    /// Where.
    pub device: Device,
    /// Whom.
    pub address: IpAddr,
    /// At which MAC.
    pub mac: LinkAddress,
    /// Seen only (wanted ones always are).
    pub permanent: bool,
}

/// What a sysctl of `net.ipv4.conf` or `net.ipv6.conf` speaks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SysctlScope {
    /// `all`
    All,
    /// `default`
    Default,
    /// One device.
    Device(Device),
}

/// One sysctl under `net.ipvX.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SysctlKey {
    /// `ipv4` or `ipv6`.
    pub family: Family,
    /// Which directory.
    pub scope: SysctlScope,
    /// File name.
    pub name: &'static str,
}

/// A sysctl and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sysctl {
    /// Which.
    pub key: SysctlKey,
    /// Value.
    pub value: i32,
}

/// The table of an ENI: 1000 + its index, as Terway numbers them.
pub fn eni_table(ifindex: u32) -> u32 {
    1000 + ifindex
}

/// The name of a host end that gave its own away: its index makes it unique.
pub fn displaced_name(ifindex: u32) -> String {
    format!("{DISPLACED_PREFIX}{ifindex:x}")
}

//! Routes and their tables.

use std::net::IpAddr;

use super::address::Prefix;
use super::device::Device;

/// Routing protocol number of every route and rule we make (`ip route show proto 116`); unassigned in `/etc/iproute2/rt_protos`.
/// What lacks it is foreign and is never removed.
pub const PROTOCOL: u8 = 116;
/// The main routing table.
pub const TABLE_MAIN: u32 = 254;
/// Where IPv6 finds the way out of each pod by its source: number 1000 + 0, and no device has index 0.
pub const TABLE_SOURCES: u32 = 1000;
/// Host routes of pods whose ENI carries security groups of its own, and the first of the tables of such ENIs.
pub const TABLE_OWN_GROUPS: u32 = 0x2000_0000;
/// Metric of the route of last resort, the value the kernel's VRF document uses for the same purpose.
pub const METRIC_LAST: u32 = 4_278_198_272;
/// Metric the kernel gives an IPv6 route that names none.
pub const METRIC_IPV6: u32 = 1024;

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
    /// The address that the node speaks with when it opens a connection by this route, if that is said.
    pub preferred: Option<IpAddr>,
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

/// The table of an ENI: 1000 + its index, as Terway numbers them.
pub fn eni_table(ifindex: u32) -> u32 {
    1000 + ifindex
}

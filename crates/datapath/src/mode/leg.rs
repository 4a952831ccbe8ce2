//! One address family of an attachment, and the next hop its pod has in that family.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::attachment::Attachment;
use crate::object::Family;

/// Next hop of the pod for IPv4; no interface owns it.
pub const NEXT_HOP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1));
/// Next hop of the pod for IPv6.
pub const NEXT_HOP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));

/// One family of the attachment, without its type.
pub struct Leg {
    pub family: Family,
    pub pod: IpAddr,
    pub prefix_length: u8,
    pub gateway: IpAddr,
    /// Gateway of the ENI itself: the node asks for it without a member's tag, and it is the same router. Of a trunk its own, else the pod's.
    pub eni_gateway: IpAddr,
    pub host: Option<IpAddr>,
}

/// The families that the attachment has.
pub fn legs(attachment: &Attachment) -> impl Iterator<Item = Leg> {
    let trunk = attachment.trunk;
    let ipv4 = attachment.ipv4.map(|ipv4| Leg {
        family: Family::V4,
        pod: ipv4.address.into(),
        prefix_length: ipv4.prefix_length,
        gateway: ipv4.gateway.into(),
        eni_gateway: trunk.and_then(|trunk| trunk.gateway_ipv4).unwrap_or(ipv4.gateway).into(),
        host: attachment.host_ipv4.map(IpAddr::from),
    });
    let ipv6 = attachment.ipv6.map(|ipv6| Leg {
        family: Family::V6,
        pod: ipv6.address.into(),
        prefix_length: ipv6.prefix_length,
        gateway: ipv6.gateway.into(),
        eni_gateway: trunk.and_then(|trunk| trunk.gateway_ipv6).unwrap_or(ipv6.gateway).into(),
        host: attachment.host_ipv6.map(IpAddr::from),
    });
    ipv4.into_iter().chain(ipv6)
}

/// The next hop that stands for the node in every pod.
pub fn next_hop(family: Family) -> IpAddr {
    match family {
        Family::V4 => NEXT_HOP_V4,
        Family::V6 => NEXT_HOP_V6,
    }
}

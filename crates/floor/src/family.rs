//! An address family of a pod.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One family of a pod.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// The pod's address.
    pub address: IpAddr,
    /// The VPC's gateway.
    pub gateway: IpAddr,
}

impl Family {
    /// Address length in bits.
    pub const fn bits(self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// The address that stands for all.
    pub const fn unspecified(self) -> IpAddr {
        if self.address.is_ipv4() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        } else {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        }
    }

    /// The pod's next hop; the host end answers for it by a permanent neighbour only.
    pub const fn next_hop(self) -> IpAddr {
        if self.address.is_ipv4() {
            IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1))
        } else {
            IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1))
        }
    }
}

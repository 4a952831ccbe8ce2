use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address of either family in network order; IPv4 as `::ffff:a.b.c.d`. Aligned, so that the programs copy words and not bytes.
#[repr(C, align(4))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub [u8; 16]);

const _: () = assert!(size_of::<Address>() == 16 && align_of::<Address>() == 4);

impl Address {
    /// The mapped form of an IPv4 address given in network order.
    #[inline(always)]
    #[must_use]
    pub const fn mapped([a, b, c, d]: [u8; 4]) -> Self {
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }
}

impl From<Ipv4Addr> for Address {
    fn from(address: Ipv4Addr) -> Self {
        Self::mapped(address.octets())
    }
}

impl From<Ipv6Addr> for Address {
    fn from(address: Ipv6Addr) -> Self {
        Self(address.octets())
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => address.into(),
        }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        Ipv6Addr::from(address.0).to_canonical()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_come_back() {
        for text in ["10.0.0.7", "fd00::7", "::1", "0.0.0.0"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(IpAddr::from(Address::from(address)), address);
        }
    }

    #[test]
    fn ipv4_stands_where_the_programs_put_it() {
        assert_eq!(Address::from(Ipv4Addr::new(10, 1, 2, 3)), Address::mapped([10, 1, 2, 3]));
    }
}

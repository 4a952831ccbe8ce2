use core::net::IpAddr;

use crate::Address;

/// Data of a longest-prefix key. The family stands first, so that `::/0` holds no IPv4 address.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// 4 or 6; the rest is zero.
    pub family: [u8; 4],
    /// The address; bits behind the prefix are zero.
    pub address: Address,
}

const _: () = assert!(size_of::<Prefix>() == 20 && align_of::<Prefix>() == 4);

impl Prefix {
    /// Length of the key, in bits, that matches one IPv4 or IPv6 address.
    pub const BITS: u32 = 32 + 128;

    /// The data to look an address up with, at [`Self::BITS`].
    #[inline(always)]
    #[must_use]
    pub const fn of(family: u8, address: Address) -> Self {
        Self {
            family: [family, 0, 0, 0],
            address,
        }
    }

    /// Key length and data of a CIDR; host bits are cut off. `None`: the length is none of the family's.
    #[must_use]
    pub fn cidr(address: IpAddr, length: u8) -> Option<(u32, Self)> {
        let (family, fixed, bits) = match address {
            IpAddr::V4(_) => (4, 96, 32),
            IpAddr::V6(_) => (6, 0, 128),
        };
        if length > bits {
            return None;
        }
        let length = fixed + u32::from(length);
        let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
        let kept = u128::from_be_bytes(Address::from(address).0) & mask;
        Some((32 + length, Self::of(family, Address(kept.to_be_bytes()))))
    }

    /// Address and length of the CIDR that a key of this length stands for. `None`: no key that [`Self::cidr`] makes.
    #[must_use]
    pub fn to_cidr(&self, key_length: u32) -> Option<(IpAddr, u8)> {
        let fixed = match self.family {
            [4, 0, 0, 0] => 32 + 96,
            [6, 0, 0, 0] => 32,
            _ => return None,
        };
        let length = u8::try_from(key_length.checked_sub(fixed)?).ok()?;
        let address = match self.family {
            [4, ..] => IpAddr::from(self.address),
            _ => IpAddr::V6(self.address.0.into()),
        };
        Some((address, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cidrs_come_back_without_host_bits() {
        for (given, length, kept) in [
            ("172.16.3.4", 12, "172.16.0.0"),
            ("0.0.0.0", 0, "0.0.0.0"),
            ("10.0.0.1", 32, "10.0.0.1"),
            ("fd00::1", 64, "fd00::"),
            ("::", 0, "::"),
            ("::1", 128, "::1"),
        ] {
            let (bits, prefix) = Prefix::cidr(given.parse().unwrap(), length).unwrap();
            assert_eq!(prefix.to_cidr(bits), Some((kept.parse().unwrap(), length)));
        }
    }

    #[test]
    fn a_length_of_the_other_family_is_refused() {
        assert_eq!(Prefix::cidr("10.0.0.0".parse().unwrap(), 33), None);
        assert_eq!(Prefix::cidr("::".parse().unwrap(), 129), None);
    }
}

//! Addresses: families, prefixes and MACs.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Bits of an address: 32 or 128.
    pub fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    /// `ipv4` or `ipv6`.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }

    /// `0.0.0.0/0` or `::/0`.
    pub fn default_prefix(self) -> Prefix {
        match self {
            Self::V4 => Prefix {
                address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                length: 0,
            },
            Self::V6 => Prefix {
                address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
                length: 0,
            },
        }
    }
}

/// Address and prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    /// Address.
    pub address: IpAddr,
    /// Prefix length in bits.
    pub length: u8,
}

impl Prefix {
    /// The /32 or /128 of one address.
    pub fn host(address: IpAddr) -> Self {
        Self {
            address,
            length: Family::of(address).bits(),
        }
    }

    /// Its family.
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// True for `0.0.0.0/0` and `::/0`.
    pub fn is_default(&self) -> bool {
        self.length == 0
    }

    /// True for a /32 or /128.
    pub fn is_host(&self) -> bool {
        self.length == self.family().bits()
    }

    /// The network of `length` bits around it.
    #[must_use]
    pub fn shortened(&self, length: u8) -> Self {
        Self {
            length: length.min(self.length),
            ..*self
        }
        .network()
    }

    /// The prefix with the bits behind its length cleared, as the kernel stores a route's destination.
    #[must_use]
    pub fn network(&self) -> Self {
        let address = match self.address {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(
                v4.to_bits() & u32::MAX.checked_shl(32 - u32::from(self.length)).unwrap_or(0),
            )),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(
                v6.to_bits() & u128::MAX.checked_shl(128 - u32::from(self.length)).unwrap_or(0),
            )),
        };
        Self {
            address,
            length: self.length,
        }
    }
}

impl FromStr for Prefix {
    type Err = ();

    /// `10.0.0.0/8`, `2001:db8::/32`; an address alone is its /32 or /128.
    fn from_str(text: &str) -> Result<Self, ()> {
        let Some((address, length)) = text.split_once('/') else {
            return text.parse().map(Self::host).map_err(|_| ());
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let length: u8 = length.parse().map_err(|_| ())?;
        if length > Family::of(address).bits() {
            Err(())
        } else {
            Ok(Self { address, length })
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// From the bytes of a link-layer address, if there are six.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl FromStr for Mac {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut bytes = [0u8; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or(())?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| ())?;
        }
        if parts.next().is_some() { Err(()) } else { Ok(Self(bytes)) }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_clear_host_bits() {
        let network = |text: &str| text.parse::<Prefix>().unwrap().network().to_string();
        assert_eq!(network("10.1.2.3/8"), "10.0.0.0/8");
        assert_eq!(network("10.1.2.3/0"), "0.0.0.0/0");
        assert_eq!(network("10.1.2.3"), "10.1.2.3/32");
        assert_eq!(network("2001:db8::1/32"), "2001:db8::/32");
        assert_eq!(network("2001:db8::1/0"), "::/0");
    }

    #[test]
    fn impossible_prefixes_and_macs_are_refused() {
        for text in ["10.0.0.0/33", "::/129", "10.0.0/8", "/8", "10.0.0.1/", "10.0.0.1/-1"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
        for text in [
            "",
            "00:11:22:33:44",
            "00:11:22:33:44:55:66",
            "0:11:22:33:44:555",
            "zz:11:22:33:44:55",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
        assert_eq!("00:16:3E:aa:0b:1c".parse::<Mac>().unwrap().to_string(), "00:16:3e:aa:0b:1c");
    }
}

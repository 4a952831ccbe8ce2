//! Ethernet frames: the ARP and neighbour discovery that the responder speaks, and the frames that tests send by hand.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

mod arp;
mod neighbour;
mod udp;

pub use arp::{Arp, Operation};
pub use neighbour::{Solicitation, advertisement, parse_advertisement};
pub use udp::udp;

/// A hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The one address behind which an Alibaba Cloud VPC hides every neighbour.
    pub const VPC: Self = Self([0xee, 0xff, 0xff, 0xff, 0xff, 0xff]);
    /// All stations.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// The group address of an IPv6 multicast address (RFC 2464, section 7).
    pub const fn of_group(group: Ipv6Addr) -> Self {
        let [.., a, b, c, d] = group.octets();
        Self([0x33, 0x33, a, b, c, d])
    }
}

impl std::fmt::Display for Mac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl std::str::FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let octets: Option<Vec<u8>> = text.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect();
        octets
            .and_then(|octets| octets.try_into().ok())
            .map(Self)
            .ok_or_else(|| "no hardware address".into())
    }
}

/// `ETH_P_IP`.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// `ETH_P_ARP`.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// `ETH_P_IPV6`.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;

/// Splits a frame into its source and payload if it is of this type.
fn payload(frame: &[u8], ethertype: u16) -> Option<(Mac, &[u8])> {
    let (header, payload) = frame.split_at_checked(14)?;
    let source = header.get(6..12)?.try_into().ok()?;
    (header.get(12..)? == ethertype.to_be_bytes()).then_some((Mac(source), payload))
}

fn ethernet(destination: Mac, source: Mac, ethertype: u16) -> Vec<u8> {
    let mut frame = Vec::with_capacity(96);
    frame.extend_from_slice(&destination.0);
    frame.extend_from_slice(&source.0);
    frame.extend_from_slice(&ethertype.to_be_bytes());
    frame
}

/// The Internet checksum (RFC 1071) over the concatenation of `parts`, all of which but the last have an even length.
pub fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(u16::from_be_bytes([
                pair.first().copied().unwrap_or(0),
                pair.get(1).copied().unwrap_or(0),
            ]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

/// The pseudo header of transport checksums (RFC 768, RFC 8200 section 8.1).
fn pseudo_header(source: IpAddr, destination: IpAddr, length: u16, protocol: u8) -> Vec<u8> {
    let mut header = Vec::with_capacity(40);
    let mut push = |address: IpAddr| match address {
        IpAddr::V4(address) => header.extend_from_slice(&address.octets()),
        IpAddr::V6(address) => header.extend_from_slice(&address.octets()),
    };
    push(source);
    push(destination);
    // Both families' forms add up to the same sum.
    header.extend_from_slice(&[0, protocol]);
    header.extend_from_slice(&length.to_be_bytes());
    header
}

fn ipv6_header(source: Ipv6Addr, destination: Ipv6Addr, next: u8, hop_limit: u8, length: u16) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(&[next, hop_limit]);
    header.extend_from_slice(&source.octets());
    header.extend_from_slice(&destination.octets());
    header
}

fn ipv4_header(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: u16) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend_from_slice(&(length + 20).to_be_bytes());
    header.extend_from_slice(&[0, 0, 0x40, 0, 64, protocol, 0, 0]);
    header.extend_from_slice(&source.octets());
    header.extend_from_slice(&destination.octets());
    let sum = checksum(&[&header]).to_be_bytes();
    header.splice(10..12, sum);
    header
}

#[cfg(test)]
#[path = "frame_test.rs"]
mod tests;

//! Headers and checksums.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::mac::Mac;

/// `ETH_P_IP`.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// `ETH_P_ARP`.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// `ETH_P_IPV6`.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;

/// Splits a frame into its source and payload if it is of this type.
pub fn payload(frame: &[u8], ethertype: u16) -> Option<(Mac, &[u8])> {
    let (header, payload) = frame.split_at_checked(14)?;
    let source = header.get(6..12)?.try_into().ok()?;
    (header.get(12..)? == ethertype.to_be_bytes()).then_some((Mac(source), payload))
}

/// A frame with its Ethernet header alone.
pub fn ethernet(destination: Mac, source: Mac, ethertype: u16) -> Vec<u8> {
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
pub fn pseudo_header(source: IpAddr, destination: IpAddr, length: u16, protocol: u8) -> Vec<u8> {
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

/// The IPv6 header of a packet with this payload length.
pub fn ipv6_header(source: Ipv6Addr, destination: Ipv6Addr, next: u8, hop_limit: u8, length: u16) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend_from_slice(&length.to_be_bytes());
    header.extend_from_slice(&[next, hop_limit]);
    header.extend_from_slice(&source.octets());
    header.extend_from_slice(&destination.octets());
    header
}

/// The IPv4 header of a packet with this payload length; it must not be fragmented.
pub fn ipv4_header(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: u16) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend_from_slice(&(length + 20).to_be_bytes());
    header.extend_from_slice(&[0, 0, 0x40, 0, 64, protocol, 0, 0]);
    header.extend_from_slice(&source.octets());
    header.extend_from_slice(&destination.octets());
    let sum = checksum(&[&header]).to_be_bytes();
    header.splice(10..12, sum);
    header
}

//! UDP in IPv4 or IPv6 in Ethernet, with whatever source a test wants to pretend.

use std::net::SocketAddr;

use super::header::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, checksum, ethernet, ipv4_header, ipv6_header, pseudo_header};
use super::mac::Mac;

const UDP: u8 = 17;
const HOP_LIMIT: u8 = 64;

/// The whole frame.
///
/// # Errors
/// Addresses of two families, or a payload that does not fit one packet.
pub fn udp(macs: (Mac, Mac), source: SocketAddr, destination: SocketAddr, content: &[u8]) -> Result<Vec<u8>, String> {
    let length = u16::try_from(content.len() + 8)
        .ok()
        .filter(|length| *length <= 1472)
        .ok_or("payload too long")?;
    let mut packet = Vec::with_capacity(usize::from(length));
    packet.extend_from_slice(&source.port().to_be_bytes());
    packet.extend_from_slice(&destination.port().to_be_bytes());
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(&[0, 0]);
    packet.extend_from_slice(content);
    // Zero would mean that there is none; its equal in one's complement says the same sum.
    let sum = match checksum(&[&pseudo_header(source.ip(), destination.ip(), length, UDP), &packet]) {
        0 => 0xffff,
        sum => sum,
    };
    packet.splice(6..8, sum.to_be_bytes());
    let (ethertype, header) = match (source, destination) {
        (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
            (ETHERTYPE_IPV4, ipv4_header(*source.ip(), *destination.ip(), UDP, length))
        }
        (SocketAddr::V6(source), SocketAddr::V6(destination)) => (
            ETHERTYPE_IPV6,
            ipv6_header(*source.ip(), *destination.ip(), UDP, HOP_LIMIT, length),
        ),
        _ => return Err("source and destination are of different families".into()),
    };
    let mut frame = ethernet(macs.1, macs.0, ethertype);
    frame.extend(header);
    frame.extend(packet);
    Ok(frame)
}

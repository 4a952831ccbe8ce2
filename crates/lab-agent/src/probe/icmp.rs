//! ICMP echo over a raw socket, or a ping socket where raw ones are not allowed.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use super::attempt::{Deadline, Probe, bind};
use crate::frame::checksum;

const ECHO_REQUEST_V4: u8 = 8;
const ECHO_REPLY_V4: u8 = 0;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;

pub fn probe(index: usize, probe: &Probe, deadline: &Deadline) -> io::Result<()> {
    let v4 = probe.addr.is_ipv4();
    let address = SocketAddr::new(probe.addr, 0);
    let protocol = if v4 { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
    let open = |kind| Socket::new(Domain::for_address(address), kind, Some(protocol));
    let (mut socket, raw) = match open(Type::RAW) {
        Ok(socket) => (socket, true),
        Err(_) => (open(Type::DGRAM)?, false),
    };
    bind(&socket, probe)?;
    socket.connect(&address.into())?;

    // The process id and the probe's place in the list tell apart what raw sockets of this node see of each other.
    let mark: [u8; 8] = ((u64::from(std::process::id()) << 32) | (index as u64 & 0xffff_ffff)).to_be_bytes();
    let [.., id_high, id_low] = std::process::id().to_be_bytes();
    let [.., seq_high, seq_low] = index.to_be_bytes();
    let mut request = vec![
        if v4 { ECHO_REQUEST_V4 } else { ECHO_REQUEST_V6 },
        0,
        0,
        0,
        id_high,
        id_low,
        seq_high,
        seq_low,
    ];
    request.extend_from_slice(&mark);
    if v4 {
        // For IPv6 the kernel computes it, as only the kernel knows the source address of the pseudo header.
        let [high, low] = checksum(&[&request]).to_be_bytes();
        request.splice(2..4, [high, low]);
    }
    socket.write_all(&request)?;

    let mut block = [0; 2048];
    loop {
        socket.set_read_timeout(Some(deadline.remaining()?))?;
        let count = socket.read(&mut block)?;
        let packet = block.get(..count).unwrap_or_default();
        if is_reply(packet, v4, raw, &mark) {
            return Ok(());
        }
    }
}

/// Only IPv4 raw sockets deliver the IP header. A ping socket replaces the identifier, so the mark in the payload decides.
fn is_reply(packet: &[u8], v4: bool, raw: bool, mark: &[u8; 8]) -> bool {
    let header = if v4 && raw {
        usize::from(packet.first().copied().unwrap_or(0) & 0x0f) * 4
    } else {
        0
    };
    let message = packet.get(header..).unwrap_or_default();
    message.first() == Some(if v4 { &ECHO_REPLY_V4 } else { &ECHO_REPLY_V6 }) && message.get(8..16) == Some(mark)
}

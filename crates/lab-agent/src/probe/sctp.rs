//! SCTP: send an INIT, wait for the INIT ACK that carries its tag.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use socket2::Domain;

use super::attempt::{Deadline, Probe, bind, line};
use crate::sctp::{self, Chunk, Message};

/// Ports to send from.
const FIRST_PORT: u32 = 20_000;
const PORTS: u32 = 40_000;

/// Probes so far.
static SENT: AtomicU32 = AtomicU32::new(0);

pub fn probe(probe: &Probe, deadline: &Deadline) -> io::Result<String> {
    let address = SocketAddr::new(probe.addr, 0);
    let mut socket = sctp::socket(Domain::for_address(address))?;
    bind(&socket, probe)?;
    socket.connect(&address.into())?;
    // Each probe has its own port, as a flow that a firewall remembers must not speak for the next one; and a tag that is no other's.
    let number = SENT.fetch_add(1, Ordering::Relaxed);
    let start = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .subsec_micros();
    let port = FIRST_PORT + std::process::id().wrapping_mul(7919).wrapping_add(number) % PORTS;
    let init = Message {
        chunk: Chunk::Init,
        source_port: u16::try_from(port).unwrap_or_default(),
        destination_port: probe.port,
        verification_tag: 0,
        // Zero is no legal tag.
        tag: (start << 12 | number & 0xfff).max(1),
        cookie: Vec::new(),
    };
    socket.write_all(&init.to_bytes())?;
    let mut block = [0; 2048];
    loop {
        socket.set_read_timeout(Some(deadline.remaining()?))?;
        let count = socket.read(&mut block)?;
        let packet = sctp::payload(block.get(..count).unwrap_or_default(), probe.addr.is_ipv4());
        if let Some(message) = Message::parse(packet)
            && message.chunk == Chunk::InitAck
            && (message.verification_tag, message.destination_port) == (init.tag, init.source_port)
        {
            return Ok(line(&message.cookie));
        }
    }
}

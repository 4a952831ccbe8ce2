//! UDP: send the probe's id, wait for the answer that carries it.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use super::attempt::{Deadline, Probe, bind, line};

pub fn probe(probe: &Probe, deadline: &Deadline) -> io::Result<String> {
    let address = SocketAddr::new(probe.addr, probe.port);
    let mut socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    bind(&socket, probe)?;
    socket.connect(&address.into())?;
    socket.write_all(probe.id.as_bytes())?;
    let mut block = [0; 2048];
    loop {
        socket.set_read_timeout(Some(deadline.remaining()?))?;
        let count = socket.read(&mut block)?;
        let answer = block.get(..count).unwrap_or_default();
        if answer.ends_with(probe.id.as_bytes()) {
            return Ok(line(answer));
        }
    }
}

//! TCP: connect, read the server's line.

use std::io::{self, Read};
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};

use super::attempt::{Deadline, Probe, bind, line};

pub fn probe(probe: &Probe, deadline: &Deadline) -> io::Result<String> {
    let address = SocketAddr::new(probe.addr, probe.port);
    let mut socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    bind(&socket, probe)?;
    socket.connect_timeout(&address.into(), deadline.remaining()?)?;
    let (mut bytes, mut block) = (Vec::new(), [0; 512]);
    while !bytes.contains(&b'\n') {
        socket.set_read_timeout(Some(deadline.remaining()?))?;
        match socket.read(&mut block)? {
            0 => {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "connection closed before the server's line",
                ));
            }
            count => bytes.extend_from_slice(block.get(..count).unwrap_or_default()),
        }
    }
    Ok(line(&bytes))
}

//! The answering side.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::thread;

use super::datagram::{DATAGRAM, HOW_MANY};
use super::options::Options;
use super::processor::pin;

/// Answers one TCP connection after the other, byte by byte, and counts datagrams; runs until it is ended.
pub fn serve(options: &Options) -> io::Result<()> {
    let (address, cpu) = (options.address, options.cpu);
    let listener = TcpListener::bind(address)?;
    let counter = thread::spawn(move || count_datagrams(address, cpu));
    pin(cpu)?;
    println!("listening");
    for connection in listener.incoming() {
        let mut connection = connection?;
        connection.set_nodelay(true)?;
        let mut byte = [0];
        // A connection that is reset by its client has simply ended.
        while matches!(connection.read(&mut byte), Ok(1)) {
            if connection.write_all(&byte).is_err() {
                break;
            }
        }
        if counter.is_finished() {
            return Err(io::Error::other("the datagram counter ended"));
        }
    }
    Ok(())
}

fn count_datagrams(address: SocketAddr, cpu: Option<usize>) -> io::Result<()> {
    pin(cpu)?;
    let socket = UdpSocket::bind(address)?;
    let mut buffer = [0; DATAGRAM];
    let mut count: u64 = 0;
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        if length == 1 && buffer.first() == Some(&HOW_MANY) {
            socket.send_to(&count.to_le_bytes(), from)?;
            count = 0;
        } else {
            count += 1;
        }
    }
}

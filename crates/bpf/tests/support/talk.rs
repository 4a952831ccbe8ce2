//! TCP between namespaces, with enough data for large segments.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use super::namespace::Namespace;

const BYTES: usize = 256 << 10;
const WAIT: Duration = Duration::from_secs(10);

/// Sends 256 KiB each way: did every byte arrive? Both ends give up after ten seconds.
pub fn talks(client: &Namespace, server: &Namespace, to: &str) -> Result<(), String> {
    let address = to.parse().unwrap();
    let any = match address {
        std::net::IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        std::net::IpAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let listener = server.run(|| TcpListener::bind(any).unwrap());
    let port = listener.local_addr().unwrap().port();
    let mut stream = client
        .run(|| TcpStream::connect_timeout(&SocketAddr::new(address, port), WAIT))
        .map_err(|error| format!("connecting to {to}: {error}"))?;
    let (mut accepted, _) = listener.accept().unwrap();
    let answer = thread::spawn(move || exchange(&mut accepted));
    let own = exchange(&mut stream);
    own.and(answer.join().unwrap())
        .map_err(|error| format!("talking to {to}: {error}"))
}

fn exchange(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    let mut writer = stream.try_clone()?;
    let sent = thread::spawn(move || {
        writer.write_all(&vec![0x5a; BYTES])?;
        writer.shutdown(Shutdown::Write)
    });
    let mut received = Vec::new();
    stream.read_to_end(&mut received)?;
    sent.join().unwrap()?;
    assert_eq!(received.len(), BYTES);
    assert!(received.iter().all(|byte| *byte == 0x5a));
    Ok(())
}

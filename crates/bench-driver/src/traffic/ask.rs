//! The asking side.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::datagram::{DATAGRAM, HOW_MANY};
use super::options::{Kind, Options};
use super::processor::pin;

/// How long to wait for an answer before the path counts as broken.
const PATIENCE: Duration = Duration::from_secs(2);

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// Operations that were completed: round trips, connections, or datagrams that arrived.
    operations: u64,
    /// How long it took.
    ns: u64,
    /// Percentiles of one operation, nanoseconds; none for datagrams.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency: Option<Latency>,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: u32,
    p90: u32,
    p99: u32,
}

/// Measures for the wanted time.
pub fn ask(options: &Options) -> io::Result<Answer> {
    pin(options.cpu)?;
    match options.kind {
        Kind::Rr => {
            let mut connection = connect(options.address)?;
            timed(options.duration, || exchange(&mut connection))
        }
        Kind::Crr => timed(options.duration, || {
            let mut connection = connect(options.address)?;
            exchange(&mut connection)?;
            // Closed by a reset: thirty thousand a second would be out of ports in a second if each had to wait out its time.
            rustix::net::sockopt::set_socket_linger(&connection, Some(Duration::ZERO))?;
            Ok(())
        }),
        Kind::Udp => datagrams(options.address, options.duration),
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    Ok(connection)
}

fn exchange(connection: &mut TcpStream) -> io::Result<()> {
    connection.write_all(b"x")?;
    connection.read_exact(&mut [0])
}

fn timed(duration: Duration, mut operation: impl FnMut() -> io::Result<()>) -> io::Result<Answer> {
    operation()?;
    let mut samples: Vec<u32> = Vec::with_capacity(1 << 18);
    let started = Instant::now();
    let mut before = started;
    while before.duration_since(started) < duration {
        operation()?;
        let now = Instant::now();
        samples.push(u32::try_from(now.duration_since(before).as_nanos()).unwrap_or(u32::MAX));
        before = now;
    }
    let ns = nanoseconds(before.duration_since(started));
    let operations = samples.len() as u64;
    samples.sort_unstable();
    let at = |share: usize| {
        samples
            .get((samples.len() * share / 100).min(samples.len().saturating_sub(1)))
            .copied()
    };
    let latency = at(50)
        .zip(at(90))
        .zip(at(99))
        .map(|((p50, p90), p99)| Latency { p50, p90, p99 });
    Ok(Answer { operations, ns, latency })
}

/// Sends as fast as it goes, then asks how many came: what a full queue has dropped does not count.
fn datagrams(address: SocketAddr, duration: Duration) -> io::Result<Answer> {
    let local = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(local)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    how_many(&socket)?;
    let payload = [b'd'; DATAGRAM];
    let started = Instant::now();
    while started.elapsed() < duration {
        for _ in 0..64 {
            socket.send(&payload)?;
        }
    }
    let ns = nanoseconds(started.elapsed());
    Ok(Answer {
        operations: how_many(&socket)?,
        ns,
        latency: None,
    })
}

fn how_many(socket: &UdpSocket) -> io::Result<u64> {
    let mut count = [0; 8];
    for _ in 0..20 {
        socket.send(&[HOW_MANY])?;
        // The question itself can be dropped by a queue that the datagrams have filled.
        if matches!(socket.recv(&mut count), Ok(8)) {
            return Ok(u64::from_le_bytes(count));
        }
    }
    Err(io::Error::other("the server does not say how many datagrams came"))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

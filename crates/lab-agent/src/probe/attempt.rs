//! One probe as it is asked for, and what every protocol does with it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use serde::Deserialize;
use socket2::Socket;

/// How is asked.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// A connection, and the line that comes on it.
    Tcp,
    /// A datagram, and the line that answers it.
    Udp,
    /// An INIT, and the line in the answer's cookie.
    Sctp,
    /// An echo request.
    Icmp,
}

/// One probe as it is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probe {
    /// Whose outcome it is.
    pub id: String,
    /// How.
    pub proto: Protocol,
    /// Whom.
    pub addr: IpAddr,
    /// Needed by all but ICMP.
    #[serde(default)]
    pub port: u16,
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// Address to send from; the kernel's choice without it.
    pub source: Option<IpAddr>,
}

const fn default_timeout_ms() -> u64 {
    1_000
}

/// Time left of one probe.
pub struct Deadline(Instant);

impl Deadline {
    /// Of a probe that has until `end`.
    pub const fn at(end: Instant) -> Self {
        Self(end)
    }

    /// Time left, for a socket's timeout, where zero would mean none at all.
    pub fn remaining(&self) -> io::Result<Duration> {
        let remaining = self.0.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            Ok(remaining.max(Duration::from_micros(1)))
        }
    }
}

/// Binds to the probe's source address, if it has one.
pub fn bind(socket: &Socket, probe: &Probe) -> io::Result<()> {
    probe
        .source
        .map_or(Ok(()), |source| socket.bind(&SocketAddr::new(source, 0).into()))
}

/// The first line of `bytes`.
pub fn line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned()
}

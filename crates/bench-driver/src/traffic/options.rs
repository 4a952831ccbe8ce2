//! The command line of both sides.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Request and response over one connection.
    Rr,
    /// A connection for each request.
    Crr,
    /// Datagrams one way.
    Udp,
}

/// Options of `serve` and `ask`.
#[derive(Debug)]
pub struct Options {
    /// `--listen` or `--to`.
    pub address: SocketAddr,
    /// `--kind`; only `ask` reads it.
    pub kind: Kind,
    /// `--ms`; only `ask` reads it.
    pub duration: Duration,
    /// `--cpu`.
    pub cpu: Option<usize>,
}

impl Options {
    /// Reads the command line behind the verb.
    pub fn parse(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let (mut address, mut kind, mut duration, mut cpu) = (None, Kind::Rr, Duration::from_secs(1), None);
        while let Some(flag) = arguments.next() {
            let value = arguments.next().unwrap_or_default();
            let bad = || io::Error::other(format!("{flag} {value:?}: see the usage"));
            match flag.as_str() {
                "--listen" | "--to" => address = Some(value.parse().map_err(|_| bad())?),
                "--kind" => {
                    kind = match value.as_str() {
                        "rr" => Kind::Rr,
                        "crr" => Kind::Crr,
                        "udp" => Kind::Udp,
                        _ => return Err(bad()),
                    }
                }
                "--ms" => duration = Duration::from_millis(value.parse().map_err(|_| bad())?),
                "--cpu" => cpu = Some(value.parse().map_err(|_| bad())?),
                _ => return Err(bad()),
            }
        }
        Ok(Self {
            address: address.ok_or_else(|| io::Error::other("--listen or --to is missing"))?,
            kind,
            duration,
            cpu,
        })
    }
}

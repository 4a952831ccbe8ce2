//! `listen`: counts the UDP packets that reach a port.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::arguments::Arguments;

/// # Errors
/// Options that are missing or wrong, or a port that cannot be bound.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    arguments.only(&["udp", "ms", "expect"])?;
    let (port, ms) = (arguments.need::<u16>("udp")?, arguments.need::<u64>("ms")?);
    let expect = arguments.get::<u64>("expect")?.unwrap_or(u64::MAX);
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port))
        .or_else(|_| UdpSocket::bind(("0.0.0.0", port)))
        .map_err(|error| format!("port {port}: {error}"))?;
    println!("{}", json!({ "listening": port }));
    let deadline = Instant::now() + Duration::from_millis(ms);
    let (mut packets, mut bytes, mut sources) = (0_u64, 0_u64, BTreeMap::<String, u64>::new());
    let mut block = [0; 64 << 10];
    while packets < expect {
        let remaining = deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            break;
        }
        socket.set_read_timeout(Some(remaining)).map_err(|error| error.to_string())?;
        if let Ok((count, source)) = socket.recv_from(&mut block) {
            packets += 1;
            bytes += count as u64;
            *sources.entry(source.ip().to_canonical().to_string()).or_default() += 1;
        }
    }
    println!("{}", json!({ "packets": packets, "bytes": bytes, "sources": sources }));
    Ok(())
}

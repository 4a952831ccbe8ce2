//! `send-raw`: frames that no honest stack would send, for the fabric's tests.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::arguments::Arguments;
use crate::frame::{Arp, ETHERTYPE_ARP, ETHERTYPE_IPV6, Mac, Operation, Solicitation, parse_advertisement, udp};
use crate::sys::{self, PacketSocket};

/// Prints `{sent, bytes}`, with `--wait` also `{answer, rttUs}`, where `answer` is a hardware address or null.
///
/// # Errors
/// Options that are missing or wrong, an interface that does not exist or is down.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    arguments.only(&[
        "interface",
        "source",
        "destination",
        "target",
        "port",
        "source-port",
        "source-mac",
        "destination-mac",
        "count",
        "payload",
        "wait",
    ])?;
    let interface = arguments.need::<String>("interface")?;
    let fail = |error: io::Error| format!("interface {interface}: {error}");
    let index = sys::interface_index(&interface).map_err(fail)?;
    let kind = arguments.words.first().map_or("", String::as_str);
    let ethertype = if kind == "neighbour-solicitation" {
        ETHERTYPE_IPV6
    } else {
        ETHERTYPE_ARP
    };
    let socket = PacketSocket::open(ethertype, index).map_err(fail)?;
    let own = socket.hardware_address().map_err(fail)?;
    let mac = arguments.get::<Mac>("source-mac")?.unwrap_or(own);
    let frame = match kind {
        "udp" => udp_frame(arguments, mac)?,
        "arp-request" => {
            let request = Arp::request(mac, arguments.need("source")?, arguments.need("target")?);
            request.to_frame(arguments.get("destination-mac")?.unwrap_or(Mac::BROADCAST), mac)
        }
        "gratuitous-arp" => {
            let address = arguments.need::<Ipv4Addr>("source")?;
            let announcement = Arp::request(mac, address, address);
            announcement.to_frame(arguments.get("destination-mac")?.unwrap_or(Mac::BROADCAST), mac)
        }
        "neighbour-solicitation" => Solicitation {
            source_mac: mac,
            source: arguments.need("source")?,
            target: arguments.need("target")?,
        }
        .to_frame(),
        _ => return Err("one of udp, arp-request, gratuitous-arp, neighbour-solicitation is missing".into()),
    };
    let count = arguments.get::<u32>("count")?.unwrap_or(1);
    let started = Instant::now();
    for _ in 0..count {
        socket.send(index, &frame).map_err(fail)?;
    }
    let mut report = json!({ "sent": count, "bytes": frame.len() });
    if let Some(wait) = arguments.get::<u64>("wait")? {
        let answer = wait_for_answer(&socket, arguments.need("target")?, started + Duration::from_millis(wait)).map_err(fail)?;
        report["answer"] = json!(answer.map(|mac| mac.to_string()));
        report["rttUs"] = json!(started.elapsed().as_micros() as u64);
    }
    println!("{report}");
    Ok(())
}

fn udp_frame(arguments: &Arguments, mac: Mac) -> Result<Vec<u8>, String> {
    let source = SocketAddr::new(arguments.need("source")?, arguments.get("source-port")?.unwrap_or(40_000));
    let destination = SocketAddr::new(arguments.need("destination")?, arguments.need("port")?);
    let destination_mac = arguments.get("destination-mac")?.unwrap_or(Mac::VPC);
    let payload = arguments.get::<String>("payload")?.unwrap_or_else(|| "raw".into());
    udp((mac, destination_mac), source, destination, payload.as_bytes())
}

/// The hardware address that is said to be `target`'s.
fn wait_for_answer(socket: &PacketSocket, target: IpAddr, deadline: Instant) -> io::Result<Option<Mac>> {
    let mut frame = [0; 2048];
    loop {
        let remaining = deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Ok(None);
        }
        socket.set_timeout(remaining.max(Duration::from_millis(1)))?;
        let count = match socket.receive(&mut frame) {
            Ok((_, count)) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        let frame = frame.get(..count).unwrap_or_default();
        let answer = match target {
            IpAddr::V4(target) => answer_v4(frame, target),
            IpAddr::V6(target) => answer_v6(frame, target),
        };
        if answer.is_some() {
            return Ok(answer);
        }
    }
}

fn answer_v4(frame: &[u8], target: Ipv4Addr) -> Option<Mac> {
    let reply = Arp::parse(frame)?;
    (reply.operation == Operation::Reply && reply.sender == target).then_some(reply.sender_mac)
}

fn answer_v6(frame: &[u8], target: Ipv6Addr) -> Option<Mac> {
    let (address, mac) = parse_advertisement(frame)?;
    (address == target).then_some(mac)
}

//! `respond`: plays all neighbours of a VPC.
//!
//! In an Alibaba Cloud VPC every ARP request and every Neighbour Solicitation is answered with one hardware address, whoever is
//! asked for. The kernel's proxy ARP comes near; its proxy for neighbour discovery knows only listed addresses. So this program
//! answers on the fabric's ends of the ENIs. An ENI's own addresses are left out: the answer would look like a duplicate and
//! make the node's own address `dadfailed`. So is a solicitation without a source, which only looks for duplicates.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::net::IpAddr;
use std::sync::{Arc, RwLock};
use std::{process, thread};

use serde::Deserialize;
use serde_json::{Value, json};
use socket2::SockFilter;

use crate::arguments::Arguments;
use crate::frame::{Arp, ETHERTYPE_ARP, ETHERTYPE_IPV6, Mac, Operation, Solicitation, advertisement};
use crate::sys::{self, PacketSocket};

/// Receive buffer per socket, in bytes; a node that starts asks for hundreds of neighbours at once.
const BUFFER: i32 = 4 << 20;

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Command {
    /// Answer on `ifname` (from now on, or with other addresses).
    Port { ifname: String, own: Vec<IpAddr> },
    /// Answer there no more.
    Remove { ifname: String },
}

#[derive(Default)]
struct Ports {
    /// Interface index to the addresses of the ENI at its other end.
    own: HashMap<u32, Vec<IpAddr>>,
    index: HashMap<String, u32>,
}

type Shared = Arc<RwLock<Ports>>;
type Answer = fn(&Ports, u32, &[u8]) -> Option<Vec<u8>>;

/// Ends when standard input does.
///
/// # Errors
/// Sockets that cannot be opened.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    // The process already is in the fabric's namespace; the flag says so on the command line for whoever reads `ps`.
    arguments.only(&["netns-less"])?;
    let ports = Shared::default();
    start(ETHERTYPE_ARP, None, answer_arp, &ports).map_err(|error| format!("ARP socket: {error}"))?;
    start(ETHERTYPE_IPV6, Some(&only_solicitations()), answer_solicitation, &ports)
        .map_err(|error| format!("IPv6 socket: {error}"))?;
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| format!("standard input: {error}"))?;
        if line.trim().is_empty() {
            continue;
        }
        let ack = match serde_json::from_str(&line)
            .map_err(|error| error.to_string())
            .and_then(|command| apply(command, &ports))
        {
            Ok(ack) => ack,
            Err(error) => json!({ "ok": false, "error": error }),
        };
        writeln!(io::stdout().lock(), "{ack}").map_err(|error| format!("standard output: {error}"))?;
    }
    Ok(())
}

fn apply(command: Command, ports: &Shared) -> Result<Value, String> {
    let mut ports = ports.write().map_err(|_| "a responder thread died")?;
    match command {
        Command::Port { ifname, own } => {
            let index = sys::interface_index(&ifname).map_err(|error| format!("interface {ifname}: {error}"))?;
            if let Some(old) = ports.index.insert(ifname.clone(), index) {
                ports.own.remove(&old);
            }
            ports.own.insert(index, own);
            Ok(json!({ "ok": true, "op": "port", "ifname": ifname, "ifindex": index }))
        }
        // By the index of then: the interface itself may be gone.
        Command::Remove { ifname } => {
            let index = ports.index.remove(&ifname);
            let known = index.is_some_and(|index| ports.own.remove(&index).is_some());
            Ok(json!({ "ok": true, "op": "remove", "ifname": ifname, "known": known }))
        }
    }
}

/// Opens the socket, so that errors are seen, and answers its frames in a thread.
fn start(ethertype: u16, filter: Option<&[SockFilter]>, answer: Answer, ports: &Shared) -> io::Result<()> {
    let socket = PacketSocket::open(ethertype, 0)?;
    if let Some(filter) = filter {
        socket.attach_filter(filter)?;
    }
    socket.enlarge_buffer(BUFFER);
    let ports = Arc::clone(ports);
    thread::spawn(move || {
        let mut frame = [0; 2048];
        loop {
            match socket.receive(&mut frame) {
                Ok((interface, count)) => {
                    let Ok(ports) = ports.read() else { return };
                    if let Some(reply) = answer(&ports, interface, frame.get(..count).unwrap_or_default()) {
                        // The interface may have gone down or away meanwhile; the asker will ask again.
                        drop(socket.send(interface, &reply));
                    }
                }
                // An interface that went down is told once as an error; the socket goes on.
                Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    eprintln!("lab-agent respond: {error}");
                    process::exit(1);
                }
            }
        }
    });
    Ok(())
}

/// A port answers for every address but its ENI's own.
fn answers(ports: &Ports, interface: u32, target: IpAddr) -> bool {
    ports.own.get(&interface).is_some_and(|own| !own.contains(&target))
}

fn answer_arp(ports: &Ports, interface: u32, frame: &[u8]) -> Option<Vec<u8>> {
    let request = Arp::parse(frame).filter(|arp| arp.operation == Operation::Request)?;
    let wanted = answers(ports, interface, request.target.into());
    wanted.then(|| request.reply(Mac::VPC).to_frame(request.sender_mac, Mac::VPC))
}

fn answer_solicitation(ports: &Ports, interface: u32, frame: &[u8]) -> Option<Vec<u8>> {
    let solicitation = Solicitation::parse(frame).filter(|solicitation| !solicitation.source.is_unspecified())?;
    let wanted = answers(ports, interface, solicitation.target.into());
    wanted.then(|| advertisement(&solicitation, Mac::VPC))
}

/// Lets only ICMPv6 type 135 through: all other IPv6 of the fabric, gigabits of it, stays in the kernel.
fn only_solicitations() -> [SockFilter; 6] {
    const LOAD_BYTE: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
    const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let step = |code: u32, jt, jf, k| SockFilter::new(code as u16, jt, jf, k);
    [
        step(LOAD_BYTE, 0, 0, 14 + 6),
        step(IF_EQUAL, 0, 3, 58),
        step(LOAD_BYTE, 0, 0, 14 + 40),
        step(IF_EQUAL, 0, 1, 135),
        step(RETURN, 0, 0, 0x4_0000),
        step(RETURN, 0, 0, 0),
    ]
}

//! `lab-agent`, the lab's own program: what runs in its pods, what probes between them, and what plays the VPC's neighbours.

use std::process::ExitCode;

use crate::arguments::Arguments;

mod arguments;
mod fabric_trunk;
mod first_packets;
mod floor;
mod forget_sessions;
mod frame;
mod init;
mod listen;
mod netlink;
mod pause;
mod probe;
mod relay;
mod respond;
mod sctp;
mod send_raw;
mod serve;
mod sys;
mod tc;
mod without_bpf;

const USAGE: &str = "\
usage: lab-agent COMMAND
  serve [--tcp PORTS] [--udp PORTS] [--sctp PORTS]
                                       echo server on ports, 80,81 for example; every answer begins with a JSON line {pod, client, clientPort};
                                       an SCTP INIT is answered, with that line as the cookie, and no association is made
  pause                                waits for SIGTERM, reaps children
  probe [--lines]                      JSON list on stdin [{id, proto: tcp|udp|sctp|icmp, addr, port?, timeoutMs?, source?}],
                                       JSON list on stdout [{id, ok, rttUs?, reply?, error?}]; with --lines a list on each line, until stdin ends
  respond [--netns-less]               answers ARP and Neighbour Solicitations in this network namespace;
                                       JSON lines on stdin {op: port, ifname, own: [ADDR]} | {op: remove, ifname}
  send-raw udp --interface IF --source A --destination B --port N [--source-mac M] [--destination-mac M] [--count N] [--payload TEXT]
  send-raw arp-request --interface IF --source A --target B [--source-mac M] [--destination-mac M] [--count N] [--wait MS]
  send-raw gratuitous-arp --interface IF --source A [--source-mac M] [--destination-mac M] [--count N]
  send-raw neighbour-solicitation --interface IF --source A --target B [--source-mac M] [--count N] [--wait MS]
  forget-sessions ADDR[/LENGTH]...    removes the tracked connections of these addresses here; prints {forgotten}
  fabric-trunk add --trunk IF --port IF --vlan N --mac M
                                       frames with this tag on the trunk port come in on the member's port, and what leaves the member's port
                                       leaves the trunk port tagged, to M (the trunk ENI's); it holds without a running process
  fabric-trunk remove --port IF        undoes it for one member's port
  fabric-trunk counts --interface IF   JSON {untagged, to_member, unknown_tag, to_trunk, unknown_port, failed} of a trunk's or member's port
  floor --eni IF --pod IF --ipv4-gateway A --ipv6-gateway A
                                       hands what the pair's end IF receives to the ENI and what the ENI receives to the pair, past the stack; for benches
  listen --udp PORT --ms N [--expect N] counts UDP packets: a line {listening}, then {packets, bytes, sources}
  first-packets --connect ADDR:PORT --shoot ADDR:PORT --udp PORT --tcp PORT --ms N
                                       before this namespace has a network: a line {listening}; connects and shoots (UDP) as soon as there is a route,
                                       counts what comes; for N ms after the first connection, then {datagrams, connections, shots, connected (us), connects, errors, counters}
  without-bpf PROGRAM [ARGUMENTS]     the program in a process to which the kernel refuses bpf(2)
  relay --netns PATH --to ADDR:PORT [--port N]
                                       a TCP port of this namespace's 127.0.0.1 that leads to an address in that one; a line {listening}";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    if command == "without-bpf" {
        let argv: Vec<String> = words.collect();
        return ended(&command, without_bpf::run(&argv));
    }
    let result = Arguments::parse(words).and_then(|arguments| match command.as_str() {
        "serve" => serve::run(&arguments),
        "pause" => pause::run(&arguments),
        "probe" => probe::run(&arguments),
        "respond" => respond::run(&arguments),
        "send-raw" => send_raw::run(&arguments),
        "forget-sessions" => forget_sessions::run(&arguments),
        "fabric-trunk" => fabric_trunk::run(&arguments),
        "first-packets" => first_packets::run(&arguments),
        "floor" => floor::run(&arguments),
        "listen" => listen::run(&arguments),
        "relay" => relay::run(&arguments),
        _ => Err(USAGE.to_owned()),
    });
    ended(&command, result)
}

fn ended(command: &str, result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab-agent {command}: {error}");
            ExitCode::from(2)
        }
    }
}

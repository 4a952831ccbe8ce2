//! `serve`: an echo server over TCP, UDP and SCTP, IPv4 and IPv6.
//!
//! A TCP connection first gets one JSON line that names the pod and the client as this end sees it, then everything back that
//! it sends. A UDP packet is answered by that line and then its own content. An SCTP INIT is answered by an INIT ACK with the
//! line as its cookie.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr;
use std::time::Duration;
use std::{env, fs, thread};

use serde::Serialize;
use socket2::{Domain, Protocol, Socket, Type};

use crate::arguments::Arguments;
use crate::init;
use crate::sctp::{self, Chunk, Message};

/// A silent connection is closed after this, so that a forgotten one does not hold a thread for ever.
const IDLE: Duration = Duration::from_secs(600);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Greeting<'a> {
    pod: &'a str,
    client: String,
    client_port: u16,
}

/// # Errors
/// Options that are missing or wrong, or a port that cannot be bound.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    arguments.only(&["tcp", "udp", "sctp"])?;
    let ports = |key| Ok::<_, String>(arguments.get::<Ports>(key)?.unwrap_or_default().0);
    let (tcp, udp, sctp) = (ports("tcp")?, ports("udp")?, ports("sctp")?);
    if [&tcp, &udp, &sctp].iter().all(|ports| ports.is_empty()) {
        return Err("--tcp, --udp or --sctp is missing".into());
    }
    init::prepare()?;
    let pod: &'static str = Box::leak(pod_name().into_boxed_str());
    for port in tcp {
        let socket = bind(port, Type::STREAM, Protocol::TCP)?;
        socket.listen(1024).map_err(|error| format!("TCP port {port}: {error}"))?;
        thread::spawn(move || accept(&socket, pod));
    }
    for port in udp {
        let socket = UdpSocket::from(bind(port, Type::DGRAM, Protocol::UDP)?);
        thread::spawn(move || answer_packets(&socket, pod));
    }
    if !sctp.is_empty() {
        for domain in [Domain::IPV4, Domain::IPV6] {
            let socket = UdpSocket::from(sctp::socket(domain).map_err(|error| format!("SCTP: {error}"))?);
            let ports = sctp.clone();
            thread::spawn(move || answer_inits(&socket, &ports, domain == Domain::IPV4, pod));
        }
    }
    // Nobody has to listen to this.
    drop(writeln!(
        io::stdout(),
        "{}",
        serde_json::json!({ "listening": true, "pod": pod })
    ));
    init::wait()
}

/// Ports with commas between them.
#[derive(Default)]
struct Ports(Vec<u16>);

impl FromStr for Ports {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

fn pod_name() -> String {
    let hostname = || fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned());
    env::var("POD_NAME")
        .ok()
        .filter(|name| !name.is_empty())
        .or_else(|| hostname().ok())
        .unwrap_or_default()
}

/// One socket for both families; only IPv4 where the kernel or the namespace has no IPv6.
fn bind(port: u16, kind: Type, protocol: Protocol) -> Result<Socket, String> {
    let both = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV6, kind, Some(protocol))?;
        socket.set_only_v6(false)?;
        socket.set_reuse_address(kind == Type::STREAM)?;
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
        Ok(socket)
    };
    let v4 = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, kind, Some(protocol))?;
        socket.set_reuse_address(kind == Type::STREAM)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)).into())?;
        Ok(socket)
    };
    both().or_else(|_| v4()).map_err(|error| format!("port {port}: {error}"))
}

fn greeting(pod: &str, client: SocketAddr) -> Vec<u8> {
    let greeting = Greeting {
        pod,
        client: client.ip().to_canonical().to_string(),
        client_port: client.port(),
    };
    let mut line = serde_json::to_vec(&greeting).unwrap_or_default();
    line.push(b'\n');
    line
}

fn accept(socket: &Socket, pod: &'static str) {
    loop {
        match socket.accept() {
            Ok((connection, _)) => {
                // Out of threads: the connection is dropped, its client sees a reset and may come again.
                drop(
                    thread::Builder::new()
                        .stack_size(64 << 10)
                        .spawn(move || echo(connection.into(), pod)),
                );
            }
            // Out of files, or a client that was gone before it was accepted.
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn echo(mut connection: TcpStream, pod: &str) -> io::Result<()> {
    let client = connection.peer_addr()?;
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(IDLE))?;
    connection.write_all(&greeting(pod, client))?;
    let mut block = [0; 16 << 10];
    loop {
        let count = connection.read(&mut block)?;
        if count == 0 {
            return Ok(());
        }
        connection.write_all(block.get(..count).unwrap_or_default())?;
    }
}

fn answer_packets(socket: &UdpSocket, pod: &str) {
    let mut block = [0; 64 << 10];
    loop {
        // An error here is a late ICMP answer to an earlier reply; the socket stays good.
        if let Ok((count, client)) = socket.recv_from(&mut block) {
            let mut answer = greeting(pod, client);
            answer.extend_from_slice(block.get(..count).unwrap_or_default());
            drop(socket.send_to(&answer, client));
        }
    }
}

/// A raw socket under the standard library's functions for datagrams: its addresses have port 0.
fn answer_inits(socket: &UdpSocket, ports: &[u16], v4: bool, pod: &str) {
    let mut block = [0; 2048];
    loop {
        let Ok((count, client)) = socket.recv_from(&mut block) else {
            continue;
        };
        let packet = sctp::payload(block.get(..count).unwrap_or_default(), v4);
        let Some(init) = Message::parse(packet).filter(|message| message.chunk == Chunk::Init) else {
            continue;
        };
        if !ports.contains(&init.destination_port) {
            continue;
        }
        let answer = Message {
            chunk: Chunk::InitAck,
            source_port: init.destination_port,
            destination_port: init.source_port,
            verification_tag: init.tag,
            tag: init.tag,
            cookie: greeting(pod, SocketAddr::new(client.ip(), init.source_port)),
        };
        drop(socket.send_to(&answer.to_bytes(), client));
    }
}

//! `serve`: an echo server over TCP and UDP, IPv4 and IPv6.
//!
//! A TCP connection first gets one JSON line that names the pod and the client as this end sees it, then everything back that
//! it sends. A UDP packet is answered by that line and then its own content.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;
use std::{env, fs, thread};

use serde::Serialize;
use socket2::{Domain, Protocol, Socket, Type};

use crate::arguments::Arguments;
use crate::init;

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
    arguments.only(&["tcp", "udp"])?;
    let (tcp, udp) = (arguments.get::<u16>("tcp")?, arguments.get::<u16>("udp")?);
    if tcp.is_none() && udp.is_none() {
        return Err("--tcp or --udp is missing".into());
    }
    init::prepare()?;
    let pod: &'static str = Box::leak(pod_name().into_boxed_str());
    if let Some(port) = tcp {
        let socket = bind(port, Type::STREAM, Protocol::TCP)?;
        socket.listen(1024).map_err(|error| format!("TCP port {port}: {error}"))?;
        thread::spawn(move || accept(&socket, pod));
    }
    if let Some(port) = udp {
        let socket = UdpSocket::from(bind(port, Type::DGRAM, Protocol::UDP)?);
        thread::spawn(move || answer_packets(&socket, pod));
    }
    // Nobody has to listen to this.
    drop(writeln!(
        io::stdout(),
        "{}",
        serde_json::json!({ "listening": true, "pod": pod })
    ));
    init::wait()
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

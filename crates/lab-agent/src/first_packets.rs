//! `first-packets`: runs in a network namespace before it has a network. From the moment on at which the kernel has a route it connects to a server that
//! it may reach and shoots at an address that it may not; meanwhile it counts what reaches it. What the kernel saw of errors stands in its counters.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::arguments::Arguments;

const ENETUNREACH: i32 = 101;
const EADDRNOTAVAIL: i32 = 99;
/// Between looks at a network that is not there, and between shots: a hundred of these run side by side.
const PAUSE: Duration = Duration::from_millis(4);
/// Between looks at whether it is over.
const TICK: Duration = Duration::from_millis(50);
/// Who gets no network ends after so long.
const LIMIT: Duration = Duration::from_secs(120);

/// # Errors
/// Options that are missing or wrong, or a port that cannot be bound.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    arguments.only(&["connect", "shoot", "udp", "tcp", "ms"])?;
    let (connect, shoot) = (
        arguments.need::<SocketAddr>("connect")?,
        arguments.need::<SocketAddr>("shoot")?,
    );
    let (udp, tcp) = (arguments.need::<u16>("udp")?, arguments.need::<u16>("tcp")?);
    let life = Duration::from_millis(arguments.need::<u64>("ms")?);
    let failed = |error: std::io::Error| error.to_string();
    let gate = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, udp)).map_err(failed)?;
    let door = TcpListener::bind((Ipv6Addr::UNSPECIFIED, tcp)).map_err(failed)?;
    println!("{}", json!({ "listening": [udp, tcp] }));
    let (over, shots) = (AtomicBool::new(false), AtomicU64::new(0));
    let (datagrams, connections) = (AtomicU64::new(0), AtomicU64::new(0));
    gate.set_read_timeout(Some(TICK)).map_err(failed)?;
    door.set_nonblocking(true).map_err(failed)?;
    let connected = thread::scope(|scope| {
        scope.spawn(|| shoot_at(shoot, &over, &shots));
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                datagrams.fetch_add(u64::from(gate.recv(&mut [0; 64]).is_ok()), Ordering::Relaxed);
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                match door.accept() {
                    Ok(_) => drop(connections.fetch_add(1, Ordering::Relaxed)),
                    Err(_) => thread::sleep(TICK),
                }
            }
        });
        let connected = keep_connecting(connect, life);
        over.store(true, Ordering::Relaxed);
        connected
    });
    println!(
        "{}",
        json!({
            "datagrams": datagrams.into_inner(),
            "connections": connections.into_inner(),
            "shots": shots.into_inner(),
            "connected": connected.first_us,
            "connects": connected.count,
            "errors": connected.errors,
            "counters": counters(),
        })
    );
    Ok(())
}

#[derive(Default)]
struct Connected {
    /// How long the first connection took to stand, from the first call that the kernel did not refuse at once.
    first_us: Option<u64>,
    count: u64,
    errors: Vec<String>,
}

/// One connection after another, for so long after the first; each must bring the server's first byte. That there is no network yet is no error.
fn keep_connecting(to: SocketAddr, life: Duration) -> Connected {
    let mut connected = Connected::default();
    let mut end = Instant::now() + LIMIT;
    while Instant::now() < end {
        let begun = Instant::now();
        match TcpStream::connect_timeout(&to, Duration::from_secs(5)).and_then(first_byte) {
            Ok(()) => {
                if connected.count == 0 {
                    end = Instant::now() + life;
                }
                connected.count += 1;
                let taken = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                connected.first_us.get_or_insert(taken);
                thread::sleep(PAUSE * 25);
            }
            Err(error) if matches!(error.raw_os_error(), Some(ENETUNREACH | EADDRNOTAVAIL)) && connected.count == 0 => {
                thread::sleep(PAUSE);
            }
            Err(error) => {
                connected.errors.push(error.to_string());
                thread::sleep(PAUSE * 25);
            }
        }
    }
    connected
}

fn first_byte(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])
}

fn shoot_at(at: SocketAddr, over: &AtomicBool, shots: &AtomicU64) {
    let own: IpAddr = match at {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let Ok(socket) = UdpSocket::bind((own, 0)) else { return };
    while !over.load(Ordering::Relaxed) {
        shots.fetch_add(u64::from(socket.send_to(b"x", at).is_ok()), Ordering::Relaxed);
        thread::sleep(PAUSE);
    }
}

/// What the kernel counted in this namespace: ICMP errors that came, resets, and segments that were sent again.
fn counters() -> Value {
    let snmp = std::fs::read_to_string("/proc/net/snmp").unwrap_or_default();
    let of = |protocol: &str, name: &str| -> u64 {
        let mut lines = snmp.lines().filter_map(|line| line.strip_prefix(protocol)?.strip_prefix(':'));
        let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
            return 0;
        };
        let place = names.split_whitespace().position(|one| one == name);
        place
            .and_then(|place| values.split_whitespace().nth(place)?.parse().ok())
            .unwrap_or(0)
    };
    let snmp6 = std::fs::read_to_string("/proc/net/snmp6").unwrap_or_default();
    let of6 = |name: &str| -> u64 {
        let line = snmp6.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .unwrap_or(0)
    };
    json!({
        "icmp_unreachable": of("Icmp", "InDestUnreachs") + of6("Icmp6InDestUnreachs"),
        // Of connections on their way; one that stood and was reset is among the errors.
        "resets": of("Tcp", "AttemptFails"),
        "retransmitted": of("Tcp", "RetransSegs"),
    })
}

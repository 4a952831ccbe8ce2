//! TCP streams between namespaces, and what they carry.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_tcp_congestion;

use super::namespace::Namespace;

/// Ethernet header, which a qdisc counts; no checksum, no preamble.
const ETHERNET: f64 = 14.0;
/// TCP header with the time stamps that Linux sends.
const TCP: f64 = 32.0;
/// The stream is left alone for so long: slow start, and the bucket's first burst.
const WARM_UP: Duration = Duration::from_millis(400);

/// Bytes of payload a second that a stream of full packets carries when `rate` bytes a second pass the qdisc.
pub fn expected(rate: u64, to: IpAddr, mtu: u32) -> f64 {
    let header = if to.is_ipv4() { 20.0 } else { 40.0 };
    rate as f64 * (f64::from(mtu) - header - TCP) / (f64::from(mtu) + ETHERNET)
}

/// Bytes of payload a second from one namespace to an address in another, over `length` after the warm-up.
pub fn goodput(from: &Namespace, into: &Namespace, to: IpAddr, length: Duration) -> f64 {
    let listener = into.run(|| TcpListener::bind((to, 0)).unwrap());
    let address: SocketAddr = listener.local_addr().unwrap();
    let (received, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, stopped) = (Arc::clone(&received), Arc::clone(&stop));
    let receiver = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = vec![0u8; 1 << 18];
        while !stopped.load(Ordering::Relaxed) {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(bytes) => count.fetch_add(bytes as u64, Ordering::Relaxed),
            };
        }
    });
    let mut stream = from.run(|| TcpStream::connect_timeout(&address, Duration::from_secs(3)).unwrap());
    // The machine's default may be one that paces by its own model of the path.
    set_tcp_congestion(stream.as_fd(), "cubic").unwrap();
    let stopped = Arc::clone(&stop);
    let sender = std::thread::spawn(move || {
        let buffer = vec![0u8; 1 << 17];
        while !stopped.load(Ordering::Relaxed) && stream.write_all(&buffer).is_ok() {}
        drop(stream.shutdown(std::net::Shutdown::Both));
    });
    std::thread::sleep(WARM_UP);
    let (before, started) = (received.load(Ordering::Relaxed), Instant::now());
    std::thread::sleep(length);
    let (after, elapsed) = (received.load(Ordering::Relaxed), started.elapsed());
    stop.store(true, Ordering::Relaxed);
    receiver.join().unwrap();
    sender.join().unwrap();
    (after - before) as f64 / elapsed.as_secs_f64()
}

/// Length of a frame of [`beat`], as a qdisc counts it.
const FRAME: usize = 1250;
/// Frames that are waited for, and those at the start that a full bucket lets through at once.
const FRAMES: usize = 160;
const FIRST: usize = 16;
/// Gaps are taken over so many frames.
const SPAN: usize = 4;

/// Bytes a second that pass a limit below 4 Mbit/s, from the median time between UDP frames of a sender that has always one waiting.
pub fn beat(from: &Namespace, into: &Namespace, to: IpAddr) -> f64 {
    let any: IpAddr = if to.is_ipv4() { [0, 0, 0, 0].into() } else { [0u8; 16].into() };
    let receiver = into.run(|| UdpSocket::bind((to, 0)).unwrap());
    receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let address = receiver.local_addr().unwrap();
    let sender = from.run(|| UdpSocket::bind((any, 0)).unwrap());
    sender.set_nonblocking(true).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let headers = ETHERNET as usize + if to.is_ipv4() { 20 } else { 40 } + 8;
    let sending = std::thread::spawn(move || {
        let frame = vec![0u8; FRAME - headers];
        while !stopped.load(Ordering::Relaxed) {
            // A full buffer, or a path that is not known yet.
            drop(sender.send_to(&frame, address));
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let mut buffer = [0u8; 2048];
    let mut arrivals = Vec::new();
    while arrivals.len() < FRAMES {
        receiver.recv(&mut buffer).unwrap();
        arrivals.push(Instant::now());
    }
    stop.store(true, Ordering::Relaxed);
    sending.join().unwrap();
    let late = arrivals.get(FIRST..).unwrap();
    let mut gaps: Vec<Duration> = late.windows(SPAN + 1).map(|times| times[SPAN] - times[0]).collect();
    gaps.sort_unstable();
    (SPAN * FRAME) as f64 / gaps[gaps.len() / 2].as_secs_f64()
}

//! Packets really sent: one datagram there and back, without a second try.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::namespace::Namespace;

const PORT: u16 = 7007;
/// Long enough for a busy machine, far too short for duplicate detection (1 s and more) or a repeated neighbour request (1 s).
const PATIENCE: Duration = Duration::from_millis(700);

/// Answers every datagram to these addresses with the address it came from.
pub struct Echo {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Echo {
    /// One socket for each address, so that answers have the right source.
    pub fn new(namespace: &Namespace, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let serve = |address: IpAddr| {
            let socket =
                namespace.run(|| UdpSocket::bind((address, PORT)).unwrap_or_else(|error| panic!("binding {address}: {error}")));
            socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
            let stopped = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut buffer = [0u8; 64];
                while !stopped.load(Ordering::Relaxed) {
                    // Errors are time-outs and ICMP errors about earlier answers.
                    if let Ok((_, from)) = socket.recv_from(&mut buffer) {
                        drop(socket.send_to(from.ip().to_string().as_bytes(), from));
                    }
                }
            })
        };
        let threads = addresses.into_iter().map(serve).collect();
        Self { stop, threads }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

/// The source address that an echo at `to` sees, or why there was no answer.
pub fn ask(from: &Namespace, to: IpAddr) -> Result<IpAddr, String> {
    from.run(|| {
        let any: SocketAddr = if to.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
        };
        let socket = UdpSocket::bind(any).map_err(|error| error.to_string())?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        socket.connect((to, PORT)).map_err(|error| format!("connect: {error}"))?;
        socket.send(b"?").map_err(|error| format!("send: {error}"))?;
        let mut buffer = [0u8; 64];
        let length = socket.recv(&mut buffer).map_err(|error| format!("recv: {error}"))?;
        String::from_utf8_lossy(&buffer[..length])
            .parse()
            .map_err(|_| "not an address".to_owned())
    })
}

//! Traffic in the manner of netperf: request/response over one connection (RR), with a connection for each (CRR), and datagrams one way.

mod ask;
mod options;
mod serve;

pub use ask::ask;
pub use options::Options;
pub use serve::serve;

use std::io;

use rustix::thread::{CpuSet, sched_setaffinity};

/// Payload of a datagram, bytes.
const DATAGRAM: usize = 64;
/// First byte of a datagram that asks how many have come; the answer is the count, little endian.
const HOW_MANY: u8 = b'?';

/// The calling thread stays on this processor: on two, wake-ups between them would be most of what is measured.
fn pin(cpu: Option<usize>) -> io::Result<()> {
    let Some(cpu) = cpu else { return Ok(()) };
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

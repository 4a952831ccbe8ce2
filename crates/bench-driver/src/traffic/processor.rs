//! Which processor a thread runs on.

use std::io;

use rustix::thread::{CpuSet, sched_setaffinity};

/// The calling thread stays on this processor: on two, wake-ups between them would be most of what is measured.
pub fn pin(cpu: Option<usize>) -> io::Result<()> {
    let Some(cpu) = cpu else { return Ok(()) };
    let mut set = CpuSet::new();
    set.set(cpu);
    Ok(sched_setaffinity(None, &set)?)
}

//! Room for many records in an LRU map that programs fill at the same time.
//!
//! An LRU map that is full gives up a record for each new one, and with `BPF_F_NO_COMMON_LRU` each processor gives up its own out of its own share
//! (Linux, `kernel/bpf/bpf_lru_list.c`): whoever writes a whole map from one processor pushes out half of what he writes, and the flows that have just begun
//! there. So each processor gets its part of the records, and a quarter of its share stays free.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Error;

/// Calls `put` with what fits of the records, on all processors that this process may run on. `newest_first` is in that order; the oldest are written first,
/// and left out where there are too many.
pub fn fill<T: Sync>(limit: u32, newest_first: &[T], put: impl Fn(&T) -> Result<(), Error> + Sync) -> Result<(), Error> {
    let failed = |error: io::Error| Error::from_cause("spreading records over the processors", &error);
    let allowed = sched_getaffinity(None).map_err(|error| failed(error.into()))?;
    let own: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).collect();
    let all = aya::util::nr_cpus().map_err(|(_, error)| failed(error))?;
    let room = limit as usize / all * 3 / 4;
    let kept = newest_first.get(..room * own.len()).unwrap_or(newest_first);
    for (index, cpu) in own.iter().enumerate() {
        let part = || {
            let mut only = CpuSet::new();
            only.set(*cpu);
            sched_setaffinity(None, &only).map_err(|error| failed(error.into()))?;
            kept.iter().skip(index).step_by(own.len()).rev().try_for_each(&put)
        };
        // A thread for each: where the caller's runs is not ours to change.
        let done = std::thread::scope(|scope| scope.spawn(part).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    }
    Ok(())
}

//! Calls that are made together, so many at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::call::{Call, Outcome};

/// One line of input.
#[derive(Deserialize)]
pub struct Batch {
    /// Threads that take calls from the list; each waits for its call's end before it takes the next.
    parallel: usize,
    calls: Vec<Call>,
}

/// One line of output.
#[derive(Serialize)]
pub struct Report {
    /// Nanoseconds from the common start to the last call's end.
    wall_ns: u64,
    /// In the order of the calls.
    outcomes: Vec<Option<Outcome>>,
}

/// The answer to a line that is no batch.
#[derive(Serialize)]
pub struct Refusal {
    pub error: String,
}

impl Batch {
    /// Makes all calls; the threads start together, after all of them exist.
    pub fn run(&self) -> Report {
        let threads = self.parallel.clamp(1, self.calls.len().max(1));
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(self.calls.iter().map(|_| None).collect::<Vec<Option<Outcome>>>());
        let start = Barrier::new(threads + 1);
        let mut began = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    start.wait();
                    while let Some((index, call)) = self.take(&next) {
                        let outcome = call.run();
                        let mut slots = outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        if let Some(slot) = slots.get_mut(index) {
                            *slot = Some(outcome);
                        }
                    }
                });
            }
            start.wait();
            began = Instant::now();
        });
        let wall_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Report {
            wall_ns,
            outcomes: outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner),
        }
    }

    fn take(&self, next: &AtomicUsize) -> Option<(usize, &Call)> {
        let index = next.fetch_add(1, Ordering::Relaxed);
        self.calls.get(index).map(|call| (index, call))
    }
}

//! Wakes a thread that sleeps in `poll`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::error::{Error, Result};

/// An eventfd.
#[derive(Debug)]
pub struct Waker(OwnedFd);

impl Waker {
    /// A new one.
    pub fn new() -> Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        fd.map(Self).map_err(|errno| Error::system("eventfd", &errno.into()))
    }

    /// Wakes the sleeper, or the next sleep.
    pub fn wake(&self) {
        // Full means that a wake-up is pending already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Sleeps until `wake`, until `other` is readable, or until `deadline`.
    pub fn sleep(&self, other: Option<BorrowedFd<'_>>, deadline: Option<Instant>) {
        let mut fds = vec![PollFd::new(&self.0, PollFlags::IN)];
        fds.extend(other.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let left = deadline.map(|deadline| timespec(deadline.saturating_duration_since(Instant::now())));
        // Interrupted or failed: the caller looks at its state again either way.
        let _ = poll(&mut fds, left.as_ref());
        let mut count = [0u8; 8];
        let _ = rustix::io::read(self.0.as_fd(), &mut count);
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

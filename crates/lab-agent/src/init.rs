//! What process 1 of a container owes: ending on SIGTERM and reaping children.

use std::process;

use crate::sys;

/// Blocks the signals that [`wait`] handles. Call it before the first thread starts, as threads inherit the mask; a blocked
/// signal also reaches a process 1, which ignores what it has no handler for.
///
/// # Errors
/// What the kernel says.
pub fn prepare() -> Result<(), String> {
    sys::block_signals(&[libc::SIGTERM, libc::SIGINT, libc::SIGCHLD]).map_err(|error| format!("signals: {error}"))
}

/// Reaps children until SIGTERM or SIGINT comes, then ends the process with status 0.
pub fn wait() -> ! {
    loop {
        match sys::next_signal(&[libc::SIGTERM, libc::SIGINT, libc::SIGCHLD]) {
            libc::SIGCHLD => sys::reap(),
            _ => process::exit(0),
        }
    }
}

//! Deletes retired host ends. One waiting delete costs 16 ms, fifty by group 25 ms, so one thread deletes whatever has gathered.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::kernel::message;
use crate::kernel::netns::Netns;
use crate::kernel::socket::Socket;
use crate::object::GROUP_RETIRED;

/// Beyond this many waiting devices a detach waits for the kernel: the backlog is bounded.
pub const BACKLOG_LIMIT: usize = 64;
const ENODEV: i32 = 19;
const RETRY_PAUSE: Duration = Duration::from_millis(50);

#[derive(Default)]
struct State {
    waiting: usize,
    deleting: usize,
    closed: bool,
    last_error: Option<Error>,
}

struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

/// See the module.
pub struct Reaper {
    inner: Arc<Inner>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Port of its socket.
    pub port: u32,
}

impl Reaper {
    /// Starts the thread.
    pub fn start(home: &Arc<Netns>) -> Result<Self> {
        let inner = Arc::new(Inner {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let mut socket = Socket::open()?;
        let port = socket.port();
        let (home, shared) = (Arc::clone(home), Arc::clone(&inner));
        let run = move || {
            if home.enter().is_ok() {
                shared.serve(&mut socket);
            }
        };
        let thread = thread::Builder::new()
            .name("terway-reaper".into())
            .spawn(run)
            .map_err(|cause| Error::system("spawn", &cause))?;
        Ok(Self {
            inner,
            thread: Mutex::new(Some(thread)),
            port,
        })
    }

    /// Says that a device has been put into the group; waits while more than [`BACKLOG_LIMIT`] are there.
    pub fn retired(&self, devices: usize) {
        let mut state = self.inner.lock();
        state.waiting += devices;
        self.inner.changed.notify_all();
        while state.waiting + state.deleting > BACKLOG_LIMIT && !state.closed {
            state = self.inner.wait(state);
        }
    }

    /// Says that devices have been put into the group; does not wait.
    pub fn announce(&self, devices: usize) {
        self.inner.lock().waiting += devices;
        self.inner.changed.notify_all();
    }

    /// Devices that wait or are being deleted.
    pub fn backlog(&self) -> usize {
        let state = self.inner.lock();
        state.waiting + state.deleting
    }

    /// Waits until the backlog is empty; false if `deadline` came first.
    pub fn flush(&self, deadline: Instant) -> bool {
        let mut state = self.inner.lock();
        while state.waiting + state.deleting > 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return false;
            };
            state = self
                .inner
                .changed
                .wait_timeout(state, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
        true
    }

    /// The last refusal of the kernel, once.
    pub fn take_error(&self) -> Option<Error> {
        self.inner.lock().last_error.take()
    }

    /// Stops the thread after the delete it is in.
    pub fn close(&self) {
        self.inner.lock().closed = true;
        self.inner.changed.notify_all();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop(thread.join());
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, socket: &mut Socket) {
        loop {
            let mut state = self.lock();
            while state.waiting == 0 && !state.closed {
                state = self.wait(state);
            }
            if state.closed {
                return;
            }
            state.deleting = std::mem::take(&mut state.waiting);
            drop(state);
            let result = delete_retired(socket);
            let mut state = self.lock();
            let batch = std::mem::take(&mut state.deleting);
            if let Err(error) = result {
                state.last_error = Some(error);
                state.waiting += batch;
                if !state.closed {
                    let pause = self.changed.wait_timeout(state, RETRY_PAUSE);
                    drop(pause);
                }
            }
            self.changed.notify_all();
        }
    }
}

/// Deletes the whole group; nothing in it is fine.
pub fn delete_retired(socket: &mut Socket) -> Result<()> {
    match socket.request(message::delete_group(GROUP_RETIRED), 0)?.result {
        Err(refusal) if refusal.errno != ENODEV => Err(refusal.error("RTM_DELLINK").about(format!("group {GROUP_RETIRED}"))),
        _ => Ok(()),
    }
}

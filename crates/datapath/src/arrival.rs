//! Calls that wait for an ENI to appear. They hold no worker: one thread listens to links and wakes them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::error::{Error, Result};
use crate::kernel::decode;
use crate::kernel::monitor::{Monitor, News};
use crate::kernel::netns::Netns;
use crate::kernel::observe;
use crate::kernel::socket::Socket;
use crate::kernel::uapi::{RTM_NEWLINK, RTNLGRP_LINK};
use crate::kernel::waker::Waker;
use crate::mark::is_eni;
use crate::object::Mac;

/// Why a waiting call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The ENI is there.
    Arrived,
    /// It is not, and the deadline has passed.
    Deadline,
    /// The attachment is to be removed meanwhile.
    Cancelled,
}

struct Waiter {
    id: String,
    mac: Mac,
    deadline: Instant,
    go_on: Box<dyn FnOnce(Wake) + Send>,
}

#[derive(Default)]
struct State {
    waiters: Vec<Waiter>,
    /// A new waiter may have missed the notification of its ENI.
    look: bool,
    closed: bool,
}

struct Inner {
    state: Mutex<State>,
    waker: Waker,
}

/// See the module.
pub struct Arrivals {
    inner: Arc<Inner>,
    home: Arc<Netns>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Arrivals {
    /// The thread starts with the first waiter.
    pub fn new(home: &Arc<Netns>) -> Result<Self> {
        let inner = Arc::new(Inner {
            state: Mutex::default(),
            waker: Waker::new()?,
        });
        Ok(Self {
            inner,
            home: Arc::clone(home),
            thread: Mutex::default(),
        })
    }

    /// Calls `go_on` once the ENI is there, at the deadline, or when cancelled; on the thread of this module.
    pub fn wait(&self, id: &str, mac: Mac, deadline: Instant, go_on: Box<dyn FnOnce(Wake) + Send>) {
        let mut state = self.inner.lock();
        if state.closed {
            drop(state);
            return go_on(Wake::Cancelled);
        }
        state.waiters.push(Waiter {
            id: id.to_owned(),
            mac,
            deadline,
            go_on,
        });
        state.look = true;
        drop(state);
        self.inner.waker.wake();
    }

    /// True if another call of this attachment waits.
    pub fn waits(&self, id: &str) -> bool {
        self.inner.lock().waiters.iter().any(|waiter| waiter.id == id)
    }

    /// Lets the waiters of an attachment go.
    pub fn cancel(&self, id: &str) {
        self.inner.release(|waiter| waiter.id == id, Wake::Cancelled);
    }

    /// Lets everybody go and stops the thread.
    pub fn close(&self) {
        self.inner.lock().closed = true;
        self.inner.waker.wake();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop(thread.join());
        }
        self.inner.release(|_| true, Wake::Cancelled);
    }

    /// Makes sure that somebody listens. To be called on a thread in the host namespace, before [`Arrivals::wait`].
    pub fn listen(&self) -> Result<()> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_some() {
            return Ok(());
        }
        let (inner, home) = (Arc::clone(&self.inner), Arc::clone(&self.home));
        // The sockets have to be opened in the host namespace, where the calling worker lives.
        let mut monitor = Monitor::open(&[RTNLGRP_LINK])?;
        let mut socket = Socket::open()?;
        let run = move || {
            if home.enter().is_ok() {
                inner.serve(&mut monitor, &mut socket);
            }
        };
        let spawned = thread::Builder::new().name("terway-arrival".into()).spawn(run);
        *thread = Some(spawned.map_err(|cause| Error::system("spawn", &cause))?);
        Ok(())
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls run without the lock: they may come back here.
    fn release(&self, which: impl Fn(&Waiter) -> bool, wake: Wake) {
        let mut state = self.lock();
        let (now, later) = std::mem::take(&mut state.waiters)
            .into_iter()
            .partition(|waiter| which(waiter));
        state.waiters = later;
        drop(state);
        for waiter in now {
            (waiter.go_on)(wake);
        }
    }

    fn serve(&self, monitor: &mut Monitor, socket: &mut Socket) {
        use std::os::fd::AsFd;
        loop {
            let mut state = self.lock();
            if state.closed {
                return;
            }
            let mut look = std::mem::take(&mut state.look);
            let deadline = state.waiters.iter().map(|waiter| waiter.deadline).min();
            drop(state);
            if !look {
                self.waker.sleep(Some(monitor.as_fd()), deadline);
            }
            let mut arrived = Vec::new();
            loop {
                let news = monitor.read(|frame| {
                    if frame.kind == RTM_NEWLINK {
                        arrived.extend(decode::link(frame.payload));
                    }
                });
                match news {
                    Ok(News::Read) => {}
                    Ok(News::Lost) => look = true,
                    Ok(News::Empty) | Err(_) => break,
                }
            }
            if look {
                arrived.extend(observe::links(socket).unwrap_or_default());
            }
            self.release(|waiter| arrived.iter().any(|link| is_eni(link, waiter.mac)), Wake::Arrived);
            let now = Instant::now();
            self.release(|waiter| waiter.deadline <= now, Wake::Deadline);
        }
    }
}

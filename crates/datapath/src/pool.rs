//! The crate's own threads. Each lives in the host namespace with a netlink socket of its own; jobs of one attachment run one after
//! another, in the order in which they came, without holding a thread while they wait.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::error::{Error, Result};
use crate::kernel::netns::Netns;
use crate::kernel::procfs::PrivateProcfs;
use crate::kernel::socket::Socket;
use crate::kernel::sysctl::SysctlTree;

/// Work for one thread.
pub type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// What a job finds.
#[derive(Debug)]
pub struct Worker {
    /// The host namespace, in which the thread lives.
    pub home: Arc<Netns>,
    /// A socket in it.
    pub socket: Socket,
    /// Its sysctls.
    pub sysctls: SysctlTree,
    /// For the sysctls of pods.
    pub procfs: PrivateProcfs,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<(Option<String>, Job)>,
    /// Lanes with a job that is ready or running, and the jobs behind it.
    lanes: HashMap<String, VecDeque<Job>>,
    closed: bool,
}

struct Inner {
    queue: Mutex<Queue>,
    wake: Condvar,
}

/// See the module.
pub struct Pool {
    inner: Arc<Inner>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Pool {
    /// Starts `threads` threads; fails if the first socket cannot be opened.
    pub fn start(home: &Arc<Netns>, threads: usize) -> Result<(Self, Vec<u32>)> {
        let inner = Arc::new(Inner {
            queue: Mutex::default(),
            wake: Condvar::new(),
        });
        let mut handles = Vec::new();
        let mut ports = Vec::new();
        for number in 0..threads {
            let mut worker = Worker {
                home: Arc::clone(home),
                socket: Socket::open()?,
                sysctls: SysctlTree::open_host(),
                procfs: PrivateProcfs::default(),
            };
            ports.push(worker.socket.port());
            let inner = Arc::clone(&inner);
            let run = move || {
                if worker.home.enter().is_ok() {
                    inner.serve(&mut worker);
                }
            };
            let handle = thread::Builder::new().name(format!("terway-dp{number}")).spawn(run);
            handles.push(handle.map_err(|cause| Error::system("spawn", &cause))?);
        }
        Ok((
            Self {
                inner,
                threads: Mutex::new(handles),
            },
            ports,
        ))
    }

    /// Queues a job; jobs of one lane run in order, one at a time.
    pub fn submit(&self, lane: Option<&str>, job: Job) {
        let mut queue = self.inner.lock();
        if queue.closed && lane.is_none_or(|lane| !queue.lanes.contains_key(lane)) {
            // Dropped with its reply, which tells the caller.
            return;
        }
        match lane {
            Some(lane) => match queue.lanes.get_mut(lane) {
                Some(waiting) => waiting.push_back(job),
                None => {
                    queue.lanes.insert(lane.to_owned(), VecDeque::new());
                    queue.ready.push_back((Some(lane.to_owned()), job));
                }
            },
            None => queue.ready.push_back((None, job)),
        }
        drop(queue);
        self.inner.wake.notify_one();
    }

    /// Lets the threads finish what is queued and waits for them.
    pub fn close(&self) {
        self.inner.lock().closed = true;
        self.inner.wake.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A thread cannot wait for itself.
            if thread.thread().id() != thread::current().id() {
                drop(thread.join());
            }
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<(Option<String>, Job)> {
        let mut queue = self.lock();
        loop {
            if let Some(next) = queue.ready.pop_front() {
                return Some(next);
            }
            if queue.closed && queue.lanes.is_empty() {
                // Others may wait for lanes that have just become empty.
                self.wake.notify_all();
                return None;
            }
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn serve(&self, worker: &mut Worker) {
        while let Some((lane, job)) = self.next() {
            // A job that panics answers through the drop of its reply; the thread and its namespace are intact (`ComeHome`).
            drop(catch_unwind(AssertUnwindSafe(|| job(worker))));
            let Some(lane) = lane else { continue };
            let mut queue = self.lock();
            match queue.lanes.get_mut(&lane).and_then(VecDeque::pop_front) {
                Some(next) => queue.ready.push_back((Some(lane), next)),
                None => {
                    queue.lanes.remove(&lane);
                }
            }
            drop(queue);
            self.wake.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;

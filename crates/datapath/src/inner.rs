//! What all calls of one datapath work on: the state that its threads share, and the threads.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Result;
use crate::kernel::netns::Netns;
use crate::pool::{Pool, Worker};
use crate::shared::{Context, Shared};

/// Kernel work is serialised by the kernel's own lock; a few threads fill the gaps between the locked parts.
const THREADS: usize = 6;

/// The changes of symmetric routing run one after another; no attachment has this id.
pub const LANE_SYMMETRIC: &str = "";
/// Changes of the tables that judge packets; no attachment has this id either.
pub const LANE_POLICY: &str = "\0policy";

/// See the module.
pub struct Inner {
    /// Shared state.
    pub shared: Shared,
    /// The threads.
    pub pool: Pool,
}

impl Inner {
    /// Of the network namespace the calling thread is in.
    pub fn start(bpffs: PathBuf) -> Result<Arc<Self>> {
        let home = Arc::new(Netns::current()?);
        let shared = Shared::new(&home, bpffs)?;
        let (pool, ports) = Pool::start(&home, THREADS)?;
        shared.add_own_ports(ports);
        Ok(Arc::new(Self { shared, pool }))
    }

    /// Queues a job, behind all others of its lane.
    pub fn run(self: &Arc<Self>, lane: Option<&str>, job: impl FnOnce(&Arc<Self>, &mut Worker) + Send + 'static) {
        let inner = Arc::clone(self);
        self.pool.submit(lane, Box::new(move |worker| job(&inner, worker)));
    }

    /// What a verb works with on this thread.
    pub fn context<'a>(&'a self, worker: &'a mut Worker) -> Context<'a> {
        Context {
            worker,
            shared: &self.shared,
        }
    }
}

//! The datapath of this process. Calls queue work and answer through a [`Reply`]; nothing here blocks but `open` and `close`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::attachment::Attachment;
use crate::call::Call;
use crate::capability::KernelCapabilities;
use crate::diff::Drift;
use crate::error::Result;
use crate::failpoint::Failpoint;
use crate::inner::{Inner, LANE_POLICY, LANE_SYMMETRIC};
use crate::kernel::{observe, probe};
use crate::mark::is_moved_eni;
use crate::node_addresses::NodeAddresses;
use crate::object::Mac;
use crate::pool::Worker;
use crate::programs::ProgramStore;
use crate::repairer::{Repair, Repairer};
use crate::reply::Reply;
use crate::symmetric;
use crate::verb;
use crate::verb::attach::Attached;
use crate::verb::check;
use crate::verb::collect::{self, Collected};
use crate::verb::detach::{self, Detached};
use crate::verb::host::{self, HostAddresses};
use crate::verb::survey::{self, SurveyedLink};
use crate::verb::symmetric::Entrance;
use crate::verb::takeover::{self, TakenOver};
use crate::verb::target::Target;

/// See the module.
pub struct Datapath {
    inner: Arc<Inner>,
    repairer: Mutex<Option<Repairer>>,
    node_addresses: NodeAddresses,
}

/// Numbers for the status page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Guarded attachments.
    pub attachments: usize,
    /// Retired host ends that the kernel has not deleted yet.
    pub delete_backlog: usize,
    /// `uname -r`
    pub kernel_release: String,
}

impl Datapath {
    /// Opens the datapath of the network namespace the calling thread is in. `bpffs` is the BPF file system, or a folder of it, in which
    /// kernel programs and their maps are pinned; whoever opens another namespace's datapath gives it another folder.
    pub fn open(bpffs: PathBuf) -> Result<Self> {
        Ok(Self {
            inner: Inner::start(bpffs)?,
            repairer: Mutex::default(),
            node_addresses: NodeAddresses::default(),
        })
    }

    /// What the running kernel can do. Makes and removes one of everything in a namespace of its own; once for each boot is enough.
    pub fn probe(&self, reply: Reply<Result<KernelCapabilities>>) {
        self.run(None, move |_, _| reply.send(probe::probe()));
    }

    /// Makes the kernel equal to the attachment; waits until `deadline` for its ENI.
    pub fn attach(&self, attachment: Attachment, deadline: Instant, reply: Reply<Result<Attached>>) {
        self.attach_until(attachment, deadline, Failpoint::OFF, reply);
    }

    /// The same, stopped by a failpoint.
    pub fn attach_until(&self, attachment: Attachment, deadline: Instant, failpoint: Failpoint, reply: Reply<Result<Attached>>) {
        let attachment = Arc::new(attachment);
        let call = Call {
            attachment,
            started: Instant::now(),
            deadline,
            failpoint,
            previous: None,
            reply,
        };
        let id = call.attachment.id.clone();
        self.run(Some(&id), move |inner, worker| inner.admit_and_attach(worker, call));
    }

    /// Every difference between the attachment and the kernel.
    pub fn check(&self, attachment: Attachment, reply: Reply<Result<Vec<Drift>>>) {
        let id = attachment.id.clone();
        self.run(Some(&id), move |inner, worker| {
            reply.send(check::check(&mut inner.context(worker), &attachment))
        });
    }

    /// Removes whatever is left of an attachment.
    pub fn detach(&self, target: Target, reply: Reply<Detached>) {
        self.detach_until(target, Failpoint::OFF, reply);
    }

    /// The same, stopped by a failpoint.
    pub fn detach_until(&self, target: Target, failpoint: Failpoint, reply: Reply<Detached>) {
        self.inner.shared.arrivals.cancel(&target.id);
        let id = target.id.clone();
        self.run(Some(&id), move |inner, worker| {
            let guarded = inner.shared.registry().withdraw(&target.id);
            let mut target = target;
            target
                .addresses
                .extend(guarded.iter().flat_map(|guarded| guarded.attachment.addresses()));
            reply.send(detach::detach(
                &mut inner.context(worker),
                &target,
                guarded.as_ref(),
                failpoint,
            ));
        });
    }

    /// Guards attachments of an earlier process; changes nothing.
    pub fn adopt(&self, mut attachments: Vec<Attachment>, reply: Reply<Result<()>>) {
        attachments.sort_by_key(|attachment| attachment.generation);
        self.run(None, move |inner, worker| {
            let links = match observe::links(&mut worker.socket) {
                Ok(links) => links,
                Err(error) => return reply.send(Err(error)),
            };
            let by_alias: HashMap<&str, (u32, Mac)> = links
                .iter()
                .filter(|link| !is_moved_eni(link))
                .filter_map(|link| Some((link.alias.as_deref()?, (link.index, link.mac?))))
                .collect();
            let mut registry = inner.shared.registry();
            for attachment in attachments {
                let host_end = by_alias.get(attachment.alias().as_str()).copied();
                registry.adopt(&Arc::new(attachment), host_end);
            }
            drop(registry);
            reply.send(Ok(()));
        });
    }

    /// Takes over from a build with another layout of the programs' maps, for the guarded attachments; nothing if there is none. Before the first
    /// attach and the first change of the policy tables.
    pub fn take_over(&self, reply: Reply<Result<Option<TakenOver>>>) {
        self.run(None, move |inner, worker| {
            reply.send(takeover::take_over(&mut inner.context(worker)))
        });
    }

    /// Every host end with our mark.
    pub fn survey(&self, reply: Reply<Result<Vec<SurveyedLink>>>) {
        self.run(None, move |inner, worker| {
            reply.send(survey::survey(&mut inner.context(worker)))
        });
    }

    /// Removes what belongs to no guarded attachment.
    pub fn collect(&self, reply: Reply<Collected>) {
        self.run(None, move |inner, worker| {
            reply.send(collect::collect(&mut inner.context(worker)))
        });
    }

    /// Switches symmetric routing on with this configuration, or off; whatever an earlier configuration or process left goes. Repair keeps it.
    pub fn symmetric_routing(&self, config: Option<symmetric::Config>, reply: Reply<Result<Option<Entrance>>>) {
        self.run(Some(LANE_SYMMETRIC), move |inner, worker| {
            reply.send(verb::symmetric::configure(&mut inner.context(worker), config))
        });
    }

    /// Prepares to judge pods' packets: opens the programs and keeps the list of the node's own addresses. `Unsupported` with the reason where
    /// the kernel has no programs or refuses them. Blocks while the programs are loaded.
    pub fn judge(&self) -> Result<()> {
        self.inner.shared.programs.open()?;
        self.node_addresses.keep(&self.inner)
    }

    /// Works on the tables that judge packets: one piece of work after another.
    pub fn policy<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ProgramStore) -> Result<T> + Send + 'static,
        reply: Reply<Result<T>>,
    ) {
        self.run(Some(LANE_POLICY), move |inner, _| reply.send(work(&inner.shared.programs)));
    }

    /// The node's own addresses.
    pub fn host_addresses(&self, reply: Reply<Result<HostAddresses>>) {
        self.run(None, move |inner, worker| {
            reply.send(host::host_addresses(&mut inner.context(worker)))
        });
    }

    /// Repairs on notifications and every `scan_interval`; without `pods` nothing inside pods is looked at. A second call replaces the first.
    pub fn start_repair(
        &self,
        scan_interval: Duration,
        pods: bool,
        report: impl Fn(Repair) + Send + Sync + 'static,
    ) -> Result<()> {
        let started = Repairer::start(&self.inner, scan_interval, pods, Arc::new(report))?;
        let previous = self.repairer.lock().unwrap_or_else(PoisonError::into_inner).replace(started);
        if let Some(previous) = previous {
            previous.stop();
        }
        Ok(())
    }

    /// Numbers.
    pub fn status(&self) -> Status {
        Status {
            attachments: self.inner.shared.registry().len(),
            delete_backlog: self.inner.shared.reaper.backlog(),
            kernel_release: rustix::system::uname().release().to_string_lossy().into_owned(),
        }
    }

    /// Stops the threads; waits at most `limit` for the delete backlog. Kernel state stays. Blocks.
    pub fn close(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        if let Some(repairer) = self.repairer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            repairer.stop();
        }
        self.node_addresses.stop();
        let inner = &self.inner;
        inner.shared.arrivals.close();
        inner.pool.close();
        inner.shared.reaper.flush(deadline);
        inner.shared.reaper.close();
    }

    fn run(&self, lane: Option<&str>, job: impl FnOnce(&Arc<Inner>, &mut Worker) + Send + 'static) {
        self.inner.run(lane, job);
    }
}

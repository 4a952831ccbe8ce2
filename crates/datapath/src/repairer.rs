//! Keeps the kernel equal to the guarded attachments: on notifications, a moment after the last one, and by scan (I17).

use std::collections::{HashMap, HashSet};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::attachment::Attachment;
use crate::concern::{Concern, concern};
use crate::diff::Drift;
use crate::error::{Error, Result};
use crate::inner::{Inner, LANE_SYMMETRIC};
use crate::kernel::monitor::{Monitor, News};
use crate::kernel::uapi::REPAIR_GROUPS;
use crate::kernel::waker::Waker;
use crate::verb::repair::{Repaired, pod_agrees, repair};
use crate::verb::scan::scan;
use crate::verb::symmetric;
use crate::verb::tree;

/// Foreign tools change several things at once; one look after they are done is enough.
const SETTLE: Duration = Duration::from_millis(60);
/// A node on which something changes all the time is looked at this often all the same.
const PATIENCE: Duration = Duration::from_millis(300);

/// What set a repair off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A notification of the kernel.
    Notification,
    /// The regular look.
    Scan,
}

impl Trigger {
    /// The name that crosses the border.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::Scan => "scan",
        }
    }
}

/// One attachment that was not as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// Its id.
    pub attachment_id: String,
    /// What set it off.
    pub trigger: Trigger,
    /// Differences found.
    pub drifts: Vec<Drift>,
    /// What could not be mended.
    pub failures: Vec<Error>,
}

/// How a repair begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Both sides.
    Everywhere,
    /// The pod's side; the host's only if that differs.
    PodFirst,
}

type Report = Arc<dyn Fn(Repair) + Send + Sync>;

/// What the repair jobs share.
struct Desk {
    inner: Arc<Inner>,
    pods: bool,
    report: Report,
    /// The last report of each attachment that could not be mended: it is not said again until something changes.
    hopeless: Mutex<HashMap<String, Repaired>>,
    stopped: AtomicBool,
}

/// See the module.
pub struct Repairer {
    desk: Arc<Desk>,
    waker: Arc<Waker>,
    thread: JoinHandle<()>,
}

/// Attachments that a notification has named, and since when.
#[derive(Default)]
struct Pending {
    ids: HashSet<String>,
    all: bool,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Pending {
    fn add(&mut self, concern: Concern) {
        match concern {
            Concern::Nobody => return,
            Concern::One(id) => {
                self.ids.insert(id);
            }
            Concern::All => self.all = true,
        }
        let now = Instant::now();
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    fn due(&self) -> Option<Instant> {
        Some((self.last? + SETTLE).min(self.first? + PATIENCE))
    }
}

impl Repairer {
    /// Starts the thread. Must be called in the host namespace or from anywhere: the thread enters it.
    pub fn start(inner: &Arc<Inner>, scan_interval: Duration, pods: bool, report: Report) -> Result<Self> {
        let waker = Arc::new(Waker::new()?);
        let monitor = inner.shared.home.inside(|| Monitor::open(&REPAIR_GROUPS))?;
        let desk = Arc::new(Desk {
            inner: Arc::clone(inner),
            pods,
            report,
            hopeless: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let (run_desk, run_waker) = (Arc::clone(&desk), Arc::clone(&waker));
        let run = move || serve(&run_desk, &run_waker, monitor, scan_interval);
        let thread = thread::Builder::new()
            .name("terway-repair".into())
            .spawn(run)
            .map_err(|cause| Error::system("spawn", &cause))?;
        Ok(Self { desk, waker, thread })
    }

    /// Stops the thread; repairs already queued do nothing any more.
    pub fn stop(self) {
        self.desk.stopped.store(true, Ordering::Relaxed);
        self.waker.wake();
        drop(self.thread.join());
    }
}

fn serve(desk: &Arc<Desk>, waker: &Waker, mut monitor: Monitor, scan_interval: Duration) {
    let mut pending = Pending::default();
    let mut next_scan = Instant::now() + scan_interval;
    while !desk.stopped.load(Ordering::Relaxed) {
        let wake = pending.due().map_or(next_scan, |due| due.min(next_scan));
        waker.sleep(Some(monitor.as_fd()), Some(wake));
        listen(desk, &mut monitor, &mut pending);
        let now = Instant::now();
        if now >= next_scan {
            next_scan = now + scan_interval;
            desk.look_at_all(Trigger::Scan);
        }
        if pending.due().is_some_and(|due| due <= now) {
            let pending = std::mem::take(&mut pending);
            if pending.all {
                desk.look_at_all(Trigger::Notification);
            }
            for id in pending.ids {
                desk.submit(&id, Trigger::Notification, Look::Everywhere);
            }
        }
    }
}

fn listen(desk: &Desk, monitor: &mut Monitor, pending: &mut Pending) {
    loop {
        let shared = &desk.inner.shared;
        let news = monitor.read(|frame| {
            if !shared.is_own_port(frame.port) {
                pending.add(concern(frame.kind, frame.payload, &shared.registry()));
            }
        });
        match news {
            Ok(News::Read) => {}
            Ok(News::Lost) => pending.add(Concern::All),
            Ok(News::Empty) | Err(_) => return,
        }
    }
}

impl Desk {
    fn settled(&self) -> Vec<Arc<Attachment>> {
        let registry = self.inner.shared.registry();
        registry
            .all()
            .filter(|guarded| guarded.settled)
            .map(|guarded| Arc::clone(&guarded.attachment))
            .collect()
    }

    /// Looks at the host's side of all at once, and mends those that differ; a scan looks into the pods of the others as well.
    fn look_at_all(self: &Arc<Self>, trigger: Trigger) {
        self.inner.run(Some(LANE_SYMMETRIC), |inner, worker| {
            // What fails now fails again at the next scan; nothing of a pod depends on it.
            drop(symmetric::repair(&mut inner.context(worker)));
        });
        let desk = Arc::clone(self);
        self.inner.run(None, move |inner, worker| {
            let attachments = desk.settled();
            // What fails of this now fails again at the next look.
            let old_tree = tree::find(&mut inner.context(worker)).unwrap_or_default();
            drop(tree::remove(&mut inner.context(worker), &old_tree.blocking));
            let ids = || attachments.iter().map(|attachment| attachment.id.clone());
            // What cannot be listed is looked at one by one.
            let differing: HashSet<String> =
                scan(&mut inner.context(worker), &attachments).map_or_else(|_| ids().collect(), HashSet::from_iter);
            if differing.is_empty() {
                drop(tree::remove(&mut inner.context(worker), &old_tree.others));
            }
            let into_pods = desk.pods && trigger == Trigger::Scan;
            for id in ids() {
                if differing.contains(&id) {
                    desk.submit(&id, trigger, Look::Everywhere);
                } else if into_pods {
                    desk.submit(&id, trigger, Look::PodFirst);
                }
            }
        });
    }

    /// Queues the repair of one attachment behind whatever else happens to it.
    fn submit(self: &Arc<Self>, id: &str, trigger: Trigger, look: Look) {
        let desk = Arc::clone(self);
        let lane = id.to_owned();
        self.inner.run(Some(id), move |inner, worker| {
            let guarded = inner.shared.registry().get(&lane).filter(|guarded| guarded.settled).cloned();
            let Some(guarded) = guarded.filter(|_| !desk.stopped.load(Ordering::Relaxed)) else {
                return;
            };
            let making = inner.shared.making();
            let mut context = inner.context(worker);
            if look == Look::PodFirst && pod_agrees(&mut context, &guarded.attachment) == Ok(true) {
                return;
            }
            let repaired = repair(&mut context, &guarded.attachment, desk.pods);
            drop(making);
            desk.tell(lane, trigger, repaired);
        });
    }

    fn tell(&self, attachment_id: String, trigger: Trigger, repaired: Repaired) {
        let mut hopeless = self.hopeless.lock().unwrap_or_else(PoisonError::into_inner);
        if repaired.failures.is_empty() {
            hopeless.remove(&attachment_id);
            if repaired.drifts.is_empty() {
                return;
            }
        } else if hopeless.get(&attachment_id) == Some(&repaired) {
            return;
        } else {
            hopeless.insert(attachment_id.clone(), repaired.clone());
        }
        drop(hopeless);
        (self.report)(Repair {
            attachment_id,
            trigger,
            drifts: repaired.drifts,
            failures: repaired.failures,
        });
    }
}

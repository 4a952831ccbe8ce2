//! Attach: makes the kernel equal to an attachment, from whatever is there.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::displace::displace;
use super::release;
use super::view::{self, RuleSource, View};
use crate::attachment::Attachment;
use crate::diff::{Difference, diff, steps_where};
use crate::eni_use::needs_programs;
use crate::error::{Error, ErrorCode, Result};
use crate::failpoint::Failpoint;
use crate::form::Form;
use crate::kernel::execute::Executor;
use crate::kernel::observe::{self, LinkLocal};
use crate::kernel::parts::Parts;
use crate::kernel::pod::Pod;
use crate::kernel::probe;
use crate::kernel::uapi::RTN_LOCAL;
use crate::link::{self, Found, Progress};
use crate::mark::owner;
use crate::mode;
use crate::object::{Device, Link, Mac, RouteKind};
use crate::observed::{Observed, ObservedLink};
use crate::shared::Context;
use crate::step::{Phase, Step};

/// Between looks at a link that is coming up.
const READY_PAUSE: Duration = Duration::from_micros(50);
/// A link that is up on both ends becomes operational at once, or never.
const READY_LIMIT: Duration = Duration::from_millis(500);
/// How often the host name may be taken by somebody else between look and creation.
const NAME_ATTEMPTS: u32 = 4;
const EEXIST: i32 = 17;

/// What an attach made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Name of the link of the host namespace that carries the pod's packets: the host end of a pair, the ENI where the pod's link hangs
    /// on it ([`Form::host_device`]). Empty, with index 0, where an ENI in the pod has no pair beside it.
    pub host_if_name: String,
    /// Its index.
    pub host_if_index: u32,
    /// Its MAC.
    pub host_mac: Mac,
    /// MAC of the pod end.
    pub pod_mac: Mac,
    /// Index of the pod end, in the pod.
    pub pod_if_index: u32,
    /// New name of the link that held the host name.
    pub renamed_holder: Option<String>,
    /// Limits that are not in force, and why: a mode that cannot keep them, or somebody else's qdisc in the place of ours.
    pub unenforced: Vec<String>,
    /// Kernel changes.
    pub steps: u32,
    /// Time from the start of the work, waiting for the ENI included.
    pub duration: Duration,
}

/// How an attach ended.
#[derive(Debug)]
pub enum Outcome {
    /// Everything is as wanted.
    Done(Attached),
    /// The ENI is not there (yet); nothing was changed.
    EniMissing,
}

/// One attach.
struct Attach<'c, 'w> {
    context: &'c mut Context<'w>,
    attachment: &'c Attachment,
    form: Form,
    pod: Pod,
    progress: &'c mut Progress,
    unenforced: Vec<String>,
}

/// Makes the kernel equal to `attachment`, which must have been admitted by the registry.
pub fn attach(
    context: &mut Context<'_>,
    attachment: &Arc<Attachment>,
    started: Instant,
    failpoint: Failpoint,
) -> Result<Outcome> {
    // Refused before anything changes, with the kernel's reason.
    if needs_programs(attachment) {
        context.shared.programs.open()?;
    }
    let mut progress = Progress {
        failpoint,
        ..Progress::default()
    };
    let result = make(context, attachment, started, &mut progress);
    // An ENI that was moved for nothing must not stay away. A call stopped by its failpoint stands for one that was killed.
    if result.is_err() && progress.moved_eni && !failpoint.armed() {
        release::undo(context, attachment);
    }
    result
}

fn make(context: &mut Context<'_>, attachment: &Arc<Attachment>, started: Instant, progress: &mut Progress) -> Result<Outcome> {
    let mut pod = view::open_pod(context, &attachment.netns)?;
    let found = link::prepare(context, attachment, &mut pod, progress)?;
    let mut attach = Attach {
        context,
        attachment,
        form: Form::of(attachment),
        pod,
        progress,
        unenforced: unenforced(attachment),
    };
    let Some(view) = attach.look(found)? else {
        return Ok(Outcome::EniMissing);
    };
    let Settled { host, host_end, pod } = attach.settle(view)?;
    let mac = |link: &ObservedLink| link.mac.unwrap_or(Mac([0; 6]));
    let attached = Attached {
        host_if_name: host.as_ref().map(|host| host.name.clone()).unwrap_or_default(),
        host_if_index: host.as_ref().map_or(0, |host| host.index),
        host_mac: host.as_ref().map_or(Mac([0; 6]), mac),
        pod_mac: mac(&pod),
        pod_if_index: pod.index,
        renamed_holder: attach.progress.renamed_holder.take(),
        unenforced: attach.unenforced,
        steps: attach.progress.steps,
        duration: started.elapsed(),
    };
    attach.context.shared.registry().settle(attachment, host_end);
    Ok(Outcome::Done(attached))
}

/// What of the limits this kernel cannot keep; asked of it only where it matters.
fn unenforced(attachment: &Attachment) -> Vec<String> {
    if !mode::shaping::wants_queue_in_pod(attachment) {
        return Vec::new();
    }
    let refusal = probe::ingress_queues().as_ref().err();
    refusal.map(|reason| mode::shaping::unenforced(reason)).into_iter().collect()
}

impl Attach<'_, '_> {
    /// Nothing if the ENI is not there.
    fn look(&mut self, mut found: Found) -> Result<Option<View>> {
        if found.eni().is_none() {
            return Ok(None);
        }
        let uplink = view::uplink(self.context, self.attachment, false)?;
        found.host.extend(uplink.map(|link| (Device::Uplink, link)));
        let Some(desired) = view::desired(self.context.shared, self.attachment, &found) else {
            return Ok(None);
        };
        let host = view::see_host(self.context, &desired, found.host, RuleSource::Ledger)?;
        let pod = view::see_pod(&desired, &mut self.pod, found.pod)?;
        Ok(Some(View { desired, host, pod }))
    }

    /// Runs what differs. Links that are not there are made first and seen as they were born; then the rest is compared again.
    fn settle(&mut self, mut view: View) -> Result<Settled> {
        let form = self.form;
        let mut parts = Parts::of(&view.host.links);
        parts.learn(&view.pod.links);
        let mut differences = diff(&view.desired, &view.host, Some(&view.pod));
        let births = steps_where(&differences, form, |phase| phase == Phase::Birth);
        if !births.is_empty() {
            let early = steps_where(&differences, form, |phase| phase < Phase::Birth);
            parts = self.execute(&view, parts, &early)?;
            parts = self.bear(&view, parts, &births)?;
            self.see_newborn(&mut view, &parts, &births)?;
            differences = diff(&view.desired, &view.host, Some(&view.pod));
            differences.retain(|difference| difference.step.as_ref().is_some_and(|step| step.phase(form) > Phase::Birth));
        }
        let left_alone = differences.iter().filter_map(Difference::left_alone);
        self.unenforced.extend(left_alone.map(|error| error.message));
        let steps = steps_where(&differences, form, |_| true);
        let parts = self.execute(&view, parts, &steps)?;
        let pod = self.wait_ready(&parts, CameUp::by(&steps))?;
        let host = view.host.links.remove(&form.host_device());
        if host.is_none() && !view.desired.host.links.is_empty() {
            return Err(Error::new(ErrorCode::Kernel, "the link of the host vanished"));
        }
        Ok(Settled {
            host,
            host_end: parts.end(Device::HostEnd),
            pod,
        })
    }

    fn execute(&mut self, view: &View, parts: Parts, steps: &[Step]) -> Result<Parts> {
        let worker = &mut *self.context.worker;
        let mut executor = Executor {
            masquerade: &self.context.shared.masquerade,
            host: &mut worker.socket,
            sysctls: &worker.sysctls,
            procfs: &mut worker.procfs,
            home: &worker.home,
            pod: Some(&mut self.pod),
            desired: &view.desired,
            parts,
            programs: &self.context.shared.programs,
            failpoint: self.progress.failpoint,
            go_on: false,
            done: 0,
            failures: Vec::new(),
        };
        let result = executor.run(steps);
        self.progress.steps += executor.done;
        self.progress.failpoint = executor.failpoint;
        let parts = executor.parts;
        result.map(|()| parts)
    }

    /// Makes the links that are missing. A holder of the host name, an older sandbox of the same pod for instance, is renamed and lives on.
    fn bear(&mut self, view: &View, parts: Parts, births: &[Step]) -> Result<Parts> {
        if !births.contains(&Step::Create(Device::HostEnd)) {
            return self.execute(view, parts, births);
        }
        let name = &self.attachment.host_if_name;
        for attempt in 1.. {
            if let Some(holder) = observe::link_by_name(&mut self.context.worker.socket, name)? {
                self.refuse_newer(&holder)?;
                self.progress.failpoint.pass()?;
                let renamed = displace(&mut self.context.worker.socket, &holder)?;
                self.progress.steps += u32::from(renamed.is_some());
                self.progress.renamed_holder = renamed.or(self.progress.renamed_holder.take());
            }
            match self.execute(view, parts.clone(), births) {
                Err(error) if error.errno == Some(EEXIST) && attempt < NAME_ATTEMPTS => {}
                result => return result,
            }
        }
        Err(Error::new(ErrorCode::InterfaceExists, "the host name stays taken").about(format!("link {name}")))
    }

    /// The holder of the name must not be a newer sandbox's (I7).
    fn refuse_newer(&self, holder: &ObservedLink) -> Result<()> {
        let newer = |id: &&str| self.context.shared.registry().is_newer(id, self.attachment.generation);
        let Some(id) = owner(holder).filter(newer) else {
            return Ok(());
        };
        let object = format!("link {}", holder.name);
        let message = format!("{object} belongs to the newer attachment {id}");
        Err(Error {
            object: Some(object),
            ..Error::new(ErrorCode::InterfaceExists, message)
        })
    }

    /// Links just made have no addresses, routes or neighbours: reading the links is enough.
    fn see_newborn(&mut self, view: &mut View, parts: &Parts, births: &[Step]) -> Result<()> {
        // An ENI was there before the pair beside it, and a pod's link may have been before what it shares or what shapes its traffic.
        let of_link = |step: &Step| matches!(step, Step::Create(Device::HostEnd | Device::PodEnd));
        if self.form != Form::Moved && births.iter().any(of_link) {
            view.pod = Observed {
                sysctls: std::mem::take(&mut view.pod.sysctls),
                ..Observed::default()
            };
        }
        let wanted = |links: &[Link]| links.iter().map(|link| link.device).collect::<Vec<_>>();
        for device in wanted(&view.desired.host.links) {
            if let Some((index, _)) = parts.end(device).filter(|_| !view.host.links.contains_key(&device)) {
                let link = observe::link_by_index(&mut self.context.worker.socket, index)?;
                view.host.links.extend(link.map(|link| (device, link)));
            }
        }
        for device in wanted(&view.desired.pod.links) {
            if let Some((index, _)) = parts.end(device) {
                let link = observe::link_by_index(&mut self.pod.socket, index)?;
                view.pod.links.extend(link.map(|link| (device, link)));
            }
        }
        Ok(())
    }

    /// Waits for what the kernel does a moment later by itself, so that the first packet on any path passes.
    ///
    /// The end that came up first drops packets until a work item has noticed the carrier and activated its queue; operational state
    /// says when, and since Linux 6.8 asking for it does the work. The other end is ready at once, and asking would cost a walk over
    /// all IPv6 routes of the host.
    fn wait_ready(&mut self, parts: &Parts, came_up: CameUp) -> Result<ObservedLink> {
        let vanished = |what: &str| Error::new(ErrorCode::Kernel, format!("{what} vanished"));
        let deadline = Instant::now() + READY_LIMIT;
        let (pod, _) = parts.end(self.form.pod_device()).ok_or_else(|| vanished("the pod end"))?;
        // Awaited: a link hanging on the ENI has no other end.
        let mut host = (parts.end(Device::HostEnd)).filter(|_| came_up.pod_end && !came_up.host_end);
        loop {
            if let Some((index, _)) = host {
                let link = observe::link_by_index(&mut self.context.worker.socket, index)?;
                host = host.filter(|_| link.is_some_and(|link| !link.operational));
            }
            let pod = observe::link_by_index(&mut self.pod.socket, pod)?.ok_or_else(|| vanished("the pod end"))?;
            let ready = host.is_none() && pod.operational && self.is_ipv6_ready(parts, came_up)?;
            if ready || Instant::now() > deadline {
                return Ok(pod);
            }
            sleep(READY_PAUSE);
        }
    }

    /// Both are left to work items (`addrconf_dad_start`) even without duplicate detection: the local route of the pod's address, and
    /// the ENI's link-local address, without which the kernel asks for no neighbour and the first packet waits for a second.
    fn is_ipv6_ready(&mut self, parts: &Parts, came_up: CameUp) -> Result<bool> {
        let Some(ipv6) = self.attachment.ipv6 else { return Ok(true) };
        let route = observe::matching_route(&mut self.pod.socket, ipv6.address.into())?;
        if !route.is_some_and(|route| route.kind == RouteKind::Other(RTN_LOCAL)) {
            return Ok(false);
        }
        // Who asks for neighbours: the ENI, wherever it is, or the pod's link that hangs on it.
        let (asking, came_up) = match self.form.hangs_on_eni() {
            true => (parts.end(Device::PodEnd), came_up.pod_end),
            false => (parts.end(Device::Eni), came_up.eni),
        };
        let in_pod = self.form.hangs_on_eni() || self.form == Form::Moved;
        let Some((index, _)) = asking else { return Ok(true) };
        let socket = match in_pod {
            true => &mut self.pod.socket,
            false => &mut self.context.worker.socket,
        };
        let link_local = observe::link_local(socket, index)?;
        Ok(link_local == LinkLocal::Ready || link_local == LinkLocal::Missing && !came_up)
    }
}

/// What an attach ends with.
struct Settled {
    /// The link of the host namespace to answer with, if there is one.
    host: Option<ObservedLink>,
    /// Index and MAC of the host end, to be remembered, where there is one.
    host_end: Option<(u32, Mac)>,
    /// The pod's link.
    pod: ObservedLink,
}

/// Links that an attach has set up.
#[derive(Clone, Copy)]
struct CameUp {
    host_end: bool,
    pod_end: bool,
    eni: bool,
}

impl CameUp {
    fn by(steps: &[Step]) -> Self {
        let sets = |wanted: Device| {
            let up = |step: &Step| matches!(step, Step::SetLink { device, up: true, .. } if *device == wanted);
            steps.iter().any(up)
        };
        Self {
            host_end: sets(Device::HostEnd),
            pod_end: sets(Device::PodEnd),
            eni: sets(Device::Eni),
        }
    }
}

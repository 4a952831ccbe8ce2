//! Attach: makes the kernel equal to an attachment, from whatever is there.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::displace::displace;
use super::view::{self, RuleSource, View, is_pair};
use crate::attachment::{ALIAS_PREFIX, Attachment};
use crate::diff::{Difference, Phase, Step, diff};
use crate::error::{Error, ErrorCode, Result};
use crate::kernel::execute::{Executor, Failpoint, Parts, Pod, parts_of};
use crate::kernel::message::{self, LinkChange};
use crate::kernel::observe::{self, LinkLocal};
use crate::kernel::socket::Request;
use crate::kernel::uapi::RTN_LOCAL;
use crate::object::{Device, GROUP_RETIRED, Mac, RouteKind, displaced_name};
use crate::observed::{Observed, ObservedLink};
use crate::shared::Context;

/// Between looks at a link that is coming up.
const READY_PAUSE: Duration = Duration::from_micros(50);
/// A link that is up on both ends becomes operational at once, or never.
const READY_LIMIT: Duration = Duration::from_millis(500);
/// How often the host name may be taken by somebody else between look and creation.
const NAME_ATTEMPTS: u32 = 4;
/// How long an attach waits for the remains of the last one under the same name in the same namespace.
const RETIRED_LIMIT: Duration = Duration::from_secs(5);
/// How long a pod end may stand without its host end while the kernel deletes the pair.
const VANISHED_LIMIT: Duration = Duration::from_secs(1);
const VANISHED_PAUSE: Duration = Duration::from_millis(1);
const EEXIST: i32 = 17;

/// What an attach made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Name of the host end.
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
    pod: Pod,
    failpoint: Failpoint,
    renamed_holder: Option<String>,
    steps: u32,
}

/// Makes the kernel equal to `attachment`, which must have been admitted by the registry.
pub fn attach(
    context: &mut Context<'_>,
    attachment: &Arc<Attachment>,
    started: Instant,
    failpoint: Failpoint,
) -> Result<Outcome> {
    let pod = view::open_pod(context, &attachment.netns)?;
    let Some(eni) = context.shared.find_eni(&mut context.worker.socket, attachment.eni_mac)? else {
        return Ok(Outcome::EniMissing);
    };
    let mut attach = Attach {
        context,
        attachment,
        pod,
        failpoint,
        renamed_holder: None,
        steps: 0,
    };
    let (host_end, pod_end) = attach.locate()?;
    let view = attach.look(eni, host_end, pod_end)?;
    let (host, pod) = attach.settle(view)?;
    let attached = Attached {
        host_if_name: host.name.clone(),
        host_if_index: host.index,
        host_mac: host.mac.unwrap_or(Mac([0; 6])),
        pod_mac: pod.mac.unwrap_or(Mac([0; 6])),
        pod_if_index: pod.index,
        renamed_holder: attach.renamed_holder,
        steps: attach.steps,
        duration: started.elapsed(),
    };
    attach
        .context
        .shared
        .registry()
        .settle(attachment, host.mac.map(|mac| (host.index, mac)));
    Ok(Outcome::Done(attached))
}

impl Attach<'_, '_> {
    /// Both ends of the pair if it is there, neither if it is not; anything between is cleared away.
    fn locate(&mut self) -> Result<(Option<ObservedLink>, Option<ObservedLink>)> {
        let (id, name) = (&self.attachment.id, &self.attachment.host_if_name);
        if let Some(host) = view::host_end(self.context, id, Some(name), false)? {
            if let Some(pod) = view::pod_end(&mut self.pod, &host)? {
                return Ok((Some(host), Some(pod)));
            }
            // The pod's end is in another namespace: this pair can serve nobody.
            self.retire(&host)?;
        }
        let deadline = Instant::now() + RETIRED_LIMIT;
        let vanished_deadline = Instant::now() + VANISHED_LIMIT;
        loop {
            let Some(pod) = observe::link_by_name(&mut self.pod.socket, &self.attachment.if_name)? else {
                return Ok((None, None));
            };
            let peer = match pod.peer_index.filter(|_| pod.peer_elsewhere) {
                Some(index) => observe::link_by_index(&mut self.context.worker.socket, index)?.filter(|host| is_pair(host, &pod)),
                None => None,
            };
            match peer {
                Some(host) if view::is_host_end(&host, &self.attachment.alias()) => return Ok((Some(host), Some(pod))),
                // The last attachment of this namespace has been detached, and the kernel is about to delete its pair.
                Some(host) if host.group == GROUP_RETIRED && Instant::now() < deadline => {
                    self.context.shared.reaper.retired(1);
                    self.context.shared.reaper.flush(deadline);
                }
                // The peer went between the two looks: the kernel is deleting a retired pair, and soon neither end is there.
                None if pod.peer_elsewhere && Instant::now() < vanished_deadline => sleep(VANISHED_PAUSE),
                _ => {
                    let object = format!("link {}", self.attachment.if_name);
                    let message = format!("{object} exists in {} and is not ours", self.attachment.netns);
                    return Err(Error {
                        object: Some(object),
                        ..Error::new(ErrorCode::InterfaceExists, message)
                    });
                }
            }
        }
    }

    fn retire(&mut self, link: &ObservedLink) -> Result<()> {
        self.failpoint.pass()?;
        let change = LinkChange {
            name: Some(displaced_name(link.index)),
            group: Some(GROUP_RETIRED),
            ..LinkChange::default()
        };
        let down = LinkChange {
            up: Some(false),
            ..LinkChange::default()
        };
        self.context.worker.socket.batch(vec![
            Request {
                message: message::set_link(link.index, down),
                flags: 0,
            },
            Request {
                message: message::set_link(link.index, change),
                flags: 0,
            },
        ])?;
        self.context.shared.reaper.retired(1);
        self.steps += 1;
        Ok(())
    }

    fn look(&mut self, eni: ObservedLink, host_end: Option<ObservedLink>, pod_end: Option<ObservedLink>) -> Result<View> {
        let uplink = view::advertised_uplink(self.context, self.attachment, false)?;
        let desired = view::desired(self.attachment, &eni, uplink.as_ref(), host_end.as_ref());
        let host = view::see_host(self.context, &desired, eni, uplink, host_end, RuleSource::Ledger)?;
        let pod = view::see_pod(&desired, &mut self.pod, pod_end)?;
        Ok(View { desired, host, pod })
    }

    /// Runs what differs. A pair that is not there is made first and seen as it was born; then the rest is compared again.
    fn settle(&mut self, mut view: View) -> Result<(ObservedLink, ObservedLink)> {
        let mut parts = parts_of(&view.host.links);
        parts.pod_end = parts_of(&view.pod.links).pod_end;
        let mut differences = diff(&view.desired, &view.host, Some(&view.pod));
        if parts.host_end.is_none() {
            let early = steps_where(&differences, |phase| phase < Phase::Pair);
            parts = self.execute(&view, parts, &early)?;
            parts = self.create_pair(&view, parts)?;
            self.see_newborn(&mut view, &parts)?;
            differences = diff(&view.desired, &view.host, Some(&view.pod));
            differences.retain(|difference| difference.step.as_ref().is_some_and(|step| step.phase() > Phase::Pair));
        }
        let steps = steps_where(&differences, |_| true);
        let parts = self.execute(&view, parts, &steps)?;
        let pod = self.wait_ready(&parts, CameUp::by(&steps))?;
        let host = view.host.links.remove(&Device::HostEnd);
        Ok((
            host.ok_or_else(|| Error::new(ErrorCode::Kernel, "the host end vanished"))?,
            pod,
        ))
    }

    fn execute(&mut self, view: &View, parts: Parts, steps: &[Step]) -> Result<Parts> {
        let worker = &mut *self.context.worker;
        let mut executor = Executor {
            host: &mut worker.socket,
            sysctls: &worker.sysctls,
            procfs: &mut worker.procfs,
            home: &worker.home,
            pod: Some(&mut self.pod),
            desired: &view.desired,
            parts,
            failpoint: self.failpoint,
            go_on: false,
            done: 0,
            failures: Vec::new(),
        };
        let result = executor.run(steps);
        self.steps += executor.done;
        self.failpoint = executor.failpoint;
        let parts = executor.parts;
        result.map(|()| parts)
    }

    /// A holder of the host name, an older sandbox of the same pod for instance, is renamed and lives on.
    fn create_pair(&mut self, view: &View, parts: Parts) -> Result<Parts> {
        let name = &self.attachment.host_if_name;
        for attempt in 1.. {
            if let Some(holder) = observe::link_by_name(&mut self.context.worker.socket, name)? {
                self.refuse_newer(&holder)?;
                self.failpoint.pass()?;
                let renamed = displace(&mut self.context.worker.socket, &holder)?;
                self.steps += u32::from(renamed.is_some());
                self.renamed_holder = renamed.or(self.renamed_holder.take());
            }
            match self.execute(view, parts.clone(), &[Step::CreatePair]) {
                Err(error) if error.errno == Some(EEXIST) && attempt < NAME_ATTEMPTS => {}
                result => return result,
            }
        }
        Err(Error::new(ErrorCode::InterfaceExists, "the host name stays taken").about(format!("link {name}")))
    }

    /// The holder of the name must not be a newer sandbox's (I7).
    fn refuse_newer(&self, holder: &ObservedLink) -> Result<()> {
        let id = holder.alias.as_deref().and_then(|alias| alias.strip_prefix(ALIAS_PREFIX));
        let newer = |id: &&str| self.context.shared.registry().is_newer(id, self.attachment.generation);
        let Some(id) = id.filter(newer) else { return Ok(()) };
        let object = format!("link {}", holder.name);
        let message = format!("{object} belongs to the newer attachment {id}");
        Err(Error {
            object: Some(object),
            ..Error::new(ErrorCode::InterfaceExists, message)
        })
    }

    /// A pair just made has no addresses, routes or neighbours: reading the two links is enough.
    fn see_newborn(&mut self, view: &mut View, parts: &Parts) -> Result<()> {
        let index = |end: Option<(u32, Mac)>| end.map_or(0, |(index, _)| index);
        let host = observe::link_by_index(&mut self.context.worker.socket, index(parts.host_end))?;
        let pod = observe::link_by_index(&mut self.pod.socket, index(parts.pod_end))?;
        view.host.links.extend(host.map(|link| (Device::HostEnd, link)));
        view.pod = Observed {
            sysctls: std::mem::take(&mut view.pod.sysctls),
            ..Observed::default()
        };
        view.pod.links.extend(pod.map(|link| (Device::PodEnd, link)));
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
        let (host, _) = parts.host_end.ok_or_else(|| vanished("the host end"))?;
        let (pod, _) = parts.pod_end.ok_or_else(|| vanished("the pod end"))?;
        let mut host_ready = came_up.host_end || !came_up.pod_end;
        loop {
            if !host_ready {
                let link = observe::link_by_index(&mut self.context.worker.socket, host)?;
                host_ready = link.ok_or_else(|| vanished("the host end"))?.operational;
            }
            let pod = observe::link_by_index(&mut self.pod.socket, pod)?.ok_or_else(|| vanished("the pod end"))?;
            let ready = host_ready && pod.operational && self.is_ipv6_ready(parts, came_up.eni)?;
            if ready || Instant::now() > deadline {
                return Ok(pod);
            }
            sleep(READY_PAUSE);
        }
    }

    /// Both are left to work items (`addrconf_dad_start`) even without duplicate detection: the local route of the pod's address, and
    /// the ENI's link-local address, without which the kernel asks for no neighbour and the first packet waits for a second.
    fn is_ipv6_ready(&mut self, parts: &Parts, eni_came_up: bool) -> Result<bool> {
        let Some(ipv6) = self.attachment.ipv6 else { return Ok(true) };
        let route = observe::matching_route(&mut self.pod.socket, ipv6.address.into())?;
        if !route.is_some_and(|route| route.kind == RouteKind::Other(RTN_LOCAL)) {
            return Ok(false);
        }
        let Some(eni) = parts.eni else { return Ok(true) };
        let link_local = observe::link_local(&mut self.context.worker.socket, eni)?;
        Ok(link_local == LinkLocal::Ready || link_local == LinkLocal::Missing && !eni_came_up)
    }
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

/// The steps of the differences in these phases, in order.
pub(crate) fn steps_where(differences: &[Difference], which: impl Fn(Phase) -> bool) -> Vec<Step> {
    differences
        .iter()
        .filter_map(|difference| difference.step.clone())
        .filter(|step| which(step.phase()))
        .collect()
}

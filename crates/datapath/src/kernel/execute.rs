//! Runs steps. Consecutive netlink steps of one namespace go to the kernel in one system call.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use netlink_packet_route::RouteNetlinkMessage;

use super::filter;
use super::message::{self, LinkChange};
use super::netns::Netns;
use super::observe;
use super::parts::Parts;
use super::pod::Pod;
use super::procfs::PrivateProcfs;
use super::rename::rename_while_down;
use super::request::{request, request_name};
use super::socket::{Answer, Refusal, Request, Socket};
use super::sysctl::SysctlTree;
use super::uapi::NLM_F_CREATE;
use crate::desired::DesiredState;
use crate::error::{Error, ErrorCode, Result};
use crate::failpoint::Failpoint;
use crate::masquerade::Masquerade;
use crate::object::{Device, Family, Filter, Place, Prefix, Qdisc, Route, RouteKind, Scope, TABLE_MAIN};
use crate::programs::{ProgramStore, program_named};
use crate::step::Step;

const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EEXIST: i32 = 17;
const ENODEV: i32 = 19;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;

/// Held while a gateway's host route is in main for a moment.
static ADMISSION: Mutex<()> = Mutex::new(());

/// Runs the steps of one attachment.
pub struct Executor<'a> {
    /// Socket of the host namespace.
    pub host: &'a mut Socket,
    /// Sysctls of the host namespace.
    pub sysctls: &'a SysctlTree,
    /// For the sysctls of the pod.
    pub procfs: &'a mut PrivateProcfs,
    /// The host namespace, to come home to.
    pub home: &'a Netns,
    /// Masqueraded pods.
    pub masquerade: &'a Masquerade,
    /// The pod, unless the host's side alone is worked on.
    pub pod: Option<&'a mut Pod>,
    /// Names and what is wanted.
    pub desired: &'a DesiredState,
    /// Indices and MACs; those of a new link are filled in when it is made.
    pub parts: Parts,
    /// For filters and records.
    pub programs: &'a ProgramStore,
    /// For tests.
    pub failpoint: Failpoint,
    /// What happens after a failure: `false` stops, `true` goes on and collects.
    pub go_on: bool,
    /// Steps that changed something.
    pub done: u32,
    /// Failures.
    pub failures: Vec<Error>,
}

impl Executor<'_> {
    /// Runs `steps` in order.
    pub fn run(&mut self, steps: &[Step]) -> Result<()> {
        let apart;
        let mut rest = steps;
        if steps.iter().any(|step| apart_from_up(step).is_some()) {
            apart = steps.iter().cloned().flat_map(split).collect::<Vec<_>>();
            rest = &apart;
        }
        while let Some(first) = rest.first() {
            let batchable = |step: &&Step| {
                kind(step) == kind(first) && !matches!(kind(step), Kind::Birth | Kind::Filter) && step.place() == first.place()
            };
            let most = if self.failpoint.armed() { 1 } else { BATCH };
            let length = rest.iter().take(most).take_while(batchable).count().max(1);
            let (now, later) = rest.split_at(length);
            rest = later;
            // What is not needed any more goes only when what replaces it is there.
            if matches!(first, Step::DeleteRoute(..) | Step::DeleteRule(..)) && !self.failures.is_empty() {
                return Ok(());
            }
            let result = self.failpoint.pass().and_then(|()| match first {
                Step::Create(device) => self.create(*device),
                Step::WriteSysctl(place, _) => self.write_sysctls(*place, now),
                Step::Masquerade(_) => self.masquerade(now),
                Step::PutRecord(_) | Step::DeleteRecord(_) => self.write_records(now),
                Step::PutFilter(place, filter) => self.put_filter(first, *place, filter),
                _ => self.netlink(first.place(), now),
            });
            match result {
                Ok(()) => {}
                Err(error) if self.go_on => self.failures.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write_sysctls(&mut self, place: Place, steps: &[Step]) -> Result<()> {
        let names = &self.desired.names;
        let sysctls = || {
            steps.iter().filter_map(|step| {
                if let Step::WriteSysctl(_, sysctl) = step {
                    Some(sysctl)
                } else {
                    None
                }
            })
        };
        let write = |tree: &SysctlTree| sysctls().try_for_each(|sysctl| tree.write(sysctl, names));
        let procfs = &mut *self.procfs;
        match (place, &self.pod) {
            (Place::Host, _) => write(self.sysctls)?,
            (Place::Pod, Some(pod)) => {
                let families: Vec<Family> = sysctls().map(|sysctl| sysctl.key.family).collect();
                pod.netns.within(self.home, || write(&SysctlTree::open(procfs, &families)))?;
            }
            (Place::Pod, None) => return Err(no_pod()),
        }
        self.done += steps.len() as u32;
        Ok(())
    }

    fn masquerade(&mut self, steps: &[Step]) -> Result<()> {
        let addresses: Vec<IpAddr> = steps
            .iter()
            .filter_map(|step| {
                if let Step::Masquerade(address) = step {
                    Some(*address)
                } else {
                    None
                }
            })
            .collect();
        self.masquerade.add(self.home, &addresses)?;
        self.done += steps.len() as u32;
        Ok(())
    }

    fn netlink(&mut self, place: Place, steps: &[Step]) -> Result<()> {
        let requests = steps
            .iter()
            .map(|step| request(step, &self.parts))
            .collect::<Result<Vec<_>>>()?;
        let answers = self.socket(place)?.batch(requests)?;
        let mut first_failure = None;
        for (step, answer) in steps.iter().zip(answers) {
            match self.judge(step, answer) {
                Ok(true) => self.done += 1,
                Ok(false) => {}
                Err(error) if self.go_on => self.failures.push(error),
                Err(error) => {
                    first_failure.get_or_insert(error);
                }
            }
        }
        first_failure.map_or(Ok(()), Err)
    }

    fn write_records(&mut self, steps: &[Step]) -> Result<()> {
        for step in steps {
            let written = match step {
                Step::PutRecord(record) => self.programs.put(record).map(|()| true),
                Step::DeleteRecord(key) => self.programs.remove(*key),
                _ => Ok(false),
            };
            self.done += u32::from(written.map_err(|error| error.about(step.object(&self.desired.names)))?);
        }
        Ok(())
    }

    fn put_filter(&mut self, step: &Step, place: Place, filter: &Filter) -> Result<()> {
        let index = self.parts.index(filter.device)?;
        let Some(name) = program_named(filter.program_name()) else {
            return Err(Error::new(ErrorCode::Kernel, "no program has this name").about(step.object(&self.desired.names)));
        };
        let message = self
            .programs
            .with(|programs| Ok(filter::put(index, filter, programs.program(name).fd()?)))?;
        let answer = self.socket(place)?.request(message, NLM_F_CREATE)?;
        if self.judge(step, answer)? {
            self.done += 1;
        }
        Ok(())
    }

    fn socket(&mut self, place: Place) -> Result<&mut Socket> {
        match place {
            Place::Host => Ok(self.host),
            Place::Pod => self.pod.as_mut().map(|pod| &mut pod.socket).ok_or_else(no_pod),
        }
    }

    /// True if the step changed something. What is there already, or gone already, is no failure.
    fn judge(&mut self, step: &Step, answer: Answer) -> Result<bool> {
        let Err(refusal) = answer.result else { return Ok(true) };
        match (step, refusal.errno) {
            (Step::AddAddress(..) | Step::AddRule(..) | Step::PutRoute(..), EEXIST) => Ok(false),
            (Step::DeleteRoute(..) | Step::DeleteRule(..) | Step::DeleteQdisc(..), ENOENT | ESRCH | ENODEV) => Ok(false),
            (Step::DeleteFilter(..) | Step::DeleteRedirect(..), ENOENT | ENODEV | EINVAL) => Ok(false),
            (Step::DeleteLink(..), ENODEV) => Ok(false),
            (Step::PutQdisc(_, qdisc) | Step::ReplaceQdisc(_, qdisc), ENOENT) => {
                Err(no_such_qdisc(qdisc, &refusal).about(step.object(&self.desired.names)))
            }
            (Step::SetLink { name: Some(_), .. }, EBUSY) => self.rename_while_up(step),
            (Step::PutRoute(Place::Host, route), EINVAL) if needs_admission(route) => self.put_with_admission(step, route),
            _ => Err(refusal.error(request_name(step)).about(step.object(&self.desired.names))),
        }
    }

    /// Before Linux 6.2 a link that is up cannot be renamed. What goes with the link down is the next look's affair.
    fn rename_while_up(&mut self, step: &Step) -> Result<bool> {
        let Step::SetLink {
            place,
            device,
            name,
            mtu,
            alias,
            ..
        } = step
        else {
            return Ok(false);
        };
        let change = LinkChange {
            name: name.clone(),
            mtu: *mtu,
            alias: alias.clone(),
            ..LinkChange::default()
        };
        let index = self.parts.index(*device)?;
        let socket = self.socket(*place)?;
        if let Some(link) = observe::link_by_index(socket, index)? {
            rename_while_down(socket, &link, change)?;
        }
        Ok(true)
    }

    /// While an IPv6 onlink route is made, the kernel looks its gateway up in main and refuses if another device answers
    /// (`ip6_route_check_nh_onlink`), as when the node's own interface is in the same vSwitch. The check is made once, so the
    /// gateway's host route through the ENI has to be there only for this moment. One at a time: ENIs of one vSwitch have one gateway,
    /// and another one's host route would answer.
    fn put_with_admission(&mut self, step: &Step, route: &Route) -> Result<bool> {
        let Some(gateway) = route.gateway else { return Ok(false) };
        let admission = Route {
            table: TABLE_MAIN,
            destination: Prefix::host(gateway),
            source: None,
            kind: RouteKind::Unicast,
            gateway: None,
            onlink: false,
            scope: Scope::Universe,
            ..*route
        };
        let device = Some(self.parts.index(Device::Eni)?);
        let body = message::route(&admission, device);
        let turn = ADMISSION.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answers = self
            .host
            .batch(vec![
                Request {
                    message: RouteNetlinkMessage::NewRoute(body.clone()),
                    flags: NLM_F_CREATE,
                },
                request(step, &self.parts)?,
            ])?
            .into_iter();
        let admitted = answers.next().is_some_and(|answer| answer.result.is_ok());
        let result = answers.next().map_or(Ok(()), |answer| answer.result);
        if admitted {
            self.host.request(RouteNetlinkMessage::DelRoute(body), 0)?;
        }
        drop(turn);
        result
            .map(|()| true)
            .map_err(|refusal| refusal.error(request_name(step)).about(step.object(&self.desired.names)))
    }
}

/// So many requests fit one system call and its answers the socket's buffer.
pub(crate) const BATCH: usize = 32;

#[derive(PartialEq)]
enum Kind {
    Birth,
    Sysctl,
    Masquerade,
    Record,
    Filter,
    Netlink,
}

fn kind(step: &Step) -> Kind {
    match step {
        Step::Create(_) => Kind::Birth,
        Step::WriteSysctl(..) => Kind::Sysctl,
        Step::Masquerade(_) => Kind::Masquerade,
        Step::PutRecord(_) | Step::DeleteRecord(_) => Kind::Record,
        Step::PutFilter(..) => Kind::Filter,
        _ => Kind::Netlink,
    }
}

/// Coming up, an IPvlan slave forgets that it does not ask for MACs (`ipvlan_open`): that has to be said once it is up.
fn apart_from_up(step: &Step) -> Option<Step> {
    match step {
        Step::SetLink {
            place,
            device,
            up: true,
            arp: arp @ Some(_),
            ..
        } => Some(Step::SetLink {
            place: *place,
            device: *device,
            name: None,
            mtu: None,
            up: false,
            alias: None,
            arp: *arp,
        }),
        _ => None,
    }
}

fn split(step: Step) -> impl Iterator<Item = Step> {
    let later = apart_from_up(&step);
    std::iter::once(step).chain(later)
}

fn no_pod() -> Error {
    Error::new(ErrorCode::NetnsGone, "the pod's network namespace is not open")
}

/// The kernel's answer to a kind it does not know.
fn no_such_qdisc(qdisc: &Qdisc, refusal: &Refusal) -> Error {
    let kind = qdisc.discipline.kind();
    Error {
        code: ErrorCode::Unsupported,
        ..refusal.error(&format!("this kernel has no qdisc {kind}: RTM_NEWQDISC"))
    }
}

fn needs_admission(route: &Route) -> bool {
    route.destination.family() == Family::V6 && route.onlink && route.device == Some(Device::Eni)
}

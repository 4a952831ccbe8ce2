//! Runs steps. Consecutive netlink steps of one namespace go to the kernel in one system call.

use netlink_packet_route::RouteNetlinkMessage;

use super::message::{self, LinkChange, Pair};
use super::netns::Netns;
use super::observe;
use super::procfs::PrivateProcfs;
use super::socket::{Answer, Request, Socket};
use super::sysctl::SysctlTree;
use super::uapi::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use crate::desired::DesiredState;
use crate::diff::{Step, stands_beside};
use crate::error::{Error, ErrorCode, Result};
use crate::object::{Device, Family, LinkAddress, Mac, Place, Prefix, Route, RouteKind, Scope, TABLE_MAIN};
use crate::observed::ObservedLink;

const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EEXIST: i32 = 17;
const ENODEV: i32 = 19;
const EINVAL: i32 = 22;

/// The devices behind the parts of an attachment, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Host end: index and MAC.
    pub host_end: Option<(u32, Mac)>,
    /// Pod end: index and MAC.
    pub pod_end: Option<(u32, Mac)>,
    /// The ENI.
    pub eni: Option<u32>,
    /// The device with the default route.
    pub uplink: Option<u32>,
}

impl Parts {
    fn index(&self, device: Device) -> Result<u32> {
        let index = match device {
            Device::HostEnd => self.host_end.map(|(index, _)| index),
            Device::PodEnd => self.pod_end.map(|(index, _)| index),
            Device::Eni => self.eni,
            Device::Uplink => self.uplink,
            Device::Index(index) => Some(index),
        };
        index.ok_or_else(|| Error::new(ErrorCode::Kernel, format!("{device:?} does not exist")))
    }

    fn mac(&self, mac: LinkAddress) -> Result<Mac> {
        let found = match mac {
            LinkAddress::Is(mac) => Some(mac),
            LinkAddress::Of(Device::HostEnd) => self.host_end.map(|(_, mac)| mac),
            LinkAddress::Of(Device::PodEnd) => self.pod_end.map(|(_, mac)| mac),
            LinkAddress::Of(_) => None,
        };
        found.ok_or_else(|| Error::new(ErrorCode::Kernel, format!("no MAC for {mac:?}")))
    }
}

/// An open pod namespace and a socket in it.
#[derive(Debug)]
pub struct Pod {
    /// The namespace.
    pub netns: Netns,
    /// A socket inside.
    pub socket: Socket,
}

/// Counts steps down and fails at zero, so that tests can stop a call between any two steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failpoint(Option<u32>);

impl Failpoint {
    /// Never fails.
    pub const OFF: Self = Self(None);

    /// Fails after `steps` steps.
    pub fn after(steps: u32) -> Self {
        Self(Some(steps))
    }

    /// True if steps must run one by one.
    pub(crate) fn armed(self) -> bool {
        self.0.is_some()
    }

    /// Called before each step.
    pub(crate) fn pass(&mut self) -> Result<()> {
        match &mut self.0 {
            None => Ok(()),
            Some(0) => Err(Error::new(ErrorCode::Kernel, "failpoint reached")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

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
    /// The pod, unless the host's side alone is worked on.
    pub pod: Option<&'a mut Pod>,
    /// Names and what is wanted.
    pub desired: &'a DesiredState,
    /// Indices and MACs; the pair's are filled in when it is made.
    pub parts: Parts,
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
        let mut rest = steps;
        while let Some(first) = rest.first() {
            let batchable = |step: &&Step| kind(step) == kind(first) && kind(step) != Kind::Pair && step.place() == first.place();
            let most = if self.failpoint.armed() { 1 } else { BATCH };
            let length = rest.iter().take(most).take_while(batchable).count().max(1);
            let (now, later) = rest.split_at(length);
            rest = later;
            let result = self.failpoint.pass().and_then(|()| match first {
                Step::CreatePair => self.create_pair(),
                Step::WriteSysctl(place, _) => self.write_sysctls(*place, now),
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

    /// The pair is marked before any other process can run: both requests are in one system call.
    fn create_pair(&mut self) -> Result<()> {
        let names = &self.desired.names;
        let object = format!("link {}", names.host_end);
        let pod = self
            .pod
            .as_ref()
            .ok_or_else(|| Error::new(ErrorCode::Kernel, "the pair is gone").about(object.clone()))?;
        let (host_mac, pod_mac) = (random_mac()?, random_mac()?);
        let create = message::create_pair(&Pair {
            host_name: &names.host_end,
            host_mac,
            pod_name: &names.pod_end,
            pod_mac,
            pod_netns: std::os::fd::AsFd::as_fd(&pod.netns),
            mtu: self.desired.mtu,
        });
        let mut answers = self
            .host
            .batch(vec![
                Request {
                    message: create,
                    flags: NLM_F_CREATE | NLM_F_EXCL,
                },
                Request {
                    message: message::mark_by_name(&names.host_end, &self.desired.alias),
                    flags: 0,
                },
                Request {
                    message: message::get_link_by_name(&names.host_end),
                    flags: 0,
                },
            ])?
            .into_iter();
        for request in ["RTM_NEWLINK veth", "RTM_SETLINK alias"] {
            if let Some(Err(refusal)) = answers.next().map(|answer| answer.result) {
                return Err(refusal.error(request).about(object));
            }
        }
        let link = answers
            .next()
            .map(|answer| observe::one_link(answer, &names.host_end))
            .transpose()?
            .flatten();
        let made = link.and_then(|link| Some((link.index, link.peer_index?)));
        let (host_index, pod_index) = made.ok_or_else(|| Error::new(ErrorCode::Kernel, "vanished at once").about(object))?;
        self.parts.host_end = Some((host_index, host_mac));
        self.parts.pod_end = Some((pod_index, pod_mac));
        self.done += 1;
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
                pod.netns
                    .within(self.home, || write(&SysctlTree::open_pod(procfs, &families)))?;
            }
            (Place::Pod, None) => return Err(no_pod()),
        }
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
            (Step::DeleteRoute(..) | Step::DeleteRule(..), ENOENT | ESRCH | ENODEV) => Ok(false),
            (Step::PutRoute(Place::Host, route), EINVAL) if needs_admission(route) => self.put_with_admission(step, route),
            _ => Err(refusal.error(request_name(step)).about(step.object(&self.desired.names))),
        }
    }

    /// While an IPv6 onlink route is made, the kernel looks its gateway up in main and refuses if another device answers
    /// (`ip6_route_check_nh_onlink`), as when the node's own interface is in the same vSwitch. The check is made once, so the
    /// gateway's host route through the ENI has to be there only for this moment.
    fn put_with_admission(&mut self, step: &Step, route: &Route) -> Result<bool> {
        let Some(gateway) = route.gateway else { return Ok(false) };
        let admission = Route {
            table: TABLE_MAIN,
            destination: Prefix::host(gateway),
            kind: RouteKind::Unicast,
            gateway: None,
            onlink: false,
            scope: Scope::Universe,
            ..*route
        };
        let device = Some(self.parts.index(Device::Eni)?);
        let body = message::route(&admission, device);
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
        result
            .map(|()| true)
            .map_err(|refusal| refusal.error(request_name(step)).about(step.object(&self.desired.names)))
    }
}

/// So many requests fit one system call and its answers the socket's buffer.
pub(crate) const BATCH: usize = 32;

#[derive(PartialEq)]
enum Kind {
    Pair,
    Sysctl,
    Netlink,
}

fn kind(step: &Step) -> Kind {
    match step {
        Step::CreatePair => Kind::Pair,
        Step::WriteSysctl(..) => Kind::Sysctl,
        _ => Kind::Netlink,
    }
}

fn no_pod() -> Error {
    Error::new(ErrorCode::NetnsGone, "the pod's network namespace is not open")
}

fn needs_admission(route: &Route) -> bool {
    route.destination.family() == Family::V6 && route.onlink && route.device == Some(Device::Eni)
}

fn request(step: &Step, parts: &Parts) -> Result<Request> {
    let device = |route: &Route| route.device.map(|device| parts.index(device)).transpose();
    let (message, flags) = match step {
        Step::CreatePair | Step::WriteSysctl(..) => return Err(Error::new(ErrorCode::Kernel, "not a single netlink request")),
        Step::SetLink {
            device,
            name,
            mtu,
            up,
            alias,
            ..
        } => {
            let change = LinkChange {
                name: name.clone(),
                mtu: *mtu,
                up: up.then_some(true),
                alias: alias.clone(),
                group: None,
            };
            (message::set_link(parts.index(*device)?, change), 0)
        }
        Step::AddAddress(_, address) => (
            message::add_address(parts.index(address.device)?, address.prefix),
            NLM_F_CREATE | NLM_F_EXCL,
        ),
        Step::PutRoute(_, route) => {
            let flags = if stands_beside(route) {
                NLM_F_CREATE
            } else {
                NLM_F_CREATE | NLM_F_REPLACE
            };
            (RouteNetlinkMessage::NewRoute(message::route(route, device(route)?)), flags)
        }
        Step::DeleteRoute(_, route) => (RouteNetlinkMessage::DelRoute(message::route(route, device(route)?)), 0),
        Step::AddRule(_, rule) => (RouteNetlinkMessage::NewRule(message::rule(rule)), NLM_F_CREATE | NLM_F_EXCL),
        Step::DeleteRule(_, rule) => (RouteNetlinkMessage::DelRule(message::rule(rule)), 0),
        Step::PutNeighbour(_, neighbour) => {
            let mac = parts.mac(neighbour.mac)?;
            let message = message::put_neighbour(parts.index(neighbour.device)?, neighbour.address, mac);
            (message, NLM_F_CREATE | NLM_F_REPLACE)
        }
    };
    Ok(Request { message, flags })
}

fn request_name(step: &Step) -> &'static str {
    match step {
        Step::CreatePair => "RTM_NEWLINK",
        Step::SetLink { .. } => "RTM_SETLINK",
        Step::WriteSysctl(..) => "write",
        Step::AddAddress(..) => "RTM_NEWADDR",
        Step::PutRoute(..) => "RTM_NEWROUTE",
        Step::DeleteRoute(..) => "RTM_DELROUTE",
        Step::AddRule(..) => "RTM_NEWRULE",
        Step::DeleteRule(..) => "RTM_DELRULE",
        Step::PutNeighbour(..) => "RTM_NEWNEIGH",
    }
}

/// A locally administered unicast address.
fn random_mac() -> Result<Mac> {
    let mut bytes = [0u8; 6];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::system("getrandom", &errno.into()))?;
    bytes[0] = (bytes[0] & 0xfc) | 0x02;
    Ok(Mac(bytes))
}

/// The parts of an attachment as seen.
pub fn parts_of(links: &std::collections::HashMap<Device, ObservedLink>) -> Parts {
    let index = |device: Device| links.get(&device).map(|link| link.index);
    let end = |device: Device| links.get(&device).map(|link| (link.index, link.mac.unwrap_or(Mac([0; 6]))));
    Parts {
        host_end: end(Device::HostEnd),
        pod_end: end(Device::PodEnd),
        eni: index(Device::Eni),
        uplink: index(Device::Uplink),
    }
}

//! The difference between what is wanted and what was seen: drifts for people, ordered steps for the kernel.

mod traffic;

use std::net::IpAddr;

use crate::attachment::ALIAS_PREFIX;
use crate::desired::{DesiredState, NamespaceState};
use crate::error::{Error, ErrorCode};
use crate::former::Former;
use crate::link::Form;
use crate::link::pair::is_moved_eni;
use crate::object::{
    Address, DISPLACED_PREFIX, Device, Filter, Link, LinkAddress, Mac, Names, Neighbour, PROTOCOL, Place, Prefix, Qdisc, Record,
    RecordKey, Route, Rule, Sysctl, SysctlScope, TABLE_MAIN,
};
use crate::observed::{Observed, ObservedLink};

/// How an object differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not there.
    Missing,
    /// It is there with other properties.
    Different,
    /// It is ours and should not be there.
    Unexpected,
}

impl Problem {
    /// The name that crosses the border.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Different => "different",
            Self::Unexpected => "unexpected",
        }
    }
}

/// One difference, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// Where.
    pub place: Place,
    /// `link`, `address`, `route`, `rule`, `neighbour`, `masquerade`, `sysctl`, `qdisc`, `filter` or `record`.
    pub kind: &'static str,
    /// The object as iproute2 would name it.
    pub object: String,
    /// What is wrong with it.
    pub problem: Problem,
    /// Found and wanted properties.
    pub detail: Option<String>,
}

/// One change of the kernel. Devices are parts of the attachment, resolved when the step runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a link of the attachment's form, marked from birth; with the host end of a pair comes its pod end.
    Create(Device),
    /// Change properties of a link; what is none stays.
    SetLink {
        /// Where.
        place: Place,
        /// Which.
        device: Device,
        /// New name.
        name: Option<String>,
        /// New MTU.
        mtu: Option<u32>,
        /// Set it up.
        up: bool,
        /// New alias.
        alias: Option<String>,
        /// Ask for MACs or not.
        arp: Option<bool>,
    },
    /// Write a sysctl.
    WriteSysctl(Place, Sysctl),
    /// Add an address.
    AddAddress(Place, Address),
    /// Add a route or replace the one of the same destination and metric.
    PutRoute(Place, Route),
    /// Remove a route of ours.
    DeleteRoute(Place, Route),
    /// Add a rule.
    AddRule(Place, Rule),
    /// Remove a rule of ours.
    DeleteRule(Place, Rule),
    /// Add or replace a permanent neighbour.
    PutNeighbour(Place, Neighbour),
    /// Make a qdisc, or change the options of ours.
    PutQdisc(Place, Qdisc),
    /// Put a qdisc in the place of another one of ours.
    ReplaceQdisc(Place, Qdisc),
    /// Remove a qdisc of ours.
    DeleteQdisc(Place, Qdisc),
    /// Let what comes from this address leave the node with the node's.
    Masquerade(IpAddr),
    /// Make a filter, or give ours another program.
    PutFilter(Filter),
    /// Remove a filter of ours.
    DeleteFilter(Filter),
    /// Write a record of the programs.
    PutRecord(Record),
    /// Remove a record of the programs.
    DeleteRecord(RecordKey),
}

impl Step {
    /// Where the step acts.
    pub fn place(&self) -> Place {
        match self {
            Self::Create(_) | Self::Masquerade(_) => Place::Host,
            Self::PutFilter(_) | Self::DeleteFilter(_) | Self::PutRecord(_) | Self::DeleteRecord(_) => Place::Host,
            Self::SetLink { place, .. }
            | Self::WriteSysctl(place, _)
            | Self::AddAddress(place, _)
            | Self::PutRoute(place, _)
            | Self::DeleteRoute(place, _)
            | Self::AddRule(place, _)
            | Self::DeleteRule(place, _)
            | Self::PutNeighbour(place, _)
            | Self::PutQdisc(place, _)
            | Self::ReplaceQdisc(place, _)
            | Self::DeleteQdisc(place, _) => *place,
        }
    }

    /// Steps run in this order: sysctls of the node; the pair; sysctls of its ends and their qdiscs before they come up (on a device that
    /// is up the kernel waits for packets on their way); the pod; the ENI and its table; the rules; and last what lets packets flow, the
    /// host end and the route to the pod. What tags, delays and classifies on the ENI is there before a pod can send anything: its qdiscs,
    /// the records, and then the programs that read them.
    ///
    /// A link that hangs on the ENI cannot be made, or not come up, before the ENI is as it must be.
    pub(crate) fn phase(&self, form: Form) -> Phase {
        match self {
            Self::SetLink { device: Device::Eni, .. } if form.hangs_on_eni() => Phase::EniBefore,
            Self::WriteSysctl(Place::Host, sysctl) => match sysctl.key.scope {
                SysctlScope::Device(Device::Eni | Device::HostEnd | Device::HostSlave) => Phase::LinkSysctl,
                _ => Phase::NodeSysctl,
            },
            Self::Create(_) => Phase::Birth,
            Self::WriteSysctl(Place::Pod, _) => Phase::PodSysctl,
            Self::PutQdisc(place, qdisc) | Self::ReplaceQdisc(place, qdisc) | Self::DeleteQdisc(place, qdisc) => {
                match (place, qdisc.device) {
                    (Place::Pod, _) => Phase::PodQdisc,
                    (Place::Host, Device::Eni) => Phase::EniQdisc,
                    (Place::Host, _) => Phase::HostQdisc,
                }
            }
            Self::PutRecord(_) => Phase::Record,
            Self::PutFilter(_) => Phase::Filter,
            Self::DeleteFilter(_) => Phase::FilterRemoval,
            Self::DeleteRecord(_) => Phase::Removal,
            Self::SetLink { place: Place::Pod, .. } => Phase::PodLink,
            Self::AddAddress(Place::Pod, _) => Phase::PodAddress,
            Self::PutNeighbour(Place::Pod, _) => Phase::PodNeighbour,
            Self::PutRoute(Place::Pod, _) => Phase::PodRoute,
            Self::SetLink { device: Device::Eni, .. } => Phase::EniLink,
            Self::AddAddress(Place::Host, _) => Phase::EniAddress,
            Self::PutRoute(Place::Host, route) if !matches!(route.device, Some(Device::HostEnd | Device::HostSlave)) => {
                Phase::EniRoute
            }
            Self::AddRule(Place::Pod, _) => Phase::PodRule,
            Self::AddRule(Place::Host, _) => Phase::Rule,
            Self::Masquerade(_) => Phase::Rule,
            Self::SetLink { .. } => Phase::HostLink,
            Self::PutNeighbour(Place::Host, _) => Phase::HostNeighbour,
            Self::PutRoute(Place::Host, _) => Phase::HostRoute,
            Self::DeleteRoute(..) | Self::DeleteRule(..) => Phase::Removal,
        }
    }

    /// The object in words.
    pub fn object(&self, names: &Names) -> String {
        match self {
            Self::Create(device) => names.link(*device),
            Self::SetLink { device, .. } => names.link(*device),
            Self::WriteSysctl(_, sysctl) => names.sysctl(&sysctl.key),
            Self::AddAddress(_, address) => names.address(address),
            Self::PutRoute(_, route) | Self::DeleteRoute(_, route) => names.route(route),
            Self::AddRule(_, rule) | Self::DeleteRule(_, rule) => rule.to_string(),
            Self::PutNeighbour(_, neighbour) => names.neighbour(neighbour),
            Self::PutQdisc(_, qdisc) | Self::ReplaceQdisc(_, qdisc) | Self::DeleteQdisc(_, qdisc) => names.qdisc(qdisc),
            Self::PutFilter(filter) | Self::DeleteFilter(filter) => names.filter(filter),
            Self::PutRecord(record) => names.record(record.key()),
            Self::DeleteRecord(key) => names.record(*key),
            Self::Masquerade(address) => format!("masquerade {address}"),
        }
    }
}

/// See [`Step::phase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    NodeSysctl,
    EniBefore,
    Birth,
    EniQdisc,
    Record,
    Filter,
    LinkSysctl,
    HostQdisc,
    PodSysctl,
    PodQdisc,
    PodLink,
    PodAddress,
    PodNeighbour,
    PodRoute,
    PodRule,
    EniLink,
    EniAddress,
    EniRoute,
    Rule,
    HostLink,
    HostNeighbour,
    HostRoute,
    FilterRemoval,
    Removal,
}

/// A drift and the step that mends it. No step: nothing we can do (an ENI that is not there), or another drift's step does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In words.
    pub drift: Drift,
    /// As a change.
    pub step: Option<Step>,
}

impl Difference {
    /// What is never mended because it is somebody else's, as a failure: it is said once, not at every look.
    pub(crate) fn left_alone(&self) -> Option<Error> {
        let foreign = self.step.is_none() && matches!(self.drift.kind, "qdisc" | "filter");
        let detail = self.drift.detail.as_deref().filter(|_| foreign)?;
        Some(Error::new(ErrorCode::Unsupported, detail).about(self.drift.object.as_str()))
    }
}

/// Compares the host's side, and the pod's where `pod` is given, with what is wanted. The result is in the order in which the steps must run.
pub fn diff(desired: &DesiredState, host: &Observed, pod: Option<&Observed>) -> Vec<Difference> {
    let mut differences = Vec::new();
    let macs = Macs { host, pod };
    let mut compare = |place: Place, seen: &Observed| {
        let mut side = Side {
            place,
            form: desired.form,
            names: &desired.names,
            seen,
            macs: &macs,
            found: &mut differences,
        };
        side.compare(desired.at(place), desired);
    };
    compare(Place::Host, host);
    if let Some(pod) = pod {
        compare(Place::Pod, pod);
    }
    differences.sort_by_key(|difference| difference.step.as_ref().map(|step| step.phase(desired.form)));
    differences
}

/// The MACs that the ends of the pair have now.
struct Macs<'a> {
    host: &'a Observed,
    pod: Option<&'a Observed>,
}

impl Macs<'_> {
    fn resolve(&self, mac: LinkAddress) -> Option<Mac> {
        match mac {
            LinkAddress::Is(mac) => Some(mac),
            LinkAddress::Of(Device::PodEnd) => self.pod?.links.get(&Device::PodEnd)?.mac,
            LinkAddress::Of(device) => self.host.links.get(&device)?.mac,
        }
    }
}

struct Side<'a> {
    place: Place,
    form: Form,
    names: &'a Names,
    seen: &'a Observed,
    macs: &'a Macs<'a>,
    found: &'a mut Vec<Difference>,
}

impl Side<'_> {
    fn compare(&mut self, wanted: &NamespaceState, desired: &DesiredState) {
        for sysctl in &wanted.sysctls {
            self.sysctl(sysctl);
        }
        for link in &wanted.links {
            self.link(link);
        }
        for address in &wanted.addresses {
            if !self.seen.addresses.contains(address) {
                let step = Step::AddAddress(self.place, *address);
                self.report("address", self.names.address(address), Problem::Missing, None, Some(step));
            }
        }
        for neighbour in &wanted.neighbours {
            self.neighbour(neighbour);
        }
        for route in &wanted.routes {
            self.route(route);
        }
        for rule in &wanted.rules {
            if !self.seen.rules.iter().any(|seen| same_rule(seen, rule)) {
                self.report(
                    "rule",
                    rule.to_string(),
                    Problem::Missing,
                    None,
                    Some(Step::AddRule(self.place, *rule)),
                );
            }
        }
        self.traffic(wanted);
        for address in &wanted.masquerade {
            if !self.seen.masquerade.contains(address) {
                let step = Step::Masquerade(*address);
                self.report(
                    "masquerade",
                    format!("masquerade {address}"),
                    Problem::Missing,
                    None,
                    Some(step),
                );
            }
        }
        self.unexpected_routes(wanted, desired);
        self.unexpected_rules(wanted, desired);
    }

    fn report(&mut self, kind: &'static str, object: String, problem: Problem, detail: Option<String>, step: Option<Step>) {
        let drift = Drift {
            place: self.place,
            kind,
            object,
            problem,
            detail,
        };
        self.found.push(Difference { drift, step });
    }

    fn sysctl(&mut self, wanted: &Sysctl) {
        let seen = self.seen.sysctl(&wanted.key);
        if seen == Some(wanted.value) {
            return;
        }
        let step = Some(Step::WriteSysctl(self.place, *wanted));
        let (problem, detail) = match seen {
            Some(seen) => (Problem::Different, Some(format!("{seen}, want {}", wanted.value))),
            None => (Problem::Missing, None),
        };
        self.report("sysctl", self.names.sysctl(&wanted.key), problem, detail, step);
    }

    fn link(&mut self, wanted: &Link) {
        let object = self.names.link(wanted.device);
        let Some(seen) = self.seen.links.get(&wanted.device) else {
            let step = self.form.makes(wanted.device).then_some(Step::Create(wanted.device));
            return self.report("link", object, Problem::Missing, None, step);
        };
        let mut detail = Vec::new();
        // A name that a newer sandbox has taken over is not asked back.
        let name = wanted
            .name
            .clone()
            .filter(|name| seen.name != *name && !seen.name.starts_with(DISPLACED_PREFIX));
        if let Some(name) = &name {
            detail.push(format!("name {}, want {name}", seen.name));
        }
        let mtu = (!wanted.mtu.accepts(seen.mtu)).then_some(wanted.mtu.value());
        if let Some(mtu) = mtu {
            detail.push(format!("mtu {}, want {mtu}", seen.mtu));
        }
        if !seen.up {
            detail.push("down, want up".to_owned());
        }
        let alias = wanted.alias.clone().filter(|alias| seen.alias.as_ref() != Some(alias));
        if let Some(alias) = &alias {
            detail.push(format!("alias {:?}, want {alias:?}", seen.alias.as_deref().unwrap_or("")));
        }
        // A link that comes up may forget it (`ipvlan_open`).
        let arp = wanted.arp.filter(|arp| seen.arp != *arp || !seen.up);
        if let Some(arp) = arp.filter(|arp| seen.arp != *arp) {
            detail.push(if arp { "noarp, want arp" } else { "arp, want noarp" }.to_owned());
        }
        if !detail.is_empty() {
            let step = Step::SetLink {
                place: self.place,
                device: wanted.device,
                name,
                mtu,
                up: !seen.up,
                alias,
                arp,
            };
            self.report("link", object, Problem::Different, Some(detail.join("; ")), Some(step));
        }
    }

    fn neighbour(&mut self, wanted: &Neighbour) {
        let mac = self.macs.resolve(wanted.mac);
        let seen = self
            .seen
            .neighbours
            .iter()
            .find(|seen| seen.device == wanted.device && seen.address == wanted.address);
        let (problem, detail) = match seen {
            None => (Problem::Missing, None),
            Some(seen) if !seen.permanent => (Problem::Different, Some("not permanent".to_owned())),
            // Without a look into the pod its MAC is unknown: what the host has is believed.
            Some(seen) => match (seen.mac, mac) {
                (LinkAddress::Is(seen), Some(mac)) if seen != mac => {
                    (Problem::Different, Some(format!("lladdr {seen}, want {mac}")))
                }
                _ => return,
            },
        };
        let step = Step::PutNeighbour(self.place, *wanted);
        self.report("neighbour", self.names.neighbour(wanted), problem, detail, Some(step));
    }

    fn route(&mut self, wanted: &Route) {
        let mut rivals = self.seen.routes.iter().filter(|seen| rival_routes(seen, wanted));
        let detail = match rivals.next() {
            None => None,
            Some(first) if first == wanted || rivals.any(|seen| seen == wanted) => return,
            Some(first) => Some(format!("found {} proto {}", self.names.route_body(first), first.protocol)),
        };
        let problem = if detail.is_some() {
            Problem::Different
        } else {
            Problem::Missing
        };
        self.report(
            "route",
            self.names.route(wanted),
            problem,
            detail,
            Some(Step::PutRoute(self.place, *wanted)),
        );
    }

    fn is_of_pod(&self, prefix: Option<Prefix>, desired: &DesiredState) -> bool {
        prefix.is_some_and(|prefix| {
            desired
                .pod
                .addresses
                .iter()
                .any(|address| Prefix::host(address.prefix.address) == prefix)
        })
    }

    /// Routes of ours on the ends of the pair, those for packets from the pod alone, and those of an ENI in the pod, belong to this attachment alone. Those of an ENI of the
    /// host are shared and left to collection.
    fn unexpected_routes(&mut self, wanted: &NamespaceState, desired: &DesiredState) {
        let place = self.place;
        let own = |route: &&Route| match route.device {
            _ if route.source.is_some() => self.is_of_pod(route.source, desired),
            Some(Device::HostEnd | Device::PodEnd) => true,
            Some(Device::Eni) => place == Place::Pod,
            _ => false,
        };
        let surplus: Vec<Route> = (self.seen.routes.iter().filter(own))
            .filter(|seen| seen.protocol == PROTOCOL && !wanted.routes.iter().any(|route| rival_routes(seen, route)))
            .copied()
            .collect();
        for route in surplus {
            let step = Step::DeleteRoute(self.place, route);
            self.report("route", self.names.route(&route), Problem::Unexpected, None, Some(step));
        }
    }

    /// Rules of ours that name one of the pod's addresses belong to this attachment alone.
    fn unexpected_rules(&mut self, wanted: &NamespaceState, desired: &DesiredState) {
        let names_pod = |prefix: Option<Prefix>| self.is_of_pod(prefix, desired);
        let binds_pod = |rule: &Rule| rule.output.is_some() && wanted.rules.iter().any(|want| want.output == rule.output);
        let surplus: Vec<Rule> = (self.seen.rules.iter())
            .filter(|seen| seen.protocol == PROTOCOL && (names_pod(seen.from) || names_pod(seen.to) || binds_pod(seen)))
            .filter(|seen| !wanted.rules.iter().any(|rule| same_rule(seen, rule)))
            .copied()
            .collect();
        for rule in surplus {
            self.report(
                "rule",
                rule.to_string(),
                Problem::Unexpected,
                None,
                Some(Step::DeleteRule(self.place, rule)),
            );
        }
    }
}

/// A rule that does the same, whoever made it: the kernel refuses a second one (`EEXIST`).
fn same_rule(seen: &Rule, wanted: &Rule) -> bool {
    !seen.foreign_form
        && Rule {
            protocol: wanted.protocol,
            ..*seen
        } == *wanted
}

/// True if putting `wanted` would replace `seen`: the kernel keeps one route for each table, destination and metric.
fn rival_routes(seen: &Route, wanted: &Route) -> bool {
    let same_place = seen.table == wanted.table && seen.destination == wanted.destination && seen.source == wanted.source;
    let same_key = same_place && seen.metric == wanted.metric;
    same_key && (!stands_beside(wanted) || seen.device == wanted.device)
}

/// Routes to what is on a link in main: host routes to a gateway, one for each ENI of a vSwitch, and what the interfaces of a pod in one
/// vSwitch have in common. They differ in the device alone.
pub(crate) fn stands_beside(route: &Route) -> bool {
    let possible = match route.device {
        Some(Device::Eni) => route.destination.is_host(),
        Some(Device::PodEnd) => true,
        _ => false,
    };
    possible && route.table == TABLE_MAIN && route.gateway.is_none()
}

/// True if the link may be set up by us as the ENI with this MAC: no loopback, none of our own pairs, no port's copy of its MAC above it.
/// What an ENI has been marked with counts more than its MAC, which a pod may have changed.
pub(crate) fn is_eni(link: &ObservedLink, mac: Mac) -> bool {
    if let Some((of, _)) = Former::read(link) {
        return of == mac;
    }
    let marked = (link.alias.as_deref()).is_some_and(|alias| alias.starts_with(ALIAS_PREFIX));
    let ours = marked && !is_moved_eni(link);
    let stacked = matches!(
        link.kind.as_deref(),
        Some("vlan" | "macvlan" | "macvtap" | "ipvlan" | "bridge" | "bond" | "vrf" | "team")
    );
    link.mac == Some(mac) && !link.loopback && !ours && !stacked
}

#[cfg(test)]
mod tests;

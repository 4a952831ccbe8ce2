//! The difference between what is wanted and what was seen: drifts for people, ordered steps for the kernel.

mod routing;
mod traffic;

use crate::desired::{DesiredState, NamespaceState};
use crate::error::{Error, ErrorCode};
use crate::form::Form;
use crate::object::{DISPLACED_PREFIX, Device, Link, LinkAddress, Mac, Names, Neighbour, Place, Sysctl};
use crate::observed::Observed;
use crate::step::{Phase, Step};

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

/// The steps of the differences in these phases, in order.
pub(crate) fn steps_where(differences: &[Difference], form: Form, which: impl Fn(Phase) -> bool) -> Vec<Step> {
    differences
        .iter()
        .filter_map(|difference| difference.step.clone())
        .filter(|step| which(step.phase(form)))
        .collect()
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
        let has_shaper = |links: &[Link]| links.iter().any(|link| link.device == Device::Shaper);
        if self.seen.links.contains_key(&Device::Shaper) && !has_shaper(&wanted.links) {
            let step = Step::DeleteLink(self.place, Device::Shaper);
            self.report("link", self.names.link(Device::Shaper), Problem::Unexpected, None, Some(step));
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
            self.rule(rule);
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
}

#[cfg(test)]
mod tests;

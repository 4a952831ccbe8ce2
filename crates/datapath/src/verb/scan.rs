//! Scan: the host's side of all attachments at once. Each kind of object is listed a single time, however many pods there are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::view;
use crate::attachment::Attachment;
use crate::desired::DesiredState;
use crate::diff::diff;
use crate::eni_use::{EniUse, is_judged_on_host};
use crate::error::Result;
use crate::form::Form;
use crate::kernel::sysctl::SysctlTree;
use crate::kernel::{filter, observe, queueing, side};
use crate::link::Found;
use crate::mark::{host_slave_name, is_host_end, is_host_slave};
use crate::object::{Address, Device, Family, Filter, Neighbour, Prefix, Qdisc, Route, Rule};
use crate::observed::{Observed, ObservedLink};
use crate::shared::{Context, Shared, pick_eni};

/// Everything of the host namespace, by what it is looked up.
struct Snapshot {
    links: Vec<ObservedLink>,
    by_alias: HashMap<String, usize>,
    masquerade: Vec<IpAddr>,
    addresses: HashMap<u32, Vec<Address>>,
    routes: HashMap<u32, Vec<Route>>,
    unbound: Vec<Route>,
    by_source: HashMap<Prefix, Vec<Route>>,
    rules: HashMap<(Option<Prefix>, Option<Prefix>), Vec<Rule>>,
    neighbours: HashMap<u32, Vec<Neighbour>>,
    qdiscs: HashMap<u32, Vec<Qdisc>>,
    filters: HashMap<u32, Vec<Filter>>,
}

/// Ids of the attachments whose host side differs from what is wanted.
pub fn scan(context: &mut Context<'_>, attachments: &[Arc<Attachment>]) -> Result<Vec<String>> {
    let mut snapshot = Snapshot::take(context)?;
    snapshot.see_filters(context, attachments)?;
    if attachments.iter().any(|attachment| attachment.mode.masquerades()) {
        snapshot.masquerade = context.shared.masquerade.addresses(&context.worker.home)?;
    }
    let with_ipv6 = attachments.iter().find(|attachment| attachment.ipv6.is_some());
    let uplink = with_ipv6
        .map(|attachment| view::uplink(context, attachment, true))
        .transpose()?
        .flatten();
    let mut differing = Vec::new();
    for attachment in attachments {
        let uplink = uplink.as_ref().filter(|_| attachment.ipv6.is_some());
        if !snapshot.agrees(context.shared, attachment, uplink, &mut context.worker.sysctls)? {
            differing.push(attachment.id.clone());
        }
    }
    Ok(differing)
}

fn index_of(device: Device) -> u32 {
    match device {
        Device::Index(index) => index,
        _ => 0,
    }
}

impl Snapshot {
    fn take(context: &mut Context<'_>) -> Result<Self> {
        let socket = &mut context.worker.socket;
        let links = observe::links(socket)?;
        let mut snapshot = Self {
            by_alias: HashMap::new(),
            masquerade: Vec::new(),
            links,
            addresses: HashMap::new(),
            routes: HashMap::new(),
            unbound: Vec::new(),
            by_source: HashMap::new(),
            rules: HashMap::new(),
            neighbours: HashMap::new(),
            qdiscs: HashMap::new(),
            filters: HashMap::new(),
        };
        for (place, link) in snapshot.links.iter().enumerate() {
            if let Some(alias) = &link.alias
                && is_host_end(link, alias)
            {
                snapshot.by_alias.insert(alias.clone(), place);
            }
        }
        for family in [Family::V4, Family::V6] {
            for address in observe::addresses(socket, family, 0)? {
                snapshot.addresses.entry(index_of(address.device)).or_default().push(address);
            }
            for route in observe::routes(socket, family, None, None)? {
                if let Some(source) = route.source {
                    snapshot.by_source.entry(source).or_default().push(route);
                    continue;
                }
                match route.device {
                    Some(device) => snapshot.routes.entry(index_of(device)).or_default().push(route),
                    None => snapshot.unbound.push(route),
                }
            }
            for rule in observe::rules(socket, family)? {
                snapshot.rules.entry((rule.from, rule.to)).or_default().push(rule);
            }
        }
        for neighbour in observe::all_neighbours(socket)? {
            snapshot
                .neighbours
                .entry(index_of(neighbour.device))
                .or_default()
                .push(neighbour);
        }
        for qdisc in queueing::observe_all(socket)? {
            snapshot.qdiscs.entry(index_of(qdisc.device)).or_default().push(qdisc);
        }
        Ok(snapshot)
    }

    /// Filters are listed device by device: only those of ENIs and host ends that should have some.
    fn see_filters(&mut self, context: &mut Context<'_>, attachments: &[Arc<Attachment>]) -> Result<()> {
        for attachment in attachments.iter().filter(|attachment| EniUse::of(attachment).any()) {
            if let Some(eni) = pick_eni(&self.links, attachment.eni_mac)
                && !self.filters.contains_key(&eni.index)
            {
                let filters = filter::observe(&mut context.worker.socket, eni.index)?;
                self.filters.insert(eni.index, filters);
            }
        }
        for attachment in attachments.iter().filter(|attachment| is_judged_on_host(attachment)) {
            let host_end = self
                .by_alias
                .get(&attachment.alias())
                .and_then(|place| self.links.get(*place));
            if let Some(index) = host_end.map(|link| link.index) {
                let filters = filter::observe(&mut context.worker.socket, index)?;
                self.filters.insert(index, filters);
            }
        }
        Ok(())
    }

    fn agrees(
        &self,
        shared: &Shared,
        attachment: &Attachment,
        uplink: Option<&ObservedLink>,
        sysctls: &mut SysctlTree,
    ) -> Result<bool> {
        let found = self.find(attachment, uplink);
        let Some(desired) = view::desired(shared, attachment, &found) else {
            return Ok(false);
        };
        let mut seen = Observed {
            links: found.host,
            ..Observed::default()
        };
        let ours = seen.links.iter().filter(|(device, _)| **device != Device::Uplink);
        for index in ours.map(|(_, link)| link.index).collect::<Vec<_>>() {
            seen.addresses.extend(self.addresses.get(&index).into_iter().flatten());
            seen.routes.extend(self.routes.get(&index).into_iter().flatten());
            seen.neighbours.extend(self.neighbours.get(&index).into_iter().flatten());
            seen.filters.extend(self.filters.get(&index).into_iter().flatten().cloned());
            seen.qdiscs.extend(self.qdiscs.get(&index).into_iter().flatten().cloned());
        }
        seen.masquerade.clone_from(&self.masquerade);
        seen.routes.extend(&self.unbound);
        seen.routes
            .extend(side::sources(&desired).filter_map(|pod| self.by_source.get(&pod)).flatten());
        seen.rules = self.rules_for(&desired);
        side::name_devices(&mut seen);
        side::read_sysctls(sysctls, &desired, &mut seen)?;
        seen.records = shared.see_records(&desired.host.records);
        Ok(diff(&desired, &seen, None).is_empty())
    }

    /// The links of the host namespace that an attachment needs, as far as they are there.
    fn find(&self, attachment: &Attachment, uplink: Option<&ObservedLink>) -> Found {
        let eni = pick_eni(&self.links, attachment.eni_mac);
        let slave = eni.filter(|_| Form::of(attachment) == Form::Slave).and_then(|eni| {
            let name = host_slave_name(eni.index);
            (self.links.iter()).find(|link| link.name == name && link.peer_index == Some(eni.index))
        });
        let marked = |alias: &str| self.by_alias.get(alias).and_then(|place| self.links.get(*place));
        let eni = pick_eni(&self.links, attachment.eni_mac);
        if Form::of(attachment) == Form::Moved {
            return self.find_moved(attachment, uplink, eni);
        }
        let parts = [
            (Device::Eni, eni),
            (Device::HostEnd, marked(&attachment.alias())),
            (Device::Uplink, uplink),
            (Device::HostSlave, slave.filter(|link| is_host_slave(link))),
        ];
        let there = parts.into_iter().filter_map(|(device, link)| Some((device, link?.clone())));
        Found {
            host: there.collect(),
            ..Found::default()
        }
    }

    /// An ENI that belongs into a pod is not looked for there; in the host namespace it is wrong, and then nothing is found.
    fn find_moved(&self, attachment: &Attachment, uplink: Option<&ObservedLink>, eni: Option<&ObservedLink>) -> Found {
        let mut found = Found::default();
        if eni.is_none() {
            let host_end = self
                .by_alias
                .get(&attachment.alias())
                .and_then(|place| self.links.get(*place));
            let parts = [(Device::HostEnd, host_end), (Device::Uplink, uplink)];
            found
                .host
                .extend(parts.into_iter().filter_map(|(device, link)| Some((device, link?.clone()))));
            found.pod.insert(Device::Eni, ObservedLink::default());
        }
        found
    }

    fn rules_for(&self, desired: &DesiredState) -> Vec<Rule> {
        let selectors = side::selectors(desired);
        let found = selectors
            .iter()
            .filter_map(|selectors| self.rules.get(selectors))
            .flatten()
            .copied();
        side::relevant_rules(desired, found)
    }
}

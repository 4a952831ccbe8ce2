//! The view of one attachment in one namespace.

use std::collections::{HashMap, HashSet};

use super::observe::{addresses, routes, rules, wanted_neighbours};
use super::socket::Socket;
use super::sysctl::SysctlTree;
use super::traffic;
use crate::desired::DesiredState;
use crate::error::Result;
use crate::object::{Device, Family, PROTOCOL, Prefix, Route, Rule, Selectors, SysctlScope, TABLE_MAIN, TABLE_OWN_GROUPS};
use crate::observed::Observed;

/// Selectors of the rules that can concern the attachment.
pub fn selectors(desired: &DesiredState) -> HashSet<Selectors> {
    let wanted = desired.host.rules.iter().map(|rule| (rule.from, rule.to));
    wanted
        .chain(sources(desired).flat_map(|pod| [(Some(pod), None), (None, Some(pod))]))
        .collect()
}

/// The pod's addresses, as its packets have them for source.
pub fn sources(desired: &DesiredState) -> impl Iterator<Item = Prefix> {
    desired
        .pod
        .addresses
        .iter()
        .map(|address| Prefix::host(address.prefix.address))
}

/// The rules among `rules` that can concern the attachment: those it wants, and those of ours that name one of its addresses.
pub fn relevant_rules(desired: &DesiredState, rules: impl IntoIterator<Item = Rule>) -> Vec<Rule> {
    let names_pod = |rule: &Rule| {
        let selectors = [rule.from, rule.to];
        desired
            .pod
            .addresses
            .iter()
            .any(|address| selectors.contains(&Some(address.prefix)))
    };
    let wanted = |rule: &Rule| {
        desired
            .host
            .rules
            .iter()
            .any(|want| want.priority == rule.priority && want.from == rule.from && want.to == rule.to)
    };
    rules
        .into_iter()
        .filter(|rule| wanted(rule) || rule.protocol == PROTOCOL && names_pod(rule))
        .collect()
}

/// Completes the host's view of an attachment; `seen.links` is filled already and `rules` are those of its families.
pub fn observe_host(socket: &mut Socket, desired: &DesiredState, rules: Vec<Rule>, seen: &mut Observed) -> Result<()> {
    seen.rules = relevant_rules(desired, rules);
    let eni = seen.links.get(&Device::Eni).map(|link| link.index);
    let host_end = seen.links.get(&Device::HostEnd).map(|link| link.index);
    let host_slave = seen.links.get(&Device::HostSlave).map(|link| link.index);
    for family in families(desired) {
        if let Some(eni) = eni {
            seen.addresses.extend(addresses(socket, family, eni)?);
            // Those by source are many and come with the rules.
            let of_eni = |route: &&Route| {
                route.destination.family() == family && route.device == Some(Device::Eni) && route.source.is_none()
            };
            let mut tables: Vec<u32> = desired.host.routes.iter().filter(of_eni).map(|route| route.table).collect();
            tables.sort_unstable();
            tables.dedup();
            for table in tables {
                let device = (table == TABLE_MAIN).then_some(eni);
                seen.routes.extend(routes(socket, family, Some(table), device)?);
            }
        }
        if let Some(host_slave) = host_slave {
            seen.addresses.extend(addresses(socket, family, host_slave)?);
        }
        for index in host_end.into_iter().chain(host_slave) {
            seen.routes.extend(routes(socket, family, Some(TABLE_MAIN), Some(index))?);
        }
        if let Some(host_end) = host_end.filter(|_| desired.host.routes.iter().any(|route| route.table == TABLE_OWN_GROUPS)) {
            seen.routes
                .extend(routes(socket, family, Some(TABLE_OWN_GROUPS), Some(host_end))?);
        }
    }
    if let Some(host_end) = host_end {
        let wanted = desired
            .host
            .neighbours
            .iter()
            .filter(|neighbour| neighbour.device == Device::HostEnd);
        seen.neighbours.extend(wanted_neighbours(socket, host_end, wanted)?);
    }
    traffic::observe(socket, &desired.host, seen)?;
    name_devices(seen);
    Ok(())
}

/// Completes the pod's view; `seen.links` holds those of its links that are there.
pub fn observe_pod(socket: &mut Socket, desired: &DesiredState, seen: &mut Observed) -> Result<()> {
    let links: Vec<(Device, u32)> = seen.links.iter().map(|(device, link)| (*device, link.index)).collect();
    for (device, index) in links {
        let tables = tables_of(desired, device);
        for family in families(desired) {
            seen.addresses.extend(addresses(socket, family, index)?);
            for table in &tables {
                seen.routes.extend(routes(socket, family, Some(*table), Some(index))?);
            }
        }
        let wanted = desired.pod.neighbours.iter().filter(|neighbour| neighbour.device == device);
        seen.neighbours.extend(wanted_neighbours(socket, index, wanted)?);
    }
    // Only a pod with several interfaces has rules.
    if !seen.links.is_empty() && !desired.pod.rules.is_empty() {
        for family in families(desired) {
            seen.rules.extend(rules(socket, family)?);
        }
    }
    traffic::observe(socket, &desired.pod, seen)?;
    name_devices(seen);
    Ok(())
}

/// Main, and the further tables in which the pod has routes through this device.
fn tables_of(desired: &DesiredState, device: Device) -> Vec<u32> {
    let through = desired.pod.routes.iter().filter(|route| route.device == Some(device));
    let mut tables: Vec<u32> = through.map(|route| route.table).chain([TABLE_MAIN]).collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}

/// Reads the wanted sysctls of `all` and `default` of the host; those of links came with the links.
pub fn read_sysctls(tree: &mut SysctlTree, desired: &DesiredState, seen: &mut Observed) -> Result<()> {
    for sysctl in &desired.host.sysctls {
        if matches!(sysctl.key.scope, SysctlScope::All | SysctlScope::Default)
            && let Some(value) = tree.read(&sysctl.key, &desired.names)?
        {
            seen.sysctls.insert(sysctl.key, value);
        }
    }
    Ok(())
}

/// The families of an attachment, from its pod addresses.
pub fn families(desired: &DesiredState) -> Vec<Family> {
    let mut families: Vec<Family> = desired.pod.addresses.iter().map(|address| address.prefix.family()).collect();
    families.sort_unstable();
    families.dedup();
    families
}

/// Replaces indices by the parts that the devices have in the attachment.
pub fn name_devices(seen: &mut Observed) {
    let parts: HashMap<u32, Device> = seen.links.iter().map(|(part, link)| (link.index, *part)).collect();
    let named = |device: Device| match device {
        Device::Index(index) => parts.get(&index).copied().unwrap_or(device),
        part => part,
    };
    seen.addresses
        .iter_mut()
        .for_each(|address| address.device = named(address.device));
    seen.routes
        .iter_mut()
        .for_each(|route| route.device = route.device.map(named));
    seen.neighbours
        .iter_mut()
        .for_each(|neighbour| neighbour.device = named(neighbour.device));
    seen.qdiscs.iter_mut().for_each(|qdisc| qdisc.device = named(qdisc.device));
    for redirect in &mut seen.redirects {
        redirect.device = named(redirect.device);
        redirect.to = named(redirect.to);
    }
    seen.filters
        .iter_mut()
        .for_each(|filter| filter.device = named(filter.device));
}

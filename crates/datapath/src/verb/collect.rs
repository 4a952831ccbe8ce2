//! Collection: every object with our mark in the host namespace that belongs to no guarded attachment is removed. What lacks the mark
//! (alias, group, protocol number) is never touched. Runs while no attach or repair does.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

use netlink_packet_route::RouteNetlinkMessage;

use super::detach::{Removal, remove_all, remove_hanging, remove_rule, retire};
use super::eni;
use super::release;
use super::rule_form::{is_left_leaf, leave_compact};
use crate::attachment::Mode;
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::kernel::message;
use crate::kernel::observe;
use crate::link::moved;
use crate::mark::{eni_alias, is_moved_eni, is_shared, owner};
use crate::mode::source_tree::is_of_another_tree;
use crate::mode::{own_groups, policy_route};
use crate::object::{Device, Family, GROUP_RETIRED, PROTOCOL, Route, Rule, TABLE_MAIN, TABLE_SOURCES, eni_table};
use crate::observed::ObservedLink;
use crate::registry::Registry;
use crate::shared::{Context, pick_eni};

/// What was removed, in words, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Objects.
    pub removed: Vec<String>,
    /// Failures.
    pub failures: Vec<Error>,
}

/// Removes what belongs to nobody.
pub fn collect(context: &mut Context<'_>) -> Collected {
    let mut collected = Collected::default();
    // Looking into every namespace takes its time; whether one of them is nobody's is judged when nobody makes anything.
    let looks = context.shared.strays.swap(false, Ordering::Relaxed);
    let strays = if looks { moved::strays(context) } else { Vec::new() };
    let hanging = observe::hanging_links(&mut context.worker.socket)
        .map_err(|error| collected.failures.push(error))
        .unwrap_or_default();
    let _alone = context.shared.alone();
    let restored = release::collect(context, strays, &mut collected.failures);
    let found = leave_compact(context).and_then(|stays| find(context, &hanging, &stays));
    let (removals, retired) = match found {
        Ok(found) => found,
        Err(error) => {
            collected.failures.push(error);
            return collected;
        }
    };
    let objects: Vec<String> = removals.iter().map(|removal| removal.object.clone()).collect();
    unmask(context, &mut collected);
    let mut failpoint = Failpoint::OFF;
    if let Err(error) = remove_all(context, removals, &mut collected.failures, &mut failpoint) {
        collected.failures.push(error);
    }
    match observe::links(&mut context.worker.socket) {
        Ok(links) => {
            let relieved = eni::collect(context, &links, &mut collected.failures);
            collected.removed.extend(relieved);
        }
        Err(error) => collected.failures.push(error),
    }
    context.shared.reaper.announce(retired);
    collected.failures.extend(context.shared.reaper.take_error());
    let failed: HashSet<&str> = collected
        .failures
        .iter()
        .filter_map(|failure| failure.object.as_deref())
        .collect();
    collected.removed = objects
        .into_iter()
        .filter(|object| !failed.contains(object.as_str()))
        .chain(restored)
        .chain(std::mem::take(&mut collected.removed))
        .collect();
    collected.removed.dedup();
    collected
}

/// Addresses that are masqueraded for nobody.
fn unmask(context: &mut Context<'_>, collected: &mut Collected) {
    let masked = |address: &IpAddr, registry: &Registry| {
        let owner = registry.owner(address).and_then(|id| registry.get(id));
        owner.is_some_and(|guarded| guarded.attachment.mode.masquerades())
    };
    let shared = context.shared;
    let gone = shared
        .masquerade
        .remove(&context.worker.home, |address| !masked(address, &shared.registry()));
    match gone {
        Ok(gone) => collected
            .removed
            .extend(gone.iter().map(|address| format!("masquerade {address}"))),
        Err(error) => collected.failures.push(error),
    }
}

/// What to remove, and how many devices the batch deleter will find. Everything is listed first, then the registry is asked: what an attachment made stands behind its admission.
fn find(context: &mut Context<'_>, hanging: &[(i32, ObservedLink)], stays: &HashSet<Rule>) -> Result<(Vec<Removal>, usize)> {
    let socket = &mut context.worker.socket;
    let links = observe::links(socket)?;
    let (mut rules, mut routes) = (Vec::new(), Vec::new());
    for family in [Family::V4, Family::V6] {
        rules.extend(observe::rules(socket, family)?.into_iter().filter(|rule| {
            rule.protocol == PROTOCOL && !rule.foreign_form && rule.output.is_none() && !rule.is_of_symmetric_routing()
        }));
        routes.extend(observe::own_routes(socket, family)?);
    }
    let registry = context.shared.registry();
    let mut removals = Vec::new();
    let shared = shared_rules(&registry, &links);
    let (kept_rules, lost_rules): (Vec<Rule>, Vec<Rule>) =
        rules.into_iter().partition(|rule| rule_has_owner(rule, &registry, &shared));
    // Pods may have no other way yet; repair removes a tree of other levels when they have (`tree.rs`).
    let waits = |rule: &Rule| stays.contains(rule) || !registry.is_empty() && is_of_another_tree(rule);
    let (waiting, lost_rules): (Vec<Rule>, Vec<Rule>) = lost_rules.into_iter().partition(waits);
    let kept_rules = [kept_rules, waiting].concat();
    let tables = live_tables(&registry, &links, &kept_rules);
    let orphan = |link: &&ObservedLink| orphan_id(link).is_some_and(|id| registry.get(id).is_none());
    let lost_links: Vec<&ObservedLink> = links.iter().filter(orphan).collect();
    let lost: HashSet<u32> = lost_links.iter().map(|link| link.index).collect();
    for route in routes.iter().filter(|route| !route_has_owner(route, &registry, &tables)) {
        removals.push(remove_own_route(route, &links));
    }
    // What jumps goes before what it jumps to.
    let (jumps, others): (Vec<&Rule>, Vec<&Rule>) = lost_rules
        .iter()
        .partition(|rule| rule.from.is_some() && rule.action.table().is_none());
    removals.extend(jumps.into_iter().chain(others).map(remove_rule));
    removals.extend(lost_links.iter().flat_map(|link| retire(link)));
    let lost_hanging = |link: &ObservedLink| owner(link).is_some_and(|id| registry.get(id).is_none());
    let lost_in_pods = hanging.iter().filter(|(_, link)| lost_hanging(link));
    removals.extend(lost_in_pods.map(|(netns, link)| remove_hanging(*netns, link)));
    removals.extend(links.iter().filter(|link| is_lost_slave(link, &registry)).map(remove_slave));
    let retired = links.iter().filter(|link| link.group == GROUP_RETIRED).count();
    Ok((removals, retired + lost.len()))
}

/// True for the host's slave of an ENI without IPvlan pods.
fn is_lost_slave(link: &ObservedLink, registry: &Registry) -> bool {
    let needed = |guarded: &crate::registry::Guarded| {
        let attachment = &guarded.attachment;
        attachment.mode == Mode::Ipvlan && link.alias.as_deref() == Some(eni_alias(attachment.eni_mac).as_str())
    };
    is_shared(link) && !registry.all().any(needed)
}

/// At once: the next slave of the ENI takes the same name and address.
fn remove_slave(link: &ObservedLink) -> Removal {
    Removal {
        object: format!("link {}", link.name),
        request: message::delete_link(link.index, None),
        name: "RTM_DELLINK",
    }
}

/// The id of a living host end with our mark.
fn orphan_id(link: &ObservedLink) -> Option<&str> {
    owner(link).filter(|_| link.group != GROUP_RETIRED && !is_moved_eni(link))
}

fn rule_has_owner(rule: &Rule, registry: &Registry, shared: &HashSet<Rule>) -> bool {
    let mut selectors = rule
        .from
        .iter()
        .chain(rule.to.iter())
        .filter(|prefix| prefix.is_host())
        .peekable();
    if selectors.peek().is_none() {
        return shared.contains(rule);
    }
    selectors.any(|prefix| registry.owner(&prefix.address).is_some()) && !is_left_leaf(rule, registry)
}

/// The rules that guarded attachments share.
fn shared_rules(registry: &Registry, links: &[ObservedLink]) -> HashSet<Rule> {
    let rules = registry.all().flat_map(|guarded| {
        let attachment = &guarded.attachment;
        // Only those of pods with groups of their own name the ENI; to pick it is a walk over all links.
        let eni = attachment.own_groups.then(|| pick_eni(links, attachment.eni_mac)).flatten();
        policy_route::shared_rules(attachment, attachment.rule_form, eni.map(|link| link.name.as_str()))
    });
    rules.collect()
}

/// Tables of the ENIs of guarded attachments, and those that rules we keep point at (an ENI may be away for a moment).
fn live_tables(registry: &Registry, links: &[ObservedLink], rules: &[Rule]) -> HashSet<u32> {
    let macs: HashSet<_> = registry.all().map(|guarded| guarded.attachment.eni_mac).collect();
    let of_enis = macs
        .iter()
        .filter_map(|mac| pick_eni(links, *mac))
        .map(|link| eni_table(link.index));
    of_enis
        .chain(
            rules
                .iter()
                .filter_map(|rule| rule.action.table())
                .filter(|table| *table != TABLE_MAIN),
        )
        .collect()
}

fn route_has_owner(route: &Route, registry: &Registry, tables: &HashSet<u32>) -> bool {
    if let Some(source) = route.source {
        return registry.owner(&source.address).is_some();
    }
    if own_groups::is_table(route.table) && route.destination.is_host() {
        return registry.owner(&route.destination.address).is_some();
    }
    if route.table != TABLE_MAIN {
        // Lower ones are symmetric routing's own business.
        return route.table < TABLE_SOURCES || tables.contains(&route.table);
    }
    let is_gateway = |guarded: &crate::registry::Guarded| {
        guarded
            .attachment
            .ipv6
            .is_some_and(|ipv6| IpAddr::V6(ipv6.gateway) == route.destination.address)
    };
    route.destination.is_host() && (registry.owner(&route.destination.address).is_some() || registry.all().any(is_gateway))
}

fn remove_own_route(route: &Route, links: &[ObservedLink]) -> Removal {
    let device = match route.device {
        Some(Device::Index(index)) => Some(index),
        _ => None,
    };
    let name = device
        .and_then(|index| links.iter().find(|link| link.index == index))
        .map(|link| link.name.as_str());
    let mut object = format!(
        "route {}",
        if route.destination.is_default() {
            "default".into()
        } else {
            route.destination.to_string()
        }
    );
    if let Some(source) = route.source {
        object.push_str(&format!(" from {source}"));
    }
    if let Some(name) = name {
        object.push_str(&format!(" dev {name}"));
    }
    if route.table != TABLE_MAIN {
        object.push_str(&format!(" table {}", route.table));
    }
    Removal {
        object,
        request: RouteNetlinkMessage::DelRoute(message::route(route, device)),
        name: "RTM_DELROUTE",
    }
}

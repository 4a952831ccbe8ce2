//! Detach: whatever is left of an attachment goes. Only what is marked with its id is touched, so that a newer sandbox of the same pod,
//! with the same host name or even the same address, is unharmed (I7). Failures are collected, never stop it.

use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;

use super::eni;
use super::release::release;
use super::target::Target;
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::kernel::execute::BATCH;
use crate::kernel::message::{self, LinkChange};
use crate::kernel::observe;
use crate::kernel::socket::Request;
use crate::link::{hanging, pair};
use crate::mark::{is_host_end, is_host_slave};
use crate::mode::own_groups::PRIORITY_OUT;
use crate::mode::source_tree::PRIORITY_END;
use crate::object::{
    Device, Family, GROUP_RETIRED, PRIORITY_FROM_POD, PRIORITY_TO_POD, PROTOCOL, Prefix, RecordKey, Route, Rule, TABLE_MAIN,
    displaced_name,
};
use crate::observed::ObservedLink;
use crate::registry::Guarded;
use crate::shared::Context;

const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const ENODEV: i32 = 19;

/// How a detach ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detached {
    /// Nothing was left.
    pub already_gone: bool,
    /// What could not be removed.
    pub failures: Vec<Error>,
}

/// One request of a tear-down, with its object in words.
pub(super) struct Removal {
    pub object: String,
    pub request: RouteNetlinkMessage,
    pub name: &'static str,
}

/// Removes everything that is marked with the target's id. The target is not guarded any more.
///
/// An ENI that stands in the pod goes home first: nothing must keep it there. A link that hangs on an ENI goes last: its driver would
/// deliver to it what still comes for the pod.
pub fn detach(context: &mut Context<'_>, target: &Target, guarded: Option<&Guarded>, mut failpoint: Failpoint) -> Detached {
    let mut detached = Detached::default();
    let mut failed = |error| detached.failures.push(error);
    let released = release(context, target, guarded, &mut failpoint)
        .map_err(&mut failed)
        .unwrap_or_default();
    let host_end = guarded.and_then(|guarded| guarded.host_end).map(|(index, _)| index);
    let link = find(context, target, host_end).map_err(&mut failed).unwrap_or_default();
    let hanging = match &link {
        Some(_) => Vec::new(),
        None => hanging::links_of(context, &target.id, netns_of(target, guarded))
            .map_err(&mut failed)
            .unwrap_or_default(),
    };
    let Owned { addresses, mut removals } = own_addresses(context, target, guarded, link.as_ref())
        .map_err(&mut failed)
        .unwrap_or_default();
    match routes_from(context, &addresses) {
        Ok(routes) => removals.extend(routes.iter().map(remove_route_from)),
        Err(error) => detached.failures.push(error),
    }
    match rules_of(context, &addresses) {
        Ok(rules) => removals.extend(rules.iter().map(remove_rule)),
        Err(error) => detached.failures.push(error),
    }
    if let Some(link) = &link {
        removals.splice(0..0, addresses.iter().map(|address| remove_route(*address, link)));
        removals.extend(retire(link));
    }
    removals.extend(hanging.iter().map(|(netns, link)| remove_hanging(*netns, link)));
    let masked = match unmask(context, guarded, &addresses) {
        Ok(masked) => masked,
        Err(error) => {
            detached.failures.push(error);
            false
        }
    };
    detached.already_gone = removals.is_empty() && !released && !masked && detached.failures.is_empty();
    if let Err(error) = remove_all(context, removals, &mut detached.failures, &mut failpoint) {
        detached.failures.push(error);
    }
    if link.is_some() {
        context.shared.reaper.retired(1);
    }
    let forgotten = forget(context, guarded, &addresses, &mut failpoint).unwrap_or_else(|error| {
        detached.failures.push(error);
        false
    });
    detached.already_gone &= !forgotten;
    detached
}

/// Takes the addresses out of what is masqueraded.
fn unmask(context: &mut Context<'_>, guarded: Option<&Guarded>, addresses: &[IpAddr]) -> Result<bool> {
    if addresses.is_empty() || guarded.is_some_and(|guarded| !guarded.attachment.mode.masquerades()) {
        return Ok(false);
    }
    let masquerade = &context.shared.masquerade;
    let gone = masquerade.remove(&context.worker.home, |address| addresses.contains(address))?;
    Ok(!gone.is_empty())
}

/// Removes what the kernel programs know of the addresses, now that nothing can be sent from them any more, and what the ENI had for them.
fn forget(context: &mut Context<'_>, guarded: Option<&Guarded>, addresses: &[IpAddr], failpoint: &mut Failpoint) -> Result<bool> {
    let mut forgotten = false;
    for address in addresses {
        if context.shared.programs.has(RecordKey::Endpoint(*address))? {
            failpoint.pass()?;
            forgotten |= context.shared.programs.remove(RecordKey::Endpoint(*address))?;
        }
    }
    if let Some(guarded) = guarded.filter(|guarded| guarded.attachment.forwards() && !guarded.attachment.network_policy) {
        let key = RecordKey::Tracked(guarded.attachment.endpoint());
        forgotten |= context.shared.programs.remove(key)?;
    }
    if let Some(guarded) = guarded {
        let mut failures = eni::relieve(context, guarded, failpoint)?;
        if let Some(first) = failures.drain(..).next() {
            return Err(first);
        }
    }
    Ok(forgotten)
}

fn netns_of<'a>(target: &'a Target, guarded: Option<&'a Guarded>) -> Option<&'a str> {
    let known = guarded.map(|guarded| guarded.attachment.netns.as_str());
    target.netns.as_deref().or(known)
}

/// Addresses of a target, and what removes their routes through slaves that pods share.
#[derive(Default)]
struct Owned {
    addresses: Vec<IpAddr>,
    removals: Vec<Removal>,
}

fn find(context: &mut Context<'_>, target: &Target, host_end: Option<u32>) -> Result<Option<ObservedLink>> {
    if let Some(index) = host_end {
        let alias = crate::attachment::alias_of(&target.id);
        let link = observe::link_by_index(&mut context.worker.socket, index)?;
        if let Some(link) = link.filter(|link| is_host_end(link, &alias)) {
            return Ok(Some(link));
        }
    }
    pair::host_end(context, &target.id, target.host_if_name.as_deref(), true)
}

/// The target's addresses, with those that its routes show, without those that another attachment has now: one that is guarded, or
/// one whose link, marked with another id, has the address's route.
fn own_addresses(
    context: &mut Context<'_>,
    target: &Target,
    guarded: Option<&Guarded>,
    link: Option<&ObservedLink>,
) -> Result<Owned> {
    let socket = &mut context.worker.socket;
    let mut addresses = target.addresses.clone();
    // Addresses that are known need no list of routes, which costs more with every pod.
    if let Some(link) = link.filter(|_| addresses.is_empty()) {
        for family in [Family::V4, Family::V6] {
            let routes = observe::routes(socket, family, None, Some(link.index))?;
            let ours = routes
                .into_iter()
                .filter(|route| route.protocol == PROTOCOL && route.destination.is_host());
            addresses.extend(ours.map(|route| route.destination.address));
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses.retain(|address| {
        context
            .shared
            .registry()
            .owner(address)
            .is_none_or(|owner| owner == target.id)
    });
    let mut own = Owned::default();
    for address in addresses {
        let socket = &mut context.worker.socket;
        let route = observe::matching_route(socket, address)?;
        let through = route.filter(|route| route.destination == Prefix::host(address) && route.protocol == PROTOCOL);
        let other = match through.and_then(|route| route.device) {
            Some(Device::Index(index)) if link.is_none_or(|link| link.index != index) => observe::link_by_index(socket, index)?,
            _ => None,
        };
        let alias = crate::attachment::alias_of(&target.id);
        match other {
            Some(slave) if is_host_slave(&slave) => {
                // The route names no pod. One that was guarded a moment ago had the address; otherwise the pods' links tell who has it.
                if guarded.is_none() && hanging::is_held_by_another(context, &alias, address)? {
                    continue;
                }
                own.removals.push(remove_route(address, &slave));
            }
            Some(other) if other.alias.as_deref() != Some(&alias) => continue,
            _ => {}
        }
        own.addresses.push(address);
    }
    Ok(own)
}

/// Rules of ours that name one of these addresses.
fn rules_of(context: &mut Context<'_>, addresses: &[IpAddr]) -> Result<Vec<Rule>> {
    let prefixes: Vec<Prefix> = addresses.iter().copied().map(Prefix::host).collect();
    let names = |prefix: Option<Prefix>| prefix.is_some_and(|prefix| prefixes.contains(&prefix));
    let ours = |rule: &Rule| {
        let own = rule.protocol == PROTOCOL
            && (matches!(rule.priority, PRIORITY_TO_POD | PRIORITY_OUT)
                || (PRIORITY_FROM_POD..PRIORITY_END).contains(&rule.priority));
        own && !rule.foreign_form && rule.output.is_none() && (names(rule.from) || names(rule.to))
    };
    let rules = context.shared.ledger.rules(
        &mut context.worker.socket,
        prefixes
            .iter()
            .flat_map(|prefix| [(Some(*prefix), None), (None, Some(*prefix))]),
    )?;
    Ok(rules.into_iter().filter(ours).collect())
}

/// Routes of ours for packets from these addresses alone.
fn routes_from(context: &mut Context<'_>, addresses: &[IpAddr]) -> Result<Vec<Route>> {
    let sources = addresses.iter().copied().map(Prefix::host);
    let routes = context.shared.ledger.routes(&mut context.worker.socket, sources)?;
    Ok(routes.into_iter().filter(|route| route.protocol == PROTOCOL).collect())
}

fn remove_route_from(route: &Route) -> Removal {
    let device = match route.device {
        Some(Device::Index(index)) => Some(index),
        _ => None,
    };
    let source = route.source.unwrap_or(route.destination);
    Removal {
        object: format!("route default from {source} table {}", route.table),
        request: RouteNetlinkMessage::DelRoute(message::route(route, device)),
        name: "RTM_DELROUTE",
    }
}

pub(super) fn remove_rule(rule: &Rule) -> Removal {
    Removal {
        object: rule.to_string(),
        request: RouteNetlinkMessage::DelRule(message::rule(rule)),
        name: "RTM_DELRULE",
    }
}

fn remove_route(address: IpAddr, link: &ObservedLink) -> Removal {
    let destination = Prefix::host(address);
    let route = Route {
        table: TABLE_MAIN,
        destination,
        device: None,
        ..blank_route(destination)
    };
    Removal {
        object: format!("route {destination} dev {}", link.name),
        request: RouteNetlinkMessage::DelRoute(message::route(&route, Some(link.index))),
        name: "RTM_DELROUTE",
    }
}

/// A route of ours by destination alone. Scope nowhere matches any (`fib_table_delete`).
fn blank_route(destination: Prefix) -> Route {
    use crate::object::{RouteKind, Scope};
    Route {
        table: TABLE_MAIN,
        destination,
        source: None,
        kind: RouteKind::Unicast,
        device: None,
        gateway: None,
        onlink: false,
        preferred: None,
        scope: Scope::Other(255),
        metric: 0,
        protocol: PROTOCOL,
    }
}

/// Deletes a link that hangs on an ENI, at once: its address or VLAN id stands on one link only.
pub(super) fn remove_hanging(netns: i32, link: &ObservedLink) -> Removal {
    Removal {
        object: format!("link {}", link.name),
        request: message::delete_link(link.index, Some(netns)),
        name: "RTM_DELLINK",
    }
}

/// Down, out of the way of its own name, and into the group that is deleted together.
pub(super) fn retire(link: &ObservedLink) -> [Removal; 2] {
    let down = LinkChange {
        up: Some(false),
        ..LinkChange::default()
    };
    let rename = LinkChange {
        name: Some(displaced_name(link.index)),
        group: Some(GROUP_RETIRED),
        ..LinkChange::default()
    };
    [down, rename].map(|change| Removal {
        object: format!("link {}", link.name),
        request: message::set_link(link.index, change),
        name: "RTM_SETLINK",
    })
}

/// In one system call for each batch; a failpoint takes them one by one.
pub(super) fn remove_all(
    context: &mut Context<'_>,
    removals: Vec<Removal>,
    failures: &mut Vec<Error>,
    failpoint: &mut Failpoint,
) -> Result<()> {
    let mut words = Vec::new();
    let mut requests = Vec::new();
    for removal in removals {
        words.push((removal.object, removal.name));
        requests.push(Request {
            message: removal.request,
            flags: 0,
        });
    }
    let most = if failpoint.armed() { 1 } else { BATCH };
    let mut words = words.into_iter();
    let mut requests = requests.into_iter().peekable();
    while requests.peek().is_some() {
        failpoint.pass()?;
        let batch = requests.by_ref().take(most).collect();
        for answer in context.worker.socket.batch(batch)? {
            let Some((object, name)) = words.next() else { continue };
            match answer.result {
                Err(refusal) if !matches!(refusal.errno, ENOENT | ESRCH | ENODEV) => {
                    failures.push(refusal.error(name).about(object))
                }
                _ => {}
            }
        }
    }
    Ok(())
}

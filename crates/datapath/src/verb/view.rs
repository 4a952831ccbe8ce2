//! The view of one attachment: where its links are, and what was seen in both namespaces.

use std::collections::HashMap;

use crate::attachment::Attachment;
use crate::desired::{DesiredState, HostFacts, UplinkFacts};
use crate::diff::{Drift, Problem};
use crate::eni_use::{EniUse, needs_programs, vlan_link};
use crate::error::{Error, ErrorCode, Result};
use crate::form::Form;
use crate::kernel::netns::Netns;
use crate::kernel::pod::Pod;
use crate::kernel::socket::Socket;
use crate::kernel::{observe, probe, side};
use crate::link::Found;
use crate::mode;
use crate::object::{DISPLACED_PREFIX, Device, Family, Place, Prefix, Route, RouteKind, Rule, TABLE_SOURCES};
use crate::observed::{Observed, ObservedLink};
use crate::shared::{Context, Shared, Uplink};
use crate::verb::host::is_global;

/// The protocol number of routes learnt from router advertisements.
const PROTOCOL_RA: u8 = 9;
/// An address of the global unicast range; whatever route matches it is the default route.
const ANYWHERE: std::net::Ipv6Addr = std::net::Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);

/// What was seen and what is wanted.
pub struct View {
    /// Wanted.
    pub desired: DesiredState,
    /// Seen in the host namespace.
    pub host: Observed,
    /// Seen in the pod.
    pub pod: Observed,
}

/// Opens the pod's namespace with a socket in it.
pub fn open_pod(context: &mut Context<'_>, path: &str) -> Result<Pod> {
    let netns = Netns::open(path)?;
    if netns == *context.worker.home {
        let message = format!("netns {path:?} is the host's own network namespace");
        return Err(Error {
            object: Some("netns".into()),
            ..Error::new(ErrorCode::InvalidAttachment, message)
        });
    }
    let socket = netns
        .within(&context.worker.home, Socket::open)
        .map_err(|error| error.about(path))?;
    Ok(Pod { netns, socket })
}

/// The device of the node's IPv6 default route.
///
/// A node that forwards and does not listen learns no such route any more, so an answer stays true; asking costs a walk over all rules.
/// `fresh` asks all the same.
pub fn uplink(context: &mut Context<'_>, attachment: &Attachment, fresh: bool) -> Result<Option<ObservedLink>> {
    if attachment.ipv6.is_none() {
        return Ok(None);
    }
    let socket = &mut context.worker.socket;
    let known = context.shared.uplink();
    let uplink = match known.filter(|_| !fresh) {
        Some(uplink) => uplink,
        None => {
            let uplink = find_uplink(socket)?;
            context.shared.set_uplink(uplink);
            uplink
        }
    };
    let Some(uplink) = uplink else { return Ok(None) };
    observe::link_by_index(socket, uplink.index)
}

fn find_uplink(socket: &mut Socket) -> Result<Option<Uplink>> {
    let route = observe::matching_route(socket, ANYWHERE.into())?.filter(|route| route.kind == RouteKind::Unicast);
    let Some((Some(Device::Index(index)), protocol)) = route.map(|route| (route.device, route.protocol)) else {
        return Ok(None);
    };
    let addresses = observe::addresses(socket, Family::V6, index)?;
    Ok(Some(Uplink {
        index,
        advertised: protocol == PROTOCOL_RA,
        addressed: addresses.iter().any(|address| is_global(&address.prefix.address)),
    }))
}

/// Nothing for a node without an IPv6 default route, and for an attachment without IPv6.
fn uplink_facts(shared: &Shared, found: &Found) -> Option<UplinkFacts> {
    let link = found.host.get(&Device::Uplink)?;
    let uplink = shared.uplink().flatten().filter(|uplink| uplink.index == link.index)?;
    Some(UplinkFacts {
        name: link.name.clone(),
        advertised: uplink.advertised && link.sysctls.accept_ra != Some(0),
        addressed: uplink.addressed,
    })
}

/// The wanted state of an attachment on its ENI, with the name that its host end has now. Nothing while the ENI is not there.
pub fn desired(shared: &Shared, attachment: &Attachment, found: &Found) -> Option<DesiredState> {
    let eni = found.eni()?;
    let own_use = EniUse::of(attachment);
    let (eni_use, vlan_links) = needs_of_eni(shared, attachment, own_use);
    let facts = HostFacts {
        eni_queues: eni.queues,
        eni_use,
        vlan_links,
        programs: shared.program_ids(needs_programs(attachment)),
        eni_index: eni.index,
        eni_name: eni.name.clone(),
        source_routes: attachment.ipv6.is_some() && probe::has_source_routes(),
        ingress_queues: mode::shaping::wants_queue_in_pod(attachment) && probe::ingress_queues().is_ok(),
        displaced_host_end: (found.host.get(&Device::HostEnd).map(|link| link.name.clone()))
            .filter(|name| name.starts_with(DISPLACED_PREFIX)),
        uplink: uplink_facts(shared, found),
    };
    let mut desired = mode::desired_state(attachment, &facts);
    if let Some(link) = found.host.get(&Device::HostEnd) {
        desired.names.host_end.clone_from(&link.name);
    }
    Some(desired)
}

/// What all attachments of the ENI need of it, this one included, and the 802.1Q links on it. Not asked for by those who have no part in
/// it: it costs a walk over all attachments.
fn needs_of_eni(shared: &Shared, attachment: &Attachment, own_use: EniUse) -> (EniUse, Vec<u16>) {
    let own_link = vlan_link(attachment);
    if !own_use.any() && own_link.is_none() {
        return (own_use, Vec::new());
    }
    let registry = shared.registry();
    let mut links = registry.vlan_links(attachment.eni_mac);
    links.extend(own_link.filter(|vlan| !links.contains(vlan)));
    (registry.eni_use(attachment.eni_mac).and(own_use), links)
}

/// What is said of an ENI that is not where the attachment wants it.
pub fn missing_eni(attachment: &Attachment) -> Drift {
    let (place, detail) = match Form::of(attachment) {
        Form::Moved => (Place::Pod, "not in the pod"),
        _ => (Place::Host, "no link has this MAC"),
    };
    Drift {
        place,
        kind: "link",
        object: format!("link {}", attachment.eni_mac),
        problem: Problem::Missing,
        detail: Some(detail.to_owned()),
    }
}

/// Where the host's rules are read: a check believes nothing but the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleSource {
    /// Listed now.
    Kernel,
    /// The ledger.
    Ledger,
}

/// The rules and the routes by source that may concern the attachment.
fn policy(context: &mut Context<'_>, desired: &DesiredState, source: RuleSource) -> Result<(Vec<Rule>, Vec<Route>)> {
    let socket = &mut context.worker.socket;
    if source == RuleSource::Ledger {
        let ledger = &context.shared.ledger;
        let rules = ledger.rules(socket, side::selectors(desired))?;
        return Ok((rules, ledger.routes(socket, side::sources(desired))?));
    }
    let (mut rules, mut routes) = (Vec::new(), Vec::new());
    for family in side::families(desired) {
        rules.extend(observe::rules(socket, family)?);
        if family == Family::V6 {
            let own: Vec<Prefix> = side::sources(desired).collect();
            let sourced = observe::routes(socket, family, Some(TABLE_SOURCES), None)?;
            routes.extend(
                sourced
                    .into_iter()
                    .filter(|route| route.source.is_some_and(|source| own.contains(&source))),
            );
        }
    }
    Ok((rules, routes))
}

/// Looks at the host's side.
pub fn see_host(
    context: &mut Context<'_>,
    desired: &DesiredState,
    links: HashMap<Device, ObservedLink>,
    source: RuleSource,
) -> Result<Observed> {
    let mut seen = Observed {
        links,
        ..Observed::default()
    };
    let (rules, routes) = policy(context, desired, source)?;
    seen.routes = routes;
    side::observe_host(&mut context.worker.socket, desired, rules, &mut seen)?;
    seen.records = context.shared.see_records(&desired.host.records);
    side::read_sysctls(&mut context.worker.sysctls, desired, &mut seen)?;
    if !desired.host.masquerade.is_empty() {
        seen.masquerade = context.shared.masquerade.addresses(&context.worker.home)?;
    }
    Ok(seen)
}

/// Looks at the pod's side.
pub fn see_pod(desired: &DesiredState, pod: &mut Pod, links: HashMap<Device, ObservedLink>) -> Result<Observed> {
    let mut seen = Observed {
        links,
        ..Observed::default()
    };
    side::observe_pod(&mut pod.socket, desired, &mut seen)?;
    Ok(seen)
}

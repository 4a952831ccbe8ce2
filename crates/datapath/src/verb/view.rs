//! The view of one attachment: where its links are, and what was seen in both namespaces.

use crate::attachment::{ALIAS_PREFIX, Attachment};
use crate::desired::{DesiredState, HostFacts};
use crate::error::{Error, ErrorCode, Result};
use crate::kernel::execute::Pod;
use crate::kernel::netns::Netns;
use crate::kernel::observe;
use crate::kernel::socket::Socket;
use crate::mode;
use crate::object::{Device, GROUP_RETIRED, Mac, Rule};
use crate::observed::{Observed, ObservedLink};
use crate::shared::Context;

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

/// True if the link is the living host end of attachment `alias`.
pub fn is_host_end(link: &ObservedLink, alias: &str) -> bool {
    link.alias.as_deref() == Some(alias) && link.group != GROUP_RETIRED
}

/// True if the link is the one remembered, but somebody has taken or overwritten its alias.
fn has_lost_mark(link: &ObservedLink, mac: Mac) -> bool {
    let marked = link.alias.as_deref().is_some_and(|alias| alias.starts_with(ALIAS_PREFIX));
    link.mac == Some(mac) && link.kind.as_deref() == Some("veth") && link.group != GROUP_RETIRED && !marked
}

/// True if the two links are the ends of one pair.
pub fn is_pair(host: &ObservedLink, pod: &ObservedLink) -> bool {
    host.peer_index == Some(pod.index) && pod.peer_index == Some(host.index) && pod.peer_elsewhere
}

/// The host end of an attachment: by its name, by the index remembered, and, if `search`, among all links.
pub fn host_end(context: &mut Context<'_>, id: &str, name: Option<&str>, search: bool) -> Result<Option<ObservedLink>> {
    let alias = crate::attachment::alias_of(id);
    let socket = &mut context.worker.socket;
    if let Some(name) = name
        && let Some(link) = observe::link_by_name(socket, name)?.filter(|link| is_host_end(link, &alias))
    {
        return Ok(Some(link));
    }
    let remembered = context.shared.registry().get(id).and_then(|guarded| guarded.host_end);
    if let Some((index, mac)) = remembered
        && let Some(link) = observe::link_by_index(socket, index)?
        && (is_host_end(&link, &alias) || has_lost_mark(&link, mac))
    {
        return Ok(Some(link));
    }
    if !search {
        return Ok(None);
    }
    Ok(observe::links(socket)?.into_iter().find(|link| is_host_end(link, &alias)))
}

/// The pod end: the peer of the host end.
pub fn pod_end(pod: &mut Pod, host_end: &ObservedLink) -> Result<Option<ObservedLink>> {
    let Some(index) = host_end.peer_index else { return Ok(None) };
    Ok(observe::link_by_index(&mut pod.socket, index)?.filter(|link| is_pair(host_end, link)))
}

/// The device whose IPv6 default route came from a router, if it still listens to one.
///
/// A node that forwards and does not listen learns no such route any more, so an answer stays true; asking costs a walk over all rules.
/// `fresh` asks all the same.
pub fn advertised_uplink(context: &mut Context<'_>, attachment: &Attachment, fresh: bool) -> Result<Option<ObservedLink>> {
    if attachment.ipv6.is_none() {
        return Ok(None);
    }
    let socket = &mut context.worker.socket;
    let known = context.shared.uplink();
    let index = match known.filter(|_| !fresh) {
        Some(index) => index,
        None => {
            let route = observe::matching_route(socket, ANYWHERE.into())?.filter(|route| route.protocol == PROTOCOL_RA);
            let index = match route.and_then(|route| route.device) {
                Some(Device::Index(index)) => Some(index),
                _ => None,
            };
            context.shared.set_uplink(index);
            index
        }
    };
    let Some(index) = index else { return Ok(None) };
    Ok(observe::link_by_index(socket, index)?.filter(|link| link.sysctls.accept_ra != Some(0)))
}

/// The wanted state of an attachment on this ENI, with the name that its host end has now.
pub fn desired(
    attachment: &Attachment,
    eni: &ObservedLink,
    uplink: Option<&ObservedLink>,
    host_end: Option<&ObservedLink>,
) -> DesiredState {
    let facts = HostFacts {
        eni_index: eni.index,
        eni_name: eni.name.clone(),
        advertised_uplink: uplink.map(|link| link.name.clone()),
    };
    let mut desired = mode::desired_state(attachment, &facts);
    if let Some(link) = host_end {
        desired.names.host_end.clone_from(&link.name);
    }
    desired
}

/// Where the host's rules are read: a check believes nothing but the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleSource {
    /// Listed now.
    Kernel,
    /// The ledger.
    Ledger,
}

/// The rules that may concern the attachment.
fn rules(context: &mut Context<'_>, desired: &DesiredState, source: RuleSource) -> Result<Vec<Rule>> {
    let socket = &mut context.worker.socket;
    if source == RuleSource::Ledger {
        return context
            .shared
            .ledger
            .rules(socket, desired.pod.addresses.iter().map(|address| address.prefix));
    }
    let mut rules = Vec::new();
    for family in observe::families(desired) {
        rules.extend(observe::rules(socket, family)?);
    }
    Ok(rules)
}

/// Looks at the host's side.
pub fn see_host(
    context: &mut Context<'_>,
    desired: &DesiredState,
    eni: ObservedLink,
    uplink: Option<ObservedLink>,
    host_end: Option<ObservedLink>,
    source: RuleSource,
) -> Result<Observed> {
    let mut seen = Observed::default();
    seen.links.insert(Device::Eni, eni);
    seen.links.extend(uplink.map(|link| (Device::Uplink, link)));
    seen.links.extend(host_end.map(|link| (Device::HostEnd, link)));
    let rules = rules(context, desired, source)?;
    observe::observe_host(&mut context.worker.socket, desired, rules, &mut seen)?;
    observe::read_sysctls(&mut context.worker.sysctls, desired, &mut seen)?;
    Ok(seen)
}

/// Looks at the pod's side.
pub fn see_pod(desired: &DesiredState, pod: &mut Pod, pod_end: Option<ObservedLink>) -> Result<Observed> {
    let mut seen = Observed::default();
    seen.links.extend(pod_end.map(|link| (Device::PodEnd, link)));
    observe::observe_pod(&mut pod.socket, desired, &mut seen)?;
    Ok(seen)
}

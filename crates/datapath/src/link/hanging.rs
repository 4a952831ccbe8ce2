//! Links that hang on the ENI: an IPvlan slave or an 802.1Q link, born in the pod. No host end tells of them, so the pod's namespace gets
//! an id in the host's (`ip netns list-id`), under which the host sees its links, and the kernel forgets it with the namespace.

use std::net::IpAddr;
use std::os::fd::AsFd;

use super::found::{Found, Progress};
use super::pair::not_ours;
use crate::attachment::{Attachment, alias_of};
use crate::error::{Error, ErrorCode, Result};
use crate::form::Form;
use crate::kernel::message;
use crate::kernel::netns::Netns;
use crate::kernel::observe;
use crate::kernel::pod::Pod;
use crate::mark::{birth_name, host_slave_name, is_hanging, is_host_slave, is_shaper, owner};
use crate::object::Device;
use crate::observed::ObservedLink;
use crate::shared::Context;

/// Longest interface name (IFNAMSIZ less the final zero).
const NAME_MAX: usize = 15;
const ENODEV: i32 = 19;

/// The kernel's name of the driver.
fn kind_of(form: Form) -> &'static str {
    if form == Form::Slave { "ipvlan" } else { "vlan" }
}

/// True if the link hangs on the ENI, seen from a pod.
fn hangs_on(link: &ObservedLink, eni: &ObservedLink) -> bool {
    link.peer_index == Some(eni.index) && link.peer_elsewhere
}

/// The pod's link and, of a slave, the host's slave.
pub fn find(
    context: &mut Context<'_>,
    attachment: &Attachment,
    eni: &ObservedLink,
    pod: Option<&mut Pod>,
    search: bool,
) -> Result<Found> {
    let form = Form::of(attachment);
    let mut found = Found::default();
    if form == Form::Slave {
        let slave = observe::link_by_name(&mut context.worker.socket, &host_slave_name(eni.index))?;
        let slave = slave.filter(|link| is_host_slave(link) && link.peer_index == Some(eni.index));
        found.host.extend(slave.map(|slave| (Device::HostSlave, slave)));
    }
    let Some(pod) = pod else { return Ok(found) };
    let alias = attachment.alias();
    let is_kind = |link: &ObservedLink| link.kind.as_deref() == Some(kind_of(form));
    // Without a mark, but on our ENI and under our name: the pod wrote over it.
    let ours = |link: &ObservedLink| {
        is_kind(link) && (link.alias.as_deref() == Some(&alias) || owner(link).is_none() && hangs_on(link, eni))
    };
    let mut end = observe::link_by_name(&mut pod.socket, &attachment.if_name)?.filter(ours);
    if end.is_none() && search {
        let marked = |link: &ObservedLink| is_kind(link) && link.alias.as_deref() == Some(&alias);
        end = observe::links(&mut pod.socket)?.into_iter().find(marked);
    }
    found.pod.extend(end.map(|end| (Device::PodEnd, end)));
    Ok(found)
}

/// The same before an attach: a name or a VLAN id that only a lost attachment holds is freed.
pub fn prepare(
    context: &mut Context<'_>,
    attachment: &Attachment,
    eni: &ObservedLink,
    pod: &mut Pod,
    progress: &mut Progress,
) -> Result<Found> {
    let found = find(context, attachment, eni, Some(pod), true)?;
    if found.pod.contains_key(&Device::PodEnd) {
        return Ok(found);
    }
    // An attach was stopped right after it had made the link.
    if let Some(newborn) = observe::link_by_name(&mut pod.socket, &birth_name(&attachment.alias()))? {
        progress.failpoint.pass()?;
        delete(&mut pod.socket, &newborn)?;
        progress.steps += 1;
    }
    if let Some(holder) = observe::link_by_name(&mut pod.socket, &attachment.if_name)? {
        if !is_lost(context, &holder) {
            return Err(not_ours(attachment, &attachment.if_name));
        }
        progress.failpoint.pass()?;
        delete(&mut pod.socket, &holder)?;
        progress.steps += 1;
    }
    match Form::of(attachment) {
        Form::Vlan(id) => free_vlan(context, eni, id, progress)?,
        _ => free_addresses(context, attachment, eni, progress)?,
    }
    Ok(found)
}

/// The links of an attachment that hang on an ENI, and what shapes the traffic to them, each with the id of its namespace: in the namespace given, if it is still there, or
/// in all that have an id.
pub fn links_of(context: &mut Context<'_>, id: &str, netns: Option<&str>) -> Result<Vec<(i32, ObservedLink)>> {
    let socket = &mut context.worker.socket;
    let all = match netns.map(Netns::open) {
        None => observe::hanging_links(socket)?,
        // The kernel deletes with a namespace what hangs on other links.
        Some(Err(error)) if error.code == ErrorCode::NetnsGone => return Ok(Vec::new()),
        Some(netns) => match observe::netns_id(socket, netns?.as_fd())? {
            None => return Ok(Vec::new()),
            Some(netns) => {
                let links = observe::links_in(socket, netns)?.into_iter();
                let ours = links.filter(|link| is_hanging(link) || is_shaper(link));
                ours.map(|link| (netns, link)).collect()
            }
        },
    };
    let newborn = birth_name(&alias_of(id));
    let own = |link: &ObservedLink| owner(link).map_or(link.name == newborn, |other| other == id);
    Ok(all.into_iter().filter(|(_, link)| own(link)).collect())
}

/// True if a pod's link that hangs on an ENI and has another mark has the address.
pub fn is_held_by_another(context: &mut Context<'_>, alias: &str, address: IpAddr) -> Result<bool> {
    let socket = &mut context.worker.socket;
    for (netns, link) in observe::hanging_links(socket)? {
        let other = link.alias.as_deref() != Some(alias);
        let held = observe::addresses_in(socket, netns, link.index)?;
        if other && held.iter().any(|held| held.prefix.address == address) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True if the link hangs on an ENI and nobody guards the attachment it was made for.
fn is_lost(context: &Context<'_>, link: &ObservedLink) -> bool {
    is_hanging(link) && owner(link).is_none_or(|id| context.shared.registry().get(id).is_none())
}

fn delete(socket: &mut crate::kernel::socket::Socket, link: &ObservedLink) -> Result<()> {
    match socket.request(message::delete_link(link.index, None), 0)?.result {
        Err(refusal) if refusal.errno != ENODEV => Err(refusal.error("RTM_DELLINK").about(format!("link {}", link.name))),
        _ => Ok(()),
    }
}

/// An ENI has one link for each VLAN id, in whatever namespace. One in the host's that has the name Terway gives it was left behind on its
/// way into a pod.
fn free_vlan(context: &mut Context<'_>, eni: &ObservedLink, id: u16, progress: &mut Progress) -> Result<()> {
    let name = format!("{}.{id}", eni.name);
    let terways = name.get(name.len().saturating_sub(NAME_MAX)..).unwrap_or(&name).to_owned();
    let same = |link: &ObservedLink| link.vlan_id == Some(id) && link.peer_index == Some(eni.index);
    for link in observe::links(&mut context.worker.socket)?.into_iter().filter(same) {
        if link.name != terways && !is_lost(context, &link) {
            return Err(taken(
                format!("link {}", link.name),
                format!("has VLAN id {id} of {}; remove it", eni.name),
            ));
        }
        progress.failpoint.pass()?;
        delete(&mut context.worker.socket, &link)?;
        progress.steps += 1;
    }
    for (netns, link) in observe::hanging_links(&mut context.worker.socket)?
        .into_iter()
        .filter(|(_, link)| same(link))
    {
        if !is_lost(context, &link) {
            let holder = owner(&link).unwrap_or("nobody known").to_owned();
            return Err(taken(
                format!("link {}", link.name),
                format!("of {holder} has VLAN id {id} of {}", eni.name),
            ));
        }
        progress.failpoint.pass()?;
        delete_in(context, netns, &link)?;
        progress.steps += 1;
    }
    Ok(())
}

/// An address stands on one slave of an ENI: a lost one gives it up.
fn free_addresses(context: &mut Context<'_>, attachment: &Attachment, eni: &ObservedLink, progress: &mut Progress) -> Result<()> {
    // A route of ours to the address through the host's slave tells of an earlier pod; without one there is nothing to look for.
    let mut routed = false;
    for address in attachment.addresses() {
        let route = observe::matching_route(&mut context.worker.socket, address)?;
        routed |= route.is_some_and(|route| route.destination.is_host());
    }
    if !routed {
        return Ok(());
    }
    for (netns, link) in observe::hanging_links(&mut context.worker.socket)? {
        if link.peer_index != Some(eni.index) || !is_lost(context, &link) {
            continue;
        }
        let held = observe::addresses_in(&mut context.worker.socket, netns, link.index)?;
        if held
            .iter()
            .any(|held| attachment.addresses().any(|address| address == held.prefix.address))
        {
            progress.failpoint.pass()?;
            delete_in(context, netns, &link)?;
            progress.steps += 1;
        }
    }
    Ok(())
}

fn delete_in(context: &mut Context<'_>, netns: i32, link: &ObservedLink) -> Result<()> {
    let answer = context
        .worker
        .socket
        .request(message::delete_link(link.index, Some(netns)), 0)?;
    match answer.result {
        Err(refusal) if refusal.errno != ENODEV => Err(refusal.error("RTM_DELLINK").about(format!("link {}", link.name))),
        _ => Ok(()),
    }
}

fn taken(object: String, why: String) -> Error {
    let message = format!("{object} {why}");
    Error {
        object: Some(object),
        ..Error::new(ErrorCode::InterfaceExists, message)
    }
}

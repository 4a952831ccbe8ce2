//! Pairs: the host end carries the mark, the pod end is its peer.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::found::{Found, Progress};
use crate::attachment::{Attachment, Mode, alias_of};
use crate::error::{Error, ErrorCode, Result};
use crate::form::PairKind;
use crate::kernel::message::{self, LinkChange};
use crate::kernel::observe;
use crate::kernel::pod::Pod;
use crate::kernel::socket::Request;
use crate::mark::{is_host_end, owner};
use crate::mode::exclusive;
use crate::object::{Device, GROUP_RETIRED, Mac, displaced_name};
use crate::observed::ObservedLink;
use crate::shared::Context;

/// How long an attach waits for the remains of the last one under the same name in the same namespace.
const RETIRED_LIMIT: Duration = Duration::from_secs(5);
/// How long a pod end may stand without its host end while the kernel deletes the pair.
const VANISHED_LIMIT: Duration = Duration::from_secs(1);
const VANISHED_PAUSE: Duration = Duration::from_millis(1);

/// True if the link is the one remembered, but somebody has taken or overwritten its alias.
fn has_lost_mark(link: &ObservedLink, mac: Mac) -> bool {
    let is_pair = matches!(link.kind.as_deref(), Some("veth" | "netkit"));
    link.mac.unwrap_or(Mac([0; 6])) == mac && is_pair && link.group != GROUP_RETIRED && owner(link).is_none()
}

/// True if the two links are the ends of one pair.
pub fn is_pair(host: &ObservedLink, pod: &ObservedLink) -> bool {
    host.peer_index == Some(pod.index) && pod.peer_index == Some(host.index) && pod.peer_elsewhere
}

/// The host end of an attachment: by its name, by the index remembered, and, if `search`, among all links.
pub fn host_end(context: &mut Context<'_>, id: &str, name: Option<&str>, search: bool) -> Result<Option<ObservedLink>> {
    let alias = alias_of(id);
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

/// Both ends, or the host end alone if the other is not in this pod.
pub fn find(
    context: &mut Context<'_>,
    attachment: &Attachment,
    kind: PairKind,
    pod: Option<&mut Pod>,
    search: bool,
) -> Result<Found> {
    let mut found = Found::default();
    let host = host_end(context, &attachment.id, Some(&attachment.host_if_name), search)?;
    if let Some(host) = host.filter(|host| host.kind.as_deref() == Some(kind.as_str())) {
        let end = pod.map(|pod| pod_end(pod, &host)).transpose()?.flatten();
        found.pod.extend(end.map(|end| (Device::PodEnd, end)));
        found.host.insert(Device::HostEnd, host);
    }
    Ok(found)
}

/// Both ends of the pair if it is there, neither if it is not; anything between is cleared away.
pub fn prepare(
    context: &mut Context<'_>,
    attachment: &Attachment,
    kind: PairKind,
    pod: &mut Pod,
    progress: &mut Progress,
) -> Result<Found> {
    let both = |host: ObservedLink, pod: ObservedLink| Found {
        host: [(Device::HostEnd, host)].into(),
        pod: [(Device::PodEnd, pod)].into(),
    };
    let is_kind = |link: &ObservedLink| link.kind.as_deref() == Some(kind.as_str());
    if let Some(host) = host_end(context, &attachment.id, Some(&attachment.host_if_name), false)? {
        if let Some(pod) = pod_end(pod, &host)?.filter(is_kind) {
            return Ok(both(host, pod));
        }
        // The pod's end is in another namespace, or the pair of another driver: this one can serve nobody.
        retire(context, &host, progress)?;
    }
    let deadline = Instant::now() + RETIRED_LIMIT;
    let vanished_deadline = Instant::now() + VANISHED_LIMIT;
    loop {
        let Some(pod) = observe::link_by_name(&mut pod.socket, name_in_pod(attachment))? else {
            return Ok(Found::default());
        };
        let peer = match pod.peer_index.filter(|_| pod.peer_elsewhere) {
            Some(index) => observe::link_by_index(&mut context.worker.socket, index)?.filter(|host| is_pair(host, &pod)),
            None => None,
        };
        match peer {
            Some(host) if is_host_end(&host, &attachment.alias()) && is_kind(&host) => return Ok(both(host, pod)),
            // The last attachment of this namespace has been detached, and the kernel is about to delete its pair.
            Some(host) if host.group == GROUP_RETIRED && Instant::now() < deadline => {
                context.shared.reaper.retired(1);
                context.shared.reaper.flush(deadline);
            }
            // The peer went between the two looks: the kernel is deleting a retired pair, and soon neither end is there.
            None if pod.peer_elsewhere && Instant::now() < vanished_deadline => sleep(VANISHED_PAUSE),
            _ => return Err(not_ours(attachment, name_in_pod(attachment))),
        }
    }
}

/// The name of the pair's end in the pod.
fn name_in_pod(attachment: &Attachment) -> &str {
    match attachment.mode {
        Mode::Exclusive => exclusive::PEER_NAME,
        _ => &attachment.if_name,
    }
}

/// An interface name in the pod is taken by something foreign.
pub fn not_ours(attachment: &Attachment, name: &str) -> Error {
    let object = format!("link {name}");
    let message = format!("{object} exists in {} and is not ours", attachment.netns);
    Error {
        object: Some(object),
        ..Error::new(ErrorCode::InterfaceExists, message)
    }
}

fn retire(context: &mut Context<'_>, link: &ObservedLink, progress: &mut Progress) -> Result<()> {
    progress.failpoint.pass()?;
    let change = LinkChange {
        name: Some(displaced_name(link.index)),
        group: Some(GROUP_RETIRED),
        ..LinkChange::default()
    };
    let down = LinkChange {
        up: Some(false),
        ..LinkChange::default()
    };
    context.worker.socket.batch(vec![
        Request {
            message: message::set_link(link.index, down),
            flags: 0,
        },
        Request {
            message: message::set_link(link.index, change),
            flags: 0,
        },
    ])?;
    context.shared.reaper.retired(1);
    progress.steps += 1;
    Ok(())
}

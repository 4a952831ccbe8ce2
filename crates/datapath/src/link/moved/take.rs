//! From the host namespace into the pod: remember what it was, mark, down, move, rename.

use std::os::fd::AsFd;

use super::restore;
use crate::attachment::Attachment;
use crate::error::{Error, ErrorCode, Result};
use crate::former::{self, Former};
use crate::kernel::message::{self, LinkChange};
use crate::kernel::monitor::{Monitor, News};
use crate::kernel::netns::Netns;
use crate::kernel::pod::Pod;
use crate::kernel::socket::Socket;
use crate::kernel::uapi::{RTM_NEWLINK, RTNLGRP_LINK};
use crate::kernel::wire::Frame;
use crate::kernel::{decode, observe};
use crate::link::found::Progress;
use crate::link::pair;
use crate::mark::is_eni;
use crate::object::Mac;
use crate::observed::ObservedLink;
use crate::shared::Context;

/// An ENI that has just been plugged in may be renamed by udev while we work.
const ATTEMPTS: u32 = 4;
const EEXIST: i32 = 17;
const ENOENT: i32 = 2;

/// The ENI in the pod.
pub fn in_pod(pod: &mut Pod, mac: Mac) -> Result<Option<ObservedLink>> {
    Ok(observe::links(&mut pod.socket)?.into_iter().find(|link| is_eni(link, mac)))
}

/// Moves the ENI into the pod and gives it the name it has there. On the way it loses addresses, routes, neighbours, qdiscs and filters.
///
/// It moves under the name that it has at that instant, which can be younger than the mark, and is renamed in the pod, where no udev is.
/// Only where the pod has a link of that name already, both happen at once; then the kernel's notifications say what it was called last.
pub fn take(
    context: &mut Context<'_>,
    attachment: &Attachment,
    eni: &ObservedLink,
    pod: &mut Pod,
    progress: &mut Progress,
) -> Result<ObservedLink> {
    free_name(attachment, pod)?;
    progress.moved_eni = true;
    let (_, home) = context.worker.home.identity();
    let socket = &mut context.worker.socket;
    let mut seen = None;
    for attempt in 1.. {
        let name = mark(socket, attachment, (eni.index, home), progress)?;
        // What the mark says: a later attempt does not write it again.
        let seen = seen.get_or_insert_with(|| name.clone());
        let clash = give_way(socket, attachment, eni.index, pod, progress)?;
        let mut names = clash.then(|| Names::follow(&context.worker.home)).transpose()?;
        if clash && attempt < ATTEMPTS && look(socket, attachment, eni.index)?.name != name {
            continue;
        }
        progress.failpoint.pass()?;
        let other_name = clash.then_some(attachment.if_name.as_str());
        let answer = socket.request(message::move_link(eni.index, pod.netns.as_fd(), other_name), 0)?;
        progress.steps += 1;
        // With a name it has moved, although the name may have been refused.
        if let Some(link) = in_pod(pod, attachment.eni_mac)? {
            if let Some(last) = names.as_mut().and_then(|names| names.last(eni.index)) {
                remember(&mut pod.socket, attachment, &link, &last, progress)?;
            }
            return arrive(attachment, link, seen, pod, progress);
        }
        match answer.result {
            Err(refusal) if refusal.errno == EEXIST && attempt < ATTEMPTS => {}
            Err(refusal) => return Err(refusal.error("RTM_SETLINK netns").about(format!("link {}", eni.name))),
            Ok(()) => break,
        }
    }
    Err(Error::new(ErrorCode::Kernel, "vanished while it moved into the pod").about(format!("link {}", eni.name)))
}

/// The ENI is in the pod and was never set up there: an attach was killed after the move.
pub fn resume(attachment: &Attachment, link: ObservedLink, pod: &mut Pod, progress: &mut Progress) -> Result<ObservedLink> {
    let marked = Former::read(&link).map_or_else(|| link.name.clone(), |(_, former)| former.name);
    arrive(attachment, link, &marked, pod, progress)
}

/// In the pod: a name that it got on the node after it was `seen` there is what it was, and now it gets the pod's.
fn arrive(
    attachment: &Attachment,
    link: ObservedLink,
    seen: &str,
    pod: &mut Pod,
    progress: &mut Progress,
) -> Result<ObservedLink> {
    if link.name == attachment.if_name {
        return Ok(link);
    }
    if let Some((_, former)) = Former::read(&link).filter(|_| link.name != seen) {
        follow_renames(&mut pod.socket, attachment, link.index, former, progress)?;
    }
    name(attachment, link, pod, progress)
}

/// Gives an ENI that is down in the pod the name that it has there.
fn name(attachment: &Attachment, link: ObservedLink, pod: &mut Pod, progress: &mut Progress) -> Result<ObservedLink> {
    if link.name == attachment.if_name {
        return Ok(link);
    }
    progress.failpoint.pass()?;
    let change = LinkChange {
        name: Some(attachment.if_name.clone()),
        ..LinkChange::default()
    };
    restore::ask(
        &mut pod.socket,
        &link,
        "RTM_SETLINK name",
        message::set_link(link.index, change),
    )?;
    progress.steps += 1;
    look(&mut pod.socket, attachment, link.index)
}

/// The name in the pod must be free before anything changes.
fn free_name(attachment: &Attachment, pod: &mut Pod) -> Result<()> {
    let name = &attachment.if_name;
    let has_name = |link: &ObservedLink| link.name == *name || link.alternative_names.contains(name);
    let holder = observe::links(&mut pod.socket)?.into_iter().find(has_name);
    if holder.is_some() {
        return Err(pair::not_ours(attachment, name));
    }
    Ok(())
}

/// First what it was, then whose it is. An alias of ours without the former would make it a link to delete for whoever finds it.
/// Returns the name that it had last.
fn mark(socket: &mut Socket, attachment: &Attachment, (index, home): (u32, u64), progress: &mut Progress) -> Result<String> {
    let link = look(socket, attachment, index)?;
    let mut written = None;
    if Former::read(&link).is_none() {
        let former = Former::of(&link, home);
        rename_also(socket, &link, former.marks(attachment.eni_mac), true, progress)?;
        written = Some(former);
    }
    let alias = attachment.alias();
    if link.up || link.alias.as_ref() != Some(&alias) {
        progress.failpoint.pass()?;
        let change = LinkChange {
            up: Some(false),
            alias: Some(alias),
            ..LinkChange::default()
        };
        restore::ask(socket, &link, "RTM_SETLINK", message::set_link(index, change))?;
        progress.steps += 1;
    }
    match written {
        Some(former) => follow_renames(socket, attachment, index, former, progress),
        None => Ok(link.name),
    }
}

/// What udev has called a new ENI until it moves is what it was. Returns the name that it has.
fn follow_renames(
    socket: &mut Socket,
    attachment: &Attachment,
    index: u32,
    mut former: Former,
    progress: &mut Progress,
) -> Result<String> {
    for _ in 0..ATTEMPTS {
        let link = look(socket, attachment, index)?;
        if link.name == former.name {
            break;
        }
        match correct(socket, attachment, &link, former.clone(), &link.name, progress)? {
            Some(corrected) => former = corrected,
            None => break,
        }
    }
    Ok(former.name)
}

/// Lets the mark of a link in the pod say that it was called so.
fn remember(
    socket: &mut Socket,
    attachment: &Attachment,
    link: &ObservedLink,
    name: &str,
    progress: &mut Progress,
) -> Result<()> {
    match Former::read(link).filter(|(_, former)| former.name != name) {
        Some((_, former)) => correct(socket, attachment, link, former, name, progress).map(drop),
        None => Ok(()),
    }
}

/// Another name in the mark; the new mark first. `None`: it stays as it was, because before Linux 6.6 a name can be taken off only in the namespace
/// where it was given. The ENI then comes back under the name that it had first, and udev, to whom it is a new one, gives it its own again.
fn correct(
    socket: &mut Socket,
    attachment: &Attachment,
    link: &ObservedLink,
    mut former: Former,
    name: &str,
    progress: &mut Progress,
) -> Result<Option<Former>> {
    let stale = former.was(attachment.eni_mac);
    name.clone_into(&mut former.name);
    let fresh = former.was(attachment.eni_mac);
    rename_also(socket, link, vec![fresh.clone()], true, progress)?;
    progress.failpoint.pass()?;
    match socket
        .request(message::alternative_names(link.index, &[stale], false), 0)?
        .result
    {
        Ok(()) => {
            progress.steps += 1;
            Ok(Some(former))
        }
        Err(refusal) if refusal.errno == ENOENT => {
            rename_also(socket, link, vec![fresh], false, progress)?;
            Ok(None)
        }
        Err(refusal) => Err(refusal.error("RTM_DELLINKPROP").about(format!("link {}", link.name))),
    }
}

/// What links of the host namespace are called from now on.
struct Names(Monitor);

impl Names {
    fn follow(home: &Netns) -> Result<Self> {
        home.inside(|| Monitor::open(&[RTNLGRP_LINK])).map(Self)
    }

    /// The last name that a link got there. That it leaves is told under the name that it had, before Linux 6.6 under the one that it gets.
    fn last(&mut self, index: u32) -> Option<String> {
        let mut last = None;
        let of_link = |frame: &Frame<'_>| {
            let link = decode::link(frame.payload).filter(|_| frame.kind == RTM_NEWLINK)?;
            (link.index == index).then_some(link.name)
        };
        while let Ok(News::Read) = self.0.read(|frame| last = of_link(frame).or_else(|| last.take())) {}
        last
    }
}

/// Adds or removes alternative names.
fn rename_also(socket: &mut Socket, link: &ObservedLink, names: Vec<String>, add: bool, progress: &mut Progress) -> Result<()> {
    progress.failpoint.pass()?;
    let what = if add { "RTM_NEWLINKPROP" } else { "RTM_DELLINKPROP" };
    restore::ask(socket, link, what, message::alternative_names(link.index, &names, add))?;
    progress.steps += 1;
    Ok(())
}

fn look(socket: &mut Socket, attachment: &Attachment, index: u32) -> Result<ObservedLink> {
    let vanished = || Error::new(ErrorCode::EniNotFound, "vanished").about(format!("link {}", attachment.eni_mac));
    observe::link_by_index(socket, index)?.ok_or_else(vanished)
}

/// Alternative names that the pod knows already stay behind; the kernel would refuse the move. True if the pod knows its name, too.
fn give_way(socket: &mut Socket, attachment: &Attachment, index: u32, pod: &mut Pod, progress: &mut Progress) -> Result<bool> {
    let Some(link) = observe::link_by_index(socket, index)? else {
        return Ok(false);
    };
    let there = observe::links(&mut pod.socket)?;
    let is_taken = |name: &String| {
        there
            .iter()
            .any(|other| other.name == *name || other.alternative_names.contains(name))
    };
    let wanted = |name: &String| *name == attachment.if_name;
    for name in link.alternative_names.iter().filter(|name| is_taken(name) || wanted(name)) {
        let object = || format!("alternative name {name} of link {}", link.name);
        let Some(mark) = former::removed_name(attachment.eni_mac, name) else {
            let message = format!("is taken in {} and too long to be remembered", attachment.netns);
            return Err(Error::new(ErrorCode::InterfaceExists, message).about(object()));
        };
        rename_also(socket, &link, vec![mark], true, progress)?;
        rename_also(socket, &link, vec![name.clone()], false, progress)?;
    }
    Ok(is_taken(&link.name))
}

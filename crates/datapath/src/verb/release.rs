//! Giving ENIs back that stood in pods: by a detach, and whatever is found with our marks and belongs to nobody.

use std::sync::atomic::Ordering;

use super::target::Target;
use super::view;
use crate::attachment::{Attachment, Mode};
use crate::error::{Error, ErrorCode, Result};
use crate::failpoint::Failpoint;
use crate::former::Former;
use crate::kernel::observe;
use crate::kernel::pod::Pod;
use crate::link::{moved, shaper};
use crate::mark::{is_eni, is_moved_eni, owner};
use crate::object::Mac;
use crate::observed::ObservedLink;
use crate::registry::{Guarded, Registry};
use crate::shared::Context;

/// Brings the ENI of an attachment home, if it had one, and makes it what it was. True if there was something to do.
pub fn release(context: &mut Context<'_>, target: &Target, guarded: Option<&Guarded>, failpoint: &mut Failpoint) -> Result<bool> {
    let attachment = guarded.map(|guarded| &guarded.attachment);
    if attachment.is_some_and(|attachment| attachment.mode != Mode::Exclusive) {
        return Ok(false);
    }
    let mac = attachment.map(|attachment| attachment.eni_mac);
    let path = target
        .netns
        .as_ref()
        .or_else(|| attachment.map(|attachment| &attachment.netns));
    let result = match path {
        Some(path) => from_pod(context, path, &target.id, mac, failpoint),
        // Nobody knows where its pod was.
        None => from_anywhere(context, &target.id, failpoint),
    };
    // Collection looks for it everywhere.
    context.shared.strays.fetch_or(result.is_err(), Ordering::Relaxed);
    let moved = result?;
    let links = observe::links(&mut context.worker.socket)?;
    let Some(link) = links.into_iter().find(|link| is_its_eni(link, &target.id, mac)) else {
        return Ok(moved);
    };
    moved::restore(&mut context.worker.socket, &link, failpoint)?;
    Ok(true)
}

/// By its alias; one that has lost it by what it was, if we know which ENI it must be.
fn is_its_eni(link: &ObservedLink, id: &str, mac: Option<Mac>) -> bool {
    let marked = is_moved_eni(link) && owner(link) == Some(id);
    let former = Former::read(link).is_some() && owner(link).is_none();
    marked || former && mac.is_some_and(|mac| is_eni(link, mac))
}

fn from_pod(context: &mut Context<'_>, path: &str, id: &str, mac: Option<Mac>, failpoint: &mut Failpoint) -> Result<bool> {
    let mut pod = match view::open_pod(context, path) {
        Ok(pod) => pod,
        // The kernel has thrown the ENI back, or it went with the namespace. A path that leads home never was a pod's.
        Err(error) if matches!(error.code, ErrorCode::NetnsGone | ErrorCode::InvalidAttachment) => return Ok(false),
        Err(error) => return Err(error),
    };
    // A pod with NET_ADMIN may have taken both marks off.
    let links = observe::links(&mut pod.socket)?;
    let by_mac = |link: &&ObservedLink| mac.is_some_and(|mac| is_eni(link, mac));
    let found = links
        .iter()
        .find(|link| is_its_eni(link, id, mac))
        .or_else(|| links.iter().find(by_mac));
    let Some(link) = found else { return Ok(false) };
    bring_home(context, &mut pod, link, failpoint).map(|()| true)
}

fn from_anywhere(context: &mut Context<'_>, id: &str, failpoint: &mut Failpoint) -> Result<bool> {
    let stray = moved::strays(context).into_iter().find(|stray| stray.id == id);
    let Some(mut stray) = stray else { return Ok(false) };
    bring_home(context, &mut stray.pod, &stray.link, failpoint).map(|()| true)
}

fn bring_home(context: &mut Context<'_>, pod: &mut Pod, link: &ObservedLink, failpoint: &mut Failpoint) -> Result<()> {
    moved::bring_home(pod, link, &context.worker.home, failpoint)?;
    owner(link).map_or(Ok(()), |id| shaper::remove(&mut pod.socket, id))
}

/// Takes back what an attach has done to an ENI, where it cannot go on. What fails is left to collection: the attach has its own error.
pub fn undo(context: &mut Context<'_>, attachment: &Attachment) {
    let target = Target {
        id: attachment.id.clone(),
        netns: Some(attachment.netns.clone()),
        ..Target::default()
    };
    if release(context, &target, None, &mut Failpoint::default()).is_err() {
        context.shared.strays.store(true, Ordering::Relaxed);
    }
}

/// An ENI in the host namespace with our marks that no attachment wants.
fn is_unclaimed(link: &ObservedLink, registry: &Registry) -> bool {
    let wanted = || registry.all().any(|guarded| is_eni(link, guarded.attachment.eni_mac));
    is_moved_eni(link) && owner(link).is_none_or(|id| registry.get(id).is_none()) && !wanted()
}

/// Restores the ENIs that dying namespaces have thrown back, and fetches those that were left in pods of nobody. What was done, in words.
/// The caller is alone: no attach is moving one.
pub fn collect(context: &mut Context<'_>, strays: Vec<moved::Stray>, failures: &mut Vec<Error>) -> Vec<String> {
    let mut done = Vec::new();
    let mut failpoint = Failpoint::OFF;
    for mut stray in strays {
        let kept = context.shared.registry().get(&stray.id).is_some();
        if kept {
            continue;
        }
        if let Err(error) = bring_home(context, &mut stray.pod, &stray.link, &mut failpoint) {
            context.shared.strays.store(true, Ordering::Relaxed);
            failures.push(error);
        }
    }
    let links = match observe::links(&mut context.worker.socket) {
        Ok(links) => links,
        Err(error) => {
            failures.push(error);
            return done;
        }
    };
    for link in links {
        let unclaimed = is_unclaimed(&link, &context.shared.registry());
        if !unclaimed {
            continue;
        }
        match moved::restore(&mut context.worker.socket, &link, &mut failpoint) {
            Ok(restored) => done.push(format!("marks of link {}", restored.name)),
            Err(error) => failures.push(error),
        }
    }
    done
}

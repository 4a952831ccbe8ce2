//! The ENI itself, moved into the pod, with a pair beside it where the attachment wants one.
//!
//! The ENI carries two marks: alternative names that say what it was (`former.rs`), and then the alias of its attachment. Both travel
//! with it, so that whoever finds it, in a pod, on its way or thrown back by a dying namespace, knows whose it is and how to restore it.

mod restore;
mod stray;
mod take;

pub use restore::{Restored, bring_home, restore};
pub use stray::{Stray, strays};

use super::found::{Found, Progress};
use super::pair;
use crate::attachment::Attachment;
use crate::error::Result;
use crate::form::PairKind;
use crate::kernel::pod::Pod;
use crate::mode::exclusive::has_peer;
use crate::object::Device;
use crate::observed::ObservedLink;
use crate::shared::Context;

/// The links of an attachment: the ENI if it is in the pod, and the pair.
pub fn find(context: &mut Context<'_>, attachment: &Attachment, mut pod: Option<&mut Pod>, search: bool) -> Result<Found> {
    let mut found = if has_peer(attachment) {
        pair::find(context, attachment, PairKind::Veth, pod.as_deref_mut(), search)?
    } else {
        Found::default()
    };
    let eni = match pod {
        Some(pod) => take::in_pod(pod, attachment.eni_mac)?,
        // Where nobody looks into the pod, the host's side alone is judged; it does not depend on the ENI.
        None => Some(ObservedLink::default()),
    };
    found.pod.extend(eni.map(|eni| (Device::Eni, eni)));
    Ok(found)
}

/// The same before an attach, which moves the ENI in from wherever it is. Nothing changes while it is nowhere.
pub fn prepare(context: &mut Context<'_>, attachment: &Attachment, pod: &mut Pod, progress: &mut Progress) -> Result<Found> {
    let mac = attachment.eni_mac;
    let mut eni = match take::in_pod(pod, mac)? {
        // An attach was killed between the move and the rename.
        Some(link) if !link.up => Some(take::resume(attachment, link, pod, progress)?),
        other => other,
    };
    let outside = match &eni {
        Some(_) => None,
        None => match context.shared.find_eni(&mut context.worker.socket, mac)? {
            Some(link) => Some(link),
            // An attach to another sandbox that was killed half-way, or a detach that nobody finished.
            None => stray::fetch(context, attachment, progress)?,
        },
    };
    if eni.is_none() && outside.is_none() {
        return Ok(Found::default());
    }
    let mut found = if has_peer(attachment) {
        pair::prepare(context, attachment, PairKind::Veth, pod, progress)?
    } else {
        Found::default()
    };
    if let Some(link) = outside {
        eni = Some(take::take(context, attachment, &link, pod, progress)?);
    }
    found.pod.extend(eni.map(|eni| (Device::Eni, eni)));
    Ok(found)
}

//! ENIs of ours in namespaces that nobody has named: an attach or a detach was killed half-way, or the journal is gone.

use super::restore;
use crate::attachment::Attachment;
use crate::error::Result;
use crate::former::Former;
use crate::kernel::namespaces;
use crate::kernel::netns::Netns;
use crate::kernel::observe;
use crate::kernel::pod::Pod;
use crate::kernel::socket::Socket;
use crate::link::found::Progress;
use crate::mark::{is_eni, owner};
use crate::observed::ObservedLink;
use crate::shared::Context;

/// One ENI with our marks in a pod.
#[derive(Debug)]
pub struct Stray {
    /// Where it is.
    pub pod: Pod,
    /// The ENI.
    pub link: ObservedLink,
    /// Id of its attachment.
    pub id: String,
}

/// All that came from this node's namespace, in every namespace that can be found. Costs about half a millisecond for each namespace.
pub fn strays(context: &mut Context<'_>) -> Vec<Stray> {
    let home = &context.worker.home;
    // A namespace may die while it is looked into.
    let look = |netns: Netns| look_into(netns, home).unwrap_or_default();
    namespaces::others(home).into_iter().flat_map(look).collect()
}

fn look_into(netns: Netns, home: &Netns) -> Result<Vec<Stray>> {
    let mut socket = netns.within(home, Socket::open)?;
    let marked: Vec<(ObservedLink, String)> = observe::links(&mut socket)?
        .into_iter()
        .filter(|link| Former::read(link).is_some_and(|(_, former)| former.home == home.identity().1))
        .filter_map(|link| {
            let id = owner(&link)?.to_owned();
            Some((link, id))
        })
        .collect();
    let mut first = Some(Pod { netns, socket });
    let mut strays = Vec::new();
    for (link, id) in marked {
        let pod = match first.take() {
            Some(pod) => pod,
            None => match strays.last() {
                Some(Stray { pod, .. }) => reopen(pod, home)?,
                None => break,
            },
        };
        strays.push(Stray { pod, link, id });
    }
    Ok(strays)
}

fn reopen(pod: &Pod, home: &Netns) -> Result<Pod> {
    let netns = pod.netns.again()?;
    let socket = netns.within(home, Socket::open)?;
    Ok(Pod { netns, socket })
}

/// Fetches the ENI of an attachment out of another pod, unless a newer sandbox has it with right.
pub(super) fn fetch(context: &mut Context<'_>, attachment: &Attachment, progress: &mut Progress) -> Result<Option<ObservedLink>> {
    let found = strays(context)
        .into_iter()
        .find(|stray| is_eni(&stray.link, attachment.eni_mac));
    let Some(mut stray) = found else { return Ok(None) };
    let newer = context.shared.registry().is_newer(&stray.id, attachment.generation);
    if newer {
        return Ok(None);
    }
    restore::bring_home(&mut stray.pod, &stray.link, &context.worker.home, &mut progress.failpoint)?;
    progress.steps += 1;
    let link = context.shared.find_eni(&mut context.worker.socket, attachment.eni_mac)?;
    link.map(Some).ok_or_else(|| restore::vanished(&stray.link))
}

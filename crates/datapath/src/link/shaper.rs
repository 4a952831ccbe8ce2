//! What shapes the traffic to a pod's own device: an `ifb` beside it, in the pod, under a name that is the device's.

use super::found::Found;
use crate::attachment::Attachment;
use crate::error::Result;
use crate::form::Form;
use crate::kernel::message;
use crate::kernel::observe;
use crate::kernel::pod::Pod;
use crate::kernel::socket::Socket;
use crate::mark::{is_shaper, owner, shaper_name};
use crate::mode::shaping::shapes_in_pod;
use crate::object::Device;
use crate::observed::ObservedLink;

const ENODEV: i32 = 19;

/// Adds it to what was found in the pod. An attachment that wants none may have had one before: `search` looks all the same.
///
/// One without a mark, or with the mark of an earlier sandbox, is taken over: nobody else has a use for it in this pod.
pub fn find(attachment: &Attachment, pod: &mut Pod, found: &mut Found, search: bool) -> Result<()> {
    let there = found.pod.contains_key(&Form::of(attachment).pod_device());
    let expected = attachment.shaping.ingress.is_some() || search && there;
    if !expected || !shapes_in_pod(attachment.mode) {
        return Ok(());
    }
    let link = observe::link_by_name(&mut pod.socket, &shaper_name(&attachment.if_name))?;
    let shaper = link.filter(|link| link.kind.as_deref() == Some("ifb"));
    found.pod.extend(shaper.map(|link| (Device::Shaper, link)));
    Ok(())
}

/// Removes those of an attachment from a pod.
pub fn remove(socket: &mut Socket, id: &str) -> Result<()> {
    let own = |link: &ObservedLink| is_shaper(link) && owner(link) == Some(id);
    for link in observe::links(socket)?.into_iter().filter(own) {
        match socket.request(message::delete_link(link.index, None), 0)?.result {
            Err(refusal) if refusal.errno != ENODEV => {
                return Err(refusal.error("RTM_DELLINK").about(format!("link {}", link.name)));
            }
            _ => {}
        }
    }
    Ok(())
}

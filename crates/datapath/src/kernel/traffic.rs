//! Looks at the traffic control of the devices where some is wanted.

use super::socket::Socket;
use super::{filter, queueing, redirect};
use crate::desired::NamespaceState;
use crate::error::Result;
use crate::object::{Attach, Device};
use crate::observed::Observed;

/// Adds qdiscs and filters; the links are seen already. Where nothing is wanted there is nothing to ask, unless the link shows a kind of ours.
pub fn observe(socket: &mut Socket, wanted: &NamespaceState, seen: &mut Observed) -> Result<()> {
    let mut places: Vec<(u32, Vec<Attach>)> = Vec::new();
    for (device, link) in &seen.links {
        let wanted_here = wanted.qdiscs.iter().filter(|qdisc| qdisc.device == *device);
        let mut here: Vec<Attach> = wanted_here.map(|qdisc| qdisc.attach).collect();
        if may_be_ours(*device, &link.root_qdisc) && !here.contains(&Attach::Root) {
            here.push(Attach::Root);
        }
        if !here.is_empty() {
            places.push((link.index, here));
        }
    }
    for (index, places) in places {
        seen.qdiscs.extend(queueing::observe(socket, index, places)?);
    }
    let filtered = |device: &Device| wanted.filters.iter().any(|filter| filter.device == *device);
    let devices = seen.links.iter().filter(|(device, _)| filtered(device));
    for index in devices.map(|(_, link)| link.index).collect::<Vec<_>>() {
        seen.filters.extend(filter::observe(socket, index)?);
    }
    // A shaper that nobody wants any more may still be fed by any device.
    let left = wanted.redirects.is_empty() && seen.links.contains_key(&Device::Shaper);
    let led = |device: &Device| left || wanted.redirects.iter().any(|redirect| redirect.device == *device);
    for (_, link) in seen.links.iter().filter(|(device, _)| led(device)) {
        seen.redirects.extend(redirect::observe(socket, link.index)?);
    }
    Ok(())
}

/// True if a root qdisc of this kind on this device may be one of ours that nobody wants any more.
fn may_be_ours(device: Device, kind: &str) -> bool {
    matches!((device, kind), (Device::HostEnd | Device::PodEnd | Device::Eni, "tbf"))
}

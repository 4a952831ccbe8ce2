//! The hooks at which a pod's packets are judged, added to the state that its mode wants.
//!
//! Where the node has an end of the pod's pair the filters stand there, out of the pod's reach. Where the pod owns its device they stand on that
//! one, inside the pod: a pod with NET_ADMIN could take them away, until repair puts them back.

use terway_bpf::{ProgramName, slot};

use super::exclusive;
use super::objects::hooks;
use crate::attachment::{Attachment, Mode};
use crate::desired::{DesiredState, HostFacts, NamespaceState};
use crate::object::{Device, Direction, FILTER_PREFIX, Filter, Record};

/// Adds the hooks of an attachment whose packets are judged.
pub fn judge(desired: &mut DesiredState, attachment: &Attachment, facts: &HostFacts) {
    if !attachment.is_hooked() {
        return;
    }
    let class = slot(attachment.endpoint());
    let filter = |device, direction, program: ProgramName| Filter {
        device,
        direction,
        name: format!("{FILTER_PREFIX}{}", program.as_str()),
        program: facts.programs.of(program),
        class,
    };
    // What the node's end receives the pod has sent; on the pod's own device it is the other way round.
    let on_host = |host: &mut NamespaceState, device| {
        hooks(host, device);
        host.filters.push(filter(device, Direction::In, ProgramName::FromPod));
        host.filters.push(filter(device, Direction::Out, ProgramName::ToPod));
    };
    let in_pod = |pod: &mut NamespaceState, device| {
        hooks(pod, device);
        pod.filters.push(filter(device, Direction::Out, ProgramName::FromPod));
        pod.filters.push(filter(device, Direction::In, ProgramName::ToPod));
    };
    if !attachment.network_policy {
        // Nobody else says what the pod may do.
        desired.host.records.push(Record::Tracked(attachment.endpoint()));
    }
    match attachment.mode {
        Mode::PolicyRoute | Mode::Netkit => on_host(&mut desired.host, Device::HostEnd),
        Mode::Ipvlan | Mode::Vlan => in_pod(&mut desired.pod, Device::PodEnd),
        Mode::Exclusive => {
            in_pod(&mut desired.pod, Device::Eni);
            if exclusive::has_peer(attachment) {
                in_pod(&mut desired.pod, Device::PodEnd);
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! Mode `exclusive`: the ENI itself stands in the pod, and a pair beside it leads to the node.
//!
//! What the pod sends to the VPC never meets the node. Services, the node itself and what else the node's own stack has to see go through
//! the pair; what the node forwards of it leaves with the node's address, or the answer would come in through the ENI and never be
//! translated back. Names, addresses and table numbers are Terway's. On purpose different from it:
//! - Settings of the pair's end are written for that end; Terway writes those of the ENI a second time.
//! - IPv6 has the rule for packets bound to the interface that IPv4 has.
//! - Only what comes from these pods is masqueraded, not everything that leaves the node.
//! - The host has a permanent neighbour for the pod, as in `policy_route`.

use super::leg::{Leg, legs, next_hop};
use super::objects::{end, neighbour, node_sysctls, route, sysctl};
use super::own_table::own_table;
use crate::attachment::Attachment;
use crate::desired::{DesiredState, HostFacts, NamespaceState};
use crate::form::Form;
use crate::mark::shaper_name;
use crate::object::{Address, Device, Family, Names, Prefix, Route, SysctlScope, eni_table};

/// Name of the pair's end in the pod.
pub const PEER_NAME: &str = "veth1";
/// The interface that gets a pair; further ones of the same pod share it.
const PEER_OF: &str = "eth0";

/// True if the pod has a pair to its node for this attachment.
pub fn has_peer(attachment: &Attachment) -> bool {
    attachment.host_peer && attachment.if_name == PEER_OF
}

/// The wanted state of an `exclusive` attachment. The ENI of `facts` is the one in the pod, with the index that it has there.
pub fn desired_state(attachment: &Attachment, facts: &HostFacts) -> DesiredState {
    let peer = has_peer(attachment);
    let mut host = NamespaceState::default();
    let mut pod = NamespaceState::default();
    pod.links.push(end(Device::Eni, &attachment.if_name, attachment));
    if peer {
        host.sysctls = node_sysctls(attachment, facts, &[Device::HostEnd]);
        host.links.push(end(Device::HostEnd, &attachment.host_if_name, attachment));
        pod.links.push(end(Device::PodEnd, PEER_NAME, attachment));
    }
    for leg in legs(attachment) {
        eni_leg(&mut pod, &leg, attachment, facts);
        if peer {
            peer_leg(&mut pod, &leg, attachment);
            host_leg(&mut host, &leg);
        }
    }
    DesiredState {
        form: Form::of(attachment),
        names: Names {
            host_end: attachment.host_if_name.clone(),
            pod_end: PEER_NAME.to_owned(),
            shaper: shaper_name(&attachment.if_name),
            eni: attachment.if_name.clone(),
            uplink: facts.uplink.as_ref().map(|uplink| uplink.name.clone()),
        },
        alias: attachment.alias(),
        mtu: attachment.mtu,
        host,
        pod,
    }
}

fn eni_leg(pod: &mut NamespaceState, leg: &Leg, attachment: &Attachment, facts: &HostFacts) {
    ipv6_sysctls(pod, leg, Device::Eni);
    let prefix = if attachment.multi_network {
        Prefix {
            address: leg.pod,
            length: leg.prefix_length,
        }
    } else {
        Prefix::host(leg.pod)
    };
    pod.addresses.push(Address {
        device: Device::Eni,
        prefix,
    });
    if leg.family == Family::V6 {
        pod.routes.push(route(Prefix::host(leg.gateway), None, Device::Eni));
    }
    let default = route(leg.family.default_prefix(), Some(leg.gateway), Device::Eni);
    if attachment.default_route && !is_diverted(attachment, leg.family) {
        pod.routes.push(default);
    }
    let extra = attachment.extra_routes.iter().filter(|extra| extra.family() == leg.family);
    pod.routes
        .extend(extra.map(|extra| route(*extra, Some(leg.gateway), Device::Eni)));
    if attachment.multi_network {
        own_table(pod, leg, default, attachment, eni_table(facts.eni_index));
    }
}

/// True if the whole default route goes through the node: one table cannot hold two.
fn is_diverted(attachment: &Attachment, family: Family) -> bool {
    has_peer(attachment) && attachment.host_stack.contains(&family.default_prefix())
}

/// The link route comes first: without it the kernel refuses the others' next hop.
fn peer_leg(pod: &mut NamespaceState, leg: &Leg, attachment: &Attachment) {
    ipv6_sysctls(pod, leg, Device::PodEnd);
    pod.addresses.push(Address {
        device: Device::PodEnd,
        prefix: Prefix::host(leg.pod),
    });
    let node = next_hop(leg.family);
    pod.neighbours.push(neighbour(Device::PodEnd, node, Device::HostEnd));
    pod.routes.push(route(Prefix::host(node), None, Device::PodEnd));
    let destinations = attachment.host_stack.iter().filter(|prefix| {
        let possible = attachment.default_route || !prefix.is_default();
        prefix.family() == leg.family && possible && Some(prefix.address) != leg.host
    });
    pod.routes
        .extend(destinations.map(|prefix| route(*prefix, Some(node), Device::PodEnd)));
    pod.routes.extend(leg.host.map(|host| Route {
        onlink: false,
        ..route(Prefix::host(host), Some(node), Device::PodEnd)
    }));
}

fn host_leg(host: &mut NamespaceState, leg: &Leg) {
    host.neighbours.push(neighbour(Device::HostEnd, leg.pod, Device::PodEnd));
    host.masquerade.push(leg.pod);
    host.routes.push(route(Prefix::host(leg.pod), None, Device::HostEnd));
}

/// The VPC makes MACs, and so link-local addresses, unique: duplicate detection would only make the first packet wait.
fn ipv6_sysctls(pod: &mut NamespaceState, leg: &Leg, device: Device) {
    if leg.family == Family::V6 {
        let scope = SysctlScope::Device(device);
        for (name, value) in [("disable_ipv6", 0), ("accept_ra", 0), ("accept_dad", 0)] {
            pod.sysctls.push(sysctl(Family::V6, scope, name, value));
        }
    }
}

#[cfg(test)]
mod tests;

//! Mode `vlan`: an 802.1Q link of the trunk ENI stands in the pod. Its packets never meet the node; the VPC tells members by their tag.
//!
//! Addresses, gateways and table numbers are Terway's. On purpose different from it:
//! - The connected route is ours, so that check misses it and repair restores it.
//! - IPv6 has the rule for packets bound to the interface that IPv4 has.

use super::leg::{Leg, legs};
use super::objects::{end, route, sysctl};
use super::own_table::{interface_table, own_table};
use crate::attachment::Attachment;
use crate::desired::{DesiredState, HostFacts, NamespaceState};
use crate::form::Form;
use crate::mark::shaper_name;
use crate::object::{Address, Device, Family, Link, Mtu, Names, Prefix, SysctlScope};

/// The wanted state of a `vlan` attachment.
pub fn desired_state(attachment: &Attachment, facts: &HostFacts) -> DesiredState {
    let mut pod = NamespaceState::default();
    pod.links.push(end(Device::PodEnd, &attachment.if_name, attachment));
    for leg in legs(attachment) {
        let subnet = Prefix {
            address: leg.pod,
            length: leg.prefix_length,
        };
        on_eni(&mut pod, &leg, subnet, attachment);
    }
    DesiredState {
        form: Form::of(attachment),
        names: Names {
            host_end: facts.eni_name.clone(),
            pod_end: attachment.if_name.clone(),
            shaper: shaper_name(&attachment.if_name),
            eni: facts.eni_name.clone(),
            uplink: None,
        },
        alias: attachment.alias(),
        mtu: attachment.mtu,
        host: NamespaceState {
            links: vec![eni(attachment)],
            ..NamespaceState::default()
        },
        pod,
    }
}

/// The ENI that the pod's link hangs on.
pub(super) fn eni(attachment: &Attachment) -> Link {
    Link {
        device: Device::Eni,
        name: None,
        mtu: Mtu::AtLeast(attachment.mtu),
        alias: None,
        arp: None,
    }
}

/// The pod's side of one family where its link hangs on the ENI: it speaks to its vSwitch itself.
pub(super) fn on_eni(pod: &mut NamespaceState, leg: &Leg, address: Prefix, attachment: &Attachment) {
    if leg.family == Family::V6 {
        let scope = SysctlScope::Device(Device::PodEnd);
        // The VPC makes addresses unique: duplicate detection would only make the first packet wait.
        for (name, value) in [("disable_ipv6", 0), ("accept_ra", 0), ("accept_dad", 0)] {
            pod.sysctls.push(sysctl(Family::V6, scope, name, value));
        }
    }
    pod.addresses.push(Address {
        device: Device::PodEnd,
        prefix: address,
    });
    let via_gateway = |destination: Prefix| route(destination, Some(leg.gateway), Device::PodEnd);
    let default = via_gateway(leg.family.default_prefix());
    if !address.is_host() {
        pod.routes.push(route(address.network(), None, Device::PodEnd));
    }
    // A table holds one route for each destination: what goes to the node's stack, or is on the link, does not go to the gateway.
    let taken: Vec<Prefix> = pod.routes.iter().map(|route| route.destination).collect();
    let extra = attachment.extra_routes.iter().filter(|extra| extra.family() == leg.family);
    let wanted = extra.copied().chain(attachment.default_route.then_some(default.destination));
    let free = wanted.filter(|destination| !taken.contains(destination));
    pod.routes.extend(free.map(via_gateway));
    if attachment.multi_network {
        own_table(pod, leg, default, attachment, interface_table(&attachment.if_name));
    }
}

#[cfg(test)]
mod tests;

//! Mode `ipvlan`: an L2 slave of the shared ENI stands in the pod, one more slave in the host namespace joins pods and node.
//!
//! Pods of one ENI reach each other inside the driver, the VPC through the ENI, their node through the two slaves. The driver delivers by
//! IP address what is sent to the ENI's own MAC, and hands what it has no slave for to the node's stack: a permanent neighbour with that
//! MAC is the way to both. Names and addresses are Terway's. On purpose different from it:
//! - What belongs to the node's stack (`host_stack`) is routed there by that neighbour in both families. Terway redirects it at the ENI's
//!   egress with a filter for each CIDR, IPv4 alone, and leaves old filters behind when the CIDRs change.
//! - Extra routes are made.
//! - The connected route is ours, so that check misses it and repair restores it.
//! - IPv6 has the rule for packets bound to the interface that IPv4 has.

use super::leg::{Leg, legs, next_hop};
use super::objects::{end, neighbour, node_sysctls, route, to_pod};
use super::vlan::{eni, on_eni};
use crate::attachment::Attachment;
use crate::desired::{DesiredState, HostFacts, NamespaceState};
use crate::form::Form;
use crate::mark::{eni_alias, host_slave_name, shaper_name};
use crate::object::{Address, Device, Link, LinkAddress, Mac, Mtu, Names, Neighbour, Prefix};

/// Where a trunk member sends what leaves the node: the VPC's fabric rewrites it, and no sibling can claim it.
const GATEWAY_OF_MEMBERS: Mac = Mac([0xee, 0xff, 0xff, 0xff, 0xff, 0xff]);

/// The wanted state of an `ipvlan` attachment.
pub fn desired_state(attachment: &Attachment, facts: &HostFacts) -> DesiredState {
    let slave = host_slave_name(facts.eni_index);
    let mut host = NamespaceState {
        sysctls: node_sysctls(attachment, facts, &[Device::Eni, Device::HostSlave]),
        links: vec![
            eni(attachment),
            Link {
                device: Device::HostSlave,
                name: Some(slave.clone()),
                mtu: Mtu::AtLeast(attachment.mtu),
                alias: Some(eni_alias(attachment.eni_mac)),
                arp: Some(false),
            },
        ],
        ..NamespaceState::default()
    };
    let mut pod = NamespaceState::default();
    pod.links.push(end(Device::PodEnd, &attachment.if_name, attachment));
    for leg in legs(attachment) {
        host_leg(&mut host, &leg, attachment);
        pod_leg(&mut pod, &leg, attachment);
    }
    DesiredState {
        form: Form::of(attachment),
        names: Names {
            host_end: slave,
            pod_end: attachment.if_name.clone(),
            shaper: shaper_name(&attachment.if_name),
            eni: facts.eni_name.clone(),
            uplink: facts.uplink.as_ref().map(|uplink| uplink.name.clone()),
        },
        alias: attachment.alias(),
        mtu: attachment.mtu,
        host,
        pod,
    }
}

fn host_leg(host: &mut NamespaceState, leg: &Leg, attachment: &Attachment) {
    if let Some(address) = leg.host {
        host.addresses.push(Address {
            device: Device::HostSlave,
            prefix: Prefix::host(address),
        });
    }
    // What the node forwards leaves with the node's address: the answer to the pod's own would go to its slave, past the translation.
    if attachment.host_stack.iter().any(|prefix| prefix.family() == leg.family) {
        host.masquerade.push(leg.pod);
    }
    host.routes.push(to_pod(leg, Device::HostSlave));
}

fn pod_leg(pod: &mut NamespaceState, leg: &Leg, attachment: &Attachment) {
    // A member has no neighbours of its own: its vSwitch begins behind the trunk's tag.
    let length = if attachment.trunk.is_some() {
        leg.family.bits()
    } else {
        leg.prefix_length
    };
    let address = Prefix {
        address: leg.pod,
        length,
    };
    if attachment.trunk.is_some() {
        pod.neighbours.push(Neighbour {
            mac: LinkAddress::Is(GATEWAY_OF_MEMBERS),
            ..neighbour(Device::PodEnd, leg.gateway, Device::PodEnd)
        });
    }
    if let Some(node) = leg.host {
        pod.neighbours.push(neighbour(Device::PodEnd, node, Device::PodEnd));
        pod.routes.push(route(Prefix::host(node), None, Device::PodEnd));
    }
    // Of several interfaces the one with the default route leads to the node's stack.
    let leads = attachment.default_route || !attachment.multi_network;
    let of_node = leg.host.map(Prefix::host);
    let diverted: Vec<Prefix> = (attachment.host_stack.iter())
        .filter(|prefix| leads && prefix.family() == leg.family && Some(**prefix) != of_node)
        .filter(|prefix| attachment.default_route || !prefix.is_default())
        .copied()
        .collect();
    if !diverted.is_empty() {
        let stack = next_hop(leg.family);
        pod.neighbours.push(neighbour(Device::PodEnd, stack, Device::PodEnd));
        pod.routes
            .extend(diverted.into_iter().map(|prefix| route(prefix, Some(stack), Device::PodEnd)));
    }
    on_eni(pod, leg, address, attachment);
}

#[cfg(test)]
mod tests;

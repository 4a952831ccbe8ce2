//! Mode `policy_route`: a veth pair, a host route to the pod, and rules that send the pod's packets out through its own ENI.
//!
//! Names, priorities and table numbers are Terway's. On purpose different from it:
//! - `compact` has no rule for each pod that every packet walks: one shared rule 512 (main, host routes only), routes by source for IPv6
//!   and a tree of rules for IPv4 (see `source_tree`). `per_pod` is Terway's form.
//! - The table of the ENI ends in `unreachable`: when the ENI is gone, pods do not leak out through the node's own interface.
//! - The host has a permanent neighbour for the pod: its first packet waits for no ARP, and IPv6 works before any link-local address does.
//! - Extra routes use the same next hop as the default route; nothing on the pair answers for the VPC gateway.
//! - IPv6 forwarding is switched on for the whole node; the kernel ignores the setting of a single link.

use super::leg::{Leg, legs, next_hop};
use super::objects::{end, neighbour, node_sysctls, route, rule, sysctl, to_pod};
use super::own_table::{interface_table, own_table};
use crate::attachment::{Attachment, Mode, RuleForm};
use crate::desired::{DesiredState, HostFacts, NamespaceState};
use crate::form::Form;
use crate::mark::shaper_name;
use crate::mode::{own_groups, source_tree};
use crate::object::{
    Address, Device, Family, Link, METRIC_LAST, Mark, Mtu, Names, PRIORITY_BY_NODE, PRIORITY_FROM_POD, PRIORITY_TO_POD, Prefix,
    Route, RouteKind, Rule, Sysctl, SysctlScope, TABLE_MAIN, TABLE_SOURCES, eni_table,
};

/// The wanted state of a `policy_route` attachment.
pub fn desired_state(attachment: &Attachment, facts: &HostFacts) -> DesiredState {
    let mut host = NamespaceState {
        sysctls: node_sysctls(attachment, facts, &[Device::Eni, Device::HostEnd]),
        ..NamespaceState::default()
    };
    host.sysctls.extend(fast_sysctls(attachment, facts));
    let mut pod = NamespaceState::default();
    host.links.push(Link {
        device: Device::Eni,
        name: None,
        mtu: Mtu::AtLeast(attachment.mtu),
        alias: None,
        arp: None,
    });
    host.links.push(end(Device::HostEnd, &attachment.host_if_name, attachment));
    pod.links.push(end(Device::PodEnd, &attachment.if_name, attachment));
    for leg in legs(attachment) {
        host_leg(&mut host, &leg, attachment, facts);
        pod_leg(&mut pod, &leg, attachment);
    }
    DesiredState {
        form: Form::of(attachment),
        names: Names {
            host_end: attachment.host_if_name.clone(),
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

/// What keeps the kernel from looking where it need not.
fn fast_sysctls(attachment: &Attachment, facts: &HostFacts) -> Vec<Sysctl> {
    let mut sysctls = Vec::new();
    if attachment.ipv4.is_some() {
        // Where there are rules, the kernel looks up the way back to the sender of each packet, through all of them, only to refuse the node's own
        // addresses as senders (`fib_validate_source`). Nothing of that kind comes in through an ENI: the VPC lets no ENI send with an
        // address that is not its own. On the pods' links the check stays.
        sysctls.push(sysctl(Family::V4, SysctlScope::Device(Device::Eni), "accept_local", 1));
    }
    if let Some(uplink) = &facts.uplink {
        // To choose a source address the kernel walks all interfaces of the node, the pods' among them, at every `connect()`
        // (`ipv6_dev_get_saddr`). RFC 6724 recommends the addresses of the interface that sends; one that has lost its own needs the walk again.
        let only = i32::from(uplink.addressed);
        sysctls.push(sysctl(
            Family::V6,
            SysctlScope::Device(Device::Uplink),
            "use_oif_addrs_only",
            only,
        ));
    }
    sysctls
}

fn host_leg(host: &mut NamespaceState, leg: &Leg, attachment: &Attachment, facts: &HostFacts) {
    if let Some(address) = leg.host {
        host.addresses.push(Address {
            device: Device::Eni,
            prefix: Prefix::host(address),
        });
    }
    host.neighbours.push(neighbour(Device::HostEnd, leg.pod, Device::PodEnd));
    host.rules.extend(by_node(leg, attachment));
    if attachment.own_groups {
        return own_groups::ways(host, leg, attachment, facts);
    }
    way_out(host, leg, attachment.rule_form, facts);
    to_main(host, leg, attachment.rule_form);
    host.routes.push(to_pod(leg, Device::HostEnd));
}

/// What the pod sends to its node goes on as the node's own, should the node translate it: masquerading gives it the node's address, which the VPC
/// takes from no other ENI. `from_pod` marks it, so there is such a rule only where that program judges packets.
fn by_node(leg: &Leg, attachment: &Attachment) -> Option<Rule> {
    attachment.is_hooked().then(|| Rule {
        mark: Some(Mark::NODE),
        ..rule(leg.family, PRIORITY_BY_NODE, None, None, TABLE_MAIN)
    })
}

/// What is for the pod goes to main, where its host route is.
fn to_main(host: &mut NamespaceState, leg: &Leg, form: RuleForm) {
    host.rules.push(match form {
        // 31 and 127 rather than 0: any other route of main, a connected subnet for instance, must not capture what pods send.
        RuleForm::Compact => Rule {
            suppress_prefix_length: Some(u32::from(leg.family.bits()) - 1),
            ..rule(leg.family, PRIORITY_TO_POD, None, None, TABLE_MAIN)
        },
        RuleForm::PerPod => rule(leg.family, PRIORITY_TO_POD, None, Some(Prefix::host(leg.pod)), TABLE_MAIN),
    });
}

/// What is from the pod goes to its ENI, or nowhere when that is gone: by a rule for each pod, or in the compact form by routes with the
/// pod as source (IPv6, where the kernel has them) or a tree of rules (IPv4).
fn way_out(host: &mut NamespaceState, leg: &Leg, form: RuleForm, facts: &HostFacts) {
    let pod = Prefix::host(leg.pod);
    let by_source = form == RuleForm::Compact && leg.family == Family::V6 && facts.source_routes;
    let (table, source) = if by_source {
        (TABLE_SOURCES, Some(pod))
    } else {
        (eni_table(facts.eni_index), None)
    };
    let default = leg.family.default_prefix();
    host.routes.push(Route {
        table,
        source,
        kind: RouteKind::Unreachable,
        device: None,
        metric: METRIC_LAST,
        ..route(default, None, Device::Eni)
    });
    // Terway keeps the gateway's host route in main. With one shared rule it would capture what pods of another ENI of the same
    // vSwitch send to their gateway, so there it lives only while the default route is being made (see `kernel/execute.rs`).
    if leg.family == Family::V6 && form == RuleForm::PerPod {
        host.routes.push(route(Prefix::host(leg.eni_gateway), None, Device::Eni));
    }
    host.routes.push(Route {
        table,
        source,
        ..route(default, Some(leg.eni_gateway), Device::Eni)
    });
    match (form, leg.family) {
        (RuleForm::Compact, Family::V4) => host.rules.extend(source_tree::rules(pod, table)),
        _ if by_source => host.rules.push(rule(leg.family, PRIORITY_FROM_POD, None, None, table)),
        _ => host.rules.push(rule(leg.family, PRIORITY_FROM_POD, Some(pod), None, table)),
    }
}

/// The rules that the attachment, in this form, has in common with others, wherever its ENI is; `eni_name` is its name, if it is there.
pub fn shared_rules(attachment: &Attachment, form: RuleForm, eni_name: Option<&str>) -> Vec<Rule> {
    let facts = HostFacts {
        eni_index: 0,
        eni_name: eni_name.unwrap_or_default().to_owned(),
        source_routes: true,
        ..HostFacts::default()
    };
    let mut host = NamespaceState::default();
    if !matches!(attachment.mode, Mode::PolicyRoute | Mode::Netkit) {
        return host.rules;
    }
    for leg in legs(attachment) {
        host.rules.extend(by_node(&leg, attachment));
        if attachment.own_groups {
            own_groups::ways(&mut host, &leg, attachment, &facts);
            continue;
        }
        to_main(&mut host, &leg, form);
        way_out(&mut host, &leg, form, &facts);
    }
    let named = |prefix: Option<Prefix>| prefix.is_some_and(|prefix| prefix.is_host());
    host.rules.retain(|rule| !named(rule.from) && !named(rule.to));
    host.rules
}

fn pod_leg(pod: &mut NamespaceState, leg: &Leg, attachment: &Attachment) {
    let next_hop = next_hop(leg.family);
    if leg.family == Family::V6 {
        let scope = SysctlScope::Device(Device::PodEnd);
        pod.sysctls.push(sysctl(Family::V6, scope, "disable_ipv6", 0));
        pod.sysctls.push(sysctl(Family::V6, scope, "accept_ra", 0));
        // The pair has no third party: the link-local address needs no duplicate detection either.
        pod.sysctls.push(sysctl(Family::V6, scope, "accept_dad", 0));
    }
    pod.addresses.push(Address {
        device: Device::PodEnd,
        prefix: Prefix::host(leg.pod),
    });
    pod.neighbours.push(neighbour(Device::PodEnd, next_hop, Device::HostEnd));
    let default = route(leg.family.default_prefix(), Some(next_hop), Device::PodEnd);
    if attachment.default_route {
        pod.routes.push(default);
    }
    if attachment.multi_network {
        own_table(pod, leg, default, attachment, interface_table(&attachment.if_name));
    }
    let extra = attachment.extra_routes.iter().filter(|extra| extra.family() == leg.family);
    pod.routes
        .extend(extra.map(|extra| route(*extra, Some(next_hop), Device::PodEnd)));
}

#[cfg(test)]
mod tests;

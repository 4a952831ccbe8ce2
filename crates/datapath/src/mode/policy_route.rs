//! Mode `policy_route`: a veth pair, a host route to the pod, and rules that send the pod's packets out through its own ENI.
//!
//! Names, priorities and table numbers are Terway's. On purpose different from it:
//! - `compact` has no rule for each pod that every packet walks: one shared rule 512 (main, host routes only), routes by source for IPv6
//!   and a tree of rules for IPv4 (see `source_tree`). `per_pod` is Terway's form.
//! - The table of the ENI ends in `unreachable`: when the ENI is gone, pods do not leak out through the node's own interface.
//! - The host has a permanent neighbour for the pod: its first packet waits for no ARP, and IPv6 works before any link-local address does.
//! - Extra routes use the same next hop as the default route; nothing on the pair answers for the VPC gateway.
//! - IPv6 forwarding is switched on for the whole node; the kernel ignores the setting of a single link.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::attachment::{Attachment, Mode, RuleForm};
use crate::desired::{DesiredState, HostFacts, NamespaceState};
use crate::form::Form;
use crate::mode::{own_groups, source_tree};
use crate::object::{
    Address, Device, Family, IfName, Link, LinkAddress, METRIC_IPV6, METRIC_LAST, Mtu, Names, Neighbour, PRIORITY_FROM_POD,
    PRIORITY_TO_POD, PROTOCOL, Prefix, Route, RouteKind, Rule, RuleAction, Scope, Sysctl, SysctlKey, SysctlScope, TABLE_MAIN,
    TABLE_SOURCES, eni_table,
};

/// Table of a pod's interface with number 0.
const TABLE_FIRST_INTERFACE: u32 = 2000;
/// Next hop of the pod for IPv4; no interface owns it.
pub const NEXT_HOP_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 1, 1));
/// Next hop of the pod for IPv6.
pub const NEXT_HOP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));

/// One family of the attachment, without its type.
pub(super) struct Leg {
    pub family: Family,
    pub pod: IpAddr,
    pub prefix_length: u8,
    pub gateway: IpAddr,
    /// Gateway of the ENI itself: the node asks for it without a member's tag, and it is the same router. Of a trunk its own, else the pod's.
    pub eni_gateway: IpAddr,
    pub host: Option<IpAddr>,
}

/// The wanted state of a `policy_route` attachment.
pub fn desired_state(attachment: &Attachment, facts: &HostFacts) -> DesiredState {
    let mut host = NamespaceState {
        sysctls: node_sysctls(attachment, facts, &[Device::Eni, Device::HostEnd]),
        ..NamespaceState::default()
    };
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
            eni: facts.eni_name.clone(),
            uplink: facts.advertised_uplink.clone(),
        },
        alias: attachment.alias(),
        mtu: attachment.mtu,
        host,
        pod,
    }
}

pub(super) fn end(device: Device, name: &str, attachment: &Attachment) -> Link {
    Link {
        device,
        name: Some(name.to_owned()),
        mtu: Mtu::Exactly(attachment.mtu),
        alias: Some(attachment.alias()),
        arp: None,
    }
}

pub(super) fn legs(attachment: &Attachment) -> impl Iterator<Item = Leg> {
    let trunk = attachment.trunk;
    let ipv4 = attachment.ipv4.map(|ipv4| Leg {
        family: Family::V4,
        pod: ipv4.address.into(),
        prefix_length: ipv4.prefix_length,
        gateway: ipv4.gateway.into(),
        eni_gateway: trunk.and_then(|trunk| trunk.gateway_ipv4).unwrap_or(ipv4.gateway).into(),
        host: attachment.host_ipv4.map(IpAddr::from),
    });
    let ipv6 = attachment.ipv6.map(|ipv6| Leg {
        family: Family::V6,
        pod: ipv6.address.into(),
        prefix_length: ipv6.prefix_length,
        gateway: ipv6.gateway.into(),
        eni_gateway: trunk.and_then(|trunk| trunk.gateway_ipv6).unwrap_or(ipv6.gateway).into(),
        host: attachment.host_ipv6.map(IpAddr::from),
    });
    ipv4.into_iter().chain(ipv6)
}

/// Sysctls of the node as a whole and of its devices. Order matters: a node that lives on router advertisements must be told to go on accepting them
/// before forwarding is switched on, or the kernel drops its default route (`rt6_purge_dflt_routers`).
pub(super) fn node_sysctls(attachment: &Attachment, facts: &HostFacts, devices: &[Device]) -> Vec<Sysctl> {
    let mut sysctls = Vec::new();
    for scope in [SysctlScope::All, SysctlScope::Default] {
        sysctls.push(sysctl(Family::V4, scope, "forwarding", 1));
        sysctls.push(sysctl(Family::V4, scope, "rp_filter", 0));
    }
    if attachment.ipv6.is_some() {
        if facts.advertised_uplink.is_some() {
            sysctls.push(sysctl(Family::V6, SysctlScope::Device(Device::Uplink), "accept_ra", 2));
        }
        sysctls.push(sysctl(Family::V6, SysctlScope::All, "forwarding", 1));
    }
    if attachment.ipv6.is_some() && devices.contains(&Device::Eni) {
        // Without a link-local address that has passed duplicate detection the kernel asks for no neighbour (`ndisc_solicit`): for more
        // than a second a new ENI could not find its gateway. The VPC makes MACs, and so these addresses, unique.
        sysctls.push(sysctl(Family::V6, SysctlScope::Device(Device::Eni), "accept_dad", 0));
    }
    for device in devices {
        let scope = SysctlScope::Device(*device);
        if attachment.ipv4.is_some() {
            sysctls.push(sysctl(Family::V4, scope, "forwarding", 1));
            sysctls.push(sysctl(Family::V4, scope, "rp_filter", 0));
        }
        if attachment.ipv6.is_some() {
            sysctls.push(sysctl(Family::V6, scope, "disable_ipv6", 0));
            sysctls.push(sysctl(Family::V6, scope, "accept_ra", 0));
            sysctls.push(sysctl(Family::V6, scope, "forwarding", 1));
        }
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
    if attachment.own_groups {
        return own_groups::ways(host, leg, attachment, facts);
    }
    way_out(host, leg, attachment.rule_form, facts);
    to_pod(host, leg, attachment.rule_form);
    host.routes.push(route(Prefix::host(leg.pod), None, Device::HostEnd));
}

/// What is for the pod goes to main, where its host route is.
fn to_pod(host: &mut NamespaceState, leg: &Leg, form: RuleForm) {
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

/// The rules that the attachment has in common with others, wherever its ENI is; `eni_name` is its name, if it is there.
pub fn shared_rules(attachment: &Attachment, eni_name: Option<&str>) -> Vec<Rule> {
    let facts = HostFacts {
        eni_index: 0,
        eni_name: eni_name.unwrap_or_default().to_owned(),
        advertised_uplink: None,
        source_routes: true,
        ..HostFacts::default()
    };
    let mut host = NamespaceState::default();
    if !matches!(attachment.mode, Mode::PolicyRoute | Mode::Netkit) {
        return host.rules;
    }
    for leg in legs(attachment) {
        if attachment.own_groups {
            own_groups::ways(&mut host, &leg, attachment, &facts);
            continue;
        }
        to_pod(&mut host, &leg, attachment.rule_form);
        way_out(&mut host, &leg, attachment.rule_form, &facts);
    }
    let named = |prefix: Option<Prefix>| prefix.is_some_and(|prefix| prefix.is_host());
    host.rules.retain(|rule| !named(rule.from) && !named(rule.to));
    host.rules
}

/// The next hop that stands for the node in every pod.
pub(super) fn next_hop(family: Family) -> IpAddr {
    match family {
        Family::V4 => NEXT_HOP_V4,
        Family::V6 => NEXT_HOP_V6,
    }
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
        own_table(pod, leg, default, attachment);
    }
    let extra = attachment.extra_routes.iter().filter(|extra| extra.family() == leg.family);
    pod.routes
        .extend(extra.map(|extra| route(*extra, Some(next_hop), Device::PodEnd)));
}

/// A pod with several interfaces: what is bound to this one, by source or by device, leaves through it.
pub(super) fn own_table(pod: &mut NamespaceState, leg: &Leg, default: Route, attachment: &Attachment) {
    let table = interface_table(&attachment.if_name);
    pod.routes.push(Route { table, ..default });
    pod.rules.push(Rule {
        output: IfName::new(&attachment.if_name),
        ..rule(leg.family, PRIORITY_TO_POD, None, None, table)
    });
    let from = Some(Prefix::host(leg.pod));
    pod.rules.push(rule(leg.family, PRIORITY_TO_POD, from, None, table));
}

/// The table in a pod for what its interface sends: `eth1` has 2001. Terway's number, 1000 and the interface's index, is not known before
/// the interface is born.
fn interface_table(name: &str) -> u32 {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    match digits.parse::<u16>() {
        Ok(number) => TABLE_FIRST_INTERFACE + u32::from(number),
        // FNV-1a, above the numbers.
        Err(_) => {
            let hash = name.bytes().fold(0x811c_9dc5u32, |hash, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            });
            0x4000_0000 | hash >> 2
        }
    }
}

/// A route in main: to a neighbour on the link, or onlink through a gateway.
pub(super) fn route(destination: Prefix, gateway: Option<IpAddr>, device: Device) -> Route {
    let family = destination.family();
    Route {
        table: TABLE_MAIN,
        destination,
        source: None,
        kind: RouteKind::Unicast,
        device: Some(device),
        gateway,
        onlink: gateway.is_some(),
        scope: if family == Family::V4 && gateway.is_none() && device != Device::Eni {
            Scope::Link
        } else {
            Scope::Universe
        },
        metric: if family == Family::V6 { METRIC_IPV6 } else { 0 },
        protocol: PROTOCOL,
    }
}

pub(super) fn rule(family: Family, priority: u32, from: Option<Prefix>, to: Option<Prefix>, table: u32) -> Rule {
    Rule {
        family,
        priority,
        from,
        to,
        input: None,
        output: None,
        action: RuleAction::Lookup(table),
        suppress_prefix_length: None,
        protocol: PROTOCOL,
        foreign_form: false,
    }
}

pub(super) fn neighbour(device: Device, address: IpAddr, owner: Device) -> Neighbour {
    Neighbour {
        device,
        address,
        mac: LinkAddress::Of(owner),
        permanent: true,
    }
}

pub(super) fn sysctl(family: Family, scope: SysctlScope, name: &'static str, value: i32) -> Sysctl {
    Sysctl {
        key: SysctlKey { family, scope, name },
        value,
    }
}

#[cfg(test)]
mod tests;

//! Kernel objects in the form in which every mode makes them.

use std::net::IpAddr;

use super::leg::Leg;
use crate::attachment::Attachment;
use crate::desired::{HostFacts, NamespaceState};
use crate::object::{
    Attach, CLSACT_HANDLE, Device, Discipline, Family, Link, LinkAddress, METRIC_IPV6, Mtu, Neighbour, PROTOCOL, Prefix, Qdisc,
    Route, RouteKind, Rule, RuleAction, Scope, Sysctl, SysctlKey, SysctlScope, TABLE_MAIN,
};

/// One end of the attachment's pair, with its mark.
pub fn end(device: Device, name: &str, attachment: &Attachment) -> Link {
    Link {
        device,
        name: Some(name.to_owned()),
        mtu: Mtu::Exactly(attachment.mtu),
        alias: Some(attachment.alias()),
        arp: None,
    }
}

/// The hooks of a device, once, whoever needs them.
pub fn hooks(of: &mut NamespaceState, device: Device) {
    let clsact = Qdisc {
        device,
        attach: Attach::Clsact,
        handle: CLSACT_HANDLE,
        discipline: Discipline::Clsact,
    };
    if !of.qdiscs.contains(&clsact) {
        of.qdiscs.push(clsact);
    }
}

/// A route in main: to a neighbour on the link, or onlink through a gateway.
pub fn route(destination: Prefix, gateway: Option<IpAddr>, device: Device) -> Route {
    let family = destination.family();
    Route {
        table: TABLE_MAIN,
        destination,
        source: None,
        kind: RouteKind::Unicast,
        device: Some(device),
        gateway,
        onlink: gateway.is_some(),
        preferred: None,
        scope: if family == Family::V4 && gateway.is_none() && device != Device::Eni {
            Scope::Link
        } else {
            Scope::Universe
        },
        metric: if family == Family::V6 { METRIC_IPV6 } else { 0 },
        protocol: PROTOCOL,
    }
}

/// The node's way to a pod, on the pod's link. It says with which address the node speaks: over IPv6 the kernel would look for one at every
/// `connect()`, on all links of the node, of which each pod has one (54 µs with 1,000 pods, 2.5 with few). Over IPv4 it has chosen once for all.
/// Only where the node has its address by this attachment: the kernel refuses an address that is not there.
pub fn to_pod(leg: &Leg, device: Device) -> Route {
    Route {
        preferred: leg.host.filter(|_| leg.family == Family::V6),
        ..route(Prefix::host(leg.pod), None, device)
    }
}

/// A rule of ours that looks a table up.
pub fn rule(family: Family, priority: u32, from: Option<Prefix>, to: Option<Prefix>, table: u32) -> Rule {
    Rule {
        family,
        priority,
        from,
        to,
        input: None,
        output: None,
        mark: None,
        action: RuleAction::Lookup(table),
        suppress_prefix_length: None,
        protocol: PROTOCOL,
        foreign_form: false,
    }
}

/// A neighbour with the MAC that `owner` has now.
pub fn neighbour(device: Device, address: IpAddr, owner: Device) -> Neighbour {
    Neighbour {
        device,
        address,
        mac: LinkAddress::Of(owner),
        permanent: true,
    }
}

/// A sysctl and its value.
pub fn sysctl(family: Family, scope: SysctlScope, name: &'static str, value: i32) -> Sysctl {
    Sysctl {
        key: SysctlKey { family, scope, name },
        value,
    }
}

/// Sysctls of the node as a whole and of its devices. Order matters: a node that lives on router advertisements must be told to go on accepting them
/// before forwarding is switched on, or the kernel drops its default route (`rt6_purge_dflt_routers`).
pub fn node_sysctls(attachment: &Attachment, facts: &HostFacts, devices: &[Device]) -> Vec<Sysctl> {
    let mut sysctls = Vec::new();
    for scope in [SysctlScope::All, SysctlScope::Default] {
        sysctls.push(sysctl(Family::V4, scope, "forwarding", 1));
        sysctls.push(sysctl(Family::V4, scope, "rp_filter", 0));
    }
    if attachment.ipv6.is_some() {
        if facts.uplink.as_ref().is_some_and(|uplink| uplink.advertised) {
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

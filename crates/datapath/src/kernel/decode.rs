//! Kernel messages to objects. Only the attributes that matter are read, so that an older or newer kernel's shape of the others
//! (statistics, arrays of settings that grow with each release) never spoils a message.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::uapi::*;
use super::wire::{attributes, i32_of_array, text, u16_at, u32_at};
use crate::object::{
    Address, Device, Family, IfName, LinkAddress, Mac, Mark, Neighbour, Prefix, Route, RouteKind, Rule, RuleAction, Scope,
};
use crate::observed::{LinkSysctls, ObservedLink};

/// `RTM_NEWLINK`, `RTM_DELLINK`
pub fn link(payload: &[u8]) -> Option<ObservedLink> {
    let flags = u32_at(payload, 8)?;
    let mut link = ObservedLink {
        index: u32_at(payload, 4)?,
        up: flags & IFF_UP != 0,
        loopback: flags & IFF_LOOPBACK != 0,
        arp: flags & IFF_NOARP == 0,
        ..ObservedLink::default()
    };
    for (kind, value) in attributes(payload, 16) {
        match kind {
            IFLA_IFNAME => link.name = text(value),
            IFLA_ADDRESS => link.mac = Mac::from_bytes(value),
            IFLA_MTU => link.mtu = u32_at(value, 0)?,
            IFLA_NUM_TX_QUEUES => link.queues = u32_at(value, 0)?,
            IFLA_QDISC => link.root_qdisc = text(value),
            IFLA_LINK => link.peer_index = u32_at(value, 0),
            IFLA_LINK_NETNSID => link.peer_elsewhere = true,
            IFLA_MASTER => link.controller = u32_at(value, 0),
            IFLA_OPERSTATE => link.operational = value.first() == Some(&IF_OPER_UP),
            IFLA_IFALIAS => link.alias = Some(text(value)),
            IFLA_GROUP => link.group = u32_at(value, 0)?,
            IFLA_LINKINFO => {
                let find = |wanted| attributes(value, 0).find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
                link.kind = find(IFLA_INFO_KIND).map(text);
                if link.kind.as_deref() == Some("vlan") {
                    link.vlan_id = find(IFLA_INFO_DATA).and_then(vlan_id);
                }
            }
            IFLA_PROP_LIST => {
                let names = attributes(value, 0).filter(|(kind, _)| *kind == IFLA_ALT_IFNAME);
                link.alternative_names = names.map(|(_, name)| text(name)).collect();
            }
            IFLA_XDP => {
                let attached = attributes(value, 0).find(|(kind, _)| *kind == IFLA_XDP_ATTACHED);
                link.xdp = attached.and_then(|(_, how)| how.first().copied()).unwrap_or(0);
            }
            IFLA_AF_SPEC => link.sysctls = link_sysctls(value),
            _ => {}
        }
    }
    Some(link)
}

fn vlan_id(data: &[u8]) -> Option<u16> {
    let (_, id) = attributes(data, 0).find(|(kind, _)| *kind == IFLA_VLAN_ID)?;
    u16_at(id, 0)
}

/// The id of a namespace in an `RTM_NEWNSID`; nothing for one that has none.
pub fn netns_id(payload: &[u8]) -> Option<i32> {
    let (_, id) = attributes(payload, 4).find(|(kind, _)| *kind == NETNSA_NSID)?;
    i32_of_array(id, 0).filter(|id| *id >= 0)
}

fn link_sysctls(spec: &[u8]) -> LinkSysctls {
    let mut sysctls = LinkSysctls::default();
    for (family, value) in attributes(spec, 0) {
        for (kind, conf) in attributes(value, 0) {
            if family == u16::from(AF_INET) && kind == IFLA_INET_CONF {
                sysctls.forwarding4 = i32_of_array(conf, CONF4_FORWARDING);
                sysctls.rp_filter = i32_of_array(conf, CONF4_RP_FILTER);
                sysctls.accept_local = i32_of_array(conf, CONF4_ACCEPT_LOCAL);
            } else if family == u16::from(AF_INET6) && kind == IFLA_INET6_CONF {
                sysctls.forwarding6 = i32_of_array(conf, CONF6_FORWARDING);
                sysctls.accept_ra = i32_of_array(conf, CONF6_ACCEPT_RA);
                sysctls.disable_ipv6 = i32_of_array(conf, CONF6_DISABLE_IPV6);
                sysctls.accept_dad = i32_of_array(conf, CONF6_ACCEPT_DAD);
                sysctls.use_oif_addrs_only = i32_of_array(conf, CONF6_USE_OIF_ADDRS_ONLY);
            }
        }
    }
    sysctls
}

fn family(byte: u8) -> Option<Family> {
    match byte {
        AF_INET => Some(Family::V4),
        AF_INET6 => Some(Family::V6),
        _ => None,
    }
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(value) {
        return Some(IpAddr::V4(Ipv4Addr::from(v4)));
    }
    <[u8; 16]>::try_from(value).ok().map(|v6| IpAddr::V6(Ipv6Addr::from(v6)))
}

/// `RTM_NEWADDR`, `RTM_DELADDR`
pub fn address(payload: &[u8]) -> Option<Address> {
    family(*payload.first()?)?;
    let length = *payload.get(1)?;
    let index = u32_at(payload, 4)?;
    let (mut local, mut plain) = (None, None);
    for (kind, value) in attributes(payload, 8) {
        match kind {
            // On a point-to-point address `IFA_ADDRESS` is the other side; IPv6 often has no `IFA_LOCAL`.
            IFA_LOCAL => local = ip(value),
            IFA_ADDRESS => plain = ip(value),
            _ => {}
        }
    }
    Some(Address {
        device: Device::Index(index),
        prefix: Prefix {
            address: local.or(plain)?,
            length,
        },
    })
}

/// True if an `RTM_NEWADDR` is of an address whose duplicate detection is not over.
pub fn is_tentative(payload: &[u8]) -> bool {
    payload.get(2).is_some_and(|flags| flags & IFA_F_TENTATIVE != 0)
}

/// `RTM_NEWROUTE`, `RTM_DELROUTE`; nothing for cached routes and for families other than IPv4 and IPv6.
pub fn route(payload: &[u8]) -> Option<Route> {
    let family = family(*payload.first()?)?;
    let flags = u32_at(payload, 8)?;
    if flags & RTM_F_CLONED != 0 {
        return None;
    }
    let kind = match *payload.get(7)? {
        RTN_UNICAST => RouteKind::Unicast,
        RTN_UNREACHABLE => RouteKind::Unreachable,
        other => RouteKind::Other(other),
    };
    let mut route = Route {
        table: u32::from(*payload.get(4)?),
        destination: Prefix {
            length: *payload.get(1)?,
            ..family.default_prefix()
        },
        source: None,
        kind,
        device: None,
        gateway: None,
        onlink: flags & RTNH_F_ONLINK != 0,
        preferred: None,
        scope: match *payload.get(6)? {
            RT_SCOPE_UNIVERSE => Scope::Universe,
            RT_SCOPE_LINK => Scope::Link,
            other => Scope::Other(other),
        },
        metric: 0,
        protocol: *payload.get(5)?,
    };
    for (attribute, value) in attributes(payload, 12) {
        match attribute {
            RTA_DST => route.destination.address = ip(value)?,
            RTA_SRC => {
                route.source = Some(Prefix {
                    address: ip(value)?,
                    length: *payload.get(2)?,
                })
            }
            // IPv6 hangs routes that refuse on the loopback device; IPv4 on none.
            RTA_OIF if kind != RouteKind::Unreachable => route.device = Some(Device::Index(u32_at(value, 0)?)),
            RTA_GATEWAY => route.gateway = ip(value),
            RTA_PREFSRC => route.preferred = ip(value),
            RTA_PRIORITY => route.metric = u32_at(value, 0)?,
            RTA_TABLE => route.table = u32_at(value, 0)?,
            _ => {}
        }
    }
    Some(route)
}

/// `RTM_NEWRULE`, `RTM_DELRULE`
pub fn rule(payload: &[u8]) -> Option<Rule> {
    let family = family(*payload.first()?)?;
    let (to_length, from_length, tos) = (*payload.get(1)?, *payload.get(2)?, *payload.get(3)?);
    let action = *payload.get(7)?;
    let flags = u32_at(payload, 8)?;
    let (mut table, mut target) = (u32::from(*payload.get(4)?), 0);
    let (mut mark, mut mask) = (0, 0);
    let mut rule = Rule {
        family,
        priority: 0,
        from: None,
        to: None,
        input: None,
        output: None,
        mark: None,
        action: RuleAction::Nop,
        suppress_prefix_length: None,
        protocol: 0,
        foreign_form: !matches!(action, FR_ACT_TO_TBL | FR_ACT_GOTO | FR_ACT_NOP) || tos != 0 || flags & FIB_RULE_INVERT != 0,
    };
    for (kind, value) in attributes(payload, 12) {
        match kind {
            FRA_DST => {
                rule.to = Some(Prefix {
                    address: ip(value)?,
                    length: to_length,
                })
            }
            FRA_SRC => {
                rule.from = Some(Prefix {
                    address: ip(value)?,
                    length: from_length,
                })
            }
            FRA_PRIORITY => rule.priority = u32_at(value, 0)?,
            FRA_TABLE => table = u32_at(value, 0)?,
            FRA_GOTO => target = u32_at(value, 0)?,
            FRA_SUPPRESS_PREFIXLEN => rule.suppress_prefix_length = u32_at(value, 0).filter(|length| *length != u32::MAX),
            FRA_PROTOCOL => rule.protocol = *value.first()?,
            FRA_SUPPRESS_IFGROUP => rule.foreign_form |= u32_at(value, 0) != Some(u32::MAX),
            FRA_L3MDEV => rule.foreign_form |= value.first() != Some(&0),
            FRA_FWMARK => mark = u32_at(value, 0)?,
            FRA_FWMASK => mask = u32_at(value, 0)?,
            FRA_IIFNAME => rule.input = IfName::new(&text(value)),
            FRA_OIFNAME => rule.output = IfName::new(&text(value)),
            FRA_TUN_ID | FRA_UID_RANGE | FRA_IP_PROTO | FRA_SPORT_RANGE | FRA_DPORT_RANGE => {
                rule.foreign_form = true;
            }
            _ => {}
        }
    }
    rule.mark = (mask != 0).then_some(Mark { value: mark, mask });
    rule.action = match action {
        FR_ACT_GOTO => RuleAction::Goto(target),
        FR_ACT_NOP => RuleAction::Nop,
        _ => RuleAction::Lookup(table),
    };
    Some(rule)
}

/// `RTM_NEWNEIGH`, `RTM_DELNEIGH`
pub fn neighbour(payload: &[u8]) -> Option<Neighbour> {
    family(*payload.first()?)?;
    let device = Device::Index(u32_at(payload, 4)?);
    let permanent = u16_at(payload, 8)? & NUD_PERMANENT != 0;
    let (mut destination, mut mac) = (None, None);
    for (kind, value) in attributes(payload, 12) {
        match kind {
            NDA_DST => destination = ip(value),
            NDA_LLADDR => mac = Mac::from_bytes(value),
            _ => {}
        }
    }
    Some(Neighbour {
        device,
        address: destination?,
        mac: LinkAddress::Is(mac.unwrap_or(Mac([0; 6]))),
        permanent,
    })
}

/// True if a link, address, route, rule or neighbour message says that the object is gone.
pub fn is_removal(kind: u16) -> bool {
    matches!(kind, RTM_DELLINK | RTM_DELADDR | RTM_DELROUTE | RTM_DELRULE | RTM_DELNEIGH)
}

/// False for an `RTM_NEWNETCONF` that switches forwarding off or reverse path filtering on for any device.
pub fn is_sound_netconf(payload: &[u8]) -> Option<bool> {
    family(*payload.first()?)?;
    let bad = |(kind, value): (u16, &[u8])| match kind {
        NETCONFA_FORWARDING => u32_at(value, 0) == Some(0),
        NETCONFA_RP_FILTER => u32_at(value, 0).is_some_and(|value| value != 0),
        _ => false,
    };
    Some(!attributes(payload, 1).any(bad))
}

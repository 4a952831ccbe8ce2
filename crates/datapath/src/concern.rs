//! Whom a notification concerns. Cheap and pure: on a busy node most notifications are echoes of our own work and concern nobody.

use crate::attachment::{Attachment, Mode};
use crate::eni_use::EniUse;
use crate::form::Form;
use crate::kernel::uapi::*;
use crate::kernel::{decode, filter, queueing};
use crate::mark::{eni_alias, is_host_slave, owner};
use crate::mode::own_groups;
use crate::object::{DISPLACED_PREFIX, Device, GROUP_RETIRED, PROTOCOL, Prefix, Route, Rule, TABLE_MAIN, TABLE_SOURCES};
use crate::observed::ObservedLink;
use crate::registry::{Guarded, Registry};

/// Whose kernel state a notification may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concern {
    /// Nobody's.
    Nobody,
    /// One attachment's.
    One(String),
    /// Something shared.
    All,
}

/// Judges one notification.
pub fn concern(kind: u16, payload: &[u8], registry: &Registry) -> Concern {
    let removed = decode::is_removal(kind);
    let judged = match kind {
        RTM_NEWLINK | RTM_DELLINK => decode::link(payload).map(|link| of_link(&link, removed, registry)),
        RTM_DELADDR => decode::address(payload).map(|address| {
            let of_node = |attachment: &Attachment| {
                let node = [attachment.host_ipv4.map(Into::into), attachment.host_ipv6.map(Into::into)];
                node.contains(&Some(address.prefix.address))
            };
            if registry.all().any(|guarded| of_node(&guarded.attachment)) {
                Concern::All
            } else {
                Concern::Nobody
            }
        }),
        RTM_NEWROUTE | RTM_DELROUTE => decode::route(payload).map(|route| of_route(&route, removed, registry)),
        RTM_NEWRULE | RTM_DELRULE => decode::rule(payload).map(|rule| of_rule(&rule, registry)),
        // Permanent neighbours never change by themselves: whatever is said of one is somebody's doing.
        RTM_NEWNEIGH | RTM_DELNEIGH => decode::neighbour(payload).map(|neighbour| {
            let owner = registry.owner(&neighbour.address).and_then(|id| registry.get(id));
            let there = |owner: &&Guarded| {
                owner
                    .host_end
                    .is_some_and(|(index, _)| neighbour.device == Device::Index(index))
            };
            owner.filter(there).map_or(Concern::Nobody, one)
        }),
        RTM_NEWQDISC | RTM_DELQDISC => queueing::decode(payload).map(|qdisc| of_traffic(qdisc.device, registry)),
        RTM_NEWTFILTER | RTM_DELTFILTER => filter::device_at_our_priority(payload).map(|device| of_traffic(device, registry)),
        RTM_NEWNETCONF => decode::is_sound_netconf(payload).map(|sound| if sound { Concern::Nobody } else { Concern::All }),
        _ => None,
    };
    judged.unwrap_or(Concern::Nobody)
}

/// Nobody changes qdiscs and filters of a device of ours by accident, and it happens seldom: whoever has some looks.
fn of_traffic(device: Device, registry: &Registry) -> Concern {
    let on_end = |guarded: &&Guarded| guarded.host_end.is_some_and(|(index, _)| device == Device::Index(index));
    registry.all().find(on_end).map_or_else(|| of_eni_traffic(registry), one)
}

/// Which device an ENI is the registry does not know: if any ENI has something, all are looked at.
fn of_eni_traffic(registry: &Registry) -> Concern {
    if registry.all().any(|guarded| EniUse::of(&guarded.attachment).any()) {
        Concern::All
    } else {
        Concern::Nobody
    }
}

fn one(guarded: &Guarded) -> Concern {
    if guarded.settled {
        Concern::One(guarded.attachment.id.clone())
    } else {
        Concern::Nobody
    }
}

fn of_link(link: &ObservedLink, removed: bool, registry: &Registry) -> Concern {
    let marked = owner(link).and_then(|id| registry.get(id));
    let by_index = || {
        registry
            .all()
            .find(|guarded| guarded.host_end.is_some_and(|(index, _)| index == link.index))
    };
    if let Some(guarded) = marked.or_else(by_index) {
        let sound = !removed && is_sound_host_end(link, guarded);
        return if sound { Concern::Nobody } else { one(guarded) };
    }
    if is_host_slave(link) {
        let of_eni = |guarded: &&Guarded| guarded.attachment.mode == Mode::Ipvlan && Some(guarded.attachment.eni_mac) == link.mac;
        let Some(guarded) = registry.all().find(of_eni) else {
            return Concern::Nobody;
        };
        let attachment = &guarded.attachment;
        let marked = link.alias.as_deref() == Some(eni_alias(attachment.eni_mac).as_str());
        let sound = !removed && marked && link.up && !link.arp && link.mtu >= attachment.mtu;
        return if sound { Concern::Nobody } else { Concern::All };
    }
    let Some(eni) = registry.all().find(|guarded| Some(guarded.attachment.eni_mac) == link.mac) else {
        return Concern::Nobody;
    };
    // One that belongs into a pod is wrong here, however it looks; that it goes is what an attach does.
    if Form::of(&eni.attachment) == Form::Moved {
        return if removed { Concern::Nobody } else { one(eni) };
    }
    // The kernel does not say what an ENI looked like before: whoever sees it up and large enough is content.
    let sound = !removed && link.up && link.mtu >= eni.attachment.mtu;
    if sound { Concern::Nobody } else { Concern::All }
}

fn is_sound_host_end(link: &ObservedLink, guarded: &Guarded) -> bool {
    let attachment = &guarded.attachment;
    let named = link.name == attachment.host_if_name || link.name.starts_with(DISPLACED_PREFIX);
    let same_mac = guarded
        .host_end
        .is_none_or(|(index, mac)| index != link.index || link.mac == Some(mac));
    named && same_mac && link.up && link.mtu == attachment.mtu && link.alias.as_deref() == Some(attachment.alias().as_str())
        || link.group == GROUP_RETIRED
}

fn of_route(route: &Route, removed: bool, registry: &Registry) -> Concern {
    if let Some(source) = route.source {
        let owner = registry.owner(&source.address).filter(|_| route.table == TABLE_SOURCES);
        let owner = owner.and_then(|id| registry.get(id));
        return owner
            .filter(|_| !removed || route.protocol == PROTOCOL)
            .map_or(Concern::Nobody, one);
    }
    if route.table == TABLE_MAIN || own_groups::is_table(route.table) && route.destination.is_host() {
        let owner = registry
            .owner(&route.destination.address)
            .filter(|_| route.destination.is_host());
        let on_device = |guarded: &&Guarded| {
            let device = guarded.host_end.map(|(index, _)| Device::Index(index));
            device.is_some() && route.device == device
        };
        let is_gateway = |guarded: &Guarded| {
            let gateway = guarded.attachment.ipv6.map(|ipv6| ipv6.gateway);
            gateway.is_some_and(|gateway| route.destination.address == gateway)
        };
        return match owner.and_then(|id| registry.get(id)) {
            Some(owner) => one(owner),
            None if route.protocol != PROTOCOL => Concern::Nobody,
            None if registry.all().any(is_gateway) => Concern::All,
            None => registry.all().find(on_device).map_or(Concern::Nobody, one),
        };
    }
    // The table of symmetric routing, which is there without any pod, too.
    if removed && route.protocol == PROTOCOL && route.table < TABLE_SOURCES && route.destination.is_default() {
        return Concern::All;
    }
    let shared = route.table > 1000 && route.destination.is_default() && !registry.is_empty();
    // A foreign route that goes away was none of ours; one that comes may have taken a place of ours.
    if shared && (!removed || route.protocol == PROTOCOL) {
        Concern::All
    } else {
        Concern::Nobody
    }
}

fn of_rule(rule: &Rule, registry: &Registry) -> Concern {
    if rule.protocol != PROTOCOL {
        return Concern::Nobody;
    }
    match rule.from.or(rule.to).filter(Prefix::is_host) {
        Some(prefix) => registry
            .owner(&prefix.address)
            .and_then(|id| registry.get(id))
            .map_or(Concern::Nobody, one),
        // Symmetric routing has a rule too, and may have it before the first pod.
        None if registry.is_empty() && !rule.is_of_symmetric_routing() => Concern::Nobody,
        None => Concern::All,
    }
}

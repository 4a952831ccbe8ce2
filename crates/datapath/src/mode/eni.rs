//! What an ENI needs beyond routes: kernel programs on its hooks for tags, departure times and classes, and queueing disciplines that keep
//! them. An ENI serves many pods, so this is made from what all of them need together, and goes with the last that needs it.

use terway_bpf::{Address, Class, Endpoint, EndpointFlags, Eni, EniFlags, VlanLink, VlanLinkKey};

use super::leg::legs;
use crate::attachment::{Attachment, BandwidthMode, Mode, Priority};
use crate::desired::{HostFacts, NamespaceState};
use crate::eni_use::{EniUse, needs_programs, vlan_link};
use crate::object::{
    Attach, BAND_HANDLE, CLSACT_HANDLE, Device, Direction, Discipline, FILTER_PREFIX, FQ_HANDLE, Filter, PRIO_HANDLE,
    QDISC_HANDLE, Qdisc, Record,
};
use crate::programs::{ProgramIds, program_of};

/// Packets that one flow may have waiting in `fq`. Its default of 100 drops what a limited pod sends at once.
const FLOW_LIMIT: u32 = 1000;
/// Bands of `prio`.
const BANDS: u32 = 3;
/// Handles are made for so many queues; an ENI has at most 64.
const QUEUES_MAX: u32 = 64;

/// Adds what the attachment needs of its ENI, in the form that serves all attachments of it.
pub fn serve(host: &mut NamespaceState, attachment: &Attachment, facts: &HostFacts) {
    if needs_programs(attachment) {
        let value = endpoint(attachment, facts);
        host.records.extend(legs(attachment).map(|leg| {
            let gateway = match attachment.forwards() {
                true => leg.eni_gateway.into(),
                false => Address::default(),
            };
            Record::Endpoint(leg.pod, Endpoint { gateway, ..value })
        }));
    }
    if attachment.forwards() {
        host.records
            .extend(attachment.host_stack.iter().copied().map(Record::HostStack));
    }
    if !EniUse::of(attachment).any() {
        // Programs that others need let the frames of a link pass by its record only.
        let link = vlan_link(attachment).filter(|_| facts.eni_use.any());
        host.records.extend(link.map(|vlan| link_record(facts, vlan)));
        return;
    }
    prepare(host, attachment.eni_mac.0, facts);
}

/// Adds what the ENI itself must have: its record, the hooks with the programs, and the qdiscs.
pub fn prepare(host: &mut NamespaceState, mac: [u8; 6], facts: &HostFacts) {
    let needs = facts.eni_use;
    if !needs.any() {
        return;
    }
    let flag = |needed, flag| if needed { flag } else { 0 };
    let flags = flag(needs.tags, EniFlags::TRUNK)
        | flag(needs.departures || needs.classes, EniFlags::STAMPS)
        | flag(needs.forwards, EniFlags::FORWARDS);
    let value = Eni {
        flags,
        mac,
        ..Eni::default()
    };
    // Before the ENI becomes a trunk to the programs.
    host.records
        .extend(facts.vlan_links.iter().map(|vlan| link_record(facts, *vlan)));
    host.records.push(Record::Eni(facts.eni_index, value));
    host.qdiscs.push(Qdisc {
        device: Device::Eni,
        attach: Attach::Clsact,
        handle: CLSACT_HANDLE,
        discipline: Discipline::Clsact,
    });
    if needs.tags || needs.forwards {
        host.filters.push(filter(Direction::In, facts.programs));
    }
    host.filters.push(filter(Direction::Out, facts.programs));
    host.qdiscs.extend(queues(needs, facts.eni_queues));
}

fn link_record(facts: &HostFacts, vlan: u16) -> Record {
    let key = VlanLinkKey {
        eni: facts.eni_index,
        vlan,
        reserved: 0,
    };
    Record::VlanLink(key, VlanLink::default())
}

fn endpoint(attachment: &Attachment, facts: &HostFacts) -> Endpoint {
    let shaping = &attachment.shaping;
    let class = match shaping.priority {
        None => Class::Unset,
        Some(Priority::Guaranteed) => Class::Guaranteed,
        Some(Priority::Burstable) => Class::Burstable,
        Some(Priority::BestEffort) => Class::BestEffort,
    };
    let rate = shaping.egress.filter(|_| shaping.mode == BandwidthMode::Edt);
    let flags = match attachment.mode {
        Mode::Ipvlan => EndpointFlags::IPVLAN,
        Mode::Vlan => EndpointFlags::VLAN_LINK,
        Mode::PolicyRoute | Mode::Exclusive | Mode::Netkit => 0,
    };
    Endpoint {
        id: attachment.endpoint(),
        // An ENI in the pod has an index of another namespace, and no program of ours on the node's hooks.
        eni: if attachment.mode == Mode::Exclusive {
            0
        } else {
            facts.eni_index
        },
        vlan: attachment.trunk.map_or(0, |trunk| trunk.vlan_id),
        class: class as u8,
        flags,
        egress_rate: rate.unwrap_or(0),
        // Which link that is, and whose hardware addresses, the difference finds out: it may not be there yet.
        mtu: if attachment.forwards() { attachment.mtu } else { 0 },
        ..Endpoint::default()
    }
}

fn filter(direction: Direction, programs: ProgramIds) -> Filter {
    let program = program_of(direction);
    Filter {
        device: Device::Eni,
        direction,
        name: format!("{FILTER_PREFIX}{}", program.as_str()),
        program: programs.of(program),
        class: 0,
    }
}

/// The tree of qdiscs: on a device with several queues `mq` with one child for each, otherwise that child alone. With both classes and
/// departure times each band of `prio` is an `fq`, so that neither replaces the other.
pub fn queues(needs: EniUse, queues: u32) -> Vec<Qdisc> {
    let mut tree = Vec::new();
    if !needs.departures && !needs.classes {
        return tree;
    }
    if queues <= 1 {
        leaf(&mut tree, needs, Attach::Root, 0);
        return tree;
    }
    tree.push(on_eni(Attach::Root, QDISC_HANDLE, Discipline::Mq));
    for queue in 1..=queues.min(QUEUES_MAX) {
        leaf(&mut tree, needs, Attach::Under(QDISC_HANDLE | queue), queue);
    }
    tree
}

fn leaf(tree: &mut Vec<Qdisc>, needs: EniUse, attach: Attach, queue: u32) {
    let fq = Discipline::Fq { flow_limit: FLOW_LIMIT };
    if !needs.classes {
        return tree.push(on_eni(attach, FQ_HANDLE | queue << 16, fq));
    }
    let prio = PRIO_HANDLE | queue << 16;
    tree.push(on_eni(attach, prio, Discipline::Prio));
    if needs.departures {
        for band in 1..=BANDS {
            let handle = BAND_HANDLE | (queue * 4 + band - 1) << 16;
            tree.push(on_eni(Attach::Under(prio | band), handle, fq.clone()));
        }
    }
}

fn on_eni(attach: Attach, handle: u32, discipline: Discipline) -> Qdisc {
    Qdisc {
        device: Device::Eni,
        attach,
        handle,
        discipline,
    }
}

#[cfg(test)]
mod tests;

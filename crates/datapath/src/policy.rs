//! The tables that judge the packets of pods: changes of them, carried out so that each stop leaves a legal state, and what they show.

use std::collections::HashSet;
use std::net::IpAddr;

use terway_bpf::{Address, Pod, PodFlags, VerdictKey};
pub use terway_bpf::{Count, Direction, PolicyEntry, Reason, Sample};

use crate::error::{Error, Result};
use crate::object::Prefix;
use crate::programs::ProgramStore;

/// So many records are written before others get their turn at the maps: an ADD waits no longer than that.
const TURN: usize = 512;

/// Entries that a set must have, beside those it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetPart {
    /// The set.
    pub set: u64,
    /// Its entries, perhaps for some classes only.
    pub entries: Vec<PolicyEntry>,
}

/// What decides over a pod's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodRecord {
    /// [`Attachment::endpoint`](crate::attachment::Attachment::endpoint).
    pub endpoint: u32,
    /// 0: not isolated.
    pub ingress: u64,
    /// 0: not isolated.
    pub egress: u64,
    /// What the sets are worth.
    pub state: PodState,
}

/// What a pod's sets are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodState {
    /// They decide.
    Enforced,
    /// Everything passes; flows are remembered.
    Tracked,
    /// Only the node's packets pass.
    Held,
}

/// One change of the tables, in the order of its fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyStep {
    /// Sets.
    pub sets: Vec<SetPart>,
    /// Classes of address blocks.
    pub blocks: Vec<(Prefix, u64)>,
    /// Blocks that go.
    pub gone_blocks: Vec<Prefix>,
    /// Classes of the cluster's pods.
    pub peers: Vec<(IpAddr, u64)>,
    /// Addresses that are no pod's any more.
    pub gone_peers: Vec<IpAddr>,
    /// Pods of this node.
    pub pods: Vec<PodRecord>,
    /// Their interfaces that are gone.
    pub gone_pods: Vec<u32>,
    /// Flows are judged again.
    pub bump: bool,
}

/// What the tables hold, sets apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyListing {
    /// Classes of address blocks.
    pub blocks: Vec<(Prefix, u64)>,
    /// Classes of the cluster's pods.
    pub peers: Vec<(IpAddr, u64)>,
    /// Pods of this node.
    pub pods: Vec<PodRecord>,
}

/// What the tables have counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyCounts {
    /// All pods together.
    pub reasons: Vec<(Reason, Count)>,
    /// First packets and denials of each pod by rule.
    pub verdicts: Vec<(VerdictKey, Count)>,
}

/// Carries a change out. After a failure the rest of the change is not made; a set that does not fit is as it was before.
pub fn apply(programs: &ProgramStore, step: &PolicyStep) -> Result<()> {
    for SetPart { set, entries } in &step.sets {
        programs
            .with(|programs| programs.maps.policy.put_set(*set, entries))
            .map_err(|error| error.about(format!("set {set:x}")))?;
    }
    in_turns(programs, &step.blocks, |programs, (prefix, class)| {
        programs.maps.policy.blocks.set(prefix.address, prefix.length, *class)
    })?;
    in_turns(programs, &step.gone_blocks, |programs, prefix| {
        programs.maps.policy.blocks.remove(prefix.address, prefix.length).map(drop)
    })?;
    in_turns(programs, &step.peers, |programs, (address, class)| {
        programs.maps.policy.peers.put(&Address::from(*address), class)
    })?;
    in_turns(programs, &step.gone_peers, |programs, address| {
        programs.maps.policy.peers.remove(&Address::from(*address)).map(drop)
    })?;
    in_turns(programs, &step.pods, |programs, pod| {
        programs.maps.policy.put_pod(&kernel_record(pod))
    })?;
    in_turns(programs, &step.gone_pods, |programs, endpoint| {
        programs.maps.policy.remove_pod(*endpoint).map(drop)
    })?;
    if step.bump {
        programs.with(|programs| programs.maps.policy.bump_epoch())?;
    }
    Ok(())
}

fn in_turns<T>(
    programs: &ProgramStore,
    items: &[T],
    mut write: impl FnMut(&mut terway_bpf::Programs, &T) -> Result<(), terway_bpf::Error>,
) -> Result<()> {
    items
        .chunks(TURN)
        .try_for_each(|turn| programs.with(|programs| turn.iter().try_for_each(|item| write(programs, item))))
}

/// What is there.
pub fn list(programs: &ProgramStore) -> Result<PolicyListing> {
    programs.with(|programs| {
        let policy = &programs.maps.policy;
        let blocks = policy.blocks.list()?.into_iter();
        let peers = policy.peers.list()?.into_iter();
        Ok(PolicyListing {
            blocks: blocks
                .map(|(address, length, class)| (Prefix { address, length }, class))
                .collect(),
            peers: peers.map(|(address, class)| (address.into(), class)).collect(),
            pods: policy.pods()?.iter().map(of_kernel).collect(),
        })
    })
}

/// Removes sets and classes that are not kept; how many sets and entries that were.
pub fn sweep(programs: &ProgramStore, sets: &HashSet<u64>, classes: &HashSet<u64>) -> Result<usize> {
    let swept = programs.with(|programs| programs.maps.policy.sweep(sets, classes))?;
    Ok(swept.sets + swept.entries)
}

/// Makes these the Service addresses that the node translates.
pub fn set_services(programs: &ProgramStore, services: &[Prefix]) -> Result<()> {
    programs.with(|programs| {
        let map = &mut programs.maps.policy.services;
        for service in services {
            map.set(service.address, service.length, 0)?;
        }
        for (address, length, _) in map.list()? {
            if !services.contains(&Prefix { address, length }) {
                map.remove(address, length)?;
            }
        }
        Ok(())
    })
}

/// Makes these the node's own addresses; whether that was another set of them.
pub fn set_node_addresses(programs: &ProgramStore, addresses: &HashSet<IpAddr>) -> Result<bool> {
    programs.with(|programs| {
        let map = &mut programs.maps.policy.host_addresses;
        let known: HashSet<IpAddr> = map.list()?.into_iter().map(|(address, _)| address.into()).collect();
        for address in addresses.difference(&known) {
            map.put(&Address::from(*address), &0)?;
        }
        for address in known.difference(addresses) {
            map.remove(&Address::from(*address))?;
        }
        Ok(known != *addresses)
    })
}

/// What was counted.
pub fn counts(programs: &ProgramStore) -> Result<PolicyCounts> {
    programs.with(|programs| {
        Ok(PolicyCounts {
            reasons: programs.maps.counters.list()?,
            verdicts: programs.maps.policy.verdicts.list()?,
        })
    })
}

/// Dropped packets that were not told yet; a part of them.
pub fn samples(programs: &ProgramStore) -> Result<Vec<Sample>> {
    programs.with(|programs| Ok(programs.maps.policy.samples.drain()))
}

fn kernel_record(record: &PodRecord) -> Pod {
    Pod {
        id: record.endpoint,
        ingress_set: record.ingress,
        egress_set: record.egress,
        flags: match record.state {
            PodState::Enforced => 0,
            PodState::Tracked => PodFlags::TRACK_ONLY,
            PodState::Held => PodFlags::HELD,
        },
        ..Pod::default()
    }
}

fn of_kernel(pod: &Pod) -> PodRecord {
    PodRecord {
        endpoint: pod.id,
        ingress: pod.ingress_set,
        egress: pod.egress_set,
        state: match pod.flags {
            flags if flags & PodFlags::HELD != 0 => PodState::Held,
            flags if flags & PodFlags::TRACK_ONLY != 0 => PodState::Tracked,
            _ => PodState::Enforced,
        },
    }
}

/// The prefix in a text from the border.
pub fn parse_prefix(text: &str) -> Result<Prefix> {
    let wrong = || Error::new(crate::error::ErrorCode::InvalidAttachment, format!("{text:?} must be a CIDR"));
    text.parse::<Prefix>().map(|prefix| prefix.network()).map_err(|()| wrong())
}

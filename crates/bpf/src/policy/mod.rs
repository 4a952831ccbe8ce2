//! NetworkPolicy in the maps.
//!
//! A change is applied in this order, and every step leaves a legal state: the sets that are new ([`PolicyTables::put_set`]); the classes of
//! addresses ([`PolicyTables::blocks`], [`PolicyTables::peers`]); the pods' records; the epoch; later, what nothing refers to
//! ([`PolicyTables::sweep`]).

use std::collections::HashSet;

use aya::maps::{Array, Map, MapData};
use terway_abi::{Address, Flow, FlowKey, Pod, PolicyKey, Set, SetFlags, Settings, SettingsFlags, map, slot};

use crate::pin::Pins;
use crate::{Error, Prefixes, Table};

mod entry;
mod samples;
mod verdicts;

pub use entry::PolicyEntry;
pub use samples::Samples;
pub use verdicts::Verdicts;

/// The maps of the policy programs.
pub struct PolicyTables {
    /// Classes of the pods' addresses, of the whole cluster.
    pub peers: Table<Address, u64>,
    /// Classes of CIDRs: disjoint in what they mean, since only the longest one counts.
    pub blocks: Prefixes<u64>,
    /// Addresses of Services that the node translates.
    pub services: Prefixes<u32>,
    /// Addresses of the node; never those of Services that it only claims (`kube-ipvs0`).
    pub host_addresses: Table<Address, u32>,
    /// Conntrack.
    pub flows: Table<FlowKey, Flow>,
    /// First packets and denials by pod and rule.
    pub verdicts: Verdicts,
    /// Packets that were dropped.
    pub samples: Samples,
    pods: Table<u32, Pod>,
    sets: Table<u64, Set>,
    entries: Table<PolicyKey, u32>,
    settings: Array<MapData, Settings>,
}

/// What [`PolicyTables::sweep`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sets.
    pub sets: usize,
    /// Entries of those sets, and entries for classes.
    pub entries: usize,
}

impl PolicyTables {
    pub(crate) fn open(pins: &Pins) -> Result<Self, Error> {
        let settings = Array::try_from(Map::Array(pins.map(map::SETTINGS)?))
            .map_err(|error| Error::from_cause(format!("opening the map {}", map::SETTINGS), &error))?;
        Ok(Self {
            peers: Table::new(pins.map(map::PEERS)?, map::PEERS)?,
            blocks: Prefixes::new(pins.map(map::BLOCKS)?, map::BLOCKS)?,
            services: Prefixes::new(pins.map(map::SERVICES)?, map::SERVICES)?,
            host_addresses: Table::new(pins.map(map::HOST_ADDRS)?, map::HOST_ADDRS)?,
            flows: Table::least_recently_used(pins.map(map::FLOWS)?, map::FLOWS)?,
            verdicts: Verdicts::new(pins.map(map::VERDICTS)?)?,
            samples: Samples::new(pins.map(map::SAMPLES)?)?,
            pods: Table::new(pins.map(map::PODS)?, map::PODS)?,
            sets: Table::new(pins.map(map::SETS)?, map::SETS)?,
            entries: Table::new(pins.map(map::POLICY)?, map::POLICY)?,
            settings,
        })
    }

    /// Adds entries to a set, which is made if it is not there. All of them, or the set stays what it was.
    ///
    /// # Errors
    /// [`Error::Invalid`] of an entry or of set 0, [`Error::Full`] with the map that is.
    pub fn put_set(&mut self, set: u64, entries: &[PolicyEntry]) -> Result<(), Error> {
        if set == 0 {
            return Err(Error::Invalid {
                map: map::SETS,
                reason: "set 0 means that nothing isolates".to_owned(),
            });
        }
        let mut records = Vec::with_capacity(entries.len());
        for entry in entries {
            entry.records(set, &mut records)?;
        }
        let found = self.sets.get(&set)?;
        let mut record = found.unwrap_or_default();
        for (key, _) in &records {
            match key.protocol {
                0 => record.flags |= SetFlags::ANY_PROTOCOL,
                _ => record.port_lengths |= 1 << key.prefix_length,
            }
            if key.class == terway_abi::PeerClass::EVERYBODY {
                record.flags |= SetFlags::EVERYBODY;
            }
        }
        let undo = self.entries.put_all(&records)?;
        if found == Some(record) {
            return Ok(());
        }
        self.sets.put(&set, &record).inspect_err(|_| self.entries.undo(undo))
    }

    /// The sets that there are.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn sets(&self) -> Result<HashSet<u64>, Error> {
        Ok(self.sets.list()?.into_iter().map(|(set, _)| set).collect())
    }

    /// The entries of a set, with the numbers of their rules.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn entries(&self, set: u64) -> Result<Vec<(PolicyKey, u32)>, Error> {
        let mut all = self.entries.list()?;
        all.retain(|(key, _)| key.set == set);
        Ok(all)
    }

    /// Writes a pod's record, over its earlier one.
    ///
    /// # Errors
    /// [`Error::Invalid`] of id 0, and of a slot that another pod has: then that pod is to be removed, or this one needs another id.
    pub fn put_pod(&mut self, pod: &Pod) -> Result<(), Error> {
        let invalid = |reason| Error::Invalid { map: map::PODS, reason };
        if pod.id == 0 {
            return Err(invalid("0 is no pod's id".to_owned()));
        }
        match self.pods.get(&slot(pod.id))? {
            Some(holder) if holder.id != pod.id => Err(invalid(format!(
                "pods {} and {} have the same slot {}; give the later one another id",
                holder.id,
                pod.id,
                slot(pod.id)
            ))),
            _ => self.pods.put(&slot(pod.id), pod),
        }
    }

    /// A pod's record.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn pod(&self, id: u32) -> Result<Option<Pod>, Error> {
        Ok(self.pods.get(&slot(id))?.filter(|pod| pod.id == id))
    }

    /// All pods' records.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn pods(&self) -> Result<Vec<Pod>, Error> {
        Ok(self.pods.list()?.into_iter().map(|(_, pod)| pod).collect())
    }

    /// Removes a pod's record: was it there? Filters that still stand let its packets pass then: remove them, or the link, first.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn remove_pod(&mut self, id: u32) -> Result<bool, Error> {
        match self.pod(id)? {
            Some(_) => self.pods.remove(&slot(id)),
            None => Ok(false),
        }
    }

    /// Number of the last change.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn epoch(&self) -> Result<u32, Error> {
        Ok(self.settings()?.epoch)
    }

    /// Has every flow judged again at its next packet. After every change that could change a verdict.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn bump_epoch(&mut self) -> Result<u32, Error> {
        let mut settings = self.settings()?;
        settings.epoch = settings.epoch.wrapping_add(1);
        self.settings
            .set(0, settings, 0)
            .map_err(|error| Error::from_cause(format!("writing the map {}", map::SETTINGS), &error))?;
        Ok(settings.epoch)
    }

    /// True while programs of two layouts stand on the hooks: none sends a packet past the stack.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn is_taken_over(&self) -> Result<bool, Error> {
        Ok(self.settings()?.flags & SettingsFlags::TAKEN_OVER != 0)
    }

    fn settings(&self) -> Result<Settings, Error> {
        self.settings
            .get(&0, 0)
            .map_err(|error| Error::from_cause(format!("reading the map {}", map::SETTINGS), &error))
    }

    /// Removes sets that are not kept, and the entries of classes that are not. Entries for everybody stay with their set. Keep what was in force until
    /// a moment ago: packets on their way are judged by it yet.
    ///
    /// # Errors
    /// What the kernel says; what was removed until then is.
    pub fn sweep(&mut self, keep_sets: &HashSet<u64>, keep_classes: &HashSet<u64>) -> Result<Swept, Error> {
        let mut swept = Swept::default();
        // First the sets: one that a pod refers to by mistake denies, and does not shrink rule by rule.
        for (set, _) in self.sets.list()? {
            if !keep_sets.contains(&set) && self.sets.remove(&set)? {
                swept.sets += 1;
            }
        }
        for (key, _) in self.entries.list()? {
            let is_kept = keep_sets.contains(&key.set)
                && (key.class == terway_abi::PeerClass::EVERYBODY || keep_classes.contains(&key.class));
            if !is_kept && self.entries.remove(&key)? {
                swept.entries += 1;
            }
        }
        Ok(swept)
    }

    /// Forgets the flows of a pod that is gone; they would never be found again, and give room to others at once.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn remove_flows(&mut self, id: u32) -> Result<usize, Error> {
        let mut count = 0;
        for (key, _) in self.flows.list()? {
            if key.endpoint == id && self.flows.remove(&key)? {
                count += 1;
            }
        }
        Ok(count)
    }
}

impl std::fmt::Debug for PolicyTables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicyTables").finish_non_exhaustive()
    }
}

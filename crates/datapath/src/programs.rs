//! The kernel programs of this node, opened when somebody first needs them. Their maps and pins are one set for each BPF file system, so
//! that a later process finds what an earlier one wrote.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use terway_bpf::{Address, Pod, PodFlags, ProgramName, Programs, VlanLinkKey};

use crate::error::{Error, ErrorCode, Result};
use crate::object::{Direction, Prefix, Record, RecordKey};

/// Where the programs are pinned unless the opener says otherwise.
pub const DEFAULT_ROOT: &str = terway_bpf::bpffs::DEFAULT;

/// The kernel's numbers of the programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramIds {
    /// `eni_in`
    pub eni_in: u32,
    /// `eni_out`
    pub eni_out: u32,
    /// `from_pod`
    pub from_pod: u32,
    /// `to_pod`
    pub to_pod: u32,
}

/// See the module.
#[derive(Debug)]
pub struct ProgramStore {
    /// An earlier process has left its pins.
    pinned: bool,
    root: PathBuf,
    opened: Mutex<Option<Programs>>,
}

impl ProgramStore {
    /// Nothing is opened yet.
    pub fn new(root: PathBuf) -> Self {
        Self {
            pinned: root.join("terway").exists(),
            root,
            opened: Mutex::default(),
        }
    }

    /// Opens the programs if they are not. `Unsupported` with the reason where the kernel has none or refuses.
    pub fn open(&self) -> Result<ProgramIds> {
        self.with(|programs| {
            let id = |name| programs.program(name).id();
            Ok(ProgramIds {
                eni_in: id(ProgramName::EniIn),
                eni_out: id(ProgramName::EniOut),
                from_pod: id(ProgramName::FromPod),
                to_pod: id(ProgramName::ToPod),
            })
        })
    }

    /// Works with the programs.
    pub fn with<T>(&self, work: impl FnOnce(&mut Programs) -> std::result::Result<T, terway_bpf::Error>) -> Result<T> {
        let mut opened = self.lock();
        let programs = match &mut *opened {
            Some(programs) => programs,
            none => none.insert(Programs::open(&self.root).map_err(|error| unusable(&error))?),
        };
        work(programs).map_err(|error| {
            let code = match error {
                terway_bpf::Error::Full { .. } => ErrorCode::Full,
                _ => ErrorCode::Kernel,
            };
            Error::new(code, error.to_string())
        })
    }

    /// The same, but only if this process or an earlier one has opened them: otherwise there is no record to look for.
    pub fn with_existing<T>(
        &self,
        work: impl FnOnce(&mut Programs) -> std::result::Result<T, terway_bpf::Error>,
    ) -> Result<Option<T>> {
        if !self.are_used() {
            return Ok(None);
        }
        self.with(work).map(Some)
    }

    /// This process or an earlier one has opened them: there may be records.
    pub fn are_used(&self) -> bool {
        self.pinned || self.lock().is_some()
    }

    /// The records with these keys, those that are there.
    pub fn records(&self, keys: impl IntoIterator<Item = RecordKey>) -> Result<Vec<Record>> {
        let mut keys = keys.into_iter().peekable();
        if keys.peek().is_none() {
            return Ok(Vec::new());
        }
        self.with(|programs| {
            let mut found = Vec::new();
            for key in keys {
                found.extend(match key {
                    RecordKey::Endpoint(address) => programs
                        .maps
                        .endpoints
                        .get(&Address::from(address))?
                        .map(|value| Record::Endpoint(address, value)),
                    RecordKey::Eni(index) => programs.maps.enis.get(&index)?.map(|value| Record::Eni(index, value)),
                    RecordKey::VlanLink(link) => programs
                        .maps
                        .vlan_links
                        .get(&link)?
                        .map(|value| Record::VlanLink(link, value)),
                    RecordKey::HostStack(prefix) => holds(programs, prefix)?.then_some(Record::HostStack(prefix)),
                    RecordKey::Tracked(endpoint) => programs.maps.policy.pod(endpoint)?.map(|pod| Record::Tracked(pod.id)),
                });
            }
            Ok(found)
        })
    }

    /// True if there is a record with this key.
    pub fn has(&self, key: RecordKey) -> Result<bool> {
        let found = self.with_existing(|programs| match key {
            RecordKey::Endpoint(address) => Ok(programs.maps.endpoints.get(&Address::from(address))?.is_some()),
            RecordKey::Eni(index) => Ok(programs.maps.enis.get(&index)?.is_some()),
            RecordKey::VlanLink(link) => Ok(programs.maps.vlan_links.get(&link)?.is_some()),
            RecordKey::HostStack(prefix) => holds(programs, prefix),
            RecordKey::Tracked(endpoint) => Ok(programs.maps.policy.pod(endpoint)?.is_some()),
        })?;
        Ok(found.unwrap_or(false))
    }

    /// All records but those of pods, which are NetworkPolicy's.
    pub fn list(&self) -> Result<Vec<Record>> {
        let all = self.with_existing(|programs| {
            let endpoints = programs.maps.endpoints.list()?.into_iter();
            let enis = programs.maps.enis.list()?.into_iter();
            let links = programs.maps.vlan_links.list()?.into_iter();
            let stack = programs.maps.host_stack.list()?.into_iter();
            let endpoints = endpoints.map(|(address, value)| Record::Endpoint(address.into(), value));
            Ok(endpoints
                .chain(enis.map(|(index, value)| Record::Eni(index, value)))
                .chain(links.map(|(link, value)| Record::VlanLink(link, value)))
                .chain(stack.map(|(address, length, _)| Record::HostStack(Prefix { address, length })))
                .collect())
        })?;
        Ok(all.unwrap_or_default())
    }

    /// The 802.1Q links on an ENI that there are records of.
    pub fn vlan_links(&self, eni: u32) -> Result<Vec<VlanLinkKey>> {
        let all = self.with_existing(|programs| programs.maps.vlan_links.list())?;
        let keys = all.unwrap_or_default().into_iter().map(|(link, _)| link);
        Ok(keys.filter(|link| link.eni == eni).collect())
    }

    /// Writes a record.
    pub fn put(&self, record: &Record) -> Result<()> {
        self.with(|programs| match record {
            Record::Endpoint(address, value) => programs.maps.endpoints.put(&Address::from(*address), value),
            Record::Eni(index, value) => programs.maps.enis.put(index, value),
            Record::VlanLink(link, value) => programs.maps.vlan_links.put(link, value),
            Record::HostStack(prefix) => programs.maps.host_stack.set(prefix.address, prefix.length, 0),
            Record::Tracked(endpoint) => match programs.maps.policy.pod(*endpoint)? {
                Some(_) => Ok(()),
                None => programs.maps.policy.put_pod(&Pod {
                    id: *endpoint,
                    flags: PodFlags::TRACK_ONLY,
                    ..Pod::default()
                }),
            },
        })
    }

    /// Removes a record: was it there?
    pub fn remove(&self, key: RecordKey) -> Result<bool> {
        let removed = self.with_existing(|programs| match key {
            RecordKey::Endpoint(address) => programs.maps.endpoints.remove(&Address::from(address)),
            RecordKey::Eni(index) => programs.maps.enis.remove(&index),
            RecordKey::VlanLink(link) => programs.maps.vlan_links.remove(&link),
            RecordKey::HostStack(prefix) => programs.maps.host_stack.remove(prefix.address, prefix.length),
            RecordKey::Tracked(endpoint) => programs.maps.policy.remove_pod(endpoint),
        })?;
        Ok(removed.unwrap_or(false))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Programs>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProgramIds {
    /// The number of one of them.
    pub fn of(&self, name: ProgramName) -> u32 {
        match name {
            ProgramName::EniIn => self.eni_in,
            ProgramName::EniOut => self.eni_out,
            ProgramName::FromPod => self.from_pod,
            ProgramName::ToPod => self.to_pod,
        }
    }
}

/// True if exactly this prefix is listed.
fn holds(programs: &Programs, prefix: Prefix) -> std::result::Result<bool, terway_bpf::Error> {
    let listed = programs.maps.host_stack.list()?;
    Ok(listed
        .iter()
        .any(|(address, length, _)| *address == prefix.address && *length == prefix.length))
}

/// The program with this name.
pub fn program_named(name: &str) -> Option<ProgramName> {
    ProgramName::ALL.into_iter().find(|program| program.as_str() == name)
}

/// The program of an ENI's hook.
pub fn program_of(direction: Direction) -> ProgramName {
    match direction {
        Direction::In => ProgramName::EniIn,
        Direction::Out => ProgramName::EniOut,
    }
}

fn unusable(error: &terway_bpf::Error) -> Error {
    let message = format!("kernel programs cannot be used: {error}");
    Error::new(ErrorCode::Unsupported, message)
}

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use aya::Pod;
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Map, MapData, MapError};
use terway_abi::Prefix;

use crate::Error;
use crate::table::{full, removed};

/// A pinned map of CIDRs; the longest one that holds an address counts. Records written are seen by the programs at once.
pub struct Prefixes<V> {
    map: LpmTrie<MapData, Prefix, V>,
    name: &'static str,
    limit: u32,
}

impl<V: Pod + PartialEq> Prefixes<V> {
    pub(crate) fn new(data: MapData, name: &'static str) -> Result<Self, Error> {
        let action = || format!("opening the map {name}");
        let limit = data
            .info()
            .map_err(|error| Error::from_cause(action(), &error))?
            .max_entries();
        let map = LpmTrie::try_from(Map::LpmTrie(data)).map_err(|error| Error::from_cause(action(), &error))?;
        Ok(Self { map, name, limit })
    }

    /// Writes the value of a CIDR; host bits are cut off.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a length that the family has not, [`Error::Full`], what else the kernel says.
    pub fn set(&mut self, address: IpAddr, length: u8, value: V) -> Result<(), Error> {
        let key = self.key(address, length)?;
        let (name, limit) = (self.name, self.limit);
        self.map.insert(&key, value, 0).map_err(|error| full(name, limit, &error))
    }

    /// Writes all of them, or leaves what was.
    ///
    /// # Errors
    /// As for [`Self::set`].
    pub fn set_all(&mut self, records: &[(IpAddr, u8, V)]) -> Result<(), Error> {
        // A look-up finds the longest prefix, and older kernels do not heed BPF_NOEXIST here.
        let before: HashMap<(IpAddr, u8), V> = self
            .list()?
            .into_iter()
            .map(|(address, length, value)| ((address, length), value))
            .collect();
        for (index, (address, length, value)) in records.iter().enumerate() {
            if let Err(error) = self.set(*address, *length, *value) {
                self.take_back(&records[..index], &before);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Best effort, since the error that led here is the one to report. What is new goes first: before Linux 6.13 a full trie refuses also what
    /// only replaces a value.
    fn take_back(&mut self, written: &[(IpAddr, u8, V)], before: &HashMap<(IpAddr, u8), V>) {
        let cidrs = || written.iter().filter_map(|(address, length, _)| canonical(*address, *length));
        for (address, length) in cidrs().filter(|cidr| !before.contains_key(cidr)) {
            drop(self.remove(address, length));
        }
        for (address, length) in cidrs() {
            if let Some(value) = before.get(&(address, length)) {
                drop(self.set(address, length, *value));
            }
        }
    }

    /// The value of the longest CIDR that holds this address.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn get(&self, address: IpAddr) -> Result<Option<V>, Error> {
        let key = self.key(address, if address.is_ipv4() { 32 } else { 128 })?;
        match self.map.get(&key, 0) {
            Ok(value) => Ok(Some(value)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(Error::from_cause(format!("reading the map {}", self.name), &error)),
        }
    }

    /// Removes a CIDR: was it there?
    ///
    /// # Errors
    /// As for [`Self::set`].
    pub fn remove(&mut self, address: IpAddr, length: u8) -> Result<bool, Error> {
        let key = self.key(address, length)?;
        removed(self.name, self.map.remove(&key))
    }

    /// All CIDRs with their values.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn list(&self) -> Result<Vec<(IpAddr, u8, V)>, Error> {
        let records: Vec<(Key<Prefix>, V)> = self
            .map
            .iter()
            .collect::<Result<_, _>>()
            .map_err(|error| Error::from_cause(format!("listing the map {}", self.name), &error))?;
        let cidrs = records.iter().filter_map(|(key, value)| {
            let (address, length) = key.data().to_cidr(key.prefix_len())?;
            Some((address, length, *value))
        });
        Ok(cidrs.collect())
    }

    fn key(&self, address: IpAddr, length: u8) -> Result<Key<Prefix>, Error> {
        let (bits, prefix) = Prefix::cidr(address, length).ok_or_else(|| Error::Invalid {
            map: self.name,
            reason: format!("{address}/{length} is no CIDR"),
        })?;
        Ok(Key::new(bits, prefix))
    }
}

impl Prefixes<u32> {
    /// Adds a CIDR; host bits are cut off.
    ///
    /// # Errors
    /// As for [`Self::set`].
    pub fn put(&mut self, address: IpAddr, length: u8) -> Result<(), Error> {
        self.set(address, length, 0)
    }

    /// Does a CIDR hold this address?
    ///
    /// # Errors
    /// What the kernel says.
    pub fn holds(&self, address: IpAddr) -> Result<bool, Error> {
        Ok(self.get(address)?.is_some())
    }

    /// All CIDRs.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn cidrs(&self) -> Result<Vec<(IpAddr, u8)>, Error> {
        let all = self.list()?;
        Ok(all.into_iter().map(|(address, length, _)| (address, length)).collect())
    }
}

fn canonical(address: IpAddr, length: u8) -> Option<(IpAddr, u8)> {
    let (bits, prefix) = Prefix::cidr(address, length)?;
    prefix.to_cidr(bits)
}

impl<V> fmt::Debug for Prefixes<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefixes").field("name", &self.name).finish_non_exhaustive()
    }
}

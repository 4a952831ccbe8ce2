use std::fmt;
use std::net::IpAddr;

use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Map, MapData, MapError};
use terway_abi::{Prefix, map};

use crate::Error;
use crate::table::{full, removed};

/// Prefixes that IPvlan pods reach through the host's stack: Service addresses and whatever the operator lists.
pub struct HostStack {
    map: LpmTrie<MapData, Prefix, u32>,
    limit: u32,
}

impl HostStack {
    pub(crate) fn new(data: MapData) -> Result<Self, Error> {
        let action = || format!("opening the map {}", map::HOST_STACK);
        let limit = data
            .info()
            .map_err(|error| Error::from_cause(action(), &error))?
            .max_entries();
        let map = LpmTrie::try_from(Map::LpmTrie(data)).map_err(|error| Error::from_cause(action(), &error))?;
        Ok(Self { map, limit })
    }

    /// Adds a CIDR; host bits are cut off.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a length that the family has not, [`Error::Full`], what else the kernel says.
    pub fn put(&mut self, address: IpAddr, length: u8) -> Result<(), Error> {
        let key = key(address, length)?;
        let limit = self.limit;
        self.map
            .insert(&key, 0, 0)
            .map_err(|error| full(map::HOST_STACK, limit, &error))
    }

    /// Does a CIDR hold this address?
    ///
    /// # Errors
    /// What the kernel says.
    pub fn holds(&self, address: IpAddr) -> Result<bool, Error> {
        let key = key(address, if address.is_ipv4() { 32 } else { 128 })?;
        match self.map.get(&key, 0) {
            Ok(_) => Ok(true),
            Err(MapError::KeyNotFound) => Ok(false),
            Err(error) => Err(Error::from_cause(format!("reading the map {}", map::HOST_STACK), &error)),
        }
    }

    /// Removes a CIDR: was it there?
    ///
    /// # Errors
    /// As for [`Self::put`].
    pub fn remove(&mut self, address: IpAddr, length: u8) -> Result<bool, Error> {
        let key = key(address, length)?;
        removed(map::HOST_STACK, self.map.remove(&key))
    }

    /// All CIDRs.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn list(&self) -> Result<Vec<(IpAddr, u8)>, Error> {
        let keys: Vec<Key<Prefix>> = self
            .map
            .keys()
            .collect::<Result<_, _>>()
            .map_err(|error| Error::from_cause(format!("listing the map {}", map::HOST_STACK), &error))?;
        Ok(keys.iter().filter_map(|key| key.data().to_cidr(key.prefix_len())).collect())
    }
}

impl fmt::Debug for HostStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostStack").finish_non_exhaustive()
    }
}

fn key(address: IpAddr, length: u8) -> Result<Key<Prefix>, Error> {
    let (bits, prefix) = Prefix::cidr(address, length).ok_or_else(|| Error::Invalid {
        map: map::HOST_STACK,
        reason: format!("{address}/{length} is no CIDR"),
    })?;
    Ok(Key::new(bits, prefix))
}

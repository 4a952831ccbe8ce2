use std::fmt;

use aya::maps::{Map, MapData, PerCpuArray};
use terway_abi::{Count, Reason, map};

use crate::Error;

/// What happened to packets, since the maps were made.
pub struct Counters(PerCpuArray<MapData, Count>);

impl Counters {
    pub(crate) fn new(data: MapData) -> Result<Self, Error> {
        PerCpuArray::try_from(Map::PerCpuArray(data))
            .map(Self)
            .map_err(|error| Error::from_cause(format!("opening the map {}", map::COUNTERS), &error))
    }

    /// Sum over all processors.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn get(&self, reason: Reason) -> Result<Count, Error> {
        let each = self
            .0
            .get(&(reason as u32), 0)
            .map_err(|error| Error::from_cause(format!("reading the map {}", map::COUNTERS), &error))?;
        Ok(sum(each.iter()))
    }

    /// All reasons.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn list(&self) -> Result<Vec<(Reason, Count)>, Error> {
        Reason::ALL
            .into_iter()
            .map(|reason| Ok((reason, self.get(reason)?)))
            .collect()
    }
}

/// Over all processors.
pub(crate) fn sum<'a>(each: impl Iterator<Item = &'a Count>) -> Count {
    each.fold(Count::default(), |sum, count| Count {
        packets: sum.packets.wrapping_add(count.packets),
        bytes: sum.bytes.wrapping_add(count.bytes),
    })
}

impl fmt::Debug for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counters").finish_non_exhaustive()
    }
}

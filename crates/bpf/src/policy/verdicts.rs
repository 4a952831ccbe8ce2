use std::fmt;

use aya::maps::{Map, MapData, MapError, PerCpuHashMap};
use terway_abi::{Count, VerdictKey, map};

use crate::Error;
use crate::counters::sum;

/// First packets by the rule that allowed them, and denials (rule 0), since the pod's record was made. The rarest ones give way when there
/// are too many.
pub struct Verdicts(PerCpuHashMap<MapData, VerdictKey, Count>);

impl Verdicts {
    pub(crate) fn new(data: MapData) -> Result<Self, Error> {
        PerCpuHashMap::try_from(Map::PerCpuLruHashMap(data))
            .map(Self)
            .map_err(|error| Error::from_cause(format!("opening the map {}", map::VERDICTS), &error))
    }

    /// All of them, summed over processors.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn list(&self) -> Result<Vec<(VerdictKey, Count)>, Error> {
        let mut all = Vec::new();
        for record in self.0.iter() {
            match record {
                Ok((key, each)) => all.push((key, sum(each.iter()))),
                Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(Error::from_cause(format!("listing the map {}", map::VERDICTS), &error)),
            }
        }
        Ok(all)
    }

    /// Forgets a pod's.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn remove(&mut self, endpoint: u32) -> Result<(), Error> {
        for (key, _) in self.list()? {
            if key.endpoint == endpoint {
                crate::table::removed(map::VERDICTS, self.0.remove(&key))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verdicts").finish_non_exhaustive()
    }
}

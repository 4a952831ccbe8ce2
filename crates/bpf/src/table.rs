use std::fmt;

use aya::Pod;
use aya::maps::{HashMap, Map, MapData, MapError};

use crate::Error;

/// A pinned hash map with its types. Records written are seen by the programs at once.
pub struct Table<K, V> {
    map: HashMap<MapData, K, V>,
    name: &'static str,
    limit: u32,
}

/// What a writing of many records has changed: their keys, and what was there before.
pub(crate) type Undo<K, V> = Vec<(K, Option<V>)>;

impl<K: Pod, V: Pod> Table<K, V> {
    pub(crate) fn new(data: MapData, name: &'static str) -> Result<Self, Error> {
        Self::of(data, name, Map::HashMap)
    }

    /// A map that gives up its oldest records rather than be full.
    pub(crate) fn least_recently_used(data: MapData, name: &'static str) -> Result<Self, Error> {
        Self::of(data, name, Map::LruHashMap)
    }

    fn of(data: MapData, name: &'static str, kind: fn(MapData) -> Map) -> Result<Self, Error> {
        let action = || format!("opening the map {name}");
        let limit = data
            .info()
            .map_err(|error| Error::from_cause(action(), &error))?
            .max_entries();
        let map = HashMap::try_from(kind(data)).map_err(|error| Error::from_cause(action(), &error))?;
        Ok(Self { map, name, limit })
    }

    /// Writes a record, over the one with the same key.
    ///
    /// # Errors
    /// [`Error::Full`]; what else the kernel says.
    pub fn put(&mut self, key: &K, value: &V) -> Result<(), Error> {
        let (name, limit) = (self.name, self.limit);
        self.map.insert(key, value, 0).map_err(|error| full(name, limit, &error))
    }

    /// The record with this key.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn get(&self, key: &K) -> Result<Option<V>, Error> {
        match self.map.get(key, 0) {
            Ok(value) => Ok(Some(value)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(Error::from_cause(format!("reading the map {}", self.name), &error)),
        }
    }

    /// Removes a record: was it there?
    ///
    /// # Errors
    /// What the kernel says.
    pub fn remove(&mut self, key: &K) -> Result<bool, Error> {
        let name = self.name;
        removed(name, self.map.remove(key))
    }

    /// All records, in no order. What is written or removed meanwhile may be among them or not.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn list(&self) -> Result<Vec<(K, V)>, Error> {
        let mut all = Vec::new();
        for record in self.map.iter() {
            match record {
                Ok(record) => all.push(record),
                // Removed between the look at its key and the one at its value.
                Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(Error::from_cause(format!("listing the map {}", self.name), &error)),
            }
        }
        Ok(all)
    }
}

impl<K: Pod, V: Pod + PartialEq> Table<K, V> {
    /// Writes all of them, or leaves what was.
    ///
    /// # Errors
    /// As for [`Self::put`].
    pub fn set_all(&mut self, records: &[(K, V)]) -> Result<(), Error> {
        self.put_all(records).map(|_| ())
    }

    /// The same; the answer takes it back.
    pub(crate) fn put_all(&mut self, records: &[(K, V)]) -> Result<Undo<K, V>, Error> {
        let mut undo = Vec::new();
        for (key, value) in records {
            let put = match self.get(key) {
                Ok(Some(before)) if before == *value => continue,
                Ok(before) => self.put(key, value).map(|()| before),
                Err(error) => Err(error),
            };
            match put {
                Ok(before) => undo.push((*key, before)),
                Err(error) => {
                    self.undo(undo);
                    return Err(error);
                }
            }
        }
        Ok(undo)
    }

    /// Takes back what [`Self::put_all`] did. What was there has its room, and the error that led here is the one to report.
    pub(crate) fn undo(&mut self, undo: Undo<K, V>) {
        for (key, before) in undo.into_iter().rev() {
            drop(match before {
                Some(value) => self.put(&key, &value),
                None => self.remove(&key).map(|_| ()),
            });
        }
    }
}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("name", &self.name).finish_non_exhaustive()
    }
}

/// `E2BIG` of a hash, `ENOSPC` of a trie.
pub(crate) fn full(map: &'static str, limit: u32, error: &MapError) -> Error {
    match Error::from_cause(format!("writing the map {map}"), error) {
        Error::Call { cause, .. }
            if matches!(
                cause.kind(),
                std::io::ErrorKind::ArgumentListTooLong | std::io::ErrorKind::StorageFull
            ) =>
        {
            Error::Full { map, limit }
        }
        other => other,
    }
}

pub(crate) fn removed(map: &'static str, result: Result<(), MapError>) -> Result<bool, Error> {
    match result.map_err(|error| Error::from_cause(format!("removing from the map {map}"), &error)) {
        Ok(()) => Ok(true),
        Err(Error::Call { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

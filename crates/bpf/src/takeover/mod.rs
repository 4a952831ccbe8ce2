//! Maps of another layout, taken over: a newer build's or an older one's, since each leaves beside its maps how their records are laid out.
//!
//! No packet may be lost and no verdict change meanwhile, so both builds' programs stand on the hooks for a moment, the other's first: what it lets
//! pass comes to ours. The order is
//!
//! 1. both builds' programs are told to send no packet on past the next filter ([`SettingsFlags::TAKEN_OVER`]), or what one of them hands to a pod the
//!    other would not judge; tables are copied ([`Takeover::begin`], when the programs are opened); pods' records only watch, so that flows are remembered
//!    and nothing is judged
//! 2. our programs are added behind the other's, by the caller
//! 3. its flows are copied, records decide, and flows of the meantime are copied once more ([`Takeover::decide`]); from here on both decide,
//!    by the same tables, and ours are whole: whoever comes after a crash goes on from them
//! 4. our programs take the place of the other's and the second ones go, by the caller
//! 5. the other's pins go, and packets may go past the stack again ([`Takeover::end`])

use std::cmp::Reverse;
use std::collections::HashSet;
use std::path::PathBuf;

use terway_abi::{Field, FlowState, PodFlags, SCHEMAS, Schema, SettingsFlags, map};

use crate::Error;
use crate::pin::Pins;
use crate::raw::{RawMap, Record};

mod mark;
mod room;
mod translate;

use mark::Mark;
use translate::{Line, Translation};

/// Records that grow and go by themselves: nothing is removed because the other layout has it no more.
const TRANSIENT: [&str; 2] = [map::FLOWS, map::FRAGMENTS];

/// A takeover that is not at its end.
#[derive(Debug)]
pub struct Takeover {
    /// Of the layout that is in force; none when that is ours already.
    predecessor: Option<(PathBuf, Mark)>,
    /// Directories of all other layouts.
    others: Vec<PathBuf>,
}

impl Takeover {
    /// What there is to take over, before our maps are used. Makes ours the ones in force if there is nothing else.
    pub(crate) fn find(pins: &Pins) -> Result<Option<Self>, Error> {
        let own = Mark::read(pins.directory())?.map_or(0, |mark| mark.order);
        let others = pins.other_layouts()?;
        let mut predecessor: Option<(PathBuf, Mark)> = None;
        for directory in &others {
            if let Some(mark) = Mark::read(directory)?
                && mark.order > predecessor.as_ref().map_or(own, |(_, found)| found.order)
            {
                predecessor = Some((directory.clone(), mark));
            }
        }
        Ok((!others.is_empty()).then_some(Self { predecessor, others }))
    }

    /// Copies the tables into ours, which are there by now.
    pub(crate) fn begin(&self, pins: &Pins) -> Result<(), Error> {
        let Some((directory, mark)) = &self.predecessor else {
            return declare(pins);
        };
        set_taken_over(directory, mark, true)?;
        for schema in SCHEMAS.iter().filter(|schema| !TRANSIENT.contains(&schema.map)) {
            let Some(copy) = Copy::open(pins, directory, mark, schema)? else {
                continue;
            };
            copy.replace(|value| match schema.map {
                map::PODS => set_number(schema, "flags", value, PodFlags::TRACK_ONLY),
                map::SETTINGS => set_number(schema, "flags", value, SettingsFlags::TAKEN_OVER),
                _ => {}
            })?;
        }
        Ok(())
    }

    /// Copies the flows, lets the pods' records decide, and declares our maps whole.
    pub(crate) fn decide(&mut self, pins: &Pins) -> Result<(), Error> {
        let Some((directory, mark)) = &self.predecessor else {
            return Ok(());
        };
        for schema in &SCHEMAS {
            let copy = || Copy::open(pins, directory, mark, schema);
            match schema.map {
                map::FLOWS | map::FRAGMENTS => copy()?.map_or(Ok(()), |copy| copy.merge())?,
                _ => {}
            }
        }
        for schema in SCHEMAS.iter().filter(|schema| schema.map == map::PODS) {
            if let Some(copy) = Copy::open(pins, directory, mark, schema)? {
                copy.replace(|_| {})?;
            }
        }
        // What began since the first copy was only watched: what is known of it is better.
        for schema in SCHEMAS.iter().filter(|schema| schema.map == map::FLOWS) {
            if let Some(copy) = Copy::open(pins, directory, mark, schema)? {
                copy.merge()?;
            }
        }
        Mark::write(pins.directory(), mark.order + 1)?;
        self.predecessor = None;
        Ok(())
    }

    /// Nothing of the others is on any hook: their pins go.
    pub(crate) fn end(&self, pins: &Pins) -> Result<(), Error> {
        self.others.iter().try_for_each(|directory| crate::pin::remove(directory))?;
        alone(pins)
    }
}

/// Ours are the only ones: whole, and free to send packets past the stack.
pub(crate) fn alone(pins: &Pins) -> Result<(), Error> {
    declare(pins)?;
    match Mark::read(pins.directory())? {
        Some(mark) => set_taken_over(pins.directory(), &mark, false),
        None => Ok(()),
    }
}

/// Ours are in force: whole from the beginning where there was nothing before them.
fn declare(pins: &Pins) -> Result<(), Error> {
    match Mark::read(pins.directory())? {
        // A build of the same layout may have learned of fields where another had nothing.
        Some(mark) if mark.text != Mark::own_text() => Mark::write(pins.directory(), mark.order),
        Some(_) => Ok(()),
        None => Mark::write(pins.directory(), 1),
    }
}

/// Writes [`SettingsFlags::TAKEN_OVER`] of the layout in this directory.
fn set_taken_over(directory: &std::path::Path, mark: &Mark, taken_over: bool) -> Result<(), Error> {
    let path = directory.join("maps").join(map::SETTINGS);
    let offset = Line::find(&mark.text, map::SETTINGS).and_then(|line| line.offset("flags"));
    let Some(offset) = offset.filter(|_| path.exists()) else {
        return Ok(());
    };
    let failed = |error: std::io::Error| Error::from_cause(format!("writing {}", path.display()), &error);
    let (settings, key) = (RawMap::open(&path)?, [0; 4]);
    let Some(mut value) = settings.get(&key).map_err(failed)? else {
        return Ok(());
    };
    let Some(byte) = value.get_mut(offset) else { return Ok(()) };
    let before = *byte;
    let bit = SettingsFlags::TAKEN_OVER as u8;
    *byte = if taken_over { before | bit } else { before & !bit };
    if *byte == before {
        return Ok(());
    }
    settings.put(&key, &value).map_err(failed)
}

/// From the other layout's map to ours.
struct Copy<'a> {
    schema: &'a Schema,
    theirs: RawMap,
    own: RawMap,
    key: Translation,
    value: Translation,
}

impl<'a> Copy<'a> {
    /// None: the other layout has no such map, or keys it otherwise.
    fn open(pins: &Pins, directory: &std::path::Path, mark: &Mark, schema: &'a Schema) -> Result<Option<Self>, Error> {
        let path = directory.join("maps").join(schema.map);
        let Some(line) = Line::find(&mark.text, schema.map).filter(|_| path.exists()) else {
            return Ok(None);
        };
        let own = RawMap::open(&pins.map_path(schema.map))?;
        let (key_size, value_size) = own.sizes();
        let Some(key) = Translation::of_key(schema, &line, key_size) else {
            return Ok(None);
        };
        Ok(Some(Self {
            schema,
            theirs: RawMap::open(&path)?,
            own,
            key,
            value: Translation::of_value(schema, &line, value_size),
        }))
    }

    /// Makes ours equal to the other's, with a last change of each value.
    fn replace(&self, change: impl Fn(&mut [u8])) -> Result<(), Error> {
        let mut kept = HashSet::new();
        for (key, mut value) in self.translated()? {
            change(&mut value);
            self.put(&key, &value)?;
            kept.insert(key);
        }
        for (key, _) in self.own.list().map_err(|error| self.failed(&error))? {
            // The values of an array are there for ever.
            if !kept.contains(&key) && self.schema.map != map::SETTINGS {
                self.own.remove(&key).map_err(|error| self.failed(&error))?;
            }
        }
        Ok(())
    }

    /// Adds the other's to ours, the newest where there is not room for all. Of a flow that both have the other's knows who opened it; how far it has come
    /// both may know.
    fn merge(&self) -> Result<(), Error> {
        let mut records = self.translated()?;
        records.sort_by_key(|(_, value)| Reverse(last_seen(self.schema, value)));
        room::fill(self.own.limit(), &records, |(key, value)| {
            let mut value = value.clone();
            if let Some(own) = self.own.get(key).map_err(|error| self.failed(&error))? {
                if own == value {
                    return Ok(());
                }
                add_state(self.schema, &own, &mut value);
            }
            self.put(key, &value)
        })
    }

    fn translated(&self) -> Result<Vec<Record>, Error> {
        let records = self.theirs.list().map_err(|error| self.failed(&error))?;
        let both = |(key, value): Record| Some((self.key.apply(&key)?, self.value.apply(&value)?));
        Ok(records.into_iter().filter_map(both).collect())
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.own.put(key, value).map_err(|error| match error.kind() {
            std::io::ErrorKind::ArgumentListTooLong | std::io::ErrorKind::StorageFull => Error::Full {
                map: self.schema.map,
                limit: self.own.limit(),
            },
            _ => self.failed(&error),
        })
    }

    fn failed(&self, error: &std::io::Error) -> Error {
        Error::from_cause(format!("taking over the map {}", self.schema.map), error)
    }
}

fn field<'a>(schema: &'a Schema, name: &str) -> Option<&'a Field> {
    schema.value.iter().find(|field| field.name == name)
}

fn set_number(schema: &Schema, name: &str, value: &mut [u8], number: u32) {
    if let Some(field) = field(schema, name)
        && let Some(bytes) = value.get_mut(field.offset..field.offset + size_of::<u32>())
    {
        bytes.copy_from_slice(&number.to_ne_bytes());
    }
}

/// When the last packet came; all the same where nothing says so.
fn last_seen(schema: &Schema, value: &[u8]) -> u64 {
    let bytes = field(schema, "last_seen").and_then(|field| value.get(field.offset..)?.first_chunk());
    bytes.copied().map_or(0, u64::from_ne_bytes)
}

/// Packets that came since the record was read may have ended the flow.
fn add_state(schema: &Schema, own: &[u8], value: &mut [u8]) {
    const LASTING: u8 = FlowState::SYN | FlowState::REPLIED | FlowState::FIN_LOCAL | FlowState::FIN_REMOTE;
    if let Some(Field { offset, .. }) = field(schema, "state")
        && let (Some(own), Some(state)) = (own.get(*offset), value.get_mut(*offset))
    {
        *state |= own & LASTING;
    }
}

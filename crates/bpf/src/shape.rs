use std::fmt;

use aya::maps::MapInfo;

/// What the kernel knows of a map. aya takes a pinned map as it is; two builds that disagree here would read each other's records wrongly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// `BPF_MAP_TYPE_*`.
    pub kind: u32,
    /// Bytes.
    pub key: u32,
    /// Bytes.
    pub value: u32,
    /// Most records.
    pub entries: u32,
    /// `BPF_F_*`.
    pub flags: u32,
}

impl Shape {
    pub(crate) fn wanted(map: &aya_obj::Map) -> Self {
        Self {
            kind: map.map_type(),
            key: map.key_size(),
            value: map.value_size(),
            entries: map.max_entries(),
            flags: map.map_flags(),
        }
    }

    pub(crate) fn found(info: &MapInfo) -> Self {
        Self {
            kind: info.map_type().map_or(0, |kind| kind as u32),
            key: info.key_size(),
            value: info.value_size(),
            entries: info.max_entries(),
            flags: info.map_flags(),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            key,
            value,
            entries,
            flags,
        } = self;
        write!(
            f,
            "of type {kind}, {key} to {value} bytes, {entries} entries, flags {flags:#x}"
        )
    }
}

//! What a layout leaves beside its maps: how their records are laid out, and that they are whole.

use std::path::Path;

use terway_abi::SCHEMAS;

use crate::Error;
use crate::raw::RawMap;

/// Its pin, in the layout's directory.
const NAME: &str = "SCHEMA";
/// Never changes: every layout must be able to read it.
const SIZE: usize = 8192;
const ORDER: usize = size_of::<u64>();

/// See the module.
#[derive(Debug)]
pub(crate) struct Mark {
    /// The layout with the highest one has what is in force: each that takes over counts on.
    pub(crate) order: u64,
    /// Lines of [`terway_abi::Schema`].
    pub(crate) text: String,
}

impl Mark {
    /// That of the layout in this directory. None: its maps were never whole, or it knows no such mark.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, Error> {
        let path = directory.join(NAME);
        if !path.exists() {
            return Ok(None);
        }
        let failed = |error: std::io::Error| Error::from_cause(format!("reading {}", path.display()), &error);
        let Some(value) = RawMap::open(&path)?.get(&[0; 4]).map_err(failed)? else {
            return Ok(None);
        };
        let Some((order, text)) = value.split_first_chunk::<ORDER>() else {
            return Ok(None);
        };
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        Ok(Some(Self {
            order: u64::from_ne_bytes(*order),
            text: String::from_utf8_lossy(text.get(..end).unwrap_or_default()).into_owned(),
        }))
    }

    /// What this build writes.
    pub(crate) fn own_text() -> String {
        let lines: Vec<String> = SCHEMAS.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }

    /// Says of this build's maps that they are whole, and count on from `order`.
    pub(crate) fn write(directory: &Path, order: u64) -> Result<(), Error> {
        let path = directory.join(NAME);
        let mut value = order.to_ne_bytes().to_vec();
        value.extend(Self::own_text().as_bytes());
        value.resize(SIZE, 0);
        if !path.exists() {
            return RawMap::pin_value(&path, &value);
        }
        let failed = |error: std::io::Error| Error::from_cause(format!("writing {}", path.display()), &error);
        RawMap::open(&path)?.put(&[0; 4], &value).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_fits() {
        let text: usize = SCHEMAS.iter().map(|schema| schema.to_string().len() + 1).sum();
        assert!(ORDER + text < SIZE, "{text}");
    }
}

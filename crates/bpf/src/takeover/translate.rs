//! Records of one layout as another one writes them: what has the same name is the same.

use std::ops::Range;

use terway_abi::{Field, Schema};

/// The line of a map in another layout's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    key: Vec<(&'a str, Range<usize>)>,
    value: Vec<(&'a str, Range<usize>)>,
}

impl<'a> Line<'a> {
    /// Finds it. None: that layout has no such map.
    pub(crate) fn find(text: &'a str, map: &str) -> Option<Self> {
        let parts = |line: &'a str| {
            let mut parts = line.split(' ');
            (parts.next() == Some(map)).then(|| Self {
                key: fields(parts.next()),
                value: fields(parts.next()),
            })
        };
        text.lines().find_map(parts)
    }
}

impl Line<'_> {
    /// Where a field of the value stands.
    pub(crate) fn offset(&self, name: &str) -> Option<usize> {
        let found = self.value.iter().find(|(known, _)| *known == name);
        found.map(|(_, range)| range.start)
    }
}

fn fields(text: Option<&str>) -> Vec<(&str, Range<usize>)> {
    let field = |text: &'_ str| -> Option<(usize, usize)> {
        let (offset, size) = text.split_once(':')?;
        Some((offset.parse().ok()?, size.parse().ok()?))
    };
    text.unwrap_or_default()
        .split(',')
        .filter_map(|part| {
            let (name, rest) = part.split_once(':')?;
            let (offset, size) = field(rest)?;
            Some((name, offset..offset.checked_add(size)?))
        })
        .collect()
}

/// How the bytes of one record become another's.
#[derive(Debug)]
pub(crate) struct Translation {
    moves: Vec<(Range<usize>, usize)>,
    size: usize,
}

impl Translation {
    /// Of keys: every field that makes a key ours must be there. None: it is not.
    pub(crate) fn of_key(own: &Schema, theirs: &Line<'_>, size: usize) -> Option<Self> {
        let known = |field: &Field| theirs.key.iter().any(|(name, _)| *name == field.name);
        own.key.iter().all(known).then(|| Self::new(own.key, &theirs.key, size))
    }

    /// Of values: what the other layout does not know is zero.
    pub(crate) fn of_value(own: &Schema, theirs: &Line<'_>, size: usize) -> Self {
        Self::new(own.value, &theirs.value, size)
    }

    fn new(own: &[Field], theirs: &[(&str, Range<usize>)], size: usize) -> Self {
        let moves = own.iter().filter_map(|field| {
            let (_, from) = theirs.iter().find(|(name, _)| *name == field.name)?;
            // The low bytes of a number come first on every processor that we run on.
            let end = from.start + from.len().min(field.size);
            Some((from.start..end, field.offset))
        });
        Self {
            moves: moves.collect(),
            size,
        }
    }

    /// None: the record is shorter than its layout says.
    pub(crate) fn apply(&self, record: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = vec![0; self.size];
        for (from, to) in &self.moves {
            let source = record.get(from.clone())?;
            bytes.get_mut(*to..*to + source.len())?.copy_from_slice(source);
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Schema = Schema {
        map: "M",
        key: &[Field {
            name: "id",
            offset: 0,
            size: 4,
        }],
        value: &[
            Field {
                name: "new",
                offset: 0,
                size: 2,
            },
            Field {
                name: "rate",
                offset: 4,
                size: 8,
            },
        ],
    };

    #[test]
    fn fields_are_found_by_name_wherever_they_stand() {
        let text = "OTHER id:0:4 rate:0:4\nM kind:0:1,id:4:2 rate:1:4,gone:5:3";
        let line = Line::find(text, "M").unwrap();
        let key = Translation::of_key(&OWN, &line, 4).unwrap();
        assert_eq!(key.apply(&[9, 0, 0, 0, 7, 1]), Some(vec![7, 1, 0, 0]));
        assert_eq!(key.apply(&[9, 0, 0, 0, 7]), None);
        let value = Translation::of_value(&OWN, &line, 12);
        assert_eq!(
            value.apply(&[8, 1, 2, 3, 4, 5, 5, 5]),
            Some(vec![0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0])
        );
    }

    #[test]
    fn a_key_that_lacks_a_field_is_no_key_of_ours() {
        assert!(Translation::of_key(&OWN, &Line::find("M name:0:4 rate:0:4", "M").unwrap(), 4).is_none());
        assert_eq!(Line::find("MM id:0:4 x:0:4", "M"), None);
    }
}

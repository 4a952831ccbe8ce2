//! Interface names as values.

use std::fmt;

/// Longest interface name (IFNAMSIZ less the final zero).
const LENGTH: usize = 15;

/// The name of an interface, at most 15 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IfName {
    bytes: [u8; LENGTH],
    length: u8,
}

impl IfName {
    /// Nothing if it is empty or too long for an interface.
    pub fn new(name: &str) -> Option<Self> {
        let mut bytes = [0; LENGTH];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        (!name.is_empty()).then_some(Self {
            bytes,
            length: name.len() as u8,
        })
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        let text = self.bytes.get(..usize::from(self.length)).unwrap_or(&[]);
        // Made from a `str`, whole.
        std::str::from_utf8(text).unwrap_or("")
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::IfName;

    #[test]
    fn names_that_fit_come_back_as_they_were() {
        for name in ["a", "eth0", "abcdefghijklmno"] {
            assert_eq!(IfName::new(name).map(|name| name.to_string()).as_deref(), Some(name));
        }
        assert_eq!(IfName::new(""), None);
        assert_eq!(IfName::new("abcdefghijklmnop"), None);
    }
}

//! The specification's rules for names, as libcni's `pkg/utils` applies them.

/// Container id and network name: a letter or digit, then letters, digits, `_`, `.` and `-`.
pub fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|c| c.is_ascii_alphanumeric())
        && bytes.all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-'))
}

/// Longest interface name that the kernel takes (`IFNAMSIZ` less the terminating zero).
const MAX_INTERFACE_NAME: usize = 15;

/// What is wrong with an interface name, if anything.
pub fn interface_fault(name: &str) -> Option<&'static str> {
    if name.len() > MAX_INTERFACE_NAME {
        Some("is longer than 15 bytes")
    } else if name == "." || name == ".." {
        Some("must not be . or ..")
    } else if name
        .chars()
        .any(|c| c == '/' || c == ':' || c.is_whitespace() || c.is_control())
    {
        Some("must not contain /, :, white space or control characters")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        for good in ["a", "0", "abc_DEF.1-2", &"f".repeat(64)] {
            assert!(is_identifier(good), "{good}");
        }
        for bad in ["", "_a", "-a", ".a", "a/b", "a b", "a\n", "ä", "a:b", "../x"] {
            assert!(!is_identifier(bad), "{bad:?}");
        }
    }

    #[test]
    fn interface_names() {
        for good in ["eth0", "a", "veth-1_2.3", &"x".repeat(15), "ä"] {
            assert_eq!(interface_fault(good), None, "{good}");
        }
        for bad in [&"x".repeat(16), ".", "..", "a/b", "a:b", "a b", "a\tb", "a\0"] {
            assert!(interface_fault(bad).is_some(), "{bad:?}");
        }
    }
}

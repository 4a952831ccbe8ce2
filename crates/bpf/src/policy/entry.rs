use terway_abi::{PolicyKey, map};

use crate::Error;

/// One thing that a set allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyEntry {
    /// To or from whom; [`PeerClass::EVERYBODY`](terway_abi::PeerClass::EVERYBODY).
    pub class: u64,
    /// TCP, UDP or SCTP by number; 0: every protocol, and then every port.
    pub protocol: u8,
    /// First port on the side of the server.
    pub from: u16,
    /// Last one.
    pub to: u16,
    /// Number of the rule, for counters; not 0.
    pub rule: u32,
}

const PORTS: [u8; 3] = [6, 17, 132];

impl PolicyEntry {
    /// Adds the records that say the same.
    pub(crate) fn records(&self, set: u64, records: &mut Vec<(PolicyKey, u32)>) -> Result<(), Error> {
        let invalid = |reason: String| Error::Invalid {
            map: map::POLICY,
            reason,
        };
        let Self {
            class,
            protocol,
            from,
            to,
            rule,
        } = *self;
        if rule == 0 {
            return Err(invalid("rule 0 is the one that denies".to_owned()));
        }
        if from > to {
            return Err(invalid(format!("ports {from} to {to} are none")));
        }
        let mut add = |port, prefix_length| {
            let key = PolicyKey {
                set,
                class,
                port,
                protocol,
                prefix_length,
                ..PolicyKey::default()
            };
            records.push((key, rule));
        };
        match protocol {
            0 if (from, to) == (0, u16::MAX) => add(0, 0),
            0 => return Err(invalid(format!("ports {from} to {to} of every protocol"))),
            protocol if PORTS.contains(&protocol) => prefixes(from, to).for_each(|(port, length)| add(port, length)),
            protocol => return Err(invalid(format!("protocol {protocol} has no ports that rules could name"))),
        }
        Ok(())
    }
}

/// The fewest prefixes that hold these ports and no other; at most 30.
fn prefixes(from: u16, to: u16) -> impl Iterator<Item = (u16, u8)> {
    let mut next = u32::from(from);
    let end = u32::from(to) + 1;
    std::iter::from_fn(move || {
        if next >= end {
            return None;
        }
        let aligned = next.trailing_zeros().min(16);
        let fitting = (end - next).ilog2();
        let bits = aligned.min(fitting);
        let port = next as u16;
        next += 1 << bits;
        Some((port, 16 - bits as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_the_fewest_prefixes() {
        let all = |from, to| prefixes(from, to).collect::<Vec<_>>();
        assert_eq!(all(0, 65_535), [(0, 0)]);
        assert_eq!(all(80, 80), [(80, 16)]);
        assert_eq!(
            all(1024, 65_535),
            [(1024, 6), (2048, 5), (4096, 4), (8192, 3), (16_384, 2), (32_768, 1)]
        );
        assert_eq!(all(0, 2), [(0, 15), (2, 16)]);
        assert_eq!(all(1, 65_534).len(), 30);
    }

    #[test]
    fn prefixes_hold_exactly_the_range() {
        for (from, to) in [(0, 0), (1, 6), (79, 81), (8000, 8999), (30_000, 32_767), (65_535, 65_535)] {
            let held: Vec<u16> = prefixes(from, to)
                .flat_map(|(port, length)| (0..1_u32 << (16 - length)).map(move |offset| port + offset as u16))
                .collect();
            assert_eq!(held, (from..=to).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_the_programs_would_never_find_is_refused() {
        let entry = PolicyEntry {
            class: 5,
            protocol: 6,
            from: 80,
            to: 80,
            rule: 1,
        };
        for wrong in [
            PolicyEntry { rule: 0, ..entry },
            PolicyEntry { to: 79, ..entry },
            PolicyEntry { protocol: 0, ..entry },
            PolicyEntry { protocol: 1, ..entry },
        ] {
            assert!(
                matches!(wrong.records(7, &mut Vec::new()), Err(Error::Invalid { .. })),
                "{wrong:?}"
            );
        }
    }
}

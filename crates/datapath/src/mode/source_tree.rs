//! IPv4 rules that find a pod's table by its source in few steps, however many pods there are.
//!
//! The kernel walks rules one by one, and IPv4 has no routes by source. So the rules form a tree of two levels: a head for each /22 with
//! pods jumps (`goto`) to a bucket with a head for each of its /27s, and that one jumps to a bucket with the pods. A packet from a pod
//! meets at most 64 + 32 + 32 rules of a /16 and usually a dozen; one from elsewhere the first level alone.
//!
//! ```text
//! 2048  from 10.0.0.0/22 goto 2050     heads, one for each /22
//! 2049  from all goto 2242             whoever is from elsewhere
//! 2050  from 10.0.1.0/27 goto 2130     bucket of a /22: heads, one for each /27
//! 2051  from all goto 2242
//! 2130  from 10.0.1.23 lookup 1003     bucket of a /27: pods
//! 2131  from all goto 2242
//! 2242  from all nop
//! ```
//!
//! A bucket's priority is computed from its prefix alone, so that each attachment knows its rules without the others. Prefixes that fall on
//! the same priority share a bucket, which costs a few steps and nothing else. `goto` only jumps ahead, and a rule whose target is missing
//! does nothing: the rules are made from the end to the beginning.

use crate::object::{Family, PRIORITY_FROM_POD, PROTOCOL, Prefix, Rule, RuleAction};

const OUTER_LENGTH: u8 = 22;
const INNER_LENGTH: u8 = 27;
const OUTER_BUCKETS: u32 = 32;
const INNER_BUCKETS: u32 = 64;
const PRIORITY_ELSEWHERE: u32 = PRIORITY_FROM_POD + 1;
const PRIORITY_OUTER: u32 = PRIORITY_FROM_POD + 2;
const PRIORITY_INNER: u32 = PRIORITY_OUTER + 2 * OUTER_BUCKETS;
/// The last priority of the tree.
pub const PRIORITY_END: u32 = PRIORITY_INNER + 2 * INNER_BUCKETS;

/// The rules that lead packets from `pod`, an IPv4 address, to `table`; in the order in which they must be made.
pub fn rules(pod: Prefix, table: u32) -> [Rule; 7] {
    let (outer, inner) = (pod.shortened(OUTER_LENGTH), pod.shortened(INNER_LENGTH));
    let outer_bucket = PRIORITY_OUTER + 2 * number(&outer, OUTER_LENGTH, OUTER_BUCKETS);
    let inner_bucket = PRIORITY_INNER + 2 * number(&inner, INNER_LENGTH, INNER_BUCKETS);
    [
        rule(PRIORITY_END, None, RuleAction::Nop),
        rule(PRIORITY_ELSEWHERE, None, RuleAction::Goto(PRIORITY_END)),
        rule(inner_bucket + 1, None, RuleAction::Goto(PRIORITY_END)),
        rule(inner_bucket, Some(pod), RuleAction::Lookup(table)),
        rule(outer_bucket + 1, None, RuleAction::Goto(PRIORITY_END)),
        rule(outer_bucket, Some(inner), RuleAction::Goto(inner_bucket)),
        rule(PRIORITY_FROM_POD, Some(outer), RuleAction::Goto(outer_bucket)),
    ]
}

/// Which of `buckets` a prefix has: neighbours have different ones.
fn number(prefix: &Prefix, length: u8, buckets: u32) -> u32 {
    match prefix.address {
        std::net::IpAddr::V4(address) => (u32::from(address) >> (32 - length)) % buckets,
        std::net::IpAddr::V6(_) => 0,
    }
}

fn rule(priority: u32, from: Option<Prefix>, action: RuleAction) -> Rule {
    Rule {
        family: Family::V4,
        priority,
        from,
        to: None,
        input: None,
        output: None,
        mark: None,
        action,
        suppress_prefix_length: None,
        protocol: PROTOCOL,
        foreign_form: false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn pod(text: &str) -> Prefix {
        Prefix::host(text.parse().unwrap())
    }

    /// Walks the rules as `fib_rules_lookup` does: the table found, and how many rules were looked at.
    fn walk(rules: &[Rule], source: &str) -> (Option<u32>, usize) {
        let source = pod(source);
        let mut looked_at = 0;
        let mut from = 0;
        for rule in rules {
            if rule.priority < from {
                continue;
            }
            looked_at += 1;
            if rule.from.is_some_and(|prefix| source.shortened(prefix.length) != prefix) {
                continue;
            }
            match rule.action {
                RuleAction::Lookup(table) => return (Some(table), looked_at),
                RuleAction::Goto(target) => from = target,
                RuleAction::Nop => {}
            }
        }
        (None, looked_at)
    }

    fn tree(pods: impl Iterator<Item = (String, u32)>) -> Vec<Rule> {
        let mut seen = HashSet::new();
        let all = pods.flat_map(|(address, table)| rules(pod(&address), table));
        let mut tree: Vec<Rule> = all.filter(|rule| seen.insert(*rule)).collect();
        tree.sort_by_key(|rule| rule.priority);
        tree
    }

    #[test]
    fn every_pod_finds_its_table_and_nobody_else_any() {
        let address = |n: u32| format!("10.{}.{}.{}", n % 3, n / 250, 1 + n % 250);
        let tree = tree((0..1000).map(|n| (address(n), 1000 + n % 7)));
        for n in 0..1000 {
            assert_eq!(walk(&tree, &address(n)).0, Some(1000 + n % 7), "{}", address(n));
        }
        for stranger in ["10.0.0.251", "10.0.9.1", "192.0.2.1", "10.3.0.1"] {
            assert_eq!(walk(&tree, stranger).0, None, "{stranger}");
        }
    }

    #[test]
    fn the_walk_does_not_grow_with_the_pods() {
        let dense = |n: u32| format!("10.0.{}.{}", n / 250, n % 250);
        let sparse = |n: u32| format!("10.0.{}.{}", (n * 64 / 250) % 256, (n * 64 + n / 250) % 250);
        for address in [&dense as &dyn Fn(u32) -> String, &sparse] {
            let tree = tree((0..1000).map(|n| (address(n), 1003)));
            let steps: Vec<usize> = (0..1000).map(|n| walk(&tree, &address(n)).1).collect();
            assert!(steps.iter().max() <= Some(&130), "at most {:?}", steps.iter().max());
            assert!(
                steps.iter().sum::<usize>() / 1000 <= 65,
                "on average {}",
                steps.iter().sum::<usize>() / 1000
            );
            assert!(walk(&tree, "192.0.2.1").1 <= 66, "a stranger: {}", walk(&tree, "192.0.2.1").1);
        }
    }

    #[test]
    fn no_rule_is_made_before_the_one_it_jumps_to() {
        let rules = rules(pod("10.0.1.23"), 1003);
        for (place, rule) in rules.iter().enumerate() {
            let RuleAction::Goto(target) = rule.action else { continue };
            assert!(target > rule.priority);
            assert!(rules[..place].iter().any(|earlier| earlier.priority == target), "{rule}");
        }
    }
}

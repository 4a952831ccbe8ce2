//! IPv4 rules that find a pod's table by its source in few steps, however many pods there are.
//!
//! The kernel walks rules one by one, and IPv4 has no routes by source. So the rules form a tree: a head for each /20 with pods jumps
//! (`goto`) to a bucket with a head for each of its /23s, that one to a bucket of /25s, and so on to the bucket of a /29 with its pods. A
//! packet from one of 1,000 pods that lie together meets 15 rules, 23 at most; one from elsewhere the first level alone.
//!
//! ```text
//! 2048  from 10.0.0.0/20 goto 2050     heads, one for each /20
//! 2049  from all goto 2546             whoever is from elsewhere
//! 2050  from 10.0.0.0/23 goto 2066     bucket of a /20: heads, one for each /23
//! 2051  from all goto 2546
//! 2066  from 10.0.1.0/25 goto 2102     bucket of a /23
//! 2102  from 10.0.1.0/27 goto 2178     bucket of a /25
//! 2178  from 10.0.1.16/29 goto 2358    bucket of a /27
//! 2358  from 10.0.1.23 lookup 1003     bucket of a /29: pods
//! 2359  from all goto 2546
//! 2546  from all nop
//! ```
//!
//! A bucket's priority is computed from its prefix alone, so that each attachment knows its rules without the others. Prefixes that fall on
//! the same priority share a bucket, which costs a few steps and nothing else. `goto` only jumps ahead, and a rule whose target is missing
//! does nothing: the rules are made from the end to the beginning.

use crate::object::{Family, PRIORITY_FROM_POD, PROTOCOL, Prefix, Rule, RuleAction};

/// A level of the tree: the length of its prefixes, and how many buckets they have.
struct Level {
    length: u8,
    buckets: u32,
}

/// Each level divides a prefix by four or eight: fewer heads make more levels, and either costs steps.
const LEVELS: [Level; 5] = [
    Level { length: 20, buckets: 8 },
    Level { length: 23, buckets: 16 },
    Level { length: 25, buckets: 32 },
    Level { length: 27, buckets: 64 },
    Level {
        length: 29,
        buckets: 128,
    },
];
const PRIORITY_ELSEWHERE: u32 = PRIORITY_FROM_POD + 1;
const PRIORITY_BUCKETS: u32 = PRIORITY_FROM_POD + 2;
/// The last priority of the tree.
pub const PRIORITY_END: u32 = PRIORITY_BUCKETS + 2 * (8 + 16 + 32 + 64 + 128);

/// The rules that lead packets from `pod`, an IPv4 address, to `table`; in the order in which they must be made.
pub fn rules(pod: Prefix, table: u32) -> Vec<Rule> {
    let to_end = RuleAction::Goto(PRIORITY_END);
    let mut rules = vec![
        rule(PRIORITY_END, None, RuleAction::Nop),
        rule(PRIORITY_ELSEWHERE, None, to_end),
    ];
    let mut inner = (pod, RuleAction::Lookup(table));
    let mut end_of_level = PRIORITY_END;
    for level in LEVELS.iter().rev() {
        let prefix = pod.shortened(level.length);
        let bucket = end_of_level - 2 * (level.buckets - number(&prefix, level));
        rules.push(rule(bucket + 1, None, to_end));
        rules.push(rule(bucket, Some(inner.0), inner.1));
        inner = (prefix, RuleAction::Goto(bucket));
        end_of_level -= 2 * level.buckets;
    }
    rules.push(rule(PRIORITY_FROM_POD, Some(inner.0), inner.1));
    rules
}

/// True if a rule of ours is no part of this tree, but of one with other levels: an earlier version made it. Rules 2048 for single pods are
/// none: that is the form `per_pod`.
pub fn is_of_another_tree(rule: &Rule) -> bool {
    let in_range = rule.family == Family::V4 && (PRIORITY_FROM_POD..=PRIORITY_END).contains(&rule.priority);
    if !in_range || rule.foreign_form || rule.to.is_some() || rule.output.is_some() || rule.input.is_some() || rule.mark.is_some()
    {
        return false;
    }
    match (rule.from, rule.action) {
        (Some(from), action) if from.is_host() => {
            let table = action.table().unwrap_or_default();
            rule.priority > PRIORITY_FROM_POD && !rules(from, table).contains(rule)
        }
        (Some(from), _) => !rules(Prefix::host(from.address), 0).contains(rule),
        (None, RuleAction::Nop) => rule.priority != PRIORITY_END,
        (None, RuleAction::Goto(to)) => to != PRIORITY_END,
        (None, RuleAction::Lookup(_)) => false,
    }
}

/// True if the rule is a pod's own in a tree, whatever its levels.
pub fn is_leaf(rule: &Rule) -> bool {
    let in_tree = rule.family == Family::V4 && rule.priority > PRIORITY_FROM_POD && rule.priority <= PRIORITY_END;
    in_tree && rule.from.is_some_and(|from| from.is_host()) && rule.action.table().is_some()
}

/// True if a rule of another tree stands where this tree has one that jumps elsewhere. Without the one that sends everybody to the end a
/// packet only meets more rules.
pub fn blocks(rule: &Rule) -> bool {
    match rule.from {
        None => matches!(rule.action, RuleAction::Goto(_)),
        Some(from) => {
            let mut own = rules(Prefix::host(from.address), 0).into_iter();
            !from.is_host() && own.any(|own| own.priority == rule.priority && own.from == rule.from)
        }
    }
}

/// Which of its level's buckets a prefix has: neighbours have different ones.
fn number(prefix: &Prefix, level: &Level) -> u32 {
    match prefix.address {
        std::net::IpAddr::V4(address) => (u32::from(address) >> (32 - level.length)) % level.buckets,
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
        for (address, longest, usual, strangers) in [(&dense as &dyn Fn(u32) -> String, 23, 15, 2), (&sparse, 125, 65, 17)] {
            let tree = tree((0..1000).map(|n| (address(n), 1003)));
            let steps: Vec<usize> = (0..1000).map(|n| walk(&tree, &address(n)).1).collect();
            assert!(steps.iter().max() <= Some(&longest), "at most {:?}", steps.iter().max());
            let average = steps.iter().sum::<usize>() / 1000;
            assert!(average <= usual, "on average {average}");
            // They meet the heads of the first level, the way to the end, and the end.
            let stranger = walk(&tree, "192.0.2.1").1;
            assert!(stranger <= strangers + 1, "a stranger: {stranger}");
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

    #[test]
    fn its_own_rules_are_of_no_other_tree() {
        for address in ["10.0.1.23", "10.0.0.0", "192.168.255.255", "172.16.77.8"] {
            let own = rules(pod(address), 1003);
            assert!(own.iter().all(|own| !is_of_another_tree(own)), "{address}");
            let moved = own.iter().map(|own| Rule {
                priority: own.priority + 2,
                ..*own
            });
            let heads = moved.filter(|rule| rule.from.is_some() && rule.priority <= PRIORITY_END);
            assert!(
                heads.clone().count() > 3 && heads.clone().all(|rule| is_of_another_tree(&rule)),
                "{address}"
            );
            assert!(heads.clone().all(|rule| !blocks(&rule)), "{address}");
        }
        let elsewhere = rule(PRIORITY_ELSEWHERE, None, RuleAction::Goto(2242));
        assert!(is_of_another_tree(&elsewhere) && blocks(&elsewhere));
    }
}

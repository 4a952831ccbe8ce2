//! The routing table that an interface has to itself in a pod with several.

use super::leg::Leg;
use super::objects::rule;
use crate::attachment::Attachment;
use crate::desired::NamespaceState;
use crate::object::{IfName, PRIORITY_TO_POD, Prefix, Route, Rule};

/// Table of a pod's interface with number 0.
const TABLE_FIRST_INTERFACE: u32 = 2000;
/// A pod with several interfaces: what is bound to this one, by source or by device, leaves through it, by this table.
pub fn own_table(pod: &mut NamespaceState, leg: &Leg, default: Route, attachment: &Attachment, table: u32) {
    pod.routes.push(Route { table, ..default });
    pod.rules.push(Rule {
        output: IfName::new(&attachment.if_name),
        ..rule(leg.family, PRIORITY_TO_POD, None, None, table)
    });
    let from = Some(Prefix::host(leg.pod));
    pod.rules.push(rule(leg.family, PRIORITY_TO_POD, from, None, table));
}

/// The table in a pod for what its interface sends: `eth1` has 2001. Terway's number, 1000 and the interface's index, is not known before
/// the interface is born.
pub fn interface_table(name: &str) -> u32 {
    let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    match digits.parse::<u16>() {
        Ok(number) => TABLE_FIRST_INTERFACE + u32::from(number),
        // FNV-1a, above the numbers.
        Err(_) => {
            let hash = name.bytes().fold(0x811c_9dc5u32, |hash, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            });
            0x4000_0000 | hash >> 2
        }
    }
}

#[cfg(test)]
mod tests {
    use super::interface_table;

    #[test]
    fn numbered_interfaces_have_numbered_tables() {
        let tables = ["eth0", "eth1", "eth70000", "net"].map(interface_table);
        assert_eq!(tables[..2], [2000, 2001]);
        assert!(tables[2] >= 0x4000_0000 && tables[3] >= 0x4000_0000 && tables[2] != tables[3]);
    }
}

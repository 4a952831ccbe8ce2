//! Pods whose ENI carries security groups of its own: what they exchange with pods of other ENIs leaves the node, so that the groups decide.
//!
//! Such a pod's host route stands not in main, where every pod of the node would find it, but in two tables of ours: that of its ENI, for
//! the pods beside it, and one for whoever is no pod.
//!
//! ```text
//! 510   from 10.0.1.23 iif cali… lookup 536883200   the pod itself: pods of its ENI, then the ENI's gateway
//! 511   from all iif eth1 lookup 536870912          what the VPC delivers
//! 512   …                                           pods with the node's groups, as ever
//! 2048  …                                           they leave through their ENIs
//! 2560  from all lookup 536870912                   whoever is left is no pod: the node, clients of a node port
//! ```
//!
//! The device in 510 tells a packet that the pod sends from the same packet when the VPC brings it back to another pod of this node, and 511
//! does so for what comes to the pod: by source alone either would be sent out again.

use super::leg::Leg;
use super::objects::{route, rule, to_pod};
use crate::attachment::Attachment;
use crate::desired::{HostFacts, NamespaceState};
use crate::object::{Device, IfName, METRIC_LAST, Prefix, Route, RouteKind, Rule, TABLE_OWN_GROUPS};

/// Priority of what such a pod sends; before main is asked for other pods.
pub const PRIORITY_OUT: u32 = 510;
/// Priority of what its ENI delivers.
const PRIORITY_DELIVERED: u32 = 511;
/// Priority for whoever is no pod; behind all rules from pods.
const PRIORITY_OTHERS: u32 = 2560;

/// The table of an ENI or of a member of a trunk. It takes in no index above 2^17, which no node comes near.
fn table(attachment: &Attachment, facts: &HostFacts) -> u32 {
    let vlan = attachment.trunk.map_or(0, |trunk| u32::from(trunk.vlan_id));
    TABLE_OWN_GROUPS | facts.eni_index << 12 | vlan
}

/// True for the tables of this module.
pub fn is_table(table: u32) -> bool {
    (TABLE_OWN_GROUPS..TABLE_OWN_GROUPS << 1).contains(&table)
}

/// Routes and rules of one family.
pub(super) fn ways(host: &mut NamespaceState, leg: &Leg, attachment: &Attachment, facts: &HostFacts) {
    let table = table(attachment, facts);
    let default = leg.family.default_prefix();
    host.routes.push(Route {
        table,
        kind: RouteKind::Unreachable,
        device: None,
        metric: METRIC_LAST,
        ..route(default, None, Device::Eni)
    });
    host.routes.push(Route {
        table,
        ..route(default, Some(leg.eni_gateway), Device::Eni)
    });
    for table in [table, TABLE_OWN_GROUPS] {
        host.routes.push(Route {
            table,
            ..to_pod(leg, Device::HostEnd)
        });
    }
    let name = facts.displaced_host_end.as_deref().unwrap_or(&attachment.host_if_name);
    host.rules.push(Rule {
        input: IfName::new(&facts.eni_name),
        ..rule(leg.family, PRIORITY_DELIVERED, None, None, TABLE_OWN_GROUPS)
    });
    host.rules
        .push(rule(leg.family, PRIORITY_OTHERS, None, None, TABLE_OWN_GROUPS));
    host.rules.push(Rule {
        input: IfName::new(name),
        ..rule(leg.family, PRIORITY_OUT, Some(Prefix::host(leg.pod)), None, table)
    });
}

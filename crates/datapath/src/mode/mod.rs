//! One pure function for each datapath mode: attachment and facts of the node in, wanted kernel state out.

pub mod eni;
#[cfg(test)]
pub(crate) mod example;
pub mod exclusive;
pub mod ipvlan;
mod leg;
pub(crate) mod objects;
pub mod own_groups;
mod own_table;
pub mod policy;
pub mod policy_route;
pub mod shaping;
pub mod source_tree;
pub mod vlan;

use crate::attachment::{Attachment, Mode};
use crate::desired::{DesiredState, HostFacts};

/// The wanted state of an attachment.
pub fn desired_state(attachment: &Attachment, facts: &HostFacts) -> DesiredState {
    let mut desired = match attachment.mode {
        Mode::PolicyRoute | Mode::Netkit => policy_route::desired_state(attachment, facts),
        Mode::Ipvlan => ipvlan::desired_state(attachment, facts),
        Mode::Vlan => vlan::desired_state(attachment, facts),
        Mode::Exclusive => exclusive::desired_state(attachment, facts),
    };
    shaping::shape(&mut desired, attachment, facts);
    policy::judge(&mut desired, attachment, facts);
    eni::serve(&mut desired.host, attachment, facts);
    desired
}

#[cfg(test)]
mod tests {
    use super::example::{example, render};
    use super::*;
    use crate::attachment::Trunk;

    /// A member's link speaks to the member's own gateway behind the tag; the node asks for the trunk's, without one.
    #[test]
    fn a_members_way_out_is_its_own_gateway_but_for_the_node_the_trunks() {
        for mode in [Mode::PolicyRoute, Mode::Netkit, Mode::Vlan, Mode::Ipvlan] {
            let member = Attachment {
                mode,
                trunk: Some(Trunk {
                    vlan_id: 7,
                    gateway_ipv4: Some([10, 0, 2, 253].into()),
                    gateway_ipv6: Some("2001:db8:2::fffd".parse().unwrap()),
                }),
                ..example()
            };
            let lines = render(&member);
            let defaults: Vec<_> = lines
                .lines()
                .filter(|line| line.contains("route default") && line.contains(" via "))
                .collect();
            let by_node = matches!(mode, Mode::PolicyRoute | Mode::Netkit);
            for line in defaults.iter().filter(|line| line.starts_with("host")) {
                assert!(
                    by_node && (line.contains("10.0.2.253") || line.contains("2001:db8:2::fffd")),
                    "{mode:?}: {line}"
                );
            }
            for line in defaults.iter().filter(|line| line.starts_with("pod")) {
                assert!(
                    !line.contains("10.0.2.253") && !line.contains("2001:db8:2::fffd"),
                    "{mode:?}: {line}"
                );
                assert!(
                    by_node || line.contains("10.0.1.253") || line.contains("2001:db8:1:"),
                    "{mode:?}: {line}"
                );
            }
            assert_eq!(defaults.len(), if by_node { 4 } else { 2 }, "{mode:?}: {lines}");
        }
    }
}

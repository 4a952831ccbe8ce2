//! One pure function for each datapath mode: attachment and facts of the node in, wanted kernel state out.

pub mod eni;
#[cfg(test)]
mod example;
pub mod exclusive;
pub mod ipvlan;
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
    shaping::shape(&mut desired, attachment);
    eni::serve(&mut desired.host, attachment, facts);
    desired
}

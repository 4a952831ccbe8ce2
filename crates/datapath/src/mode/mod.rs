//! One pure function for each datapath mode: attachment and facts of the node in, wanted kernel state out.

pub mod exclusive;
pub mod policy_route;
pub mod shaping;
pub mod source_tree;

use crate::attachment::{Attachment, Mode};
use crate::desired::{DesiredState, HostFacts};

/// The wanted state of an attachment.
pub fn desired_state(attachment: &Attachment, facts: &HostFacts) -> DesiredState {
    let mut desired = match attachment.mode {
        Mode::Exclusive => exclusive::desired_state(attachment, facts),
        // The others are refused by the check of the attachment.
        Mode::PolicyRoute | Mode::Ipvlan | Mode::Vlan | Mode::Netkit => policy_route::desired_state(attachment, facts),
    };
    shaping::shape(&mut desired, attachment);
    desired
}

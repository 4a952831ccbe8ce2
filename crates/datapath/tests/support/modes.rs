//! Pods of each mode, in the lab.

use std::net::IpAddr;

use terway_datapath::attachment::{Attachment, FamilyAddress, Mode, Trunk};
use terway_datapath::capability::Feature;

use super::calls::{Open, wait};
use super::lab::{Lab, Stack, attachment};
use super::namespace::Namespace;

/// VLAN id of member pod 0; each pod has a vSwitch of its own.
pub const MEMBER: u16 = 1001;
/// An address of the node's own stack beside its primary one, as a node-local DNS cache has.
pub const LOCAL_DNS_V4: &str = "169.254.20.10";
pub const LOCAL_DNS_V6: &str = "fd00:20::10";

/// Prints why and returns true if the kernel cannot do what `mode` is made of, found out by doing it.
pub fn lacks(test: &str, mode: Mode) -> bool {
    if super::skip(test) {
        return true;
    }
    let feature = match mode {
        Mode::Ipvlan => Feature::Ipvlan,
        Mode::Vlan => Feature::Vlan,
        Mode::Netkit => Feature::Netkit,
        Mode::PolicyRoute | Mode::Exclusive => Feature::Veth,
    };
    let place = Namespace::new();
    let capabilities = wait(|reply| Open::new(&place).0.probe(reply)).unwrap();
    let refused = capabilities.features.iter().find(|(each, _)| *each == feature);
    match refused {
        Some((_, Err(reason))) => {
            println!("SKIP {test}: kernel {} has no {feature}: {reason}", capabilities.release);
            true
        }
        _ => false,
    }
}

impl Lab {
    /// A pod of `mode` on `eth1`, known to the VPC.
    pub fn pod_of(&self, mode: Mode, number: u16, stack: Stack) -> (Namespace, Attachment) {
        let pod = Namespace::new();
        let mut attachment = Attachment {
            mode,
            ..attachment(number, stack, &pod.path())
        };
        match mode {
            Mode::Vlan => {
                self.become_member(&mut attachment, MEMBER + number);
            }
            _ => self.assign(&attachment, 1),
        }
        (pod, attachment)
    }

    /// Gives the attachment addresses of its own member vSwitch behind VLAN `id`.
    pub fn become_member(&self, attachment: &mut Attachment, id: u16) {
        let number = id - MEMBER;
        attachment.trunk = Some(Trunk {
            vlan_id: id,
            gateway_ipv4: attachment.ipv4.map(|family| family.gateway),
            gateway_ipv6: attachment.ipv6.map(|family| family.gateway),
        });
        let [high, low] = number.to_be_bytes();
        self.vpc.ips(&format!(
            "link set vpc1 up
             link add vpcm{id} link vpc1 type vlan id {id}"
        ));
        // It asks for no neighbour before duplicate detection is over.
        self.vpc.set_sysctl(&format!("ipv6/conf/vpcm{id}/accept_dad"), "0");
        self.vpc.ip(&format!("link set vpcm{id} up"));
        attachment.ipv4 = attachment.ipv4.map(|_| FamilyAddress {
            address: [10, 100 + high, low, 7].into(),
            prefix_length: 24,
            gateway: [10, 100 + high, low, 253].into(),
        });
        attachment.ipv6 = attachment.ipv6.map(|_| FamilyAddress {
            address: format!("2001:db8:9:{number:x}::7").parse().unwrap(),
            prefix_length: 64,
            gateway: format!("2001:db8:9:{number:x}::fffd").parse().unwrap(),
        });
        if let Some(ipv4) = attachment.ipv4 {
            self.vpc.ip(&format!("addr add {}/24 dev vpcm{id}", ipv4.gateway));
        }
        if let Some(ipv6) = attachment.ipv6 {
            self.vpc.ip(&format!("addr add {}/64 dev vpcm{id} nodad", ipv6.gateway));
        }
    }
}

/// What the pod's gateway answers from.
pub fn gateway_of(attachment: &Attachment, like: &IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => attachment.ipv4.unwrap().gateway.into(),
        IpAddr::V6(_) => attachment.ipv6.unwrap().gateway.into(),
    }
}

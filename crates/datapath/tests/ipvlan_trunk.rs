//! An IPvlan pod that is a member of a trunk: its packets carry the member's tag on the ENI, and only tagged ones reach it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::net::IpAddr;

use support::calls::Open;
use support::lab::{self, Lab, Stack, eni_mac};
use support::modes::{MEMBER, lacks};
use support::probe::{Echo, ask};
use terway_datapath::attachment::{Attachment, Mode};

const NUMBER: u16 = 31;

fn addresses(attachment: &Attachment) -> Vec<IpAddr> {
    attachment.addresses().collect()
}

fn far_of(address: IpAddr) -> IpAddr {
    lab::far()[usize::from(address.is_ipv6())]
}

fn node_of(address: IpAddr) -> IpAddr {
    lab::node()[usize::from(address.is_ipv6())]
}

/// The VPC takes from this member, and sends to it, by an 802.1Q link of its own.
fn member_traffic(test: &str, stack: Stack) {
    if lacks(test, Mode::Ipvlan) || lacks(test, Mode::Vlan) {
        return;
    }
    let lab = Lab::new();
    lab.host.mount_bpffs();
    let datapath = Open::new(&lab.host);
    let (pod, mut member) = lab.pod_of(Mode::Ipvlan, NUMBER, stack);
    let (plain_pod, plain) = lab.pod_of(Mode::Ipvlan, NUMBER + 1, stack);
    let id = MEMBER + NUMBER;
    lab.become_member(&mut member, id);
    // A VPC's gateway has one MAC everywhere, and asks nobody for that of an ENI.
    lab.vpc.ip(&format!("link set vpcm{id} address ee:ff:ff:ff:ff:ff"));
    for address in addresses(&member) {
        let mac = eni_mac(1);
        lab.vpc
            .ip(&format!("neigh replace {address} dev vpcm{id} lladdr {mac} nud permanent"));
    }
    datapath.attach(&plain);
    datapath.attach(&member);
    assert_eq!(datapath.check(&member), []);
    assert_eq!(datapath.attach(&member).steps, 0);
    lab.settle(1);
    let _far = Echo::new(&lab.vpc, lab::far());
    let _node = Echo::new(&lab.host, lab::node());
    let _member = Echo::new(&pod, addresses(&member));
    for address in addresses(&member) {
        assert_eq!(ask(&pod, far_of(address)), Ok(address), "with its tag there and back");
        assert_eq!(ask(&lab.vpc, address).map(|_| ()), Ok(()), "from the VPC");
        assert_eq!(ask(&pod, node_of(address)), Ok(address), "its node");
        assert!(ask(&lab.host, address).is_ok(), "from its node");
    }
    for address in addresses(&plain) {
        assert_eq!(ask(&plain_pod, far_of(address)), Ok(address), "a sibling without a tag");
    }
    // Without the member's link on its end the VPC hears nothing: what the pod sends has the tag.
    lab.vpc.ip(&format!("link set vpcm{id} down"));
    for address in addresses(&member) {
        assert!(ask(&pod, far_of(address)).is_err(), "an untagged packet of {address} passed");
    }
    assert_eq!(datapath.detach(&member).failures, []);
    assert_eq!(datapath.check(&plain), []);
}

#[test]
fn ipvlan_v4_trunk_member_traffic() {
    member_traffic("ipvlan_v4_trunk_member_traffic", Stack::V4);
}

#[test]
fn ipvlan_v6_trunk_member_traffic() {
    member_traffic("ipvlan_v6_trunk_member_traffic", Stack::V6);
}

#[test]
fn ipvlan_dual_trunk_member_traffic() {
    member_traffic("ipvlan_dual_trunk_member_traffic", Stack::Dual);
}

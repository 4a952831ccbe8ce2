//! Mode `vlan`. Test names are `<mode>_<family>_<scenario>`; a table of modes, families and kernels is made from them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::calls::Open;
use support::drift::{Edit, LIMITS_IN_POD, ON_HANGING_LINK, covers, dragging, drift, whole};
use support::drift_edits::POD_IPV6;
use support::lab::{self, Lab, Stack};
use support::modes::{MEMBER, lacks};
use support::namespace::Namespace;
use support::probe::{Echo, ask};
use terway_datapath::attachment::{Attachment, Mode};
use terway_datapath::diff::Problem::Different;
use terway_datapath::error::ErrorCode;

const HOST: &[Edit] = &[
    dragging("link set eth1 mtu 1400", "link eth1", Different),
    dragging("link set eth1 down", "link eth1", Different),
];

mode_tests! {
    vlan_v4_traffic: traffic(Vlan, V4);
    vlan_v6_traffic: traffic(Vlan, V6);
    vlan_dual_traffic: traffic(Vlan, Dual);
    vlan_v4_lifecycle: lifecycle(Vlan, V4);
    vlan_v6_lifecycle: lifecycle(Vlan, V6);
    vlan_dual_lifecycle: lifecycle(Vlan, Dual);
    vlan_dual_crashes: crashes(Vlan, Dual);
    vlan_v4_two_interfaces: two_interfaces(Vlan, V4);
    vlan_v6_two_interfaces: two_interfaces(Vlan, V6);
    vlan_dual_two_interfaces: two_interfaces(Vlan, Dual);
}

/// Whatever the kernel can do.
#[test]
fn drift_has_a_test_for_every_object_of_vlan() {
    if !support::skip("drift_has_a_test_for_every_object_of_vlan") {
        covers(Mode::Vlan, whole, &[HOST, ON_HANGING_LINK, LIMITS_IN_POD, POD_IPV6]);
    }
}

#[test]
fn vlan_dual_drift() {
    if !lacks("vlan_dual_drift", Mode::Vlan) {
        drift(Mode::Vlan, HOST, &[], &[ON_HANGING_LINK, LIMITS_IN_POD, POD_IPV6].concat());
    }
}

/// An ENI has one link for each VLAN id, wherever it is.
#[test]
fn vlan_v4_id_is_taken() {
    if lacks("vlan_v4_id_is_taken", Mode::Vlan) {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = lab.pod_of(Mode::Vlan, 23, Stack::V4);
    let id = attachment.trunk.unwrap().vlan_id;
    // Somebody's own.
    lab.host.ip(&format!("link add link eth1 name mine type vlan id {id}"));
    let error = datapath.try_attach(&attachment).unwrap_err();
    assert_eq!(
        (error.code, error.object.as_deref()),
        (ErrorCode::InterfaceExists, Some("link mine"))
    );
    assert_eq!(pod.ip("-o link show").lines().count(), 1);
    lab.host.ip("link del mine");
    // Terway's, left on its way into a pod.
    lab.host.ip(&format!("link add link eth1 name eth1.{id} type vlan id {id}"));
    datapath.attach(&attachment);
    assert!(lab.host.try_ip(&format!("link show eth1.{id}")).is_err());
    // Another pod's.
    let other_pod = Namespace::new();
    let other = Attachment {
        id: "other/eth0".into(),
        generation: 99,
        netns: other_pod.path(),
        host_if_name: "caliother".into(),
        ..attachment.clone()
    };
    let elsewhere = Attachment {
        ipv4: lab.pod_of(Mode::Vlan, 24, Stack::V4).1.ipv4,
        ..other.clone()
    };
    let error = datapath.try_attach(&elsewhere).unwrap_err();
    assert_eq!(error.code, ErrorCode::InterfaceExists);
    assert!(error.message.contains(&attachment.id), "{error}");
    assert_eq!(datapath.check(&attachment), []);
    // A lost pod's: nobody guards it any more.
    drop(datapath);
    let datapath = Open::new(&lab.host);
    datapath.attach(&other);
    assert!(pod.try_ip("link show eth0").is_err());
    assert_eq!(datapath.check(&other), []);
}

/// A member by tag filter: its addresses are the node's to the VPC, on its own VLAN.
fn filtered(lab: &Lab, number: u16, stack: Stack) -> (Namespace, Attachment) {
    let (pod, mut attachment) = lab.pod_of(Mode::PolicyRoute, number, stack);
    lab.become_member(&mut attachment, MEMBER + number);
    for address in attachment.addresses() {
        lab.vpc.ip(&format!(
            "neigh replace {address} lladdr {} dev vpcm{} nud permanent",
            attachment.eni_mac,
            MEMBER + number
        ));
    }
    (pod, attachment)
}

/// VLAN ids that the kernel programs know links of.
fn known_links(lab: &Lab) -> Vec<u16> {
    let programs = terway_bpf::Programs::open(lab.host.bpffs()).unwrap();
    let links = programs.maps.vlan_links.list().unwrap();
    let mut ids: Vec<u16> = links.iter().map(|(link, _)| link.vlan).collect();
    ids.sort_unstable();
    ids
}

/// On one trunk, in either order: the programs that push and pop the tags of some pods let the frames of others' links pass.
fn beside_members_by_tag_filter(test: &str, stack: Stack) {
    if lacks(test, Mode::Vlan) {
        return;
    }
    let lab = Lab::new();
    lab.host.mount_bpffs();
    let _far = Echo::new(&lab.vpc, lab::far());
    let datapath = Open::new(&lab.host);
    let talks = |pod: &Namespace, attachment: &Attachment| {
        for address in attachment.addresses() {
            let far = lab::far()[usize::from(address.is_ipv6())];
            assert_eq!(ask(pod, far), Ok(address), "{:?} {address}", attachment.mode);
        }
        assert_eq!(datapath.check(attachment), []);
    };
    let (early_pod, early) = lab.pod_of(Mode::Vlan, 23, stack);
    datapath.attach(&early);
    lab.settle(1);
    talks(&early_pod, &early);
    assert_eq!(known_links(&lab), [0; 0], "nobody has programs on the trunk");

    let (member_pod, member) = filtered(&lab, 24, stack);
    datapath.attach(&member);
    lab.settle(1);
    let (late_pod, late) = lab.pod_of(Mode::Vlan, 25, stack);
    datapath.attach(&late);
    assert_eq!(known_links(&lab), [MEMBER + 23, MEMBER + 25]);
    for (pod, attachment) in [(&member_pod, &member), (&early_pod, &early), (&late_pod, &late)] {
        talks(pod, attachment);
        assert_eq!(datapath.attach(attachment).steps, 0);
    }

    let mut programs = terway_bpf::Programs::open(lab.host.bpffs()).unwrap();
    let (key, _) = programs.maps.vlan_links.list().unwrap().remove(0);
    programs.maps.vlan_links.remove(&key).unwrap();
    let (lost_pod, lost) = if key.vlan == MEMBER + 23 {
        (&early_pod, &early)
    } else {
        (&late_pod, &late)
    };
    let drifts = datapath.check(lost);
    let named: Vec<&str> = drifts.iter().map(|drift| drift.object.as_str()).collect();
    assert_eq!(named, [format!("record vlan link eth1 {}", key.vlan)]);
    let address = lost.addresses().next().unwrap();
    let far = lab::far()[usize::from(address.is_ipv6())];
    assert!(ask(lost_pod, far).is_err(), "the record makes no difference");
    datapath.attach(lost);
    talks(lost_pod, lost);

    datapath.detach(&late);
    assert_eq!(known_links(&lab), [MEMBER + 23]);
    drop(datapath);
    let after = Open::new(&lab.host);
    after.adopt(&[&early, &member]);
    assert_eq!(after.collect().removed, [""; 0]);
    after.detach(&member);
    assert_eq!(known_links(&lab), [0; 0], "the programs went with the last that needed them");
    assert_eq!(after.check(&early), []);
    for address in early.addresses() {
        assert_eq!(ask(&early_pod, lab::far()[usize::from(address.is_ipv6())]), Ok(address));
    }
}

#[test]
fn vlan_v4_beside_members_by_tag_filter() {
    beside_members_by_tag_filter("vlan_v4_beside_members_by_tag_filter", Stack::V4);
}

#[test]
fn vlan_v6_beside_members_by_tag_filter() {
    beside_members_by_tag_filter("vlan_v6_beside_members_by_tag_filter", Stack::V6);
}

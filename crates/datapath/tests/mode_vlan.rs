//! Mode `vlan`. Test names are `<mode>_<family>_<scenario>`; a table of modes, families and kernels is made from them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::calls::Open;
use support::drift::{Edit, dragging, drift, edit};
use support::lab::{Lab, Stack};
use support::modes::lacks;
use support::namespace::Namespace;
use terway_datapath::attachment::{Attachment, Mode};
use terway_datapath::diff::Problem::{Different, Missing};
use terway_datapath::error::ErrorCode;

const HOST: &[Edit] = &[
    dragging("link set eth1 mtu 1400", "link eth1", Different),
    dragging("link set eth1 down", "link eth1", Different),
];

const POD: &[Edit] = &[
    edit("link set eth0 mtu 1400", "link eth0", Different),
    edit("link set eth0 alias nobody", "link eth0", Different),
    dragging("link set eth0 down", "link eth0", Different),
    dragging("link del eth0", "link eth0", Missing),
    dragging("addr del A4/24 dev eth0", "address A4/24 dev eth0", Missing),
    edit("-6 addr del A6/64 dev eth0", "address A6/64 dev eth0", Missing),
    edit("route del S4 dev eth0", "route S4 dev eth0", Missing),
    edit("-6 route del S6 dev eth0", "route S6 dev eth0", Missing),
    edit("route del default", "route default via G4 dev eth0 onlink", Missing),
    edit("-6 route del default", "route default via G6 dev eth0 onlink", Missing),
    edit(
        "sysctl ipv6/conf/eth0/accept_ra 1",
        "sysctl net.ipv6.conf.eth0.accept_ra",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/eth0/accept_dad 1",
        "sysctl net.ipv6.conf.eth0.accept_dad",
        Different,
    ),
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

#[test]
fn vlan_dual_drift() {
    if !lacks("vlan_dual_drift", Mode::Vlan) {
        drift(Mode::Vlan, HOST, POD);
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

//! Members of a trunk ENI by tag filter: kernel programs push and pop the member's tag by the pod's address.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::net::IpAddr;

use support::calls::Open;
use support::drift::{Edit, LIMIT_OF_POD, LIMIT_ON_PAIR, Scene, covers, drift_of, on_trunk, whole};
use support::drift_edits::{
    COMPACT, ENI_SILENT, HOST_END, LINK_SILENT, NODE, NODE_SILENT, PAIR, PAIR_DOWN, PAIR_MACS, PAIR_POD, PAIR_POD_MACS,
    PAIR_SILENT, POD_IPV6, TAG_FILTER, TAG_FILTER_SILENT,
};
use support::lab::{self, GATEWAY_V4, GATEWAY_V6, Lab, Stack};
use support::namespace::Namespace;
use support::probe::{Echo, ask};
use support::trunk::{TrunkPort, tagged};
use terway_datapath::attachment::{Attachment, Mode, Trunk};
use terway_datapath::error::ErrorCode;

const VLAN: u16 = 1001;
const OTHER_VLAN: u16 = 1002;

/// A member pod: its own vSwitch, another one than the trunk's.
fn member(lab: &Lab, number: u16, stack: Stack, vlan: u16) -> (Namespace, Attachment) {
    let (pod, mut attachment) = lab.pod(number, stack);
    if let Some(ipv4) = &mut attachment.ipv4 {
        ipv4.address = [10, 0, 9, number as u8].into();
        ipv4.gateway = [10, 0, 9, 253].into();
    }
    if let Some(ipv6) = &mut attachment.ipv6 {
        ipv6.address = format!("2001:db8:9::{number:x}").parse().unwrap();
        ipv6.gateway = "2001:db8:9::fffd".parse().unwrap();
    }
    attachment.trunk = Some(Trunk {
        vlan_id: vlan,
        gateway_ipv4: stack.v4().then(|| GATEWAY_V4.parse().unwrap()),
        gateway_ipv6: stack.v6().then(|| GATEWAY_V6.parse().unwrap()),
    });
    lab.assign(&attachment, 1);
    for address in attachment.addresses() {
        lab.vpc.ip(&format!("route add {address} dev vpc1"));
    }
    (pod, attachment)
}

fn far_of(address: IpAddr) -> IpAddr {
    lab::far()[usize::from(address.is_ipv6())]
}

fn traffic(test: &str, stack: Stack) {
    if support::skip(test) {
        return;
    }
    let lab = Lab::new();
    lab.host.mount_bpffs();
    let _far = Echo::new(&lab.vpc, lab::far());
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = member(&lab, 7, stack, VLAN);
    datapath.attach(&attachment);
    assert_eq!(datapath.check(&attachment), []);
    assert_eq!(datapath.attach(&attachment).steps, 0);
    lab.settle(1);
    for address in attachment.addresses() {
        let on_wire = tagged(&lab.vpc, address, VLAN, || drop(ask(&pod, far_of(address))));
        assert!(on_wire > 0, "no frame of {address} had the tag {VLAN} on the wire");
    }
    let mut port = TrunkPort::new(&lab.vpc);
    let (_host, _pod) = (Echo::new(&lab.host, lab::node()), Echo::new(&pod, attachment.addresses()));
    for address in attachment.addresses() {
        let far = far_of(address);
        port.put(far, VLAN);
        assert_eq!(ask(&pod, far), Ok(address), "with the member's tag");
        // Another member's network: neither its packets reach the pod, nor the pod's it.
        port.put(far, OTHER_VLAN);
        assert!(ask(&pod, far).is_err(), "the tag of another member passed");
        // The trunk's own network.
        port.put(far, 0);
        assert!(ask(&lab.vpc, address).is_err(), "a frame without a tag passed");
        // The node itself talks to its pods without the trunk.
        assert!(ask(&lab.host, address).is_ok(), "host to pod");
        let node = lab::node()[usize::from(address.is_ipv6())];
        assert_eq!(ask(&pod, node), Ok(address), "pod to host");
    }
    // A pod of the trunk's own network is not touched.
    let (plain, other) = lab.pod(24, stack);
    datapath.attach(&other);
    for address in other.addresses() {
        assert_eq!(ask(&plain, far_of(address)), Ok(address), "without a tag");
    }
}

#[test]
fn tag_filter_v4_traffic() {
    traffic("tag_filter_v4_traffic", Stack::V4);
}

#[test]
fn tag_filter_v6_traffic() {
    traffic("tag_filter_v6_traffic", Stack::V6);
}

#[test]
fn tag_filter_dual_traffic() {
    traffic("tag_filter_dual_traffic", Stack::Dual);
}

/// What of ours is on the ENI and in the maps.
fn traces(lab: &Lab) -> Vec<String> {
    let mut found = Vec::new();
    for hook in ["ingress", "egress"] {
        let filters = lab.host.try_tc(&format!("filter show dev eth1 {hook}")).unwrap_or_default();
        found.extend(filters.lines().filter(|line| line.contains("terway_")).map(str::to_owned));
    }
    let programs = terway_bpf::Programs::open(lab.host.bpffs()).unwrap();
    found.extend(
        programs
            .maps
            .endpoints
            .list()
            .unwrap()
            .iter()
            .map(|record| format!("{record:?}")),
    );
    found.extend(programs.maps.enis.list().unwrap().iter().map(|record| format!("{record:?}")));
    found
}

#[test]
fn tag_filter_dual_goes_with_the_last_pod() {
    if support::skip("tag_filter_dual_goes_with_the_last_pod") {
        return;
    }
    let lab = Lab::new();
    lab.host.mount_bpffs();
    lab.host.tc("qdisc add dev eth1 clsact");
    let foreign = "filter add dev eth1 egress pref 7 protocol ip u32 match ip dst 192.0.2.1/32 flowid 1:1";
    lab.host.tc(foreign);
    let datapath = Open::new(&lab.host);
    let (_first_pod, first) = member(&lab, 7, Stack::Dual, VLAN);
    let (_second_pod, second) = member(&lab, 8, Stack::Dual, OTHER_VLAN);
    datapath.attach(&first);
    datapath.attach(&second);
    assert_eq!(traces(&lab).len(), 2 + 4 + 1, "{:?}", traces(&lab));
    datapath.detach(&first);
    assert_eq!(traces(&lab).len(), 2 + 2 + 1, "{:?}", traces(&lab));
    assert_eq!(datapath.check(&second), []);
    datapath.detach(&second);
    assert_eq!(traces(&lab), [""; 0]);
    assert!(
        lab.host.tc("filter show dev eth1 egress").contains("pref 7"),
        "the foreign filter stays"
    );
}

#[test]
fn tag_filter_dual_collect_removes_what_is_nobodys() {
    if support::skip("tag_filter_dual_collect_removes_what_is_nobodys") {
        return;
    }
    let lab = Lab::new();
    lab.host.mount_bpffs();
    let (_pod, attachment) = member(&lab, 7, Stack::Dual, VLAN);
    let before = Open::new(&lab.host);
    before.attach(&attachment);
    drop(before);
    let after = Open::new(&lab.host);
    after.adopt(&[&attachment]);
    assert_eq!(after.collect().removed, [""; 0]);
    assert_eq!(after.check(&attachment), []);
    drop(after);
    let knows_nothing = Open::new(&lab.host);
    let collected = knows_nothing.collect();
    assert_eq!(collected.failures, []);
    assert!(
        collected
            .removed
            .iter()
            .any(|object| object == "filter dev eth1 ingress pref 29810 bpf handle 0x1 terway_eni_in"),
        "{:?}",
        collected.removed
    );
    assert!(
        collected.removed.iter().any(|object| object == "record endpoint 10.0.9.7"),
        "{:?}",
        collected.removed
    );
    assert_eq!(traces(&lab), [""; 0]);
}

#[test]
fn tag_filter_dual_is_completed_after_a_stop_at_any_step_i6() {
    if support::skip("tag_filter_dual_is_completed_after_a_stop_at_any_step_i6") {
        return;
    }
    let lab = Lab::new();
    lab.host.mount_bpffs();
    for steps in 0.. {
        let datapath = Open::new(&lab.host);
        let (_pod, attachment) = member(&lab, 100 + steps, Stack::Dual, VLAN);
        let stopped = datapath.attach_until(&attachment, u32::from(steps));
        let restarted = Open::new(&lab.host);
        restarted.attach(&attachment);
        assert_eq!(restarted.check(&attachment), [], "stopped after {steps}");
        let partly = restarted.detach_until(&attachment, u32::from(steps));
        let again = Open::new(&lab.host);
        again.detach(&attachment);
        again.collect();
        assert_eq!(traces(&lab), [""; 0], "attach and detach stopped after {steps}: {partly:?}");
        if stopped.is_ok() {
            assert!(steps > 20, "{steps} steps");
            return;
        }
    }
}

/// A member with limits.
fn limited_member(attachment: &mut Attachment) {
    whole(attachment);
    on_trunk(attachment);
}

fn drifts_on_host() -> Vec<Edit> {
    [TAG_FILTER, HOST_END, PAIR, COMPACT, PAIR_MACS, NODE, LIMIT_ON_PAIR].concat()
}

fn silent_drifts() -> Vec<Edit> {
    [TAG_FILTER_SILENT, NODE_SILENT, LINK_SILENT, ENI_SILENT, PAIR_SILENT].concat()
}

fn drifts_in_pod() -> Vec<Edit> {
    [LIMIT_OF_POD, PAIR_POD, PAIR_POD_MACS, POD_IPV6].concat()
}

#[test]
fn drift_has_a_test_for_every_object_of_tag_filter() {
    if !support::skip("drift_has_a_test_for_every_object_of_tag_filter") {
        covers(
            Mode::PolicyRoute,
            limited_member,
            &[&drifts_on_host(), PAIR_DOWN, &silent_drifts(), &drifts_in_pod()],
        );
    }
}

#[test]
fn tag_filter_dual_drift_is_named_and_repaired_i17() {
    if support::skip("tag_filter_dual_drift_is_named_and_repaired_i17") {
        return;
    }
    let scene = Scene::new(Mode::PolicyRoute, limited_member);
    drift_of(scene, &drifts_on_host(), &silent_drifts(), &drifts_in_pod());
}

#[test]
fn tag_filter_v4_refused_where_there_are_no_programs() {
    if support::skip("tag_filter_v4_refused_where_there_are_no_programs") {
        return;
    }
    // No BPF file system is mounted for this node.
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = member(&lab, 7, Stack::V4, VLAN);
    let refused = datapath.try_attach(&attachment).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unsupported, "{refused}");
    assert!(refused.message.contains("no BPF file system"), "{refused}");
    assert!(pod.try_ip("link show eth0").is_err(), "nothing was made");
    assert_eq!(lab.own_objects(), [""; 0]);
    let (_plain, other) = lab.pod(24, Stack::V4);
    datapath.attach(&other);
    assert_eq!(datapath.check(&other), []);
}

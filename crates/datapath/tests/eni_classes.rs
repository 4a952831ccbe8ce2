//! `network-priority` with packets: each class in its band of the ENI's `prio`; and the ENI's queues when somebody else has changed them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use support::calls::{Open, until};
use support::lab::{self, Lab, Stack};
use support::namespace::Namespace;
use support::probe::{Echo, ask};
use support::queues::{bands, lacks, ours};
use terway_datapath::attachment::{Attachment, BandwidthMode, Priority};
use terway_datapath::diff::Problem;

const CLASSES: [(Priority, &str); 3] = [
    (Priority::Guaranteed, "1"),
    (Priority::Burstable, "2"),
    (Priority::BestEffort, "3"),
];
/// Datagrams of each pod; whatever else leaves an ENI meanwhile is far less.
const DATAGRAMS: u64 = 200;

fn send(pod: &Namespace, to: IpAddr) {
    pod.run(|| {
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).unwrap();
        // Not connected: it would be told of ICMP errors, in place of sending.
        for _ in 0..DATAGRAMS {
            socket.send_to(b"classed", (to, 9)).unwrap();
        }
    });
}

/// Three pods, a class each: what they send is counted in their bands.
fn classed(test: &str, stack: Stack) {
    if support::skip(test) || lacks(test, "prio") {
        return;
    }
    let lab = Lab::new();
    lab.host.mount_bpffs();
    let datapath = Open::new(&lab.host);
    let pods: Vec<(Namespace, Attachment)> = (23..)
        .zip(CLASSES)
        .map(|(number, (class, _))| {
            let (pod, mut attachment) = lab.pod(number, stack);
            attachment.shaping.priority = Some(class);
            datapath.attach(&attachment);
            (pod, attachment)
        })
        .collect();
    lab.settle(1);
    let _echo = Echo::new(&lab.vpc, lab::far());
    let far: IpAddr = lab::far()[usize::from(stack == Stack::V6)];
    for ((pod, attachment), (class, own)) in pods.iter().zip(CLASSES) {
        assert_eq!(datapath.check(attachment), []);
        // While a gateway is looked for, the kernel keeps a few packets only.
        ask(pod, far).unwrap();
        let before = bands(&lab.host);
        assert_eq!(before.len(), 3, "{before:?}");
        send(pod, far);
        let after = bands(&lab.host);
        for (band, packets) in &after {
            let more = packets - before[band];
            let (least, most) = if band == own { (DATAGRAMS, DATAGRAMS + 20) } else { (0, 20) };
            assert!((least..=most).contains(&more), "{class:?}: {more} packets in band {band}");
        }
    }
}

#[test]
fn policy_route_v4_priority_classes_have_their_bands() {
    classed("policy_route_v4_priority_classes_have_their_bands", Stack::V4);
}

#[test]
fn policy_route_v6_priority_classes_have_their_bands() {
    classed("policy_route_v6_priority_classes_have_their_bands", Stack::V6);
}

/// The tree of classes and departure times, each part removed in turn.
#[test]
fn policy_route_dual_queues_drift_is_named_and_repaired_i17() {
    const TEST: &str = "policy_route_dual_queues_drift_is_named_and_repaired_i17";
    if support::skip(TEST) || lacks(TEST, "fq") || lacks(TEST, "prio") {
        return;
    }
    let lab = Lab::new();
    lab.host.mount_bpffs();
    let datapath = Open::new(&lab.host);
    let (_pod, mut attachment) = lab.pod(23, Stack::Dual);
    attachment.shaping.egress = Some(1_250_000);
    attachment.shaping.mode = BandwidthMode::Edt;
    attachment.shaping.priority = Some(Priority::Burstable);
    datapath.attach(&attachment);
    assert_eq!(datapath.check(&attachment), []);
    let tree = ours(&lab.host);
    assert!(tree.len() >= 4, "{tree:?}");
    let filters = ["filter del dev eth1 egress pref 29810".to_owned()];
    let removals: Vec<(String, Option<String>)> = tree
        .iter()
        .map(|(kind, handle, place)| {
            (
                format!("qdisc del dev eth1 {place} handle {handle}"),
                Some(format!("qdisc {kind} {handle} dev eth1 {place}")),
            )
        })
        .chain(filters.into_iter().map(|command| (command, None)))
        .collect();
    for (command, object) in &removals {
        lab.host.tc(command);
        let drifts = datapath.check(&attachment);
        let named = drifts.iter().find(|drift| {
            object
                .as_ref()
                .map_or(drift.kind == "filter", |object| *object == drift.object)
        });
        assert_eq!(
            named.map(|drift| drift.problem),
            Some(Problem::Missing),
            "{command}: {drifts:?}"
        );
        assert!(datapath.attach(&attachment).steps > 0, "{command}");
        assert_eq!(datapath.check(&attachment), [], "{command}");
        assert_eq!(ours(&lab.host), tree, "{command}");
    }
    datapath.0.start_repair(Duration::from_secs(3600), true, |_| {}).unwrap();
    for (command, _) in &removals {
        lab.host.tc(command);
        // Nobody scans. An emulated processor needs longer than a second for a tree of nine qdiscs.
        until(command, Duration::from_secs(5), || datapath.check(&attachment).is_empty());
        assert_eq!(ours(&lab.host), tree, "{command}");
    }
}

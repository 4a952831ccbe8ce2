//! What a pod with limits can send and get, measured with TCP streams.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::net::IpAddr;
use std::time::Duration;

use support::calls::Open;
use support::lab::{self, Lab, Stack};
use support::modes::lacks;
use support::namespace::Namespace;
use support::stream::{beat, expected, goodput};
use terway_datapath::attachment::{Attachment, Mode, Shaping};

const LENGTH: Duration = Duration::from_millis(1200);
/// A stream is judged only on a machine that carries so much more without a limit.
const HEADROOM: f64 = 1.5;

const fn mbit(number: u64) -> u64 {
    number * 1_000_000 / 8
}

fn address_of(attachment: &Attachment, stack: Stack) -> IpAddr {
    attachment
        .addresses()
        .find(|address| address.is_ipv4() == stack.v4())
        .unwrap()
}

/// A processor that others use comes late to a bucket; what it then loses is no fault of the limit.
const ATTEMPTS: u32 = 3;

/// Goodput as a part of what the limit allows, from and to the pod.
fn ratios(lab: &Lab, pod: &Namespace, attachment: &Attachment, stack: Stack, rate: u64) -> [(&'static str, f64); 2] {
    let far = lab::far()[usize::from(stack == Stack::V6)];
    let near = address_of(attachment, stack);
    let part = |goodput: f64, to| goodput / expected(rate, to, attachment.mtu);
    [
        ("egress", part(goodput(pod, &lab.vpc, far, LENGTH), far)),
        ("ingress", part(goodput(&lab.vpc, pod, near, LENGTH), near)),
    ]
}

/// An emulated processor stands still for longer than the bucket lasts: what it carries says nothing of the limit.
fn emulated(test: &str) -> bool {
    let emulated = std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("QEMU TCG"));
    if emulated {
        println!("SKIP {test}: the processor is emulated; its clock and its speed have nothing to do with each other");
    }
    emulated
}

/// Within 5 % of the limit in both directions.
fn shaped(test: &str, mode: Mode, stack: Stack, rate: u64) {
    if lacks(test, mode) || emulated(test) {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (pod, mut attachment) = lab.pod_of(mode, 23, stack);
    datapath.attach(&attachment);
    lab.settle(1);
    let unlimited = ratios(&lab, &pod, &attachment, stack, rate);
    if let Some((direction, ratio)) = unlimited.iter().find(|(_, ratio)| *ratio < HEADROOM) {
        println!("SKIP {test}: without a limit this machine carries {ratio:.2} of the rate ({direction}); too slow to judge");
        return;
    }
    attachment.shaping = Shaping {
        ingress: Some(rate),
        egress: Some(rate),
        ..Shaping::default()
    };
    let attached = datapath.attach(&attachment);
    assert_eq!(attached.unenforced, [""; 0]);
    assert_eq!(datapath.check(&attachment), []);
    // A machine that stands still while one measures makes a rate look lower, or higher when what had queued comes at once: the closest counts. A
    // limit that is wrong is wrong every time.
    let mut closest = [("egress", 0.0_f64), ("ingress", 0.0)];
    for _ in 0..ATTEMPTS {
        for (closest, (direction, ratio)) in closest.iter_mut().zip(ratios(&lab, &pod, &attachment, stack, rate)) {
            println!("{test} {direction}: {ratio:.3} of the limit");
            if (ratio - 1.0).abs() < (closest.1 - 1.0).abs() {
                closest.1 = ratio;
            }
        }
        if closest.iter().all(|(_, ratio)| (0.95..=1.05).contains(ratio)) {
            return;
        }
    }
    panic!("{mode:?} {stack:?} at {rate} B/s: {closest:.3?} of the limit");
}

/// The same by the time between packets that waited, which an emulated processor keeps: one that stood still makes one gap longer, and the
/// median is blind to it. For modes that only guests have.
fn beats(test: &str, mode: Mode, stack: Stack) {
    if lacks(test, mode) {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (pod, mut attachment) = lab.pod_of(mode, 23, stack);
    let rate = mbit(1);
    attachment.shaping = Shaping {
        ingress: Some(rate),
        egress: Some(rate),
        ..Shaping::default()
    };
    assert_eq!(datapath.attach(&attachment).unenforced, [""; 0]);
    assert_eq!(datapath.check(&attachment), []);
    lab.settle(1);
    let far = lab::far()[usize::from(stack == Stack::V6)];
    let near = address_of(&attachment, stack);
    for (direction, from, into, to) in [("egress", &pod, &lab.vpc, far), ("ingress", &lab.vpc, &pod, near)] {
        let mut closest = 0.0_f64;
        for _ in 0..ATTEMPTS {
            let ratio = beat(from, into, to) / rate as f64;
            println!("{test} {direction}: {ratio:.3} of the limit");
            if (ratio - 1.0).abs() < (closest - 1.0).abs() {
                closest = ratio;
            }
            if (0.95..=1.05).contains(&closest) {
                break;
            }
        }
        assert!(
            (0.95..=1.05).contains(&closest),
            "{mode:?} {stack:?} {direction}: {closest:.3} of the limit"
        );
    }
}

#[test]
fn policy_route_v4_bandwidth_tc_10m() {
    shaped("policy_route_v4_bandwidth_tc_10m", Mode::PolicyRoute, Stack::V4, mbit(10));
}

#[test]
#[ignore = "long"]
fn policy_route_v4_bandwidth_tc_100m() {
    shaped("policy_route_v4_bandwidth_tc_100m", Mode::PolicyRoute, Stack::V4, mbit(100));
}

#[test]
#[ignore = "long"]
fn policy_route_v4_bandwidth_tc_1g() {
    shaped("policy_route_v4_bandwidth_tc_1g", Mode::PolicyRoute, Stack::V4, mbit(1000));
}

#[test]
#[ignore = "long"]
fn policy_route_v6_bandwidth_tc_10m() {
    shaped("policy_route_v6_bandwidth_tc_10m", Mode::PolicyRoute, Stack::V6, mbit(10));
}

#[test]
fn policy_route_v6_bandwidth_tc_100m() {
    shaped("policy_route_v6_bandwidth_tc_100m", Mode::PolicyRoute, Stack::V6, mbit(100));
}

#[test]
#[ignore = "long"]
fn policy_route_v6_bandwidth_tc_1g() {
    shaped("policy_route_v6_bandwidth_tc_1g", Mode::PolicyRoute, Stack::V6, mbit(1000));
}

#[test]
fn exclusive_v4_bandwidth_tc_10m() {
    shaped("exclusive_v4_bandwidth_tc_10m", Mode::Exclusive, Stack::V4, mbit(10));
}

#[test]
fn exclusive_v6_bandwidth_tc_100m() {
    shaped("exclusive_v6_bandwidth_tc_100m", Mode::Exclusive, Stack::V6, mbit(100));
}

/// What a pod with an ENI of its own sends to the VPC and, at the same time, to its node: each way keeps to the limit, neither takes from the other.
#[test]
fn exclusive_v4_bandwidth_tc_10m_by_both_ways() {
    let test = "exclusive_v4_bandwidth_tc_10m_by_both_ways";
    if lacks(test, Mode::Exclusive) || emulated(test) {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (pod, mut attachment) = lab.pod_of(Mode::Exclusive, 23, Stack::V4);
    let rate = mbit(10);
    attachment.shaping.egress = Some(rate);
    datapath.attach(&attachment);
    lab.settle(1);
    let part = |into, to| goodput(&pod, into, to, LENGTH) / expected(rate, to, attachment.mtu);
    let mut seen = Vec::new();
    for _ in 0..ATTEMPTS {
        let ways = std::thread::scope(|scope| {
            let to_node = scope.spawn(|| part(&lab.host, lab::node()[0]));
            [part(&lab.vpc, lab::far()[0]), to_node.join().unwrap()]
        });
        println!("{test}: {ways:.3?} of the limit to the VPC and to the node");
        if ways.iter().all(|ratio| (0.95..=1.05).contains(ratio)) {
            return;
        }
        seen.push(ways);
    }
    panic!("{seen:.3?} of the limit");
}

#[test]
#[ignore = "long"]
fn exclusive_v4_bandwidth_tc_1g() {
    shaped("exclusive_v4_bandwidth_tc_1g", Mode::Exclusive, Stack::V4, mbit(1000));
}

#[test]
fn ipvlan_v4_bandwidth_tc_1m() {
    beats("ipvlan_v4_bandwidth_tc_1m", Mode::Ipvlan, Stack::V4);
}

#[test]
fn ipvlan_v6_bandwidth_tc_1m() {
    beats("ipvlan_v6_bandwidth_tc_1m", Mode::Ipvlan, Stack::V6);
}

#[test]
fn vlan_v4_bandwidth_tc_1m() {
    beats("vlan_v4_bandwidth_tc_1m", Mode::Vlan, Stack::V4);
}

#[test]
fn vlan_v6_bandwidth_tc_1m() {
    beats("vlan_v6_bandwidth_tc_1m", Mode::Vlan, Stack::V6);
}

#[test]
fn ipvlan_v4_bandwidth_tc_100m() {
    shaped("ipvlan_v4_bandwidth_tc_100m", Mode::Ipvlan, Stack::V4, mbit(100));
}

#[test]
fn vlan_v4_bandwidth_tc_100m() {
    shaped("vlan_v4_bandwidth_tc_100m", Mode::Vlan, Stack::V4, mbit(100));
}

#[test]
fn exclusive_v4_bandwidth_tc_1m() {
    beats("exclusive_v4_bandwidth_tc_1m", Mode::Exclusive, Stack::V4);
}

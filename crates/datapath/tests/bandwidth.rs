//! What a pod with limits can send and get, measured with TCP streams.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::net::IpAddr;
use std::time::Duration;

use support::calls::Open;
use support::lab::{self, Lab, Stack};
use support::namespace::Namespace;
use support::stream::{expected, goodput};
use terway_datapath::attachment::{Attachment, Shaping};

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
fn shaped(test: &str, stack: Stack, rate: u64) {
    if support::skip(test) || emulated(test) {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (pod, mut attachment) = lab.pod(23, stack);
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
    panic!("{stack:?} at {rate} B/s: {closest:.3?} of the limit");
}

#[test]
fn policy_route_v4_bandwidth_tc_10m() {
    shaped("policy_route_v4_bandwidth_tc_10m", Stack::V4, mbit(10));
}

#[test]
fn policy_route_v4_bandwidth_tc_100m() {
    shaped("policy_route_v4_bandwidth_tc_100m", Stack::V4, mbit(100));
}

#[test]
fn policy_route_v4_bandwidth_tc_1g() {
    shaped("policy_route_v4_bandwidth_tc_1g", Stack::V4, mbit(1000));
}

#[test]
fn policy_route_v6_bandwidth_tc_10m() {
    shaped("policy_route_v6_bandwidth_tc_10m", Stack::V6, mbit(10));
}

#[test]
fn policy_route_v6_bandwidth_tc_100m() {
    shaped("policy_route_v6_bandwidth_tc_100m", Stack::V6, mbit(100));
}

#[test]
fn policy_route_v6_bandwidth_tc_1g() {
    shaped("policy_route_v6_bandwidth_tc_1g", Stack::V6, mbit(1000));
}

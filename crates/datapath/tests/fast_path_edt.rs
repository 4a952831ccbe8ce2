//! Departure times and classes on an ENI hold for packets that have come there past the node's stack.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::atomic::Ordering;

use support::calls::Open;
use support::lab::{self, FAST_PATH, Lab, Stack};
use support::probe::{Echo, ask};
use support::queues::{bands, lacks};
use support::stream::beat;
use terway_bpf::{Programs, Reason};
use terway_datapath::attachment::{BandwidthMode, Priority, Shaping};

const REASONS: [Reason; 4] = [Reason::ForwardedOut, Reason::ForwardedIn, Reason::PathLost, Reason::OutPaced];

fn counts(lab: &Lab) -> [u64; 4] {
    let programs = Programs::open(lab.host.bpffs()).unwrap();
    REASONS.map(|reason| programs.maps.counters.get(reason).unwrap().packets)
}

/// What a stalled machine makes of one measurement is no fault of the limit; one that is wrong is wrong every time.
const ATTEMPTS: u32 = 3;

/// By the time between packets that waited, which an emulated processor keeps too.
fn paced(test: &str, stack: Stack) {
    if support::skip(test) || lacks(test, "fq") {
        return;
    }
    // 1 Mbit/s.
    let rate = 125_000;
    FAST_PATH.store(true, Ordering::Relaxed);
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (pod, mut limited) = lab.pod(23, stack);
    limited.shaping = Shaping {
        egress: Some(rate),
        mode: BandwidthMode::Edt,
        ..Shaping::default()
    };
    let (free_pod, free) = lab.pod(24, stack);
    for attachment in [&limited, &free] {
        datapath.attach(attachment);
        assert_eq!(datapath.check(attachment), []);
    }
    lab.settle(1);
    let far = lab::far()[usize::from(stack == Stack::V6)];
    let mut closest = 0.0_f64;
    for _ in 0..ATTEMPTS {
        let ratio = beat(&pod, &lab.vpc, far) / rate as f64;
        if (ratio - 1.0).abs() < (closest - 1.0).abs() {
            closest = ratio;
        }
        let [out, .., departed] = counts(&lab);
        println!("{test}: {ratio:.3} of the limit; {out} packets out past the stack, {departed} given a time");
        if (0.95..=1.05).contains(&closest) {
            break;
        }
    }
    let [out, _, lost, departed] = counts(&lab);
    assert!((0.95..=1.05).contains(&closest), "{stack:?}: {closest:.3} of the limit");
    assert_eq!(lost, 0, "its flows kept their path");
    // All that waited; the rest of a flow were due at once, or beyond the horizon.
    assert!(
        departed > 100 && out >= departed,
        "of {out} packets past the stack {departed} were given a time"
    );

    // Who has no limit on the same ENI waits for nobody.
    let _echo = Echo::new(&lab.vpc, [far]);
    let before = counts(&lab);
    assert!(ask(&free_pod, far).is_ok());
    let after = counts(&lab);
    let [out, into, lost, departed]: [u64; 4] = std::array::from_fn(|index| after[index] - before[index]);
    // The other pod's last datagrams may be answered by ICMP errors meanwhile.
    assert!(into >= 1, "the answer came past the stack");
    assert_eq!([out, lost, departed], [1, 0, 0]);
}

#[test]
fn policy_route_v4_fast_path_edt_1m() {
    paced("policy_route_v4_fast_path_edt_1m", Stack::V4);
}

#[test]
fn policy_route_v6_fast_path_edt_1m() {
    paced("policy_route_v6_fast_path_edt_1m", Stack::V6);
}

/// The class that the pod's packets get is its band of the ENI's `prio`, past the stack too.
#[test]
fn policy_route_dual_fast_path_classes() {
    const TEST: &str = "policy_route_dual_fast_path_classes";
    if support::skip(TEST) || lacks(TEST, "prio") {
        return;
    }
    FAST_PATH.store(true, Ordering::Relaxed);
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (pod, mut attachment) = lab.pod(23, Stack::Dual);
    attachment.shaping.priority = Some(Priority::Guaranteed);
    datapath.attach(&attachment);
    assert_eq!(datapath.check(&attachment), []);
    lab.settle(1);
    let _echo = Echo::new(&lab.vpc, lab::far());
    for far in lab::far() {
        let before = bands(&lab.host);
        for _ in 0..20 {
            assert!(ask(&pod, far).is_ok());
        }
        let after = bands(&lab.host);
        assert!(after["1"] >= before["1"] + 20, "{before:?} {after:?}");
    }
    let [out, ..] = counts(&lab);
    assert_eq!(out, 40);
}

//! What an ENI queues for its pods: departure times in `fq`, classes in `prio`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::net::IpAddr;
use std::time::Duration;

use support::calls::Open;
use support::lab::{self, Lab, Stack};
use support::queues::{lacks, ours, try_qdisc};
use support::stream::{expected, goodput};
use terway_bpf::{Programs, Reason};
use terway_datapath::attachment::{Attachment, BandwidthMode, Priority, Shaping};
use terway_datapath::error::ErrorCode;

fn limited(attachment: &mut Attachment, rate: u64) {
    attachment.shaping = Shaping {
        egress: Some(rate),
        mode: BandwidthMode::Edt,
        ..Shaping::default()
    };
}

fn kinds(lab: &Lab) -> Vec<String> {
    let mut kinds: Vec<String> = ours(&lab.host).into_iter().map(|(kind, ..)| kind).collect();
    kinds.dedup();
    kinds
}

#[test]
fn policy_route_dual_queues_follow_what_all_pods_need() {
    const TEST: &str = "policy_route_dual_queues_follow_what_all_pods_need";
    if support::skip(TEST) || lacks(TEST, "fq") || lacks(TEST, "prio") {
        return;
    }
    let lab = Lab::new();
    lab.host.mount_bpffs();
    let datapath = Open::new(&lab.host);
    let (_paced_pod, mut paced) = lab.pod(23, Stack::Dual);
    limited(&mut paced, 1_250_000);
    let (_classed_pod, mut classed) = lab.pod(24, Stack::Dual);
    classed.shaping.priority = Some(Priority::Guaranteed);
    datapath.attach(&paced);
    assert_eq!(datapath.check(&paced), []);
    assert!(
        kinds(&lab).contains(&"fq".to_owned()) && !kinds(&lab).contains(&"prio".to_owned()),
        "{:?}",
        kinds(&lab)
    );
    datapath.attach(&classed);
    for attachment in [&paced, &classed] {
        assert_eq!(datapath.check(attachment), []);
        assert_eq!(datapath.attach(attachment).steps, 0);
    }
    assert!(
        kinds(&lab).contains(&"prio".to_owned()) && kinds(&lab).contains(&"fq".to_owned()),
        "{:?}",
        kinds(&lab)
    );
    datapath.detach(&paced);
    assert_eq!(datapath.check(&classed), []);
    assert!(!kinds(&lab).contains(&"fq".to_owned()), "{:?}", kinds(&lab));
    datapath.detach(&classed);
    assert_eq!(kinds(&lab), [""; 0]);
}

fn paced(test: &str, stack: Stack, rate: u64) {
    if support::skip(test) || lacks(test, "fq") {
        return;
    }
    let lab = Lab::new();
    lab.host.mount_bpffs();
    let datapath = Open::new(&lab.host);
    let (pod, mut attachment) = lab.pod(23, stack);
    limited(&mut attachment, rate);
    datapath.attach(&attachment);
    assert_eq!(datapath.check(&attachment), []);
    lab.settle(1);
    let far: IpAddr = lab::far()[usize::from(stack == Stack::V6)];
    let ratio = goodput(&pod, &lab.vpc, far, Duration::from_secs(3)) / expected(rate, far, attachment.mtu);
    println!("{test}: {ratio:.3} of the limit");
    let programs = Programs::open(lab.host.bpffs()).unwrap();
    let counts = programs.maps.counters.get(Reason::OutPaced).unwrap();
    assert!(counts.packets > 0, "no packet was given a departure time");
    assert!(
        (0.9..=1.05).contains(&ratio),
        "{stack:?} at {rate} B/s: {ratio:.3} of the limit"
    );
}

#[test]
fn policy_route_v4_bandwidth_edt_10m() {
    paced("policy_route_v4_bandwidth_edt_10m", Stack::V4, 1_250_000);
}

#[test]
fn policy_route_v6_bandwidth_edt_10m() {
    paced("policy_route_v6_bandwidth_edt_10m", Stack::V6, 1_250_000);
}

/// Without `fq` nobody would keep the departure times: then the pod is refused, with the reason.
#[test]
fn policy_route_v4_bandwidth_edt_only_with_fq() {
    const TEST: &str = "policy_route_v4_bandwidth_edt_only_with_fq";
    if support::skip(TEST) {
        return;
    }
    let lab = Lab::new();
    lab.host.mount_bpffs();
    let datapath = Open::new(&lab.host);
    let (_pod, mut attachment) = lab.pod(23, Stack::V4);
    limited(&mut attachment, 1_250_000);
    match (try_qdisc("fq"), datapath.try_attach(&attachment)) {
        (Ok(()), Ok(_)) => assert_eq!(datapath.check(&attachment), []),
        (Err(_), Err(refused)) => {
            assert_eq!(refused.code, ErrorCode::Unsupported, "{refused}");
            assert!(refused.message.contains("no qdisc fq"), "{refused}");
        }
        (kernel, attached) => panic!("the kernel says {kernel:?}, the datapath {attached:?}"),
    }
    datapath.detach(&attachment);
    assert_eq!(datapath.collect().failures, []);
    assert_eq!(kinds(&lab), [""; 0]);
}

//! Packets cross from the moment attach returns.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::net::IpAddr;

use support::calls::Open;
use support::lab::{self, FAR_V4, FAR_V6, HOST_V4, HOST_V6, Lab, Stack};
use support::namespace::Namespace;
use support::probe::{Echo, ask};
use terway_datapath::attachment::{Attachment, RuleForm};

fn far(to: &IpAddr) -> IpAddr {
    if to.is_ipv4() { FAR_V4 } else { FAR_V6 }.parse().unwrap()
}

fn host(to: &IpAddr) -> IpAddr {
    if to.is_ipv4() { HOST_V4 } else { HOST_V6 }.parse().unwrap()
}

/// The first datagram on every path arrives, with the right source.
fn all_paths(lab: &Lab, pod: &Namespace, attachment: &Attachment) {
    for address in attachment.addresses() {
        let paths = [
            ("host to pod", ask(&lab.host, address), host(&address)),
            ("pod to elsewhere", ask(pod, far(&address)), address),
            (
                "elsewhere to pod",
                ask(&lab.vpc, address),
                if address.is_ipv4() {
                    "10.0.1.253"
                } else {
                    "2001:db8:1:0:ffff:ffff:ffff:fffd"
                }
                .parse()
                .unwrap(),
            ),
            ("pod to host", ask(pod, host(&address)), address),
        ];
        for (path, seen, want) in paths {
            assert_eq!(seen, Ok(want), "{path} {address} ({:?})", attachment.rule_form);
        }
    }
}

fn traffic(stack: Stack, form: RuleForm) {
    let lab = Lab::new();
    let (_far, _host) = (Echo::new(&lab.vpc, lab::far()), Echo::new(&lab.host, lab::node()));
    let datapath = Open::new(&lab.host);
    let (pod, mut attachment) = lab.pod(23, stack);
    attachment.rule_form = form;
    datapath.attach(&attachment);
    lab.settle(1);
    let _echo = Echo::new(&pod, attachment.addresses());
    all_paths(&lab, &pod, &attachment);
    let (second, mut other) = lab.pod(24, stack);
    other.rule_form = form;
    datapath.attach(&other);
    let _second_echo = Echo::new(&second, other.addresses());
    for (from, to) in attachment.addresses().zip(other.addresses()) {
        assert_eq!(ask(&pod, to), Ok(from), "pod to pod");
        assert_eq!(ask(&second, from), Ok(to), "pod to pod, back");
    }
    assert_eq!(datapath.check(&attachment), []);
    assert_eq!(datapath.check(&other), []);
}

#[test]
fn packets_cross_at_once_ipv4() {
    if !support::skip("packets_cross_at_once_ipv4") {
        traffic(Stack::V4, RuleForm::Compact);
        traffic(Stack::V4, RuleForm::PerPod);
    }
}

#[test]
fn packets_cross_at_once_ipv6() {
    if !support::skip("packets_cross_at_once_ipv6") {
        traffic(Stack::V6, RuleForm::Compact);
        traffic(Stack::V6, RuleForm::PerPod);
    }
}

#[test]
fn packets_cross_at_once_dual_stack() {
    if !support::skip("packets_cross_at_once_dual_stack") {
        traffic(Stack::Dual, RuleForm::Compact);
        traffic(Stack::Dual, RuleForm::PerPod);
    }
}

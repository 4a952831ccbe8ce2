//! A pod with two interfaces on two ENIs: by default through the first, by source or bound device through either.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::process::Command;

use support::calls::Open;
use support::lab::{self, Lab, Stack};
use support::namespace::Namespace;
use support::probe::{Echo, ask};
use support::vpc::{move_pods, on_eni, two_enis};
use terway_datapath::attachment::{Attachment, RuleForm};

/// `ping -I SOURCE-OR-DEVICE`: one echo request, answered or not.
fn ping(pod: &Namespace, from: &str, to: &str) -> bool {
    let arguments = ["-c1", "-W1", "-I", from, to];
    pod.run(|| Command::new("ping").args(arguments).output().unwrap())
        .status
        .success()
}

/// Attachments `eth0` on the first ENI and `eth1` on the second of one pod; an extra route leads out of `eth1`.
fn two_interfaces(lab: &Lab, stack: Stack, form: RuleForm) -> (Namespace, [Attachment; 2]) {
    let pod = Namespace::new();
    let [first, second] = [23, 24].map(|number| lab::attachment(number, stack, &pod.path()));
    let first = Attachment {
        multi_network: true,
        ..on_eni(first, 1, form)
    };
    let second = Attachment {
        if_name: "eth1".into(),
        multi_network: true,
        default_route: false,
        extra_routes: ["203.0.113.0/24", "2001:db8:eeee::/48"][usize::from(!stack.v4())..=usize::from(stack.v6())]
            .iter()
            .map(|route| route.parse().unwrap())
            .collect(),
        ..on_eni(second, 2, form)
    };
    move_pods(lab, [(&first, 1), (&second, 2)]);
    (pod, [first, second])
}

fn chooses_its_interface(stack: Stack) {
    for form in [RuleForm::Compact, RuleForm::PerPod] {
        let lab = two_enis();
        lab.vpc
            .ips("addr add 203.0.113.1/32 dev lo\naddr add 2001:db8:eeee::1/128 dev lo nodad");
        let datapath = Open::new(&lab.host);
        let (pod, attachments) = two_interfaces(&lab, stack, form);
        let beyond = ["203.0.113.1", "2001:db8:eeee::1"].map(|address| address.parse().unwrap());
        let _echo = Echo::new(&lab.vpc, lab::far().into_iter().chain(beyond));
        for attachment in &attachments {
            datapath.attach(attachment);
        }
        lab.settle(1);
        lab.settle(2);
        let [first, second] = &attachments;
        for (own, other) in first.addresses().zip(second.addresses()) {
            let of_family =
                |addresses: [std::net::IpAddr; 2]| addresses.into_iter().find(|each| each.is_ipv4() == own.is_ipv4()).unwrap();
            let (far, beyond) = (of_family(lab::far()), of_family(beyond));
            assert_eq!(ask(&pod, far), Ok(own), "{form:?}: by default");
            assert_eq!(ask(&pod, beyond), Ok(other), "{form:?}: extra route");
            for from in [own.to_string(), other.to_string(), "eth0".into(), "eth1".into()] {
                assert!(ping(&pod, &from, &far.to_string()), "{form:?}: {far} from {from}");
            }
        }
        for attachment in &attachments {
            assert_eq!(datapath.check(attachment), [], "{form:?}");
            assert_eq!(datapath.attach(attachment).steps, 0, "{form:?}");
        }
        // A rule of the pod's own stays; one of ours comes back.
        pod.ip("rule add pref 300 from 192.0.2.1 lookup 300");
        pod.ip(&format!(
            "{} rule del pref 512 oif eth1",
            if stack == Stack::V6 { "-6" } else { "-4" }
        ));
        let drifts = datapath.check(second);
        let named: Vec<&str> = drifts.iter().map(|drift| drift.object.as_str()).collect();
        assert_eq!(named.len(), 1, "{named:?}");
        assert!(named[0].starts_with("rule 512: from all oif eth1 lookup 2001"), "{named:?}");
        datapath.attach(second);
        assert_eq!(datapath.check(second), []);
        assert!(pod.ip("rule").contains("from 192.0.2.1 lookup 300"));
    }
}

#[test]
fn policy_route_v4_two_interfaces() {
    if !support::skip("policy_route_v4_two_interfaces") {
        chooses_its_interface(Stack::V4);
    }
}

#[test]
fn policy_route_v6_two_interfaces() {
    if !support::skip("policy_route_v6_two_interfaces") {
        chooses_its_interface(Stack::V6);
    }
}

#[test]
fn policy_route_dual_two_interfaces() {
    if !support::skip("policy_route_dual_two_interfaces") {
        chooses_its_interface(Stack::Dual);
    }
}

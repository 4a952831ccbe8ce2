//! Pods whose ENIs carry security groups of their own: what they exchange with pods of other ENIs goes by the VPC, which may refuse it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::atomic::Ordering;

use support::calls::Open;
use support::drift::{Edit, drift, edit};
use support::lab::{self, GATEWAY_V6, OWN_GROUPS, Stack};
use support::modes::lacks;
use support::namespace::Namespace;
use support::probe::{Echo, ask};
use support::scenario;
use support::vpc::{move_pods, nft, on_eni, two_enis};
use terway_datapath::attachment::{Attachment, Mode, RuleForm};
use terway_datapath::diff::Problem::{Missing, Unexpected};

/// Two pods on each ENI; those of the second and third ENI have groups of their own.
const ENIS: [u8; 6] = [1, 1, 2, 2, 3, 3];

/// Which pods hear which, one letter for each address; lines are who asks.
fn heard(pods: &[(Namespace, Attachment)]) -> Vec<String> {
    let answered = |from: &(Namespace, Attachment), to: &(Namespace, Attachment)| -> String {
        let pairs = from.1.addresses().zip(to.1.addresses());
        pairs
            .map(|(own, address)| match ask(&from.0, address) {
                Ok(seen) if seen == own => '1',
                Ok(_) => '?',
                Err(_) => '.',
            })
            .collect()
    };
    // Side by side: each that hears nothing waits its patience out.
    std::thread::scope(|scope| {
        let answered = &answered;
        let lines: Vec<_> = (pods.iter())
            .map(|from| scope.spawn(move || pods.iter().map(|to| answered(from, to)).collect::<Vec<_>>().join(" ")))
            .collect();
        lines.into_iter().map(|line| line.join().unwrap()).collect()
    })
}

fn groups_decide(mode: Mode, form: RuleForm) {
    let lab = two_enis();
    lab.plug(3);
    lab.vpc.ip(&format!("addr add {GATEWAY_V6}/128 dev vpc3 nodad"));
    nft(&lab.vpc, "add chain inet vpc groups { type filter hook forward priority 0; }");
    let (_far, _node) = (Echo::new(&lab.vpc, lab::far()), Echo::new(&lab.host, lab::node()));
    let datapath = Open::new(&lab.host);
    let pods: Vec<(Namespace, Attachment)> = (1u16..)
        .zip(ENIS)
        .map(|(number, eni)| {
            let (pod, attachment) = lab.pod(number * 40, Stack::Dual);
            let mut attachment = on_eni(attachment, eni, form);
            attachment.mode = mode;
            attachment.own_groups = eni > 1;
            (pod, attachment)
        })
        .collect();
    move_pods(&lab, pods.iter().zip(ENIS).map(|((_, attachment), eni)| (attachment, eni)));
    for (_, attachment) in &pods {
        datapath.attach(attachment);
    }
    for eni in 1..=3 {
        lab.settle(eni);
    }
    let echoes: Vec<Echo> = pods
        .iter()
        .map(|(pod, attachment)| Echo::new(pod, attachment.addresses()))
        .collect();

    assert_eq!(
        heard(&pods),
        ["11 11 11 11 11 11"; 6],
        "{mode:?} {form:?}: the VPC lets everything pass"
    );
    nft(
        &lab.vpc,
        "add rule inet vpc groups iifname \"vpc*\" oifname \"vpc*\" counter drop",
    );
    let same_eni = ["11 11 .. .. .. ..", ".. .. 11 11 .. ..", ".. .. .. .. 11 11"];
    let want: Vec<&str> = same_eni.iter().flat_map(|line| [*line, *line]).collect();
    assert_eq!(heard(&pods), want, "{mode:?} {form:?}: the VPC lets nothing pass");

    for (pod, attachment) in &pods {
        for (address, (far, node)) in attachment.addresses().zip(lab::far().into_iter().zip(lab::node())) {
            assert_eq!(ask(pod, far), Ok(address), "{form:?}: pod to elsewhere");
            assert_eq!(ask(pod, node), Ok(address), "{form:?}: pod to node");
            assert_eq!(ask(&lab.host, address), Ok(node), "{form:?}: node to pod");
            assert!(ask(&lab.vpc, address).is_ok(), "{form:?}: elsewhere to pod {address}");
        }
        assert_eq!(datapath.check(attachment), [], "{form:?}");
        assert_eq!(datapath.attach(attachment).steps, 0, "{form:?}");
    }
    drop(echoes);
    for (_, attachment) in pods.iter().filter(|(_, attachment)| attachment.own_groups) {
        assert_eq!(datapath.detach(attachment).failures, []);
    }
    assert_eq!(datapath.collect().failures, []);
    datapath.settle_deletes();
    let own: Vec<String> = (lab.own_objects().into_iter())
        .filter(|object| object.contains("table 536") || object.contains("lookup 536"))
        .collect();
    assert_eq!(own, [""; 0], "what nobody shares any more");
    for (_, attachment) in &pods[..2] {
        assert_eq!(datapath.check(attachment), []);
        datapath.detach(attachment);
    }
    datapath.collect();
    datapath.settle_deletes();
    assert_eq!(lab.own_objects(), [""; 0]);
}

#[test]
fn policy_route_dual_groups_decide() {
    if !lacks("policy_route_dual_groups_decide", Mode::PolicyRoute) {
        groups_decide(Mode::PolicyRoute, RuleForm::Compact);
        groups_decide(Mode::PolicyRoute, RuleForm::PerPod);
    }
}

#[test]
fn netkit_dual_groups_decide() {
    if !lacks("netkit_dual_groups_decide", Mode::Netkit) {
        groups_decide(Mode::Netkit, RuleForm::Compact);
    }
}

const HOST: &[Edit] = &[
    edit(
        "route del A4/32 table 536870912",
        "route A4/32 dev HOST table 536870912",
        Missing,
    ),
    edit(
        "-6 route del A6/128 table 536870912",
        "route A6/128 dev HOST table 536870912",
        Missing,
    ),
    edit("route del A4/32 table TABLE", "route A4/32 dev HOST table TABLE", Missing),
    edit(
        "-6 route del A6/128 table TABLE",
        "route A6/128 dev HOST table TABLE",
        Missing,
    ),
    edit(
        "route del default table TABLE metric 0",
        "route default via G4 dev eth1 onlink table TABLE",
        Missing,
    ),
    edit(
        "-6 route del default table TABLE metric 1024",
        "route default via G6 dev eth1 onlink table TABLE",
        Missing,
    ),
    edit(
        "route del unreachable default table TABLE",
        "route unreachable default table TABLE",
        Missing,
    ),
    edit("route add A4/32 dev HOST proto 116", "route A4/32 dev HOST", Unexpected),
    edit("rule del pref 510", "rule 510: from A4/32 iif HOST lookup TABLE", Missing),
    edit("-6 rule del pref 510", "rule 510: from A6/128 iif HOST lookup TABLE", Missing),
    edit("rule del pref 511", "rule 511: from all iif eth1 lookup 536870912", Missing),
    edit(
        "-6 rule del pref 511",
        "rule 511: from all iif eth1 lookup 536870912 (ipv6)",
        Missing,
    ),
    edit("rule del pref 2560", "rule 2560: from all lookup 536870912", Missing),
    edit(
        "-6 rule del pref 2560",
        "rule 2560: from all lookup 536870912 (ipv6)",
        Missing,
    ),
];

fn own(test: &str, mode: Mode, scenario: impl FnOnce(Mode)) {
    if !lacks(test, mode) {
        OWN_GROUPS.store(true, Ordering::Relaxed);
        scenario(mode);
    }
}

#[test]
fn policy_route_dual_own_groups_traffic() {
    own("policy_route_dual_own_groups_traffic", Mode::PolicyRoute, |mode| {
        for stack in Stack::ALL {
            scenario::traffic(mode, stack);
        }
    });
}

#[test]
fn policy_route_dual_own_groups_lifecycle() {
    own("policy_route_dual_own_groups_lifecycle", Mode::PolicyRoute, |mode| {
        for stack in Stack::ALL {
            scenario::lifecycle(mode, stack);
        }
    });
}

#[test]
fn policy_route_dual_own_groups_crashes() {
    own("policy_route_dual_own_groups_crashes", Mode::PolicyRoute, |mode| {
        scenario::crashes(mode, Stack::Dual);
    });
}

#[test]
fn policy_route_dual_own_groups_drift() {
    own("policy_route_dual_own_groups_drift", Mode::PolicyRoute, |mode| {
        drift(mode, HOST, &[], &[]);
    });
}

#[test]
fn netkit_dual_own_groups_lifecycle() {
    own("netkit_dual_own_groups_lifecycle", Mode::Netkit, |mode| {
        scenario::lifecycle(mode, Stack::Dual);
    });
}

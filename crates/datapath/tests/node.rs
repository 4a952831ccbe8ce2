//! Nodes that are not as simple as the example: router advertisements, several ENIs in one vSwitch, jumbo frames.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::calls::Open;
use support::lab::{self, FAR_V6, GATEWAY_V6, Lab, Stack, eni_mac};
use support::probe::{Echo, ask};
use terway_datapath::attachment::{Attachment, RuleForm};

#[test]
fn a_node_on_router_advertisements_goes_on_listening() {
    if support::skip("a_node_on_router_advertisements_goes_on_listening") {
        return;
    }
    let lab = Lab::new();
    lab.host.ip("-6 route replace default via 2001:db8::fffd dev eth0 proto ra");
    let datapath = Open::new(&lab.host);
    let (_pod, attachment) = lab.pod(23, Stack::Dual);
    datapath.attach(&attachment);
    assert_eq!(lab.host.sysctl("ipv6/conf/eth0/accept_ra"), "2");
    assert_eq!(lab.host.sysctl("ipv6/conf/all/forwarding"), "1");
    lab.host.set_sysctl("ipv6/conf/eth0/accept_ra", "1");
    let drifts = datapath.check(&attachment);
    assert_eq!(
        drifts.iter().map(|drift| drift.object.as_str()).collect::<Vec<_>>(),
        ["sysctl net.ipv6.conf.eth0.accept_ra"]
    );
}

#[test]
fn a_node_without_router_advertisements_is_left_as_it_is() {
    if support::skip("a_node_without_router_advertisements_is_left_as_it_is") {
        return;
    }
    let lab = Lab::new();
    let before = lab.host.sysctl("ipv6/conf/eth0/accept_ra");
    let datapath = Open::new(&lab.host);
    let (_pod, attachment) = lab.pod(23, Stack::Dual);
    datapath.attach(&attachment);
    assert_eq!(lab.host.sysctl("ipv6/conf/eth0/accept_ra"), before);
}

/// The node's own interface is in the pods' vSwitch: the kernel admits an onlink route through the ENI only after some persuasion.
#[test]
fn the_node_may_be_in_the_vswitch_of_its_pods() {
    if support::skip("the_node_may_be_in_the_vswitch_of_its_pods") {
        return;
    }
    for form in [RuleForm::Compact, RuleForm::PerPod] {
        let lab = Lab::new();
        let _far = Echo::new(&lab.vpc, lab::far());
        lab.host.ip("-6 addr add 2001:db8:1::1/64 dev eth0 nodad");
        let datapath = Open::new(&lab.host);
        let (pod, mut attachment) = lab.pod(23, Stack::V6);
        attachment.rule_form = form;
        datapath.attach(&attachment);
        lab.settle(1);
        assert_eq!(datapath.check(&attachment), []);
        assert_eq!(ask(&pod, FAR_V6.parse().unwrap()), Ok("2001:db8:1::17".parse().unwrap()));
        let kept = !lab.host.ip(&format!("-6 route show {GATEWAY_V6}/128")).is_empty();
        assert_eq!(kept, form == RuleForm::PerPod, "{form:?}");
    }
}

#[test]
fn enis_of_one_vswitch_stand_side_by_side() {
    if support::skip("enis_of_one_vswitch_stand_side_by_side") {
        return;
    }
    for form in [RuleForm::Compact, RuleForm::PerPod] {
        let lab = Lab::new();
        lab.plug(2);
        let datapath = Open::new(&lab.host);
        let pods: Vec<_> = (1..=6).map(|number| lab.pod(number, Stack::Dual)).collect();
        let on_both = |number: usize, attachment: &Attachment| {
            let eni_mac = eni_mac(1 + (number % 2) as u8);
            Attachment {
                eni_mac,
                rule_form: form,
                ..attachment.clone()
            }
        };
        let attachments: Vec<_> = pods
            .iter()
            .enumerate()
            .map(|(number, (_, attachment))| on_both(number, attachment))
            .collect();
        for attachment in &attachments {
            datapath.attach(attachment);
        }
        for attachment in &attachments {
            assert_eq!(datapath.check(attachment), [], "{form:?}");
            assert_eq!(
                datapath.attach(attachment).steps,
                0,
                "{form:?}: the ENIs take each other's routes away"
            );
        }
    }
}

#[test]
fn an_eni_with_jumbo_frames_keeps_them() {
    if support::skip("an_eni_with_jumbo_frames_keeps_them") {
        return;
    }
    let lab = Lab::new();
    lab.host.ip("link set eth1 mtu 8500");
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = lab.pod(23, Stack::V4);
    datapath.attach(&attachment);
    assert!(lab.host.ip("-o link show eth1").contains("mtu 8500"));
    assert!(pod.ip("-o link show eth0").contains("mtu 1500"));
    let (large_pod, large) = lab.pod(24, Stack::V4);
    datapath.attach(&Attachment { mtu: 9000, ..large });
    assert!(lab.host.ip("-o link show eth1").contains("mtu 9000"));
    assert!(large_pod.ip("-o link show eth0").contains("mtu 9000"));
    assert_eq!(datapath.check(&attachment), []);
}

#[test]
fn extra_routes_work_without_a_default_route() {
    if support::skip("extra_routes_work_without_a_default_route") {
        return;
    }
    let lab = Lab::new();
    let _far = Echo::new(&lab.vpc, lab::far());
    let datapath = Open::new(&lab.host);
    let (pod, mut attachment) = lab.pod(23, Stack::Dual);
    attachment.default_route = false;
    attachment.extra_routes = vec!["198.51.100.0/24".parse().unwrap(), "2001:db8:ffff::/48".parse().unwrap()];
    datapath.attach(&attachment);
    lab.settle(1);
    for (to, from) in lab::far().into_iter().zip(attachment.addresses()) {
        assert_eq!(ask(&pod, to), Ok(from));
    }
    assert!(ask(&pod, "192.0.2.1".parse().unwrap()).unwrap_err().contains("unreachable"));
    assert_eq!(datapath.check(&attachment), []);
}

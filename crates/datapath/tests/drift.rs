//! Foreign edits: check names exactly the object, repair restores it, within a second of a notification or by the scan (I17).
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use support::calls::until;
use support::drift::{Edit, NEVER, Scene, WITHIN, covers};
use support::drift_edits::{
    COMPACT, ENI_SILENT, HOST_END, LINK_SILENT, NODE, NODE_SILENT, PAIR, PAIR_DOWN, PAIR_MACS, PAIR_POD, PAIR_POD_MACS,
    PAIR_SILENT, PER_POD, POD_IPV6,
};
use support::lab::{eni_mac, far};
use support::probe::{Echo, ask};
use terway_datapath::Trigger;
use terway_datapath::attachment::{Mode, RuleForm};

/// A scan every 200 ms, on a machine that others use too.
const BY_SCAN: Duration = Duration::from_secs(10);

fn host() -> Vec<Edit> {
    [HOST_END, PAIR, COMPACT, PAIR_MACS, NODE].concat()
}

/// With Terway's rules.
fn host_per_pod() -> Vec<Edit> {
    [HOST_END, PAIR, PER_POD, PAIR_MACS, NODE].concat()
}

fn silent() -> Vec<Edit> {
    [NODE_SILENT, LINK_SILENT, ENI_SILENT, PAIR_SILENT].concat()
}

fn pod() -> Vec<Edit> {
    [PAIR_POD, PAIR_POD_MACS, POD_IPV6].concat()
}

fn scene(rule_form: RuleForm) -> Scene {
    Scene::new(Mode::PolicyRoute, |attachment| attachment.rule_form = rule_form)
}

#[test]
fn every_object_has_a_test_of_its_drift() {
    if support::skip("every_object_has_a_test_of_its_drift") {
        return;
    }
    covers(
        Mode::PolicyRoute,
        |attachment| attachment.rule_form = RuleForm::Compact,
        &[&host(), &silent(), PAIR_DOWN, &pod()],
    );
    covers(
        Mode::PolicyRoute,
        |attachment| attachment.rule_form = RuleForm::PerPod,
        &[&host_per_pod(), &silent(), PAIR_DOWN, &pod()],
    );
}

#[test]
fn check_names_exactly_the_object() {
    if support::skip("check_names_exactly_the_object") {
        return;
    }
    let scene = scene(RuleForm::Compact);
    scene.names_exactly(&host(), &scene.lab.host);
    scene.names_exactly(&silent(), &scene.lab.host);
    scene.names_exactly(&pod(), &scene.pod);
}

#[test]
fn host_side_edits_are_repaired_within_a_second_i17() {
    if support::skip("host_side_edits_are_repaired_within_a_second_i17") {
        return;
    }
    let scene = scene(RuleForm::Compact);
    let log = scene.guard(NEVER, true);
    scene.mends_when_told(&[host(), PAIR_DOWN.to_vec()].concat(), &log);
    // Its own work sets nothing off: silence once all is mended.
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(*log.lock().unwrap(), []);
}

#[test]
fn terways_rule_form_is_named_and_repaired_too_i17() {
    if support::skip("terways_rule_form_is_named_and_repaired_too_i17") {
        return;
    }
    let scene = scene(RuleForm::PerPod);
    scene.names_exactly(&host_per_pod(), &scene.lab.host);
    let log = scene.guard(NEVER, true);
    scene.mends_when_told(&[host_per_pod(), PAIR_DOWN.to_vec()].concat(), &log);
}

#[test]
fn what_notifies_nobody_is_repaired_by_the_scan_i17() {
    if support::skip("what_notifies_nobody_is_repaired_by_the_scan_i17") {
        return;
    }
    let scene = scene(RuleForm::Compact);
    let log = scene.guard(Duration::from_millis(200), true);
    let everywhere = [(pod(), &scene.pod), (silent(), &scene.lab.host)];
    for (edit, place) in everywhere
        .iter()
        .flat_map(|(edits, place)| edits.iter().map(move |edit| (edit, place)))
    {
        scene.make(edit, place);
        until(edit.command, BY_SCAN, || scene.sound());
    }
    until("the reports", WITHIN, || {
        log.lock().unwrap().iter().any(|repair| repair.trigger == Trigger::Scan)
    });
    // What the pod has of its own is none of our business.
    scene.pod.ip("addr add 192.0.2.1/24 dev eth0");
    scene.pod.ip("route add 203.0.113.0/24 via 169.254.1.1 dev eth0 onlink");
    std::thread::sleep(Duration::from_millis(500));
    assert!(scene.pod.ip("addr show eth0").contains("192.0.2.1/24"));
    assert!(scene.pod.ip("route show").contains("203.0.113.0/24"));
}

#[test]
fn pods_are_left_alone_when_told_so() {
    if support::skip("pods_are_left_alone_when_told_so") {
        return;
    }
    let scene = scene(RuleForm::Compact);
    let _log = scene.guard(Duration::from_millis(150), false);
    scene.pod.ip("link set eth0 mtu 1400");
    scene.lab.host.ip("rule del from 10.0.1.23 pref 2358");
    // The sysctl of a single link tells nobody: the scan has to find it.
    scene.lab.host.set_sysctl("ipv6/conf/eth1/accept_ra", "1");
    until("the rule is back", WITHIN, || {
        scene.lab.host.ip("rule").contains("from 10.0.1.23 lookup")
    });
    until("accept_ra is off again", Duration::from_secs(2), || {
        scene.lab.host.sysctl("ipv6/conf/eth1/accept_ra") == "0"
    });
    let drifts = scene.datapath.check(&scene.attachment);
    assert_eq!(
        drifts.iter().map(|drift| drift.object.as_str()).collect::<Vec<_>>(),
        ["link eth0"]
    );
}

#[test]
fn a_deleted_pair_is_made_anew() {
    if support::skip("a_deleted_pair_is_made_anew") {
        return;
    }
    let scene = scene(RuleForm::Compact);
    let _log = scene.guard(NEVER, true);
    scene.lab.host.ip(&scene.say("link del HOST"));
    until("the pair is back", WITHIN, || scene.sound());
    // But not once the attachment is to go.
    scene.datapath.detach(&scene.attachment);
    std::thread::sleep(Duration::from_millis(300));
    assert!(scene.pod.try_ip("link show eth0").is_err());
}

#[test]
fn a_new_mac_of_the_host_end_reaches_the_pod() {
    if support::skip("a_new_mac_of_the_host_end_reaches_the_pod") {
        return;
    }
    let scene = scene(RuleForm::Compact);
    let _log = scene.guard(NEVER, true);
    scene.lab.host.ip(&scene.say("link set HOST address 02:11:22:33:44:55"));
    until("the pod knows", WITHIN, || {
        scene.pod.ip("neigh show dev eth0").matches("02:11:22:33:44:55").count() == 2
    });
}

#[test]
fn an_eni_that_comes_back_is_set_up_again() {
    if support::skip("an_eni_that_comes_back_is_set_up_again") {
        return;
    }
    let scene = scene(RuleForm::Compact);
    let log = scene.guard(NEVER, true);
    scene.lab.host.ip("link del eth1");
    until("its loss is reported", WITHIN, || {
        log.lock().unwrap().iter().any(|repair| !repair.failures.is_empty())
    });
    // 7.9: the pod's packets must not leave through the node's own interface.
    let refused = scene.lab.host.ip(&format!("route show table {}", 1000 + scene.eni));
    assert_eq!(refused.trim(), "unreachable default proto 116 metric 4278198272");
    let kept = scene.datapath.collect();
    assert!(!kept.removed.iter().any(|object| object.contains("10.0.1.23")), "{kept:?}");
    scene.lab.plug(1);
    until("the new ENI carries the pod", WITHIN, || scene.sound());
    assert!(scene.lab.host.ip("-o link show eth1").contains(&eni_mac(1).to_string()));
    // The table of the old one belongs to nobody now.
    scene.datapath.collect();
    assert_eq!(
        scene
            .lab
            .host
            .try_ip(&format!("route show table {}", 1000 + scene.eni))
            .unwrap_or_default(),
        ""
    );
    assert!(scene.sound());
}

/// Links are known by MAC and alias, so that a name that somebody gives them costs the pod nothing.
#[test]
fn renamed_interfaces_go_on_serving_their_pod() {
    if support::skip("renamed_interfaces_go_on_serving_their_pod") {
        return;
    }
    let scene = scene(RuleForm::Compact);
    let host = &scene.lab.host;
    let _echo = Echo::new(&scene.lab.vpc, far());
    let log = scene.guard(NEVER, true);
    for (old, new) in [("eth1".to_owned(), "ens9"), (scene.host_link.clone(), "renamed0")] {
        // Before Linux 6.2 only a link that is down can be renamed, and repair may set it up in between.
        until("it is renamed", Duration::from_secs(5), || {
            host.try_ip(&format!("link set {old} down")).is_ok() && host.try_ip(&format!("link set {old} name {new}")).is_ok()
        });
        until("all is in place again", Duration::from_secs(5), || scene.sound());
        scene.lab.settle(1);
        for far in far() {
            until("the pod is served", Duration::from_secs(5), || ask(&scene.pod, far).is_ok());
        }
    }
    assert!(log.lock().unwrap().iter().all(|repair| repair.failures.is_empty()));
    assert_eq!(scene.datapath.detach(&scene.attachment).failures, []);
    scene.datapath.collect();
    scene.datapath.settle_deletes();
    assert_eq!(scene.lab.own_objects(), [""; 0]);
}

/// The node's interface may lose its IPv6 address: then it must be allowed another one's again.
#[test]
fn a_node_without_an_address_of_its_own_borrows_one_again() {
    if support::skip("a_node_without_an_address_of_its_own_borrows_one_again") {
        return;
    }
    let scene = scene(RuleForm::Compact);
    let host = &scene.lab.host;
    let only = || host.sysctl("ipv6/conf/eth0/use_oif_addrs_only");
    assert_eq!(only(), "1");
    let _log = scene.guard(Duration::from_millis(200), true);
    host.ips("-6 addr del 2001:db8::10/64 dev eth0\n-6 route replace default via fe80::99 dev eth0");
    until("the other interfaces count again", BY_SCAN, || only() == "0");
    host.ip("-6 addr add 2001:db8::10/64 dev eth0 nodad");
    until("its own alone count", BY_SCAN, || only() == "1");
}

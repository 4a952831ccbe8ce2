//! Foreign edits: check names exactly the object, repair restores it, within a second of a notification or by the scan (I17).
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use support::calls::until;
use support::drift::{Edit, NEVER, Scene, WITHIN, covers, dragging, edit};
use support::lab::{GATEWAY_V6, eni_mac, far};
use support::probe::{Echo, ask};
use terway_datapath::Trigger;
use terway_datapath::attachment::{Mode, RuleForm};
use terway_datapath::diff::Problem::{Different, Missing, Unexpected};

/// A scan every 200 ms, on a machine that others use too.
const BY_SCAN: Duration = Duration::from_secs(10);

/// On the host all of these notify.
const HOST_EDITS: &[Edit] = &[
    edit("link set HOST mtu 1400", "link HOST", Different),
    edit("link set HOST alias nobody", "link HOST", Different),
    edit("route del 10.0.1.23/32 dev HOST", "route 10.0.1.23/32 dev HOST", Missing),
    edit(
        "-6 route del 2001:db8:1::17/128 dev HOST",
        "route 2001:db8:1::17/128 dev HOST",
        Missing,
    ),
    edit("route replace 10.0.1.23/32 dev eth0", "route 10.0.1.23/32 dev HOST", Missing),
    edit(
        "rule del from 10.0.1.23 pref 2358",
        "rule 2358: from 10.0.1.23/32 lookup ENI",
        Missing,
    ),
    edit("rule del pref 2178", "rule 2178: from 10.0.1.16/29 goto 2358", Missing),
    edit("rule del pref 2102", "rule 2102: from 10.0.1.0/27 goto 2178", Missing),
    edit("rule del pref 2066", "rule 2066: from 10.0.1.0/25 goto 2102", Missing),
    edit("rule del pref 2050", "rule 2050: from 10.0.0.0/23 goto 2066", Missing),
    edit("rule del pref 2048", "rule 2048: from 10.0.0.0/20 goto 2050", Missing),
    edit("rule del pref 2051", "rule 2051: from all goto 2546", Missing),
    edit("rule del pref 2067", "rule 2067: from all goto 2546", Missing),
    edit("rule del pref 2103", "rule 2103: from all goto 2546", Missing),
    edit("rule del pref 2179", "rule 2179: from all goto 2546", Missing),
    edit("rule del pref 2359", "rule 2359: from all goto 2546", Missing),
    edit("rule del pref 2049", "rule 2049: from all goto 2546", Missing),
    edit("rule del pref 2546", "rule 2546: from all nop", Missing),
    edit("-6 rule del pref 2048", "rule 2048: from all lookup 1000 (ipv6)", Missing),
    edit(
        "rule del pref 512",
        "rule 512: from all lookup main suppress_prefixlength 31",
        Missing,
    ),
    edit(
        "-6 rule del pref 512",
        "rule 512: from all lookup main suppress_prefixlength 127 (ipv6)",
        Missing,
    ),
    edit(
        "rule add from 10.0.1.23 pref 2048 lookup 4711 proto 116",
        "rule 2048: from 10.0.1.23/32 lookup 4711",
        Unexpected,
    ),
    edit(
        "route add 10.9.9.9/32 dev HOST proto 116",
        "route 10.9.9.9/32 dev HOST",
        Unexpected,
    ),
    edit(
        "route del default table ENI dev eth1",
        "route default via 10.0.1.253 dev eth1 onlink table ENI",
        Missing,
    ),
    edit(
        "-6 route del default from 2001:db8:1::17 table 1000 dev eth1",
        "route default from 2001:db8:1::17/128 via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth1 onlink table 1000",
        Missing,
    ),
    edit(
        "-6 route del unreachable default from 2001:db8:1::17 metric 4278198272 table 1000",
        "route unreachable default from 2001:db8:1::17/128 table 1000",
        Missing,
    ),
    edit(
        "-6 route replace default from 2001:db8:1::17 via 2001:db8:1::1 dev eth1 onlink table 1000",
        "route default from 2001:db8:1::17/128 via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth1 onlink table 1000",
        Different,
    ),
    edit(
        "-6 route add default from 2001:db8:1::17 dev eth1 metric 7 table 1000 proto 116",
        "route default from 2001:db8:1::17/128 dev eth1 table 1000",
        Unexpected,
    ),
    edit(
        "route del unreachable default table ENI",
        "route unreachable default table ENI",
        Missing,
    ),
    edit(
        "route replace default via 10.0.1.1 dev eth1 onlink table ENI",
        "route default via 10.0.1.253 dev eth1 onlink table ENI",
        Different,
    ),
    dragging("addr del 10.0.0.10/32 dev eth1", "address 10.0.0.10/32 dev eth1", Missing),
    edit(
        "-6 addr del 2001:db8::10/128 dev eth1",
        "address 2001:db8::10/128 dev eth1",
        Missing,
    ),
    edit("neigh del 10.0.1.23 dev HOST", "neighbour 10.0.1.23 dev HOST", Missing),
    edit(
        "neigh replace 10.0.1.23 dev HOST lladdr 02:00:00:00:00:09 nud permanent",
        "neighbour 10.0.1.23 dev HOST",
        Different,
    ),
    edit(
        "neigh replace 2001:db8:1::17 dev HOST lladdr 02:00:00:00:00:09 nud reachable",
        "neighbour 2001:db8:1::17 dev HOST",
        Different,
    ),
    edit("link set eth1 mtu 1400", "link eth1", Different),
    dragging(
        "sysctl ipv4/conf/all/forwarding 0",
        "sysctl net.ipv4.conf.all.forwarding",
        Different,
    ),
    edit(
        "sysctl ipv4/conf/eth1/rp_filter 1",
        "sysctl net.ipv4.conf.eth1.rp_filter",
        Different,
    ),
    dragging(
        "sysctl ipv6/conf/all/forwarding 0",
        "sysctl net.ipv6.conf.all.forwarding",
        Different,
    ),
];

/// Downing a link takes more with it than the link.
const DOWN_EDITS: &[Edit] = &[
    edit("link set HOST down", "link HOST", Different),
    edit("link set eth1 down", "link eth1", Different),
];

/// The kernel tells nobody of most of these.
const SILENT_HOST_EDITS: &[Edit] = &[
    edit(
        "sysctl ipv4/conf/all/rp_filter 1",
        "sysctl net.ipv4.conf.all.rp_filter",
        Different,
    ),
    dragging(
        "sysctl ipv4/conf/default/forwarding 0",
        "sysctl net.ipv4.conf.default.forwarding",
        Different,
    ),
    dragging(
        "sysctl ipv4/conf/default/rp_filter 1",
        "sysctl net.ipv4.conf.default.rp_filter",
        Different,
    ),
    edit(
        "sysctl ipv4/conf/eth1/forwarding 0",
        "sysctl net.ipv4.conf.eth1.forwarding",
        Different,
    ),
    edit(
        "sysctl ipv4/conf/HOST/forwarding 0",
        "sysctl net.ipv4.conf.HOST.forwarding",
        Different,
    ),
    edit(
        "sysctl ipv4/conf/HOST/rp_filter 1",
        "sysctl net.ipv4.conf.HOST.rp_filter",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/eth1/accept_dad 1",
        "sysctl net.ipv6.conf.eth1.accept_dad",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/eth1/forwarding 0",
        "sysctl net.ipv6.conf.eth1.forwarding",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/HOST/accept_ra 1",
        "sysctl net.ipv6.conf.HOST.accept_ra",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/HOST/forwarding 0",
        "sysctl net.ipv6.conf.HOST.forwarding",
        Different,
    ),
    dragging(
        "sysctl ipv6/conf/HOST/disable_ipv6 1",
        "sysctl net.ipv6.conf.HOST.disable_ipv6",
        Different,
    ),
    edit(
        "sysctl ipv4/conf/eth1/accept_local 0",
        "sysctl net.ipv4.conf.eth1.accept_local",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/eth0/use_oif_addrs_only 0",
        "sysctl net.ipv6.conf.eth0.use_oif_addrs_only",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/eth1/accept_ra 1",
        "sysctl net.ipv6.conf.eth1.accept_ra",
        Different,
    ),
];

/// Nobody is told of these on the host.
const POD_EDITS: &[Edit] = &[
    edit("link set eth0 mtu 1400", "link eth0", Different),
    dragging("addr del 10.0.1.23/32 dev eth0", "address 10.0.1.23/32 dev eth0", Missing),
    edit(
        "-6 addr del 2001:db8:1::17/128 dev eth0",
        "address 2001:db8:1::17/128 dev eth0",
        Missing,
    ),
    edit("route del default", "route default via 169.254.1.1 dev eth0 onlink", Missing),
    edit("-6 route del default", "route default via fe80::1 dev eth0 onlink", Missing),
    edit("neigh del 169.254.1.1 dev eth0", "neighbour 169.254.1.1 dev eth0", Missing),
    edit(
        "neigh replace fe80::1 dev eth0 lladdr 02:00:00:00:00:09 nud permanent",
        "neighbour fe80::1 dev eth0",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/eth0/accept_ra 1",
        "sysctl net.ipv6.conf.eth0.accept_ra",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/eth0/accept_dad 1",
        "sysctl net.ipv6.conf.eth0.accept_dad",
        Different,
    ),
    dragging(
        "sysctl ipv6/conf/eth0/disable_ipv6 1",
        "sysctl net.ipv6.conf.eth0.disable_ipv6",
        Different,
    ),
];

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
        &[HOST_EDITS, SILENT_HOST_EDITS, DOWN_EDITS, POD_EDITS],
    );
}

#[test]
fn check_names_exactly_the_object() {
    if support::skip("check_names_exactly_the_object") {
        return;
    }
    let scene = scene(RuleForm::Compact);
    scene.names_exactly(HOST_EDITS, &scene.lab.host);
    scene.names_exactly(SILENT_HOST_EDITS, &scene.lab.host);
    scene.names_exactly(POD_EDITS, &scene.pod);
}

#[test]
fn host_side_edits_are_repaired_within_a_second_i17() {
    if support::skip("host_side_edits_are_repaired_within_a_second_i17") {
        return;
    }
    let scene = scene(RuleForm::Compact);
    let log = scene.guard(NEVER, true);
    scene.mends_when_told(&[HOST_EDITS, DOWN_EDITS].concat(), &log);
    // Its own work sets nothing off: silence once all is mended.
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(*log.lock().unwrap(), []);
}

#[test]
fn terways_rule_form_is_repaired_too_i17() {
    if support::skip("terways_rule_form_is_repaired_too_i17") {
        return;
    }
    let scene = scene(RuleForm::PerPod);
    let _log = scene.guard(NEVER, true);
    for command in [
        "rule del to 10.0.1.23 pref 512",
        "-6 rule del to 2001:db8:1::17 pref 512",
        &format!("-6 route del {GATEWAY_V6}/128 dev eth1"),
    ] {
        scene.lab.host.ip(command);
        until(command, Duration::from_secs(2), || scene.sound());
    }
}

#[test]
fn what_notifies_nobody_is_repaired_by_the_scan_i17() {
    if support::skip("what_notifies_nobody_is_repaired_by_the_scan_i17") {
        return;
    }
    let scene = scene(RuleForm::Compact);
    let log = scene.guard(Duration::from_millis(200), true);
    let everywhere = [(POD_EDITS, &scene.pod), (SILENT_HOST_EDITS, &scene.lab.host)];
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

//! What is not ours is never touched; what is ours and belongs to nobody goes.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::calls::Open;
use support::lab::{Lab, Stack};
use terway_datapath::attachment::RuleForm;
use terway_datapath::object::GROUP_RETIRED;

/// Foreign objects as close to ours as they can be.
const FOREIGN: &str = "
    addr add 10.0.77.1/24 dev eth1
    addr add 192.0.2.77/32 dev eth1
    -6 addr add 2001:db8:77::1/64 dev eth1 nodad
    route add 203.0.113.0/24 via 10.0.0.253 dev eth0
    route add 10.0.1.99/32 dev eth0
    route add default via 10.0.0.253 dev eth0 onlink table 1999
    rule add from 10.0.1.24 lookup 1999 pref 2048
    rule add to 10.0.1.23 lookup main pref 513
    rule add from 10.0.1.23 lookup 1999 pref 3000
    -6 rule add from 2001:db8:77::/64 lookup 1999 pref 512
    link add califoreign type veth peer name foreignpeer
    link set califoreign alias calico:something";

fn foreign(lab: &Lab) -> Vec<String> {
    let shown = [
        "-4 rule",
        "-6 rule",
        "-4 route show table all",
        "-6 route show table all proto boot",
        "-o -d link show califoreign",
        "-o addr show eth1",
    ];
    let ours = |line: &str| line.contains("proto 116") || line.contains("10.0.0.10/32") || line.contains("2001:db8::10/128");
    let eni = |line: &str| line.contains("dev eth1") && line.contains("proto kernel") || line.contains("fe80:");
    let texts = shown.iter().map(|arguments| lab.host.ip(arguments));
    texts
        .flat_map(|text| {
            text.lines()
                .filter(|line| !ours(line) && !eni(line))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Rules show no protocol without `-d`; ours are known by what they say.
fn without_our_rules(lines: Vec<String>) -> Vec<String> {
    let shared = |line: &str| line.starts_with("512:\tfrom all");
    let of_pod = |line: &str| line.starts_with("2048:") && (line.contains("10.0.1.23 ") || line.contains("2001:db8:1::17"));
    lines.into_iter().filter(|line| !shared(line) && !of_pod(line)).collect()
}

#[test]
fn foreign_objects_survive_attach_repair_detach_and_collection() {
    if support::skip("foreign_objects_survive_attach_repair_detach_and_collection") {
        return;
    }
    for form in [RuleForm::Compact, RuleForm::PerPod] {
        let lab = Lab::new();
        lab.host.ip("link set eth1 up");
        lab.host.ips(FOREIGN);
        let before = foreign(&lab);
        let datapath = Open::new(&lab.host);
        let (_pod, mut attachment) = lab.pod(23, Stack::Dual);
        attachment.rule_form = form;
        datapath.attach(&attachment);
        assert_eq!(without_our_rules(foreign(&lab)), before, "{form:?} after attach");
        assert_eq!(datapath.check(&attachment), []);
        datapath.collect();
        assert_eq!(
            datapath.check(&attachment),
            [],
            "collection took something of a guarded attachment"
        );
        assert_eq!(without_our_rules(foreign(&lab)), before, "{form:?} after collection");
        assert_eq!(datapath.detach(&attachment).failures, []);
        datapath.settle_deletes();
        datapath.collect();
        assert_eq!(foreign(&lab), before, "{form:?} after detach");
        assert_eq!(lab.own_objects(), [""; 0]);
    }
}

#[test]
fn an_equal_foreign_rule_serves_and_survives() {
    if support::skip("an_equal_foreign_rule_serves_and_survives") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (_pod, attachment) = lab.pod(23, Stack::V4);
    datapath.attach(&attachment);
    datapath.detach(&attachment);
    let table = lab
        .host
        .ip("-o link show eth1")
        .split(':')
        .next()
        .unwrap()
        .parse::<u32>()
        .unwrap()
        + 1000;
    lab.host.ip(&format!("rule add from 10.0.1.23 lookup {table} pref 2358"));
    let (_again, attachment) = lab.pod(23, Stack::V4);
    datapath.attach(&attachment);
    assert_eq!(datapath.check(&attachment), []);
    assert_eq!(lab.host.ip("rule").matches("from 10.0.1.23 ").count(), 1);
    assert_eq!(datapath.detach(&attachment).failures, []);
    assert_eq!(
        lab.host.ip("rule").matches("from 10.0.1.23 ").count(),
        1,
        "a foreign rule was removed"
    );
}

#[test]
fn collection_removes_what_belongs_to_nobody_and_survey_lists_what_lives() {
    if support::skip("collection_removes_what_belongs_to_nobody_and_survey_lists_what_lives") {
        return;
    }
    let lab = Lab::new();
    let (_first, lost) = lab.pod(23, Stack::Dual);
    let (_second, kept) = lab.pod(24, Stack::Dual);
    let earlier = Open::new(&lab.host);
    earlier.attach(&lost);
    earlier.attach(&kept);
    drop(earlier);
    let datapath = Open::new(&lab.host);
    let mut surveyed = datapath.survey();
    surveyed.sort_by(|a, b| a.id.cmp(&b.id));
    let want = [&lost, &kept].map(|attachment| {
        (
            attachment.id.clone(),
            attachment.host_if_name.clone(),
            attachment.addresses().collect::<Vec<_>>(),
        )
    });
    assert_eq!(
        surveyed
            .into_iter()
            .map(|link| (link.id, link.host_if_name, link.addresses))
            .collect::<Vec<_>>(),
        want
    );
    datapath.adopt(&[&kept]);
    let collected = datapath.collect();
    assert_eq!(collected.failures, []);
    let expected = [
        format!("route 10.0.1.23/32 dev {}", lost.host_if_name),
        "rule 2358: from 10.0.1.23/32".to_owned(),
        "route default from 2001:db8:1::17/128".to_owned(),
        format!("link {}", lost.host_if_name),
    ];
    for object in expected {
        assert!(
            collected.removed.iter().any(|removed| removed.starts_with(&object)),
            "{object}: {:?}",
            collected.removed
        );
    }
    datapath.settle_deletes();
    assert_eq!(datapath.check(&kept), []);
    assert_eq!(datapath.survey().len(), 1);
    assert_eq!(datapath.collect().removed, [""; 0]);
}

/// What a killed process left between `retire` and the batch delete.
#[test]
fn retired_devices_of_an_earlier_process_are_deleted() {
    if support::skip("retired_devices_of_an_earlier_process_are_deleted") {
        return;
    }
    let lab = Lab::new();
    lab.host.ip("link add trwy99 type veth peer name orphan");
    lab.host.ips(&format!(
        "link set trwy99 alias terway:old/eth0\nlink set trwy99 group {GROUP_RETIRED}"
    ));
    let datapath = Open::new(&lab.host);
    assert_eq!(datapath.survey(), []);
    datapath.collect();
    datapath.settle_deletes();
    assert!(lab.host.try_ip("link show trwy99").is_err());
}

//! Foreign edits of a pod with an ENI of its own: check names exactly the object, attach and repair mend it (I17).
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use support::calls::{Open, until};
use support::exclusive::{Node, exclusive};
use support::lab::{Lab, Stack, eni_mac};
use support::namespace::Namespace;
use terway_datapath::diff::Problem;

/// One foreign edit, and the one object that check names.
const EDITS: &[(&str, &str, &str, Problem)] = {
    use Problem::{Different, Missing, Unexpected};
    &[
        ("host", "link set HOST mtu 1400", "link HOST", Different),
        ("host", "link set HOST alias nobody", "link HOST", Different),
        (
            "host",
            "route del 10.0.1.23/32 dev HOST",
            "route 10.0.1.23/32 dev HOST",
            Missing,
        ),
        (
            "host",
            "-6 route del 2001:db8:1::17/128 dev HOST",
            "route 2001:db8:1::17/128 dev HOST",
            Missing,
        ),
        (
            "host",
            "neigh del 10.0.1.23 dev HOST",
            "neighbour 10.0.1.23 dev HOST",
            Missing,
        ),
        (
            "host",
            "route add 10.9.9.9/32 dev HOST proto 116",
            "route 10.9.9.9/32 dev HOST",
            Unexpected,
        ),
        (
            "host",
            "sysctl ipv4/conf/HOST/rp_filter 1",
            "sysctl net.ipv4.conf.HOST.rp_filter",
            Different,
        ),
        (
            "host",
            "nft delete element inet terway_exclusive pods4 { 10.0.1.23 }",
            "masquerade 10.0.1.23",
            Missing,
        ),
        (
            "host",
            "nft delete table inet terway_exclusive",
            "masquerade 2001:db8:1::17",
            Missing,
        ),
        (
            "host",
            "nft flush chain inet terway_exclusive postrouting",
            "masquerade 10.0.1.23",
            Missing,
        ),
        ("pod", "link set eth0 mtu 1400", "link eth0", Different),
        ("pod", "link set veth1 mtu 1400", "link veth1", Different),
        ("pod", "link set eth0 alias nobody", "link eth0", Different),
        (
            "pod",
            "addr del 10.0.1.23/32 dev veth1",
            "address 10.0.1.23/32 dev veth1",
            Missing,
        ),
        (
            "pod",
            "-6 addr del 2001:db8:1::17/128 dev eth0",
            "address 2001:db8:1::17/128 dev eth0",
            Missing,
        ),
        (
            "pod",
            "route del default",
            "route default via 10.0.1.253 dev eth0 onlink",
            Missing,
        ),
        (
            "pod",
            "route replace default via 10.0.1.1 dev eth0 onlink",
            "route default via 10.0.1.253 dev eth0 onlink",
            Different,
        ),
        (
            "pod",
            "-6 route del default",
            "route default via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth0 onlink",
            Missing,
        ),
        (
            "pod",
            "-6 route del 2001:db8:1:0:ffff:ffff:ffff:fffd/128",
            "route 2001:db8:1:0:ffff:ffff:ffff:fffd/128 dev eth0",
            Missing,
        ),
        (
            "pod",
            "route del 172.16.0.0/16",
            "route 172.16.0.0/16 via 169.254.1.1 dev veth1 onlink",
            Missing,
        ),
        (
            "pod",
            "route del 10.0.0.10/32",
            "route 10.0.0.10/32 via 169.254.1.1 dev veth1",
            Missing,
        ),
        (
            "pod",
            "-6 route del 2001:db8::10/128",
            "route 2001:db8::10/128 via fe80::1 dev veth1",
            Missing,
        ),
        (
            "pod",
            "route add 10.9.9.9/32 dev eth0 proto 116",
            "route 10.9.9.9/32 dev eth0",
            Unexpected,
        ),
        (
            "pod",
            "neigh del 169.254.1.1 dev veth1",
            "neighbour 169.254.1.1 dev veth1",
            Missing,
        ),
        (
            "pod",
            "neigh replace fe80::1 dev veth1 lladdr 02:00:00:00:00:09 nud permanent",
            "neighbour fe80::1 dev veth1",
            Different,
        ),
        (
            "pod",
            "sysctl ipv6/conf/veth1/accept_ra 1",
            "sysctl net.ipv6.conf.veth1.accept_ra",
            Different,
        ),
        (
            "pod",
            "sysctl ipv6/conf/eth0/accept_ra 1",
            "sysctl net.ipv6.conf.eth0.accept_ra",
            Different,
        ),
    ]
};

fn edit(place: &Namespace, command: &str) {
    if let Some(arguments) = command.strip_prefix("nft ") {
        let run = || std::process::Command::new("nft").args(arguments.split(' ')).output().unwrap();
        assert!(place.run(run).status.success(), "{command}");
    } else if let Some((path, value)) = command.strip_prefix("sysctl ").and_then(|rest| rest.split_once(' ')) {
        place.set_sysctl(path, value);
    } else {
        place.ip(command);
    }
}

#[test]
fn exclusive_dual_drift_is_named_and_mended() {
    if support::skip("exclusive_dual_drift_is_named_and_mended") {
        return;
    }
    let node = Node::new();
    let datapath = Open::new(&node.lab.host);
    let (pod, attachment) = exclusive(&node.lab, 23, Stack::Dual);
    datapath.attach(&attachment);
    for (place, command, object, problem) in EDITS {
        let say = |text: &str| text.replace("HOST", &attachment.host_if_name);
        edit(if *place == "host" { &node.lab.host } else { &pod }, &say(command));
        let drifts = datapath.check(&attachment);
        let named = drifts.iter().find(|drift| drift.object == say(object));
        assert_eq!(named.map(|drift| drift.problem), Some(*problem), "{command}: {drifts:?}");
        // The last address takes its routes along; a table that is gone or damaged masquerades nobody.
        let drags = command.starts_with("addr del") || command.starts_with("nft");
        assert!(drags || drifts.len() == 1, "{command}: {drifts:?}");
        assert!(datapath.attach(&attachment).steps > 0, "{command}");
        assert_eq!(datapath.check(&attachment), [], "{command} was not mended by attach");
    }
}

#[test]
fn exclusive_dual_drift_is_repaired_i17() {
    if support::skip("exclusive_dual_drift_is_repaired_i17") {
        return;
    }
    let node = Node::new();
    let lab: &Lab = &node.lab;
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = exclusive(lab, 23, Stack::Dual);
    datapath.attach(&attachment);
    let say = |repair| println!("{repair:?}");
    datapath.0.start_repair(Duration::from_millis(200), true, say).unwrap();
    for (place, command, _, _) in EDITS {
        let command = command.replace("HOST", &attachment.host_if_name);
        edit(if *place == "host" { &lab.host } else { &pod }, &command);
        until(&command, Duration::from_secs(3), || datapath.check(&attachment).is_empty());
    }
    // Before Linux 6.2 the pod, too, has to set a link down before it renames it, and repair may set it up in between.
    for name in ["eth0", "veth1"] {
        until("it is renamed", Duration::from_secs(5), || {
            let down = pod.try_ip(&format!("link set {name} down"));
            down.is_ok() && pod.try_ip(&format!("link set {name} name other")).is_ok()
        });
        until(name, Duration::from_secs(3), || datapath.check(&attachment).is_empty());
    }
    lab.host.ip(&format!("link del {}", attachment.host_if_name));
    until("the pair is back", Duration::from_secs(2), || {
        datapath.check(&attachment).is_empty()
    });
    // Somebody moves the ENI out; then it is unplugged and comes back.
    pod.ip(&format!("link set eth0 netns {} name out", lab.host.path()));
    until("the ENI is in the pod again", Duration::from_secs(2), || {
        datapath.check(&attachment).is_empty()
    });
    pod.ip("link del eth0");
    until("its loss is seen", Duration::from_secs(2), || {
        !datapath.check(&attachment).is_empty()
    });
    node.plug_again();
    until("the new one is in the pod", Duration::from_secs(3), || {
        datapath.check(&attachment).is_empty()
    });
    // What the pod has of its own is none of our business.
    pod.ips("addr add 192.0.2.1/24 dev eth0\nroute add 203.0.113.0/24 via 10.0.1.253 dev eth0 onlink");
    std::thread::sleep(Duration::from_millis(500));
    assert!(pod.ip("addr show eth0").contains("192.0.2.1/24"));
    assert!(pod.ip("route show").contains("203.0.113.0/24"));
    datapath.detach(&attachment);
    std::thread::sleep(Duration::from_millis(400));
    assert!(lab.host.ip("-o link").contains(&eni_mac(1).to_string()));
}

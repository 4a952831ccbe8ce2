//! Foreign edits of a pod with an ENI of its own: check names exactly the object, attach and repair mend it (I17).
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use support::calls::{Open, until};
use support::drift::{Edit, LIMITS_IN_POD, MASQUERADED, Scene, covers, dragging, edit, make};
use support::drift_edits::{HOST_END, LINK_SILENT, NODE, NODE_SILENT, POD_IPV6};
use support::exclusive::{Node, exclusive};
use support::lab::{Lab, Stack, eni_mac};
use support::scenario::limit;
use terway_datapath::attachment::{Attachment, Mode};
use terway_datapath::diff::Problem::{Different, Missing, Unexpected};

const POD: &[Edit] = &[
    dragging("addr del 10.0.1.23/32 dev eth0", "address 10.0.1.23/32 dev eth0", Missing),
    dragging(
        "-6 addr del 2001:db8:1::17/128 dev veth1",
        "address 2001:db8:1::17/128 dev veth1",
        Missing,
    ),
    edit("route del 169.254.1.1/32", "route 169.254.1.1/32 dev veth1", Missing),
    edit("-6 route del fe80::1/128 dev veth1", "route fe80::1/128 dev veth1", Missing),
    edit(
        "-6 route del 2001:db8:5::/108",
        "route 2001:db8:5::/108 via fe80::1 dev veth1 onlink",
        Missing,
    ),
    edit(
        "sysctl ipv6/conf/veth1/accept_dad 1",
        "sysctl net.ipv6.conf.veth1.accept_dad",
        Different,
    ),
    dragging(
        "sysctl ipv6/conf/veth1/disable_ipv6 1",
        "sysctl net.ipv6.conf.veth1.disable_ipv6",
        Different,
    ),
    edit("tc qdisc del dev veth1 root", "qdisc tbf 7472: dev veth1 root", Missing),
    edit(
        "tc filter del dev veth1 ingress pref 29812",
        "filter dev veth1 ingress pref 29812 bpf handle 0x1 redirect to ifb-eth0",
        Missing,
    ),
    dragging(
        "tc qdisc del dev veth1 clsact",
        "qdisc clsact ffff: dev veth1 parent ffff:fff1",
        Missing,
    ),
    edit("link set eth0 mtu 1400", "link eth0", Different),
    edit("link set veth1 mtu 1400", "link veth1", Different),
    edit("link set eth0 alias nobody", "link eth0", Different),
    dragging("addr del 10.0.1.23/32 dev veth1", "address 10.0.1.23/32 dev veth1", Missing),
    edit(
        "-6 addr del 2001:db8:1::17/128 dev eth0",
        "address 2001:db8:1::17/128 dev eth0",
        Missing,
    ),
    edit("route del default", "route default via 10.0.1.253 dev eth0 onlink", Missing),
    edit(
        "route replace default via 10.0.1.1 dev eth0 onlink",
        "route default via 10.0.1.253 dev eth0 onlink",
        Different,
    ),
    edit(
        "-6 route del default",
        "route default via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth0 onlink",
        Missing,
    ),
    edit(
        "-6 route del 2001:db8:1:0:ffff:ffff:ffff:fffd/128",
        "route 2001:db8:1:0:ffff:ffff:ffff:fffd/128 dev eth0",
        Missing,
    ),
    edit(
        "route del 172.16.0.0/16",
        "route 172.16.0.0/16 via 169.254.1.1 dev veth1 onlink",
        Missing,
    ),
    edit(
        "route del 10.0.0.10/32",
        "route 10.0.0.10/32 via 169.254.1.1 dev veth1",
        Missing,
    ),
    edit(
        "-6 route del 2001:db8::10/128",
        "route 2001:db8::10/128 via fe80::1 dev veth1",
        Missing,
    ),
    edit(
        "route add 10.9.9.9/32 dev eth0 proto 116",
        "route 10.9.9.9/32 dev eth0",
        Unexpected,
    ),
    edit("neigh del 169.254.1.1 dev veth1", "neighbour 169.254.1.1 dev veth1", Missing),
    edit(
        "neigh replace fe80::1 dev veth1 lladdr 02:00:00:00:00:09 nud permanent",
        "neighbour fe80::1 dev veth1",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/veth1/accept_ra 1",
        "sysctl net.ipv6.conf.veth1.accept_ra",
        Different,
    ),
    edit(
        "sysctl ipv6/conf/eth0/accept_ra 1",
        "sysctl net.ipv6.conf.eth0.accept_ra",
        Different,
    ),
];

/// A pod with limits and Services.
fn change(attachment: &mut Attachment) {
    attachment.host_stack = ["172.16.0.0/16", "2001:db8:5::/108"]
        .map(|cidr| cidr.parse().unwrap())
        .to_vec();
    limit(attachment);
}

fn host() -> Vec<Edit> {
    [HOST_END, NODE, NODE_SILENT, LINK_SILENT, MASQUERADED].concat()
}

fn pod() -> Vec<Edit> {
    [POD, POD_IPV6, LIMITS_IN_POD].concat()
}

#[test]
fn drift_has_a_test_for_every_object_of_exclusive() {
    if !support::skip("drift_has_a_test_for_every_object_of_exclusive") {
        covers(Mode::Exclusive, change, &[&host(), &pod()]);
    }
}

#[test]
fn exclusive_dual_drift_is_named_and_mended() {
    if support::skip("exclusive_dual_drift_is_named_and_mended") {
        return;
    }
    let scene = Scene::new(Mode::Exclusive, change);
    scene.names_exactly(&host(), &scene.lab.host);
    scene.names_exactly(&pod(), &scene.pod);
}

#[test]
fn exclusive_dual_drift_is_repaired_i17() {
    if support::skip("exclusive_dual_drift_is_repaired_i17") {
        return;
    }
    let node = Node::new();
    let lab: &Lab = &node.lab;
    let datapath = Open::new(&lab.host);
    let (pod, mut attachment) = exclusive(lab, 23, Stack::Dual);
    change(&mut attachment);
    datapath.attach(&attachment);
    let say = |repair| println!("{repair:?}");
    datapath.0.start_repair(Duration::from_millis(200), true, say).unwrap();
    for (edits, place) in [(host(), &lab.host), (self::pod(), &pod)] {
        for edit in edits {
            let command = edit.command.replace("HOST", &attachment.host_if_name);
            make(&command, place);
            until(&command, Duration::from_secs(10), || datapath.check(&attachment).is_empty());
        }
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

//! Mode `exclusive` on the machine's own kernel, where an ENI is the end of a veth pair: it vanishes with the pod's namespace, as a
//! hot-unplugged one does, and the fabric plugs it in again. Hardware, which falls back into the first namespace, is in `exclusive_nic.rs`.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use support::calls::{CLEAN, GONE, Open, until};
use support::exclusive::{Former, Node, SERVICE_V4, SERVICE_V6, alternative_names_travel, exclusive, far_behind_services};
use support::lab::{self, FAR_V4, HOST_V4, HOST_V6, Stack, eni_mac};
use support::namespace::Namespace;
use support::probe::{Echo, ask};
use terway_datapath::attachment::Attachment;
use terway_datapath::error::ErrorCode;

fn traffic_and_checks(stack: Stack) {
    let node = Node::new();
    let lab = &node.lab;
    let (_far, _host) = (Echo::new(&lab.vpc, lab::far()), Echo::new(&lab.host, lab::node()));
    far_behind_services(&lab.host);
    let before = Former::of(&lab.host, 1);
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = exclusive(lab, 23, stack);
    let first = datapath.attach(&attachment);
    assert!(first.steps > 5, "{first:?}");
    assert_eq!(first.pod_mac, eni_mac(1));
    assert_eq!(first.host_if_name, attachment.host_if_name);
    assert!(lab.host.try_ip("link show eth1").is_err(), "the ENI is still on the host");
    assert_eq!(datapath.check(&attachment), []);
    assert_eq!(datapath.attach(&attachment).steps, 0, "{stack:?}");
    lab.settle(1);
    let _pod = Echo::new(&pod, attachment.addresses());
    for address in attachment.addresses() {
        let v4 = address.is_ipv4();
        let pick = |texts: [&str; 2]| texts[usize::from(!v4)].parse().unwrap();
        // Through the VPC with its own address, to the node and back without it, to Services through the node with the node's address.
        assert_eq!(ask(&pod, pick([FAR_V4, lab::FAR_V6])), Ok(address), "to the VPC");
        assert_eq!(ask(&pod, pick([HOST_V4, HOST_V6])), Ok(address), "to the node");
        assert_eq!(ask(&lab.host, address), Ok(pick([HOST_V4, HOST_V6])), "from the node");
        assert_eq!(
            ask(&pod, pick([SERVICE_V4, SERVICE_V6])),
            Ok(pick([HOST_V4, HOST_V6])),
            "to a Service"
        );
    }
    assert_eq!(datapath.detach(&attachment), CLEAN);
    assert_eq!(datapath.detach(&attachment), GONE);
    datapath.settle_deletes();
    assert_eq!(Former::of(&lab.host, 1), before);
    assert_eq!(datapath.collect().removed, [""; 0]);
    assert_eq!(lab.own_objects(), [""; 0]);
    assert_eq!(node.masquerading(), "");
}

#[test]
fn exclusive_v4_sends_and_receives_and_comes_back() {
    if support::skip("exclusive_v4_sends_and_receives_and_comes_back") {
        return;
    }
    traffic_and_checks(Stack::V4);
}

#[test]
fn exclusive_v6_sends_and_receives_and_comes_back() {
    if support::skip("exclusive_v6_sends_and_receives_and_comes_back") {
        return;
    }
    traffic_and_checks(Stack::V6);
}

#[test]
fn exclusive_dual_sends_and_receives_and_comes_back() {
    if support::skip("exclusive_dual_sends_and_receives_and_comes_back") {
        return;
    }
    traffic_and_checks(Stack::Dual);
}

#[test]
fn exclusive_dual_comes_back_as_it_was() {
    if support::skip("exclusive_dual_comes_back_as_it_was") {
        return;
    }
    let node = Node::new();
    let lab = &node.lab;
    lab.host.ips(
        "link set eth1 down
         link set eth1 name ens7x
         link set ens7x mtu 1700
         link property add dev ens7x altname enp0s7
         link property add dev ens7x altname blue",
    );
    lab.host.run(|| set_alias("ens7x", "rack 4, port 2"));
    // What an earlier use has left on it must not come along.
    lab.host
        .ips("link set ens7x up\naddr add 192.0.2.9/24 dev ens7x\nroute add 203.0.113.0/24 via 192.0.2.1 dev ens7x");
    let before = Former::of(&lab.host, 1);
    let datapath = Open::new(&lab.host);
    let (pod, mut attachment) = exclusive(lab, 23, Stack::Dual);
    attachment.shaping.egress = Some(12_500_000);
    // The pod has the ENI's name, and one of its other names.
    pod.ips("link add ens7x type veth peer name other\nlink property add dev other altname blue");
    datapath.attach(&attachment);
    assert_eq!(datapath.check(&attachment), []);
    let shown = pod.ip("addr show eth0");
    assert!(!shown.contains("192.0.2.9") && shown.contains("mtu 1500"), "{shown}");
    assert!(shown.contains("qdisc tbf"), "{shown}");
    pod.ips("link set eth0 mtu 1400\naddr add 192.0.2.7/24 dev eth0\nlink set eth0 promisc on");
    pod.ips("link set eth0 down\nlink set eth0 address 02:11:22:33:44:55\nlink set eth0 up");
    assert_eq!(datapath.detach(&attachment), CLEAN);
    assert_eq!(Former::of(&lab.host, 1), before.down());
    let shown = lab.host.ip("addr show ens7x");
    assert!(!shown.contains("192.0.2") && !shown.contains("tbf"), "{shown}");
}

fn set_alias(link: &str, alias: &str) {
    let output = std::process::Command::new("ip")
        .args(["link", "set", link, "alias", alias])
        .output()
        .unwrap();
    assert!(output.status.success());
}

#[test]
fn exclusive_v4_gives_way_to_a_name_that_is_taken() {
    if support::skip("exclusive_v4_gives_way_to_a_name_that_is_taken") {
        return;
    }
    let node = Node::new();
    let lab = &node.lab;
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = exclusive(lab, 23, Stack::V4);
    let before = Former::of(&lab.host, 1);
    pod.ip("link add eth0 type veth peer name other");
    let refused = datapath.try_attach(&attachment).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InterfaceExists, "{refused}");
    assert_eq!(Former::of(&lab.host, 1), before, "something was changed before the refusal");
    pod.ip("link del eth0");
    datapath.attach(&attachment);
    // Another ENI has taken its name meanwhile.
    lab.plug(2);
    lab.host.ip("link set eth2 name eth1");
    assert_eq!(datapath.detach(&attachment), CLEAN);
    let after = Former::of(&lab.host, 1);
    assert!(after.name.starts_with("eth") && after.name != "eth1", "{after:?}");
    assert_eq!(after.alternative_names, before.alternative_names);
}

/// I6: a process killed after any step loses no ENI.
#[test]
fn exclusive_dual_attach_stopped_at_any_step_is_completed_or_undone_i6() {
    if support::skip("exclusive_dual_attach_stopped_at_any_step_is_completed_or_undone_i6") {
        return;
    }
    let node = Node::new();
    let lab = &node.lab;
    let before = Former::of(&lab.host, 1).down();
    let mut steps = 0;
    loop {
        // By the next attach of the same pod; by one of another pod; by a detach; by collection.
        let mut stopped = false;
        // While the ENI is on its way, every end is tried; once it is in the pod they take turns.
        for end in (0..4).filter(|end| steps < 6 || steps % 4 == *end) {
            let (pod, attachment) = exclusive(lab, 100 + steps, Stack::Dual);
            stopped = Open::new(&lab.host).attach_until(&attachment, u32::from(steps)).is_err();
            let datapath = Open::new(&lab.host);
            let what = format!("stopped after {steps}, end {end}");
            match end {
                0 => {
                    datapath.attach(&attachment);
                    assert_eq!(datapath.check(&attachment), [], "{what}");
                    assert_eq!(datapath.attach(&attachment).steps, 0, "{what}");
                    assert_eq!(datapath.detach(&attachment).failures, []);
                }
                1 => {
                    let _findable = Resident::new(&pod);
                    let (other_pod, mut other) = exclusive(lab, 400 + steps, Stack::Dual);
                    other.generation = 1000;
                    datapath.attach(&other);
                    assert_eq!(datapath.check(&other), [], "{what}");
                    assert_eq!(datapath.detach(&attachment).failures, [], "{what}");
                    assert_eq!(datapath.check(&other), [], "{what}: the late detach has harmed it");
                    assert_eq!(datapath.detach(&other).failures, [], "{what}");
                    drop(other_pod);
                }
                2 => assert_eq!(datapath.detach(&attachment).failures, [], "{what}"),
                _ => {
                    let _findable = Resident::new(&pod);
                    assert_eq!(datapath.collect().failures, [], "{what}");
                }
            }
            datapath.collect();
            datapath.settle_deletes();
            assert_eq!(Former::of(&lab.host, 1).down(), before, "{what}");
        }
        // Looked at once for all four: each ends with a collection, which hides no more of one than of the next.
        assert_eq!(lab.own_objects(), [""; 0], "stopped after {steps}");
        assert_eq!(node.masquerading(), "", "stopped after {steps}");
        lab.host.ip("link set eth1 up");
        if !stopped {
            break;
        }
        steps += 1;
    }
    assert!(steps > 12, "the failpoint stopped only {steps} times");
}

#[test]
fn exclusive_dual_detach_stopped_at_any_step_is_completed_i6() {
    if support::skip("exclusive_dual_detach_stopped_at_any_step_is_completed_i6") {
        return;
    }
    let node = Node::new();
    let lab = &node.lab;
    lab.host.ips("link set eth1 down\nlink set eth1 mtu 1700");
    let before = Former::of(&lab.host, 1);
    let mut steps = 0;
    loop {
        let mut stopped = false;
        for by_collection in [false, true] {
            let (pod, attachment) = exclusive(lab, 100 + steps, Stack::Dual);
            let datapath = Open::new(&lab.host);
            datapath.attach(&attachment);
            stopped = !datapath.detach_until(&attachment, u32::from(steps)).failures.is_empty();
            drop(datapath);
            let datapath = Open::new(&lab.host);
            let _findable = Resident::new(&pod);
            if !by_collection {
                assert_eq!(datapath.detach(&attachment).failures, [], "stopped after {steps}");
            }
            datapath.collect();
            datapath.settle_deletes();
            assert_eq!(Former::of(&lab.host, 1), before, "stopped after {steps}, {by_collection}");
        }
        assert_eq!(lab.own_objects(), [""; 0], "stopped after {steps}");
        assert_eq!(node.masquerading(), "", "stopped after {steps}");
        if !stopped {
            break;
        }
        steps += 1;
    }
    assert!(steps > 6, "the failpoint stopped only {steps} times");
}

/// Something that lives in a namespace, so that a path leads to it.
struct Resident(std::process::Child);

impl Resident {
    fn new(namespace: &Namespace) -> Self {
        Self(namespace.run(|| std::process::Command::new("sleep").arg("600").spawn().unwrap()))
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn exclusive_dual_is_found_by_a_process_that_knows_nothing() {
    if support::skip("exclusive_dual_is_found_by_a_process_that_knows_nothing") {
        return;
    }
    for host_peer in [true, false] {
        let node = Node::new();
        let lab = &node.lab;
        let before = Former::of(&lab.host, 1);
        let (pod, mut attachment) = exclusive(lab, 23, Stack::Dual);
        attachment.host_peer = host_peer;
        let attached = Open::new(&lab.host).attach(&attachment);
        assert_eq!(attached.host_if_index == 0, !host_peer);
        let _resident = Resident::new(&pod);
        let restarted = Open::new(&lab.host);
        let ours = |link: &terway_datapath::SurveyedLink| link.id == attachment.id;
        let mut surveyed: Vec<_> = restarted
            .survey()
            .into_iter()
            .filter(ours)
            .flat_map(|link| link.addresses)
            .collect();
        surveyed.sort_unstable();
        assert_eq!(surveyed, attachment.addresses().collect::<Vec<_>>());
        assert_eq!(restarted.check(&attachment), []);
        restarted.adopt(&[&attachment]);
        assert_eq!(restarted.collect().removed, [""; 0]);
        assert_eq!(restarted.attach(&attachment).steps, 0);
        drop(restarted);
        // By id alone: not even the namespace is known.
        let restarted = Open::new(&lab.host);
        assert_eq!(restarted.detach_id(&attachment.id), CLEAN);
        restarted.settle_deletes();
        restarted.collect();
        assert_eq!(Former::of(&lab.host, 1), before);
        assert_eq!(lab.own_objects(), [""; 0]);
    }
}

#[test]
fn exclusive_dual_eni_that_vanished_with_its_pod_is_plugged_in_again() {
    if support::skip("exclusive_dual_eni_that_vanished_with_its_pod_is_plugged_in_again") {
        return;
    }
    let node = Node::new();
    let lab = &node.lab;
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = exclusive(lab, 23, Stack::Dual);
    datapath.attach(&attachment);
    drop(pod);
    until("the ENI is gone", Duration::from_secs(5), || {
        lab.vpc.try_ip("link show vpc1").is_err()
    });
    assert_eq!(datapath.detach(&attachment).failures, []);
    datapath.settle_deletes();
    datapath.collect();
    assert_eq!(lab.own_objects(), [""; 0]);
    assert_eq!(node.masquerading(), "");
    node.plug_again();
    let (_pod, next) = exclusive(lab, 24, Stack::Dual);
    datapath.attach(&next);
    assert_eq!(datapath.check(&next), []);
}

/// Terway's layout for several interfaces: a table for each, chosen by source and by bound device, in both families.
#[test]
fn exclusive_dual_two_interfaces_have_tables_of_their_own() {
    if support::skip("exclusive_dual_two_interfaces_have_tables_of_their_own") {
        return;
    }
    let node = Node::new();
    let lab = &node.lab;
    lab.plug(2);
    let datapath = Open::new(&lab.host);
    let (pod, mut first) = exclusive(lab, 23, Stack::Dual);
    first.multi_network = true;
    let mut second = Attachment {
        id: "sandbox23/eth1".into(),
        if_name: "eth1".into(),
        default_route: false,
        eni_mac: eni_mac(2),
        extra_routes: vec!["198.51.100.0/24".parse().unwrap()],
        ..first.clone()
    };
    second.ipv4.as_mut().unwrap().address = [10, 0, 1, 77].into();
    second.ipv6.as_mut().unwrap().address = "2001:db8:1::77".parse().unwrap();
    for attachment in [&first, &second] {
        datapath.attach(attachment);
    }
    for attachment in [&first, &second] {
        assert_eq!(datapath.check(attachment), []);
        assert_eq!(datapath.attach(attachment).steps, 0);
    }
    let table = |name: &str| {
        let shown = pod.ip(&format!("-o link show {name}"));
        1000 + shown.split(':').next().unwrap().parse::<u32>().unwrap()
    };
    for (family, address) in [("-4", "10.0.1.77"), ("-6", "2001:db8:1::77")] {
        let rules = pod.ip(&format!("{family} rule"));
        assert!(rules.contains(&format!("from {address} lookup {}", table("eth1"))), "{rules}");
        assert!(rules.contains(&format!("oif eth1 lookup {}", table("eth1"))), "{rules}");
        assert!(rules.contains(&format!("oif eth0 lookup {}", table("eth0"))), "{rules}");
    }
    assert!(pod.ip("route show default").contains("dev eth0"));
    assert!(pod.ip("route show 198.51.100.0/24").contains("dev eth1"));
    for attachment in [&second, &first] {
        assert_eq!(datapath.detach(attachment), CLEAN);
    }
    assert!(lab.host.ip("-o link show eth2").contains(&eni_mac(2).to_string()));
}

/// udev gives a new ENI its name at any moment; also when the pod has a link of the old name, so that the ENI cannot move under it.
#[test]
fn exclusive_v4_is_renamed_by_udev_on_its_way() {
    if support::skip("exclusive_v4_is_renamed_by_udev_on_its_way") {
        return;
    }
    let node = Node::new();
    let lab = &node.lab;
    let datapath = Open::new(&lab.host);
    let [old, new] = ["eth1", "ens9"];
    let travel = alternative_names_travel(&lab.host);
    for (delay, taken) in (0..24).flat_map(|delay| [(delay, false), (delay, true)]) {
        let (pod, attachment) = exclusive(lab, 100 + 2 * delay + u16::from(taken), Stack::V4);
        if taken {
            pod.ip(&format!("link add {old} type veth peer name other"));
        }
        let host = lab.host.clone();
        // As udev does it: one request; refused while the link is up, before Linux 6.2, or when the link is gone.
        let udev = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(300 * u64::from(delay)));
            host.try_ip(&format!("link set {old} name {new}")).is_ok()
        });
        datapath.attach(&attachment);
        assert_eq!(datapath.check(&attachment), []);
        let renamed = udev.join().unwrap();
        assert_eq!(datapath.detach(&attachment).failures, []);
        let after = Former::of(&lab.host, 1);
        let wanted: &[&str] = match (renamed, travel) {
            (false, _) => &[old],
            (true, true) => &[new],
            // Renamed in the pod it cannot be told; udev sees a new link then and names it again.
            (true, false) => &[old, new],
        };
        assert!(
            wanted.contains(&after.name.as_str()) && after.alternative_names.is_empty(),
            "after {delay}, taken: {taken}, renamed: {renamed}: {after:?}"
        );
        if after.name == new {
            lab.host.ip(&format!("link set {new} name {old}"));
        }
        lab.host.ip(&format!("link set {old} up"));
    }
}

/// Killed after the move, before the mark has followed udev: the next attach finds the ENI in the pod under udev's name.
#[test]
fn exclusive_v4_renamed_by_udev_and_killed_after_the_move_is_completed_i6() {
    if support::skip("exclusive_v4_renamed_by_udev_and_killed_after_the_move_is_completed_i6") {
        return;
    }
    let node = Node::new();
    let lab = &node.lab;
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = exclusive(lab, 23, Stack::V4);
    for steps in 0.. {
        assert!(
            datapath.attach_until(&attachment, steps).is_err(),
            "it never stopped in the pod under its old name"
        );
        if pod.try_ip("link show eth1").is_ok() {
            break;
        }
    }
    // As if udev had been faster than the move.
    pod.ip("link set eth1 name ens9");
    datapath.attach(&attachment);
    assert_eq!(datapath.check(&attachment), []);
    assert_eq!(datapath.detach(&attachment), CLEAN);
    let after = Former::of(&lab.host, 1);
    let want = if alternative_names_travel(&lab.host) { "ens9" } else { "eth1" };
    assert_eq!((after.name.as_str(), after.alternative_names.len()), (want, 0));
}

//! What every mode must do, as tests to be run for each mode and family.

use std::net::IpAddr;
use std::process::Command;

use super::calls::{CLEAN, GONE, Open};
use super::lab::{self, FAR_V4, FAR_V6, HOST_V4, HOST_V6, Lab, Stack};
use super::modes::{LOCAL_DNS_V4, LOCAL_DNS_V6, gateway_of};
use super::namespace::Namespace;
use super::probe::{Echo, ask};
use terway_datapath::attachment::{Attachment, Mode};
use terway_datapath::object::{Family, Prefix};

/// Of the two the one of the same family.
fn like(address: &IpAddr, v4: &str, v6: &str) -> IpAddr {
    if address.is_ipv4() { v4 } else { v6 }.parse().unwrap()
}

fn all_paths(lab: &Lab, pod: &Namespace, attachment: &Attachment) {
    for address in attachment.addresses() {
        let node = like(&address, HOST_V4, HOST_V6);
        let paths = [
            ("pod to host", ask(pod, node), address),
            ("host to pod", ask(&lab.host, address), node),
            ("pod to elsewhere", ask(pod, like(&address, FAR_V4, FAR_V6)), address),
            ("elsewhere to pod", ask(&lab.vpc, address), gateway_of(attachment, &address)),
        ];
        for (path, seen, want) in paths {
            assert_eq!(seen, Ok(want), "{:?}: {path} {address}", attachment.mode);
        }
    }
}

/// The first datagram on every path arrives, with the right source: pod and node, pod and VPC, two pods of one ENI.
pub fn traffic(mode: Mode, stack: Stack) {
    let lab = Lab::new();
    let (_far, _host) = (Echo::new(&lab.vpc, lab::far()), Echo::new(&lab.host, lab::node()));
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = lab.pod_of(mode, 23, stack);
    datapath.attach(&attachment);
    lab.settle(1);
    let _echo = Echo::new(&pod, attachment.addresses());
    all_paths(&lab, &pod, &attachment);
    let (second, other) = lab.pod_of(mode, 24, stack);
    datapath.attach(&other);
    let _second_echo = Echo::new(&second, other.addresses());
    for (from, to) in attachment.addresses().zip(other.addresses()) {
        assert_eq!(ask(&pod, to), Ok(from), "pod to pod");
        assert_eq!(ask(&second, from), Ok(to), "pod to pod, back");
    }
    all_paths(&lab, &second, &other);
    assert_eq!(datapath.check(&attachment), []);
    assert_eq!(datapath.check(&other), []);
}

/// What an attachment, or a pod of its ENI, leaves on the node.
fn left(lab: &Lab) -> Vec<String> {
    let links = lab.host.ip("-o link show");
    let marked = links.lines().filter(|line| line.contains("alias terway"));
    lab.own_objects().into_iter().chain(marked.map(str::to_owned)).collect()
}

/// Limits in both directions, which bring objects of their own.
pub fn limit(attachment: &mut Attachment) {
    attachment.shaping.ingress = Some(1_250_000);
    attachment.shaping.egress = Some(2_500_000);
}

/// I8: attach again changes nothing, also in a process that knows nothing; detach can be repeated; what is shared goes with the collection.
pub fn lifecycle(mode: Mode, stack: Stack) {
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (pod, mut attachment) = lab.pod_of(mode, 23, stack);
    limit(&mut attachment);
    assert_eq!(datapath.detach(&attachment), GONE);
    let first = datapath.attach(&attachment);
    let again = datapath.attach(&attachment);
    assert_eq!(again.steps, 0);
    assert_eq!(
        (
            again.host_if_name,
            again.host_if_index,
            again.host_mac,
            again.pod_mac,
            again.pod_if_index
        ),
        (
            first.host_if_name,
            first.host_if_index,
            first.host_mac,
            first.pod_mac,
            first.pod_if_index
        )
    );
    let shown = pod.ip(&format!("-o link show {}", attachment.if_name));
    assert!(shown.contains(&format!("alias {}", attachment.alias())), "{shown}");
    let survey = datapath.survey();
    assert_eq!(survey.len(), 1, "{survey:?}");
    assert_eq!(survey[0].id, attachment.id);
    let mut surveyed = survey[0].addresses.clone();
    surveyed.sort();
    assert_eq!(surveyed, attachment.addresses().collect::<Vec<_>>());
    drop(datapath);
    let restarted = Open::new(&lab.host);
    assert_eq!(restarted.check(&attachment), []);
    assert_eq!(restarted.attach(&attachment).steps, 0);
    assert_eq!(restarted.detach(&attachment), CLEAN);
    assert_eq!(restarted.detach(&attachment), GONE);
    restarted.settle_deletes();
    assert_eq!(
        pod.ip("-o link show").lines().count(),
        1,
        "a link of the pod's is still there"
    );
    // By id alone, as when nothing else is known.
    restarted.attach(&attachment);
    drop(restarted);
    let restarted = Open::new(&lab.host);
    assert_eq!(restarted.detach_id(&attachment.id).failures, []);
    restarted.settle_deletes();
    assert_eq!(
        pod.ip("-o link show").lines().count(),
        1,
        "a link of the pod's is still there"
    );
    restarted.collect();
    assert_eq!(left(&lab), [""; 0]);
    // A namespace that is gone leaves nothing behind its detach.
    let (lost, attachment) = lab.pod_of(mode, 29, stack);
    restarted.attach(&attachment);
    drop(lost);
    assert_eq!(restarted.detach(&attachment).failures, []);
    restarted.settle_deletes();
    restarted.collect();
    assert_eq!(left(&lab), [""; 0]);
    // A lost attachment is collected, its links in the living pod too.
    let (pod, mut attachment) = lab.pod_of(mode, 30, stack);
    limit(&mut attachment);
    restarted.attach(&attachment);
    drop(restarted);
    let stranger = Open::new(&lab.host);
    assert_eq!(stranger.collect().failures, []);
    stranger.settle_deletes();
    assert_eq!(
        pod.ip("-o link show").lines().count(),
        1,
        "a link of the pod's is still there"
    );
    assert_eq!(left(&lab), [""; 0]);
}

/// I6: stopped after any step, an attach is completed by the next or removed by a detach, which can be stopped at any step as well.
pub fn crashes(mode: Mode, stack: Stack) {
    let lab = Lab::new();
    for steps in 0.. {
        let (_pod, mut attachment) = lab.pod_of(mode, 40 + steps, stack);
        limit(&mut attachment);
        let stopped = Open::new(&lab.host).attach_until(&attachment, u32::from(steps));
        let restarted = Open::new(&lab.host);
        restarted.attach(&attachment);
        assert_eq!(restarted.check(&attachment), [], "stopped after {steps}");
        assert_eq!(restarted.attach(&attachment).steps, 0, "stopped after {steps}");
        drop(restarted.detach_until(&attachment, u32::from(steps)));
        drop(restarted);
        removed(&lab, &attachment, &format!("detach stopped after {steps}"));

        let (pod, mut attachment) = lab.pod_of(mode, 100 + steps, stack);
        limit(&mut attachment);
        drop(Open::new(&lab.host).attach_until(&attachment, u32::from(steps)));
        removed(&lab, &attachment, &format!("attach stopped after {steps}"));
        let rest = pod.ip("-o link show");
        assert_eq!(rest.lines().count(), 1, "attach stopped after {steps}: {rest}");
        if stopped.is_ok() {
            assert!(steps > 5, "the failpoint stopped only {steps} times");
            break;
        }
    }
}

/// A process that knows nothing removes what is left of an attachment.
fn removed(lab: &Lab, attachment: &Attachment, when: &str) {
    let datapath = Open::new(&lab.host);
    assert_eq!(datapath.detach(attachment).failures, [], "{when}");
    datapath.collect();
    datapath.settle_deletes();
    assert_eq!(left(lab), [""; 0], "{when}");
}

/// Where the node-local DNS cache of the lab is.
pub fn local_dns() -> [Prefix; 2] {
    ["169.254.20.0/24", "fd00:20::/64"].map(|cidr| cidr.parse().unwrap())
}

/// A pod with two interfaces of one mode: by default through the first, by extra route, source or bound device through the second.
pub fn two_interfaces(mode: Mode, stack: Stack) {
    let lab = Lab::new();
    lab.vpc
        .ips("addr add 203.0.113.1/32 dev lo\naddr add 2001:db8:eeee::1/128 dev lo nodad");
    let beyond = ["203.0.113.1", "2001:db8:eeee::1"].map(|address| address.parse().unwrap());
    let _echo = Echo::new(&lab.vpc, lab::far().into_iter().chain(beyond));
    let datapath = Open::new(&lab.host);
    let (pod, mut first) = lab.pod_of(mode, 23, stack);
    first.multi_network = true;
    let (_, mut second) = lab.pod_of(mode, 24, stack);
    second.netns.clone_from(&first.netns);
    second.if_name = "eth1".into();
    second.multi_network = true;
    datapath.attach(&first);
    // Two default routes contradict each other, and nothing has changed.
    let state = || (pod.ip("-o link"), pod.ip("route show table all proto 116"));
    let before = state();
    let error = datapath.try_attach(&second).unwrap_err();
    assert_eq!(error.object.as_deref(), Some("defaultRoute"), "{error}");
    assert_eq!(state(), before);
    second.default_route = false;
    let routes = ["203.0.113.0/24", "2001:db8:eeee::/48"].map(|route| route.parse::<Prefix>().unwrap());
    let possible = |route: &Prefix| second.addresses().any(|address| Family::of(address) == route.family());
    second.extra_routes = routes.into_iter().filter(possible).collect();
    datapath.attach(&second);
    lab.settle(1);
    for (own, other) in first.addresses().zip(second.addresses()) {
        let far = like(&own, FAR_V4, FAR_V6);
        assert_eq!(ask(&pod, far), Ok(own), "by default");
        assert_eq!(
            ask(&pod, like(&own, "203.0.113.1", "2001:db8:eeee::1")),
            Ok(other),
            "extra route"
        );
        for from in [own.to_string(), other.to_string(), "eth0".into(), "eth1".into()] {
            assert!(pings(&pod, &from, &far.to_string()), "{far} from {from}");
        }
    }
    for attachment in [&first, &second] {
        assert_eq!(datapath.check(attachment), []);
        assert_eq!(datapath.attach(attachment).steps, 0);
    }
    assert_eq!(datapath.detach(&second), CLEAN);
    assert_eq!(datapath.check(&first), []);
}

/// `ping -I SOURCE-OR-DEVICE`: one echo request, answered or not.
fn pings(pod: &Namespace, from: &str, to: &str) -> bool {
    let arguments = ["-c1", "-W3", "-I", from, to];
    pod.run(|| Command::new("ping").args(arguments).output().unwrap())
        .status
        .success()
}

/// Destinations of the node's stack beside its primary address, a node-local DNS cache for instance.
pub fn host_stack(mode: Mode, stack: Stack) {
    let lab = Lab::new();
    lab.host.ips(&format!(
        "addr add {LOCAL_DNS_V4}/32 dev lo
         addr add {LOCAL_DNS_V6}/128 dev lo nodad"
    ));
    let local = [LOCAL_DNS_V4, LOCAL_DNS_V6].map(|address| address.parse().unwrap());
    let _echo = Echo::new(&lab.host, local);
    let datapath = Open::new(&lab.host);
    let (pod, mut attachment) = lab.pod_of(mode, 23, stack);
    let possible = |cidr: &Prefix| attachment.addresses().any(|address| Family::of(address) == cidr.family());
    attachment.host_stack = local_dns().into_iter().filter(possible).collect();
    datapath.attach(&attachment);
    lab.settle(1);
    for address in attachment.addresses() {
        assert_eq!(ask(&pod, like(&address, LOCAL_DNS_V4, LOCAL_DNS_V6)), Ok(address));
    }
    assert_eq!(datapath.check(&attachment), []);
}

/// `NAME: SCENARIO(MODE, FAMILIES);` a line. What the kernel lacks is skipped with the kernel's own reason.
#[macro_export]
macro_rules! mode_tests {
    ($($name:ident: $scenario:ident($mode:ident, $stack:ident);)*) => {$(
        #[test]
        fn $name() {
            use terway_datapath::attachment::Mode;
            if !support::modes::lacks(stringify!($name), Mode::$mode) {
                support::scenario::$scenario(Mode::$mode, support::lab::Stack::$stack);
            }
        }
    )*};
}

//! The hooks at which pods' packets are judged, in every mode: they stand before a link comes up, survive foreign hands, and go with the pod.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::calls::{Open, until, wait};
use support::lab::{self, Lab, Stack};
use support::modes::lacks;
use support::namespace::Namespace;
use support::probe::{Echo, ask};
use support::vpc::nft;
use terway_datapath::Repair;
use terway_datapath::attachment::{Attachment, Mode};
use terway_datapath::diff::Problem;
use terway_datapath::policy::{self, PodRecord, PodState, PolicyEntry, PolicyStep, SetPart};

/// Sets: one allows nothing, one everything.
const DENY: u64 = 11;
const ALLOW: u64 = 12;

struct Scene {
    lab: Lab,
    pod: Namespace,
    attachment: Attachment,
    datapath: Open,
}

impl Scene {
    fn new(mode: Mode) -> Self {
        let lab = Lab::new();
        lab.host.mount_bpffs();
        let datapath = Open::new(&lab.host);
        datapath.0.judge().unwrap();
        let (pod, attachment) = lab.pod_of(mode, 23, Stack::Dual);
        let attachment = Attachment {
            network_policy: true,
            ..attachment
        };
        let scene = Self {
            lab,
            pod,
            attachment,
            datapath,
        };
        let everything = PolicyEntry {
            class: 0,
            protocol: 0,
            from: 0,
            to: 65_535,
            rule: 1,
        };
        let sets = [(DENY, Vec::new()), (ALLOW, vec![everything])].map(|(set, entries)| SetPart { set, entries });
        scene.apply(PolicyStep {
            sets: sets.into(),
            ..PolicyStep::default()
        });
        scene
    }

    fn apply(&self, step: PolicyStep) {
        wait(|reply| self.datapath.0.policy(move |programs| policy::apply(programs, &step), reply)).unwrap();
    }

    fn judge_by(&self, ingress: u64, egress: u64) {
        let endpoint = self.attachment.endpoint();
        let record = PodRecord {
            endpoint,
            ingress,
            egress,
            state: PodState::Enforced,
        };
        self.apply(PolicyStep {
            pods: vec![record],
            bump: true,
            ..PolicyStep::default()
        });
    }

    /// Where the hooks are, and the name of the device there.
    fn hooks(&self) -> (&Namespace, Vec<String>) {
        match self.attachment.mode {
            Mode::PolicyRoute | Mode::Netkit => (&self.lab.host, vec![self.attachment.host_if_name.clone()]),
            Mode::Ipvlan | Mode::Vlan => (&self.pod, vec!["eth0".to_owned()]),
            Mode::Exclusive => (&self.pod, vec!["eth0".to_owned(), "veth1".to_owned()]),
        }
    }

    fn far(&self) -> Vec<Result<std::net::IpAddr, String>> {
        lab::far().map(|address| ask(&self.pod, address)).into()
    }
}

fn verdicts_decide(test: &str, mode: Mode) {
    if lacks(test, mode) {
        return;
    }
    let scene = Scene::new(mode);
    let _far = Echo::new(&scene.lab.vpc, lab::far());
    let _node = Echo::new(&scene.lab.host, lab::node());
    scene.judge_by(0, DENY);
    scene.datapath.attach(&scene.attachment);
    assert_eq!(scene.datapath.check(&scene.attachment), []);
    assert_eq!(scene.datapath.attach(&scene.attachment).steps, 0);
    scene.lab.settle(1);
    assert!(
        scene.far().iter().all(Result::is_err),
        "what no rule allows passed: {:?}",
        scene.far()
    );
    scene.judge_by(0, ALLOW);
    assert!(scene.far().iter().all(Result::is_ok), "what a rule allows: {:?}", scene.far());
    scene.judge_by(0, DENY);
    assert!(scene.far().iter().all(Result::is_err), "an open flow outlives its rule");
    if matches!(mode, Mode::PolicyRoute | Mode::Netkit) {
        for node in lab::node() {
            assert!(ask(&scene.pod, node).is_ok(), "the node itself always may");
        }
    }
    scene.datapath.detach(&scene.attachment);
    let left = terway_bpf::Programs::open(scene.lab.host.bpffs())
        .unwrap()
        .maps
        .endpoints
        .list()
        .unwrap();
    assert_eq!(left, []);
}

fn survive(test: &str, mode: Mode) {
    if lacks(test, mode) {
        return;
    }
    let scene = Scene::new(mode);
    scene.judge_by(ALLOW, ALLOW);
    scene.datapath.attach(&scene.attachment);
    let (place, devices) = scene.hooks();
    for device in &devices {
        for (edit, hook) in [
            ("filter del dev DEV ingress", "ingress"),
            ("filter del dev DEV egress", "egress"),
        ] {
            place.tc(&edit.replace("DEV", device));
            let drifts = scene.datapath.check(&scene.attachment);
            assert_eq!(drifts.len(), 1, "{drifts:?}");
            assert!(
                drifts
                    .iter()
                    .all(|drift| drift.kind == "filter" && drift.problem == Problem::Missing)
            );
            assert!(
                drifts
                    .iter()
                    .all(|drift| drift.object.contains(hook) && drift.object.contains(device.as_str())),
                "{drifts:?}"
            );
            scene.datapath.attach(&scene.attachment);
            assert_eq!(scene.datapath.check(&scene.attachment), []);
        }
    }
    let repairs = Arc::new(Mutex::new(Vec::<Repair>::new()));
    let told = Arc::clone(&repairs);
    let report = move |repair| told.lock().unwrap().push(repair);
    scene
        .datapath
        .0
        .start_repair(Duration::from_millis(300), true, report)
        .unwrap();
    for device in &devices {
        place.tc(&format!("qdisc del dev {device} clsact"));
        let began = Instant::now();
        until("repair has put the hooks back", Duration::from_secs(2), || {
            scene.datapath.check(&scene.attachment).is_empty()
        });
        println!("{mode:?}: {device} was hooked again after {:?}", began.elapsed());
    }
    let repairs = repairs.lock().unwrap();
    assert!(repairs.iter().all(|repair| repair.failures.is_empty()), "{repairs:?}");
    assert!(
        repairs
            .iter()
            .flat_map(|repair| &repair.drifts)
            .any(|drift| drift.kind == "filter")
    );
}

macro_rules! modes {
    ($($mode:ident: $decide:ident, $survive:ident;)*) => {$(
        #[test]
        fn $decide() {
            verdicts_decide(stringify!($decide), Mode::$mode);
        }

        #[test]
        fn $survive() {
            survive(stringify!($survive), Mode::$mode);
        }
    )*};
}

/// As kube-proxy does for a `NodePort` whose endpoint is elsewhere: what is for the node is sent on, under the node's own address. The VPC takes that
/// from the node's own ENI only.
fn node_port_leaves_as_the_nodes_own(test: &str, mode: Mode) {
    if lacks(test, mode) {
        return;
    }
    let scene = Scene::new(mode);
    let _far = Echo::new(&scene.lab.vpc, lab::far());
    scene.judge_by(0, DENY);
    scene.datapath.attach(&scene.attachment);
    scene.lab.settle(1);
    nft(&scene.lab.vpc, "add table inet vpc");
    nft(
        &scene.lab.vpc,
        "add chain inet vpc spoofed { type filter hook prerouting priority -300; }",
    );
    for (family, (node, far)) in ["ip", "ip6"].into_iter().zip(lab::node().into_iter().zip(lab::far())) {
        let to = if far.is_ipv4() {
            format!("{far}:7007")
        } else {
            format!("[{far}]:7007")
        };
        for line in [
            format!("add table {family} proxy"),
            format!("add chain {family} proxy pre {{ type nat hook prerouting priority -100; }}"),
            format!("add rule {family} proxy pre {family} daddr {node} udp dport 7007 dnat to {to}"),
            format!("add chain {family} proxy post {{ type nat hook postrouting priority 100; }}"),
            format!("add rule {family} proxy post ct status dnat masquerade"),
        ] {
            nft(&scene.lab.host, &line);
        }
        nft(
            &scene.lab.vpc,
            &format!("add rule inet vpc spoofed iifname != vpc0 {family} saddr {node} drop"),
        );
        // The first packet of the connection, and one that the proxy's chains do not see any more.
        for _ in 0..2 {
            assert_eq!(ask(&scene.pod, node), Ok(node), "who asks behind the node");
        }
        assert!(
            ask(&scene.pod, far).is_err(),
            "the way round the node is for what was sent to the node"
        );
    }
    assert_eq!(scene.datapath.check(&scene.attachment), []);
    for (family, node) in ["-4", "-6"].into_iter().zip(lab::node()) {
        scene.lab.host.ip(&format!("{family} rule del pref 500"));
        assert!(
            ask(&scene.pod, node).is_err(),
            "without the rule the ENI takes it, and the VPC refuses it"
        );
    }
    let drifts = scene.datapath.check(&scene.attachment);
    assert!(
        drifts.len() == 2 && drifts.iter().all(|drift| drift.kind == "rule"),
        "{drifts:?}"
    );
}

#[test]
fn policy_hooks_node_port_policy_route() {
    node_port_leaves_as_the_nodes_own("policy_hooks_node_port_policy_route", Mode::PolicyRoute);
}

#[test]
fn policy_hooks_node_port_netkit() {
    node_port_leaves_as_the_nodes_own("policy_hooks_node_port_netkit", Mode::Netkit);
}

modes! {
    PolicyRoute: policy_hooks_decide_policy_route, policy_hooks_survive_policy_route;
    Netkit: policy_hooks_decide_netkit, policy_hooks_survive_netkit;
    Ipvlan: policy_hooks_decide_ipvlan, policy_hooks_survive_ipvlan;
    Vlan: policy_hooks_decide_vlan, policy_hooks_survive_vlan;
    Exclusive: policy_hooks_decide_exclusive, policy_hooks_survive_exclusive;
}

//! Qdiscs: foreign edits are named by check and mended, foreign qdiscs are said and left alone.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::calls::{Open, until};
use support::lab::{Lab, Stack};
use support::namespace::Namespace;
use terway_datapath::attachment::{Attachment, Shaping};
use terway_datapath::diff::Problem;
use terway_datapath::object::Place;
use terway_datapath::{Repair, Trigger};

const NEVER: Duration = Duration::from_secs(3600);
const WITHIN: Duration = Duration::from_secs(1);

/// A node with one attached pod whose traffic is limited in both directions.
struct Scene {
    lab: Lab,
    pod: Namespace,
    attachment: Attachment,
    datapath: Open,
}

type Log = Arc<Mutex<Vec<Repair>>>;

impl Scene {
    fn new() -> Self {
        let lab = Lab::new();
        let datapath = Open::new(&lab.host);
        let (pod, mut attachment) = lab.pod(23, Stack::Dual);
        attachment.shaping = Shaping {
            ingress: Some(1_250_000),
            egress: Some(2_500_000),
            ..Shaping::default()
        };
        datapath.attach(&attachment);
        Self {
            lab,
            pod,
            attachment,
            datapath,
        }
    }

    fn guard(&self, scan_interval: Duration) -> Log {
        let log = Log::default();
        let heard = Arc::clone(&log);
        let report = move |repair| heard.lock().unwrap().push(repair);
        self.datapath.0.start_repair(scan_interval, true, report).unwrap();
        log
    }

    fn sound(&self) -> bool {
        self.datapath.check(&self.attachment).is_empty()
    }

    /// The device, the namespace and the qdisc of both limits.
    fn limits(&self) -> [(Place, &Namespace, String); 2] {
        [
            (Place::Host, &self.lab.host, self.attachment.host_if_name.clone()),
            (Place::Pod, &self.pod, "eth0".to_owned()),
        ]
    }
}

fn root_of(namespace: &Namespace, device: &str) -> String {
    let all = namespace.tc(&format!("-d qdisc show dev {device}"));
    all.lines()
        .find(|line| line.contains(" root "))
        .unwrap_or_default()
        .to_owned()
}

/// What a tool does to the limit behind our back.
const EDITS: [(&str, Problem); 3] = [
    ("qdisc del dev DEVICE root", Problem::Missing),
    (
        "qdisc change dev DEVICE root handle 7472: tbf rate 8mbit burst 5000 limit 70000",
        Problem::Different,
    ),
    ("qdisc replace dev DEVICE root handle 7472: pfifo limit 9", Problem::Different),
];

#[test]
fn policy_route_dual_bandwidth_tc_drift_is_named_and_attached_again() {
    if support::skip("policy_route_dual_bandwidth_tc_drift_is_named_and_attached_again") {
        return;
    }
    let scene = Scene::new();
    assert!(scene.sound());
    assert_eq!(scene.datapath.attach(&scene.attachment).steps, 0);
    for (place, namespace, device) in scene.limits() {
        let before = root_of(namespace, &device);
        assert!(before.starts_with("qdisc tbf 7472: root"), "{before}");
        for (command, problem) in EDITS {
            drop(namespace.try_tc(&format!("qdisc del dev {device} root")));
            scene.datapath.attach(&scene.attachment);
            if command.contains("pfifo") {
                namespace.tc(&format!("qdisc del dev {device} root"));
            }
            namespace.tc(&command.replace("DEVICE", &device));
            let drifts = scene.datapath.check(&scene.attachment);
            let object = format!("qdisc tbf 7472: dev {device} root");
            let named = drifts.iter().find(|drift| drift.object == object);
            let named = named.map(|drift| (drift.place, drift.kind, drift.problem));
            assert_eq!(named, Some((place, "qdisc", problem)), "{command}: {drifts:?}");
            assert!(drifts.iter().all(|drift| drift.kind == "qdisc"), "{command}: {drifts:?}");
            assert!(scene.datapath.attach(&scene.attachment).steps > 0, "{command}");
            assert!(scene.sound(), "{command} was not mended");
            assert_eq!(root_of(namespace, &device), before, "{command}");
        }
    }
}

#[test]
fn policy_route_dual_bandwidth_tc_is_repaired_i17() {
    if support::skip("policy_route_dual_bandwidth_tc_is_repaired_i17") {
        return;
    }
    let scene = Scene::new();
    let log = scene.guard(NEVER);
    let host_end = &scene.attachment.host_if_name;
    for (command, _) in &EDITS[..2] {
        scene.lab.host.tc(&command.replace("DEVICE", host_end));
        until(command, WITHIN, || scene.sound());
        let heard = || {
            log.lock()
                .unwrap()
                .iter()
                .any(|repair| repair.trigger == Trigger::Notification)
        };
        until("the report", WITHIN, heard);
        log.lock().unwrap().clear();
    }
    // Its own work sets nothing off.
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(*log.lock().unwrap(), []);
    // Nobody is told of what happens inside the pod.
    let _log = scene.guard(Duration::from_millis(200));
    for (command, _) in &EDITS[..2] {
        scene.pod.tc(&command.replace("DEVICE", "eth0"));
        until(command, WITHIN, || scene.sound());
    }
}

#[test]
fn policy_route_dual_bandwidth_tc_goes_with_the_limit() {
    if support::skip("policy_route_dual_bandwidth_tc_goes_with_the_limit") {
        return;
    }
    let mut scene = Scene::new();
    scene.attachment.shaping = Shaping::default();
    scene.datapath.attach(&scene.attachment);
    for (_, namespace, device) in scene.limits() {
        let root = root_of(namespace, &device);
        assert!(root.is_empty() || root.contains("noqueue"), "{root}");
    }
    assert!(scene.sound());
    assert_eq!(scene.datapath.attach(&scene.attachment).steps, 0);
}

/// A workload with NET_ADMIN replaces the qdisc of its own interface, and a chained plugin that of the host end: both stay.
#[test]
fn policy_route_dual_bandwidth_tc_foreign_qdiscs_stay() {
    if support::skip("policy_route_dual_bandwidth_tc_foreign_qdiscs_stay") {
        return;
    }
    let scene = Scene::new();
    for (_, namespace, device) in scene.limits() {
        namespace.tc(&format!(
            "qdisc replace dev {device} root handle 1: tbf rate 3mbit burst 9000 limit 90000"
        ));
        let foreign = root_of(namespace, &device);
        let drifts = scene.datapath.check(&scene.attachment);
        assert_eq!(drifts.len(), 1, "{drifts:?}");
        let drift = drifts.first().unwrap();
        assert_eq!(drift.object, format!("qdisc tbf 7472: dev {device} root"));
        let detail = drift.detail.clone().unwrap();
        assert!(
            detail.contains(&format!("found qdisc tbf 1: dev {device} root rate 375000Bps")),
            "{detail}"
        );
        assert!(detail.contains("stays"), "{detail}");
        let again = scene.datapath.attach(&scene.attachment);
        assert_eq!((again.steps, again.unenforced.len()), (0, 1), "{again:?}");
        let log = scene.guard(Duration::from_millis(150));
        std::thread::sleep(Duration::from_millis(700));
        let said = log.lock().unwrap().clone();
        assert_eq!(said.len(), 1, "said once: {said:?}");
        assert!(
            said.first().unwrap().failures.first().unwrap().message.contains("stays"),
            "{said:?}"
        );
        assert_eq!(root_of(namespace, &device), foreign);
        namespace.tc(&format!("qdisc del dev {device} root"));
        until("ours is back", Duration::from_secs(2), || scene.sound());
    }
}

/// The `bandwidth` plugin behind us in the chain: a bucket of its own on the host end, and for the other direction an `ifb`.
#[test]
fn policy_route_dual_bandwidth_of_a_chained_plugin_stays() {
    if support::skip("policy_route_dual_bandwidth_of_a_chained_plugin_stays") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (_pod, attachment) = lab.pod(23, Stack::Dual);
    datapath.attach(&attachment);
    let host_end = &attachment.host_if_name;
    lab.host.ips("link add bwp0 type ifb\nlink set bwp0 up");
    for command in [
        format!("qdisc add dev {host_end} root handle 1: tbf rate 3mbit burst 9000 limit 90000"),
        format!("qdisc add dev {host_end} ingress handle ffff:"),
        "qdisc add dev bwp0 root handle 1: tbf rate 3mbit burst 9000 limit 90000".to_owned(),
    ] {
        lab.host.tc(&command);
    }
    let before = lab.host.tc("-d qdisc show");
    assert_eq!(datapath.check(&attachment), []);
    assert_eq!(datapath.attach(&attachment).steps, 0);
    assert_eq!(datapath.collect().failures, []);
    assert_eq!(lab.host.tc("-d qdisc show"), before);
    datapath.detach(&attachment);
    datapath.settle_deletes();
    assert!(
        lab.host.try_ip("link show bwp0").is_ok(),
        "the plugin's own device is the plugin's"
    );
}

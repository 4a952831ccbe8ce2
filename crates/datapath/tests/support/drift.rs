//! Foreign edits in every mode: check names exactly the object, repair restores it (I17).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use terway_datapath::attachment::{Attachment, Mode};
use terway_datapath::diff::Problem;
use terway_datapath::{Repair, Trigger};

use super::calls::{Open, until};
use super::lab::{Lab, Stack};
use super::namespace::Namespace;

/// One foreign edit and what check has to say about it.
pub struct Edit {
    /// Command for `ip`, or `sysctl PATH VALUE`. Words in capitals are replaced, see [`Scene::say`].
    pub command: &'static str,
    /// The object that drifts.
    pub object: &'static str,
    pub problem: Problem,
    /// The kernel takes more away with it.
    pub drags: bool,
}

/// An edit that touches one object alone.
pub const fn edit(command: &'static str, object: &'static str, problem: Problem) -> Edit {
    Edit {
        command,
        object,
        problem,
        drags: false,
    }
}

/// An edit that the kernel answers with more.
pub const fn dragging(command: &'static str, object: &'static str, problem: Problem) -> Edit {
    Edit {
        drags: true,
        ..edit(command, object, problem)
    }
}

/// On the host all of these notify.
const WITHIN: Duration = Duration::from_secs(1);
/// Pods notify nobody: the scan finds it.
const SCAN: Duration = Duration::from_millis(300);
const NEVER: Duration = Duration::from_secs(3600);

struct Scene {
    lab: Lab,
    pod: Namespace,
    attachment: Attachment,
    datapath: Open,
    slave: String,
}

impl Scene {
    fn new(mode: Mode) -> Self {
        let lab = Lab::new();
        let datapath = Open::new(&lab.host);
        let (pod, mut attachment) = lab.pod_of(mode, 23, Stack::Dual);
        attachment.host_stack = super::scenario::local_dns().to_vec();
        let attached = datapath.attach(&attachment);
        Self {
            lab,
            pod,
            attachment,
            datapath,
            slave: attached.host_if_name,
        }
    }

    /// `TABLE`: the table of the ENI with groups of its own; `A4`, `A6`: the pod's addresses; `G4`, `G6`: its gateways; `S4`, `S6`: its subnets; `HOST`: the link of the host.
    fn say(&self, text: &str) -> String {
        let (v4, v6) = (self.attachment.ipv4.unwrap(), self.attachment.ipv6.unwrap());
        let subnet = |text: String| text.parse::<terway_datapath::object::Prefix>().unwrap().network().to_string();
        let mut said = text.to_owned();
        let index: u32 = self
            .lab
            .host
            .ip("-o link show eth1")
            .split(':')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        for (word, value) in [
            ("TABLE", (0x2000_0000 | index << 12).to_string()),
            ("A4", v4.address.to_string()),
            ("A6", v6.address.to_string()),
            ("G4", v4.gateway.to_string()),
            ("G6", v6.gateway.to_string()),
            ("S4", subnet(format!("{}/24", v4.address))),
            ("S6", subnet(format!("{}/64", v6.address))),
            ("HOST", self.slave.clone()),
        ] {
            said = said.replace(word, &value);
        }
        said
    }

    fn make(&self, edit: &Edit, place: &Namespace) {
        let command = self.say(edit.command);
        match command.strip_prefix("sysctl ").and_then(|rest| rest.split_once(' ')) {
            Some((path, value)) => place.set_sysctl(path, value),
            None => drop(place.ip(&command)),
        }
    }

    fn sound(&self) -> bool {
        self.datapath.check(&self.attachment).is_empty()
    }
}

/// Check says it, attach mends it; then repair does, the host's side within a second, the pod's by the scan.
pub fn drift(mode: Mode, host: &[Edit], pod: &[Edit]) {
    let scene = Scene::new(mode);
    for (edits, place) in [(host, &scene.lab.host), (pod, &scene.pod)] {
        for edit in edits {
            scene.make(edit, place);
            let drifts = scene.datapath.check(&scene.attachment);
            let want = scene.say(edit.object);
            let named = drifts.iter().find(|drift| drift.object == want);
            assert_eq!(
                named.map(|drift| drift.problem),
                Some(edit.problem),
                "{}: {drifts:?}",
                edit.command
            );
            assert!(edit.drags || drifts.len() == 1, "{}: {drifts:?}", edit.command);
            assert!(scene.datapath.attach(&scene.attachment).steps > 0, "{}", edit.command);
            assert_eq!(
                scene.datapath.check(&scene.attachment),
                [],
                "{} was not mended by attach",
                edit.command
            );
        }
    }
    let log: Arc<Mutex<Vec<Repair>>> = Arc::default();
    let guard = |interval: Duration| {
        let heard = Arc::clone(&log);
        let report = move |repair| heard.lock().unwrap().push(repair);
        scene.datapath.0.start_repair(interval, true, report).unwrap();
    };
    let failures = || -> Vec<_> {
        log.lock()
            .unwrap()
            .iter()
            .flat_map(|repair| repair.failures.clone())
            .collect()
    };
    guard(NEVER);
    for edit in host {
        scene.make(edit, &scene.lab.host);
        until(edit.command, WITHIN, || scene.sound());
        let want = scene.say(edit.object);
        let named =
            |repair: &Repair| repair.trigger == Trigger::Notification && repair.drifts.iter().any(|drift| drift.object == want);
        until("the report", WITHIN, || log.lock().unwrap().iter().any(named));
        assert_eq!(failures(), [], "{}", edit.command);
        log.lock().unwrap().clear();
    }
    guard(SCAN);
    for edit in pod {
        scene.make(edit, &scene.pod);
        until(edit.command, Duration::from_secs(3), || scene.sound());
        assert_eq!(failures(), [], "{}", edit.command);
    }
    // What the pod has of its own is none of our business.
    scene.pod.ip("addr add 192.0.2.1/24 dev eth0");
    std::thread::sleep(2 * SCAN);
    assert!(scene.pod.ip("addr show eth0").contains("192.0.2.1/24"));
    assert!(scene.sound());
}

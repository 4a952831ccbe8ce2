//! Foreign edits in every mode: check names exactly the object, repair restores it (I17).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use terway_datapath::attachment::{Attachment, Mode, Trunk};
use terway_datapath::diff::Problem::{self, Different, Missing};
use terway_datapath::error::Error;
use terway_datapath::{Repair, Trigger};

use super::calls::{Open, until};
use super::lab::{Lab, Stack};
use super::namespace::Namespace;
use super::trunk::edit_record;

/// One foreign edit and what check has to say about it.
#[derive(Clone, Copy)]
pub struct Edit {
    /// Command for `ip`, `tc …`, `nft …` or `sysctl PATH VALUE`. Words in capitals are replaced, see [`Scene::say`].
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

/// In a pod whose link hangs on its ENI.
pub const ON_HANGING_LINK: &[Edit] = &[
    edit("link set eth0 mtu 1400", "link eth0", Different),
    edit("link set eth0 alias nobody", "link eth0", Different),
    dragging("link set eth0 down", "link eth0", Different),
    dragging("link del eth0", "link eth0", Missing),
    dragging("addr del A4/24 dev eth0", "address A4/24 dev eth0", Missing),
    edit("-6 addr del A6/64 dev eth0", "address A6/64 dev eth0", Missing),
    edit("route del S4 dev eth0", "route S4 dev eth0", Missing),
    edit("-6 route del S6 dev eth0", "route S6 dev eth0", Missing),
    edit("route del default", "route default via G4 dev eth0 onlink", Missing),
    edit("-6 route del default", "route default via G6 dev eth0 onlink", Missing),
    edit(
        "sysctl ipv6/conf/eth0/accept_ra 1",
        "sysctl net.ipv6.conf.eth0.accept_ra",
        Different,
    ),
];

/// In a pod with limits that owns its device.
pub const LIMITS_IN_POD: &[Edit] = &[
    edit("tc qdisc del dev eth0 root", "qdisc tbf 7472: dev eth0 root", Missing),
    edit("tc qdisc del dev ifb-eth0 root", "qdisc tbf 7472: dev ifb-eth0 root", Missing),
    edit(
        "tc qdisc change dev ifb-eth0 root handle 7472: tbf rate 8mbit burst 5000 limit 70000",
        "qdisc tbf 7472: dev ifb-eth0 root",
        Different,
    ),
    edit(
        "tc filter del dev eth0 ingress pref 29812",
        "filter dev eth0 ingress pref 29812 bpf handle 0x1 redirect to ifb-eth0",
        Missing,
    ),
    dragging(
        "tc qdisc del dev eth0 clsact",
        "qdisc clsact ffff: dev eth0 parent ffff:fff1",
        Missing,
    ),
    edit("link set ifb-eth0 down", "link ifb-eth0", Different),
    edit("link set ifb-eth0 mtu 1400", "link ifb-eth0", Different),
    edit("link set ifb-eth0 alias nobody", "link ifb-eth0", Different),
    dragging("link del ifb-eth0", "link ifb-eth0", Missing),
];

/// Of what is masqueraded; our table is not watched.
pub const MASQUERADED: &[Edit] = &[
    dragging(
        "nft delete element inet terway_exclusive pods4 { 10.0.1.23 }",
        "masquerade 10.0.1.23",
        Missing,
    ),
    dragging("nft delete table inet terway_exclusive", "masquerade 2001:db8:1::17", Missing),
    dragging(
        "nft flush chain inet terway_exclusive postrouting",
        "masquerade 10.0.1.23",
        Missing,
    ),
];

/// On the node, for a pod with limits at the end of a pair; and in the pod.
pub const LIMIT_ON_PAIR: &[Edit] = &[edit("tc qdisc del dev HOST root", "qdisc tbf 7472: dev HOST root", Missing)];
pub const LIMIT_OF_POD: &[Edit] = &[edit("tc qdisc del dev eth0 root", "qdisc tbf 7472: dev eth0 root", Missing)];

/// On the host all of these notify.
pub const WITHIN: Duration = Duration::from_secs(1);
/// Pods notify nobody: the scan finds it.
const SCAN: Duration = Duration::from_millis(300);
pub const NEVER: Duration = Duration::from_secs(3600);

/// A node with one attached pod.
pub struct Scene {
    pub lab: Lab,
    pub pod: Namespace,
    pub attachment: Attachment,
    pub datapath: Open,
    /// Name of the link of the host.
    pub host_link: String,
    /// Index of the ENI.
    pub eni: u32,
}

/// What repair has reported.
pub type Log = Arc<Mutex<Vec<Repair>>>;

impl Scene {
    /// A pod of this mode; `change` has the last word on it.
    pub fn new(mode: Mode, change: impl FnOnce(&mut Attachment)) -> Self {
        let lab = Lab::new();
        lab.host.mount_bpffs();
        let datapath = Open::new(&lab.host);
        let (pod, mut attachment) = lab.pod_of(mode, 23, Stack::Dual);
        change(&mut attachment);
        let eni = lab.host.ip("-o link show eth1").split(':').next().unwrap().parse().unwrap();
        let host_link = datapath.attach(&attachment).host_if_name;
        Self {
            lab,
            pod,
            attachment,
            datapath,
            host_link,
            eni,
        }
    }

    /// `TABLE`: the table of the ENI with groups of its own; `ENI`: that of an ENI without; `A4`, `A6`: the pod's addresses; `G4`, `G6`: its
    /// gateways; `S4`, `S6`: its subnets; `HOST`: the link of the host.
    pub fn say(&self, text: &str) -> String {
        let (v4, v6) = (self.attachment.ipv4.unwrap(), self.attachment.ipv6.unwrap());
        let subnet = |text: String| text.parse::<terway_datapath::object::Prefix>().unwrap().network().to_string();
        let mut said = text.to_owned();
        for (word, value) in [
            ("TABLE", (0x2000_0000 | self.eni << 12).to_string()),
            ("ENI", (1000 + self.eni).to_string()),
            ("A4", v4.address.to_string()),
            ("A6", v6.address.to_string()),
            ("G4", v4.gateway.to_string()),
            ("G6", v6.gateway.to_string()),
            ("S4", subnet(format!("{}/24", v4.address))),
            ("S6", subnet(format!("{}/64", v6.address))),
            ("HOST", self.host_link.clone()),
        ] {
            said = said.replace(word, &value);
        }
        said
    }

    /// The foreign edit.
    pub fn make(&self, edit: &Edit, place: &Namespace) {
        make(&self.say(edit.command), place);
    }

    /// Check finds nothing.
    pub fn sound(&self) -> bool {
        self.datapath.check(&self.attachment).is_empty()
    }

    /// Repairs from now on.
    pub fn guard(&self, scan_interval: Duration, pods: bool) -> Log {
        let log = Log::default();
        let heard = Arc::clone(&log);
        let report = move |repair| heard.lock().unwrap().push(repair);
        self.datapath.0.start_repair(scan_interval, pods, report).unwrap();
        log
    }

    /// Check names the object of each edit, and attach mends it.
    pub fn names_exactly(&self, edits: &[Edit], place: &Namespace) {
        for edit in edits {
            self.make(edit, place);
            let drifts = self.datapath.check(&self.attachment);
            let want = self.say(edit.object);
            let named = drifts.iter().find(|drift| drift.object == want);
            assert_eq!(
                named.map(|drift| drift.problem),
                Some(edit.problem),
                "{}: {drifts:?}",
                edit.command
            );
            assert!(edit.drags || drifts.len() == 1, "{}: {drifts:?}", edit.command);
            assert!(self.datapath.attach(&self.attachment).steps > 0, "{}", edit.command);
            assert_eq!(
                self.datapath.check(&self.attachment),
                [],
                "{} was not mended by attach",
                edit.command
            );
        }
    }

    /// A guarded host mends each edit within a second, and reports the object.
    pub fn mends_when_told(&self, edits: &[Edit], log: &Log) {
        for edit in edits {
            self.make(edit, &self.lab.host);
            until(edit.command, WITHIN, || self.sound());
            let want = self.say(edit.object);
            let named = |repair: &Repair| {
                repair.trigger == Trigger::Notification && repair.drifts.iter().any(|drift| drift.object == want)
            };
            until("the report", WITHIN, || log.lock().unwrap().iter().any(named));
            assert_eq!(failures(log), [], "{}", edit.command);
            log.lock().unwrap().clear();
        }
    }
}

/// Runs the command of an edit.
pub fn make(command: &str, place: &Namespace) {
    let rest = |tool: &str| command.strip_prefix(tool).and_then(|rest| rest.strip_prefix(' '));
    if let Some(arguments) = rest("tc") {
        place.tc(arguments);
    } else if let Some(arguments) = rest("record") {
        edit_record(place, arguments);
    } else if let Some(arguments) = rest("nft") {
        let run = || std::process::Command::new("nft").args(arguments.split(' ')).output().unwrap();
        assert!(place.run(run).status.success(), "{command}");
    } else if let Some((path, value)) = rest("sysctl").and_then(|rest| rest.split_once(' ')) {
        place.set_sysctl(path, value);
    } else {
        place.ip(command);
    }
}

/// Every object that a pod of this mode gets has an edit in these tables, by the datapath's own list: what check misses before anything is made.
/// `change` has the last word on the attachment. Nothing is made, so that a kernel that cannot do the mode says it too.
pub fn covers(mode: Mode, change: impl FnOnce(&mut Attachment), tables: &[&[Edit]]) {
    let lab = Lab::new();
    lab.host.mount_bpffs();
    // Values that no mode wants: what a node has by chance would not be missed.
    lab.host.ip("link set eth1 mtu 1300");
    for path in ["all/forwarding", "all/rp_filter", "default/rp_filter", "eth1/rp_filter"] {
        lab.host.set_sysctl(
            &format!("ipv4/conf/{path}"),
            if path.ends_with("rp_filter") { "1" } else { "0" },
        );
    }
    let eni = lab.host.ip("-o link show eth1").split(':').next().unwrap().parse().unwrap();
    let (pod, mut attachment) = lab.pod(23, Stack::Dual);
    attachment.mode = mode;
    if mode == Mode::Vlan {
        on_trunk(&mut attachment);
    }
    change(&mut attachment);
    // Only in the pod it is looked at.
    if mode == Mode::Exclusive {
        lab.host.ip(&format!("link set eth1 netns {}", pod.path()));
    }
    let host_link = match mode {
        Mode::Ipvlan => format!("ipvl_{eni}"),
        Mode::Vlan => "eth1".to_owned(),
        Mode::PolicyRoute | Mode::Netkit | Mode::Exclusive => attachment.host_if_name.clone(),
    };
    let datapath = Open::new(&lab.host);
    let missed = datapath.check(&attachment).into_iter().map(|drift| drift.object);
    let missed: Vec<String> = missed.collect();
    let scene = Scene {
        lab,
        pod,
        attachment,
        datapath,
        host_link,
        eni,
    };
    let known: Vec<String> = tables
        .iter()
        .flat_map(|table| table.iter().map(|edit| scene.say(edit.object)))
        .collect();
    let unknown: Vec<&String> = missed.iter().filter(|object| !known.contains(object)).collect();
    assert_eq!(
        unknown,
        Vec::<&String>::new(),
        "{mode:?}: objects without a test of their drift"
    );
    assert!(missed.len() > 10, "{mode:?}: {missed:?}");
}

/// A pod whose drift is looked at: with limits, and destinations of the node's stack.
pub fn whole(attachment: &mut Attachment) {
    attachment.host_stack = super::scenario::local_dns().to_vec();
    super::scenario::limit(attachment);
}

/// A member of a trunk whose addresses are the ENI's own: its packets matter to nobody here.
pub fn on_trunk(attachment: &mut Attachment) {
    attachment.trunk = Some(Trunk {
        vlan_id: super::modes::MEMBER,
        gateway_ipv4: attachment.ipv4.map(|family| family.gateway),
        gateway_ipv6: attachment.ipv6.map(|family| family.gateway),
    });
}

/// Check says it, attach mends it; then repair does, the host's side within a second where the kernel tells of it, the rest by the scan.
pub fn drift(mode: Mode, host: &[Edit], silent: &[Edit], pod: &[Edit]) {
    drift_of(Scene::new(mode, whole), host, silent, pod);
}

/// The same of a pod that is there.
pub fn drift_of(scene: Scene, host: &[Edit], silent: &[Edit], pod: &[Edit]) {
    scene.names_exactly(host, &scene.lab.host);
    scene.names_exactly(silent, &scene.lab.host);
    scene.names_exactly(pod, &scene.pod);
    let log = scene.guard(NEVER, true);
    scene.mends_when_told(host, &log);
    let log = scene.guard(SCAN, true);
    for (edits, place) in [(silent, &scene.lab.host), (pod, &scene.pod)] {
        for edit in edits {
            scene.make(edit, place);
            until(edit.command, Duration::from_secs(10), || scene.sound());
            assert_eq!(failures(&log), [], "{}", edit.command);
        }
    }
    // What the pod has of its own is none of our business.
    scene.pod.ip("addr add 192.0.2.1/24 dev eth0");
    std::thread::sleep(2 * SCAN);
    assert!(scene.pod.ip("addr show eth0").contains("192.0.2.1/24"));
    assert!(scene.sound());
}

fn failures(log: &Log) -> Vec<Error> {
    let log = log.lock().unwrap();
    log.iter().flat_map(|repair| repair.failures.clone()).collect()
}

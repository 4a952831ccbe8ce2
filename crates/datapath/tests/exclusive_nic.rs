//! Mode `exclusive` with hardware: NICs that the kernel throws back into the machine's first namespace when a pod's namespace dies. Only
//! guests have them (`test/vm`), each on a cable whose other end is the VPC's; the guest's first namespace is the node.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use support::calls::{Open, until};
use support::exclusive::{Former, exclusive};
use support::lab::{self, FAR_V4, FAR_V6, HOST_V4, HOST_V6, Lab, Stack, eni_mac};
use support::namespace::Namespace;
use support::probe::{Echo, ask};
use support::xdp;
use terway_datapath::attachment::Attachment;

/// All tests share the guest's NICs.
static TURN: Mutex<()> = Mutex::new(());
/// For a guest on an emulated processor.
const SOON: Duration = Duration::from_secs(15);

/// The guest as a node. Its NIC is `ens5`, with more names and a large MTU, as udev and an administrator leave one.
struct Guest {
    lab: Lab,
    _turn: MutexGuard<'static, ()>,
}

fn has_nics() -> bool {
    let links = Namespace::own().ip("-o link");
    [1, 2]
        .iter()
        .all(|number| links.contains(&eni_mac(*number).to_string()) && links.contains(&far_mac(*number)))
}

/// The VPC's end of the cable.
fn far_mac(number: u8) -> String {
    format!("00:16:3e:00:01:{number:02x}")
}

/// Looked at before the first test takes them.
static AVAILABLE: OnceLock<bool> = OnceLock::new();

fn look() -> bool {
    let namespace = |process: &str| std::fs::read_link(format!("/proc/{process}/ns/net")).ok();
    let first = namespace("1").is_some() && namespace("1") == namespace("self");
    first && std::fs::read_dir("/sys/bus/virtio/drivers/virtio_net").is_ok() && has_nics()
}

/// Prints why and returns true if the test cannot run here.
fn skip(test: &str) -> bool {
    if support::skip(test) {
        return true;
    }
    let available = *AVAILABLE.get_or_init(look);
    if !available {
        println!("SKIP {test}: needs NICs that fall back into the machine's first namespace");
    }
    !available
}

fn name_of(namespace: &Namespace, mac: &str) -> String {
    let links = namespace.ip("-o link");
    let line = links.lines().find(|line| line.contains(mac));
    let line = line.unwrap_or_else(|| panic!("no link has {mac}:\n{links}"));
    line.split(' ').nth(1).unwrap().trim_end_matches(':').to_owned()
}

impl Guest {
    fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let host = Namespace::own();
        until("the NICs are home", SOON, has_nics);
        until("the last node's own interface is gone", SOON, || {
            host.try_ip("link show eth0").is_err() || is_nic(&host, "eth0")
        });
        let near = |number: u8| eni_mac(number).to_string();
        let nics = [
            (near(1), "ens5"),
            (near(2), "ens6"),
            (far_mac(1), "far1"),
            (far_mac(2), "far2"),
        ];
        // One may have the name that another is to get.
        for (number, (mac, _)) in nics.iter().enumerate() {
            clean(&host, &name_of(&host, mac), &format!("nic{number}"));
        }
        for (number, (_, name)) in nics.iter().enumerate() {
            host.ip(&format!("link set nic{number} name {name}"));
        }
        let lab = Lab::bare(host.clone());
        for number in [1, 2] {
            host.ip(&format!("link set far{number} netns {} name vpc{number}", lab.vpc.path()));
            lab.vpc.ip(&format!("link set vpc{number} up"));
        }
        lab.raise_gateways();
        host.ips(
            "link set ens5 mtu 1500\nlink property add dev ens5 altname enp0s5\nlink set ens5 alias rack4\nlink set ens5 up",
        );
        Self { lab, _turn: turn }
    }

    fn host(&self) -> &Namespace {
        &self.lab.host
    }

    fn former(&self) -> Former {
        Former::of(self.host(), 1)
    }

    /// Waits until the kernel has thrown the NIC of a dead pod back.
    fn wait_home(&self) {
        until("the NIC is back", SOON, || {
            self.host().ip("-o link").contains(&eni_mac(1).to_string())
        });
    }

    fn assert_clean(&self, before: &Former, what: &str) {
        assert_eq!(self.former(), before.clone().down(), "{what}");
        let shown = self.host().ip("addr show ens5");
        assert!(
            !shown.contains("inet") && !shown.contains("xdp") && !shown.contains("tbf") && !shown.contains("clsact"),
            "{what}: {shown}"
        );
        assert_eq!(self.lab.own_objects(), [""; 0], "{what}");
    }
}

fn is_nic(host: &Namespace, name: &str) -> bool {
    host.ip(&format!("-o link show {name}")).contains("00:16:3e:00:0")
}

/// As it comes out of the box, under this name.
fn clean(host: &Namespace, found: &str, name: &str) {
    host.ip(&format!("link set {found} down"));
    if found != name {
        host.ip(&format!("link set {found} name {name}"));
    }
    host.ip(&format!("addr flush dev {name}"));
    let shown = host.ip(&format!("-d link show {name}"));
    for altname in shown.lines().filter_map(|line| line.trim().strip_prefix("altname ")) {
        host.ip(&format!("link property del dev {name} altname {altname}"));
    }
}

/// What a pod may leave behind: another MTU and MAC, its own addresses, qdiscs and filters.
fn litter(pod: &Namespace) {
    pod.ips(
        "link set eth0 mtu 1400
         addr add 192.0.2.7/24 dev eth0
         link set eth0 promisc on",
    );
    let tc = |arguments: &str| {
        let run = || std::process::Command::new("tc").args(arguments.split(' ')).output().unwrap();
        let output = pod.run(run);
        assert!(
            output.status.success(),
            "tc {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    tc("qdisc replace dev eth0 root tbf rate 10mbit burst 20kb latency 25ms");
    tc("qdisc add dev eth0 clsact");
    tc("filter add dev eth0 ingress pref 77 u32 match u32 0 0 action drop");
    // Alone among these it would stay on a link that moves.
    let pinned = "/sys/fs/bpf/exclusive_nic";
    drop(std::fs::remove_file(pinned));
    xdp::pin(pinned);
    pod.ip(&format!("link set eth0 xdpgeneric pinned {pinned}"));
    std::fs::remove_file(pinned).unwrap();
    assert!(pod.ip("link show eth0").contains("xdpgeneric"));
}

fn traffic(stack: Stack) {
    let guest = Guest::new();
    let (_far, _node) = (Echo::new(&guest.lab.vpc, lab::far()), Echo::new(guest.host(), lab::node()));
    let before = guest.former();
    let datapath = Open::new(guest.host());
    let (pod, attachment) = exclusive(&guest.lab, 23, stack);
    datapath.attach(&attachment);
    assert_eq!(datapath.check(&attachment), []);
    assert_eq!(datapath.attach(&attachment).steps, 0);
    let _pod = Echo::new(&pod, attachment.addresses());
    for address in attachment.addresses() {
        let pick = |texts: [&str; 2]| texts[usize::from(!address.is_ipv4())].parse().unwrap();
        assert_eq!(ask(&pod, pick([FAR_V4, FAR_V6])), Ok(address), "to the VPC");
        assert_eq!(ask(&pod, pick([HOST_V4, HOST_V6])), Ok(address), "to the node");
        assert_eq!(ask(guest.host(), address), Ok(pick([HOST_V4, HOST_V6])), "from the node");
    }
    litter(&pod);
    assert_eq!(datapath.detach(&attachment).failures, []);
    datapath.settle_deletes();
    datapath.collect();
    guest.assert_clean(&before, "after detach");
}

#[test]
fn exclusive_v4_hardware_sends_and_comes_back() {
    if !skip("exclusive_v4_hardware_sends_and_comes_back") {
        traffic(Stack::V4);
    }
}

#[test]
fn exclusive_v6_hardware_sends_and_comes_back() {
    if !skip("exclusive_v6_hardware_sends_and_comes_back") {
        traffic(Stack::V6);
    }
}

#[test]
fn exclusive_dual_hardware_sends_and_comes_back() {
    if !skip("exclusive_dual_hardware_sends_and_comes_back") {
        traffic(Stack::Dual);
    }
}

/// A pod whose namespace dies without a detach, while nobody runs: the NIC is called `dev<n>` on the node, whose `eth0` is taken.
fn thrown_back(guest: &Guest, number: u16) -> Attachment {
    let (pod, attachment) = exclusive(&guest.lab, number, Stack::Dual);
    Open::new(guest.host()).attach(&attachment);
    litter(&pod);
    drop(pod);
    guest.wait_home();
    let name = name_of(guest.host(), &eni_mac(1).to_string());
    assert!(name.starts_with("dev"), "{name}");
    attachment
}

#[test]
fn exclusive_dual_hardware_thrown_back_while_nobody_runs_is_cleaned() {
    if skip("exclusive_dual_hardware_thrown_back_while_nobody_runs_is_cleaned") {
        return;
    }
    let guest = Guest::new();
    let before = guest.former();
    thrown_back(&guest, 23);
    let datapath = Open::new(guest.host());
    assert_eq!(datapath.collect().failures, []);
    datapath.settle_deletes();
    guest.assert_clean(&before, "by collection");

    let attachment = thrown_back(&guest, 24);
    // Whoever manages the node's links has set it up: before Linux 6.2 it cannot be renamed so.
    let name = name_of(guest.host(), &eni_mac(1).to_string());
    guest.host().ip(&format!("link set {name} up"));
    assert_eq!(datapath.detach(&attachment).failures, []);
    datapath.settle_deletes();
    datapath.collect();
    guest.assert_clean(&before, "by a late detach");

    let old = thrown_back(&guest, 25);
    let (pod, next) = exclusive(&guest.lab, 26, Stack::Dual);
    datapath.attach(&next);
    assert_eq!(datapath.check(&next), []);
    assert!(pod.ip("addr show eth0").contains("mtu 1500"));
    assert_eq!(datapath.detach(&old).failures, []);
    assert_eq!(datapath.check(&next), [], "the late detach has harmed the next pod");
    assert_eq!(datapath.detach(&next).failures, []);
    datapath.settle_deletes();
    datapath.collect();
    guest.assert_clean(&before, "by the next pod");
}

#[test]
fn exclusive_dual_hardware_thrown_back_is_cleaned_by_repair_i17() {
    if skip("exclusive_dual_hardware_thrown_back_is_cleaned_by_repair_i17") {
        return;
    }
    let guest = Guest::new();
    let before = guest.former();
    let datapath = Open::new(guest.host());
    datapath.0.start_repair(Duration::from_secs(3600), true, |_| {}).unwrap();
    let (pod, attachment) = exclusive(&guest.lab, 23, Stack::Dual);
    datapath.attach(&attachment);
    litter(&pod);
    drop(pod);
    until("the NIC is as it was", SOON, || {
        guest
            .host()
            .try_ip("link show ens5")
            .is_ok_and(|shown| shown.contains("enp0s5") && !shown.contains("terway"))
    });
    assert_eq!(datapath.detach(&attachment).failures, []);
    datapath.settle_deletes();
    datapath.collect();
    guest.assert_clean(&before, "by repair");
}

/// The old name belongs to another NIC by now, and an alternative name too.
#[test]
fn exclusive_dual_hardware_thrown_back_onto_taken_names_finds_others() {
    if skip("exclusive_dual_hardware_thrown_back_onto_taken_names_finds_others") {
        return;
    }
    let guest = Guest::new();
    let (pod, attachment) = exclusive(&guest.lab, 23, Stack::Dual);
    let datapath = Open::new(guest.host());
    datapath.attach(&attachment);
    guest.host().ip("link set ens6 name ens5");
    // Linux 5.10 keeps the names of a link that has moved away, and refuses.
    drop(guest.host().try_ip("link property add dev ens5 altname enp0s5"));
    drop(pod);
    guest.wait_home();
    assert_eq!(datapath.detach(&attachment).failures, []);
    let after = guest.former();
    assert!(after.name.starts_with("eth") && after.alias == "rack4", "{after:?}");
    assert!(
        !after.alternative_names.iter().any(|name| name.starts_with("terway.")),
        "{after:?}"
    );
    let (_pod, next) = exclusive(&guest.lab, 24, Stack::Dual);
    datapath.attach(&next);
    assert_eq!(datapath.check(&next), []);
    assert_eq!(datapath.detach(&next).failures, []);
    datapath.settle_deletes();
    datapath.collect();
}

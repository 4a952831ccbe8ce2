//! The objects that a pod has after `add`, and that none is left after `del`. Needs root and iproute2.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, thread};

use terway_test_netns::{Namespace, await_true};

const FLOOR: &str = env!("CARGO_BIN_EXE_floor");

/// A node with an ENI, and the server in it.
struct Node {
    host: Namespace,
    directory: PathBuf,
    server: Child,
}

impl Node {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let directory = env::temp_dir().join(format!(
            "floor-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ));
        fs::create_dir_all(&directory).unwrap();
        let host = Namespace::new();
        host.run("ip link add eni1 type veth peer name vpc1");
        host.run("ip link set vpc1 up");
        let socket = directory.join("floor.socket");
        let arguments = [
            "serve",
            "--socket",
            socket.to_str().unwrap(),
            "--dir",
            directory.to_str().unwrap(),
        ];
        let mut server = host.command(FLOOR, &arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        Self { host, directory, server }
    }

    fn socket(&self) -> String {
        self.directory.join("floor.socket").to_str().unwrap().to_owned()
    }

    fn floor(&self, command: &str, pod: &Namespace, n: u32, families: &str) -> Output {
        let (netns, socket) = (pod.path(), self.socket());
        let line = format!("--socket {socket} --netns {netns} --ifname eth0 --host-if flr{n} --eni eni1 {families}");
        let mut program = std::process::Command::new(FLOOR);
        program.arg(command).args(line.split_whitespace()).output().unwrap()
    }

    fn must(&self, command: &str, pod: &Namespace, n: u32, families: &str) {
        let output = self.floor(command, pod, n, families);
        assert!(
            output.status.success(),
            "{command} {n}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let measured = String::from_utf8(output.stdout).unwrap();
        assert!(
            measured.contains("\"syncUs\":") && measured.contains("\"kernelUs\":"),
            "{measured}"
        );
    }

    /// Everything of the host namespace that a pod could leave behind.
    fn state(&self) -> String {
        let commands = [
            "-o link show",
            "-4 rule show",
            "-6 rule show",
            "-4 route show table all",
            "-6 route show table all",
            "neighbour show",
        ];
        let shown = commands.map(|command| self.host.run(&format!("ip {command}")));
        let mut lines: Vec<&str> = shown
            .iter()
            .flat_map(|text| text.lines())
            .filter(|line| !line.contains("fe80:"))
            .collect();
        lines.sort_unstable();
        lines.join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
        drop(fs::remove_dir_all(&self.directory));
    }
}

fn v4(n: u32) -> String {
    format!("--ipv4 10.0.1.{n} --gw4 10.0.1.253")
}

fn dual(n: u32) -> String {
    format!("{} --ipv6 2001:db8:1::{n} --gw6 2001:db8:1::fffd", v4(n))
}

fn has(text: &str, words: &[&str]) {
    assert!(
        text.lines().any(|line| words.iter().all(|word| line.contains(word))),
        "no line with {words:?} in\n{text}"
    );
}

#[test]
fn a_dual_stack_pod_has_terways_objects() {
    let (node, pod) = (Node::new(), Namespace::new());
    node.must("add", &pod, 23, &dual(23));
    let table = 1000
        + node
            .host
            .run("ip -o link show eni1")
            .split(':')
            .next()
            .unwrap()
            .trim()
            .parse::<u32>()
            .unwrap();
    let (table, link) = (table.to_string(), node.host.run("ip -o link show flr23"));
    assert!(link.contains(",UP") && link.contains("mtu 1500"), "{link}");
    let mac = |text: &str| {
        text.split_whitespace()
            .skip_while(|word| *word != "link/ether")
            .nth(1)
            .unwrap()
            .to_owned()
    };
    let (host_mac, pod_mac) = (mac(&link), mac(&pod.run("ip -o link show eth0")));

    let addresses = pod.run("ip -o address show dev eth0");
    has(&addresses, &["10.0.1.23/32"]);
    has(&addresses, &["2001:db8:1::23/128"]);
    assert!(
        !addresses
            .lines()
            .any(|line| line.contains("2001") && line.contains("tentative")),
        "usable at once: {addresses}"
    );
    has(&pod.run("ip -4 route"), &["default via 169.254.1.1 dev eth0", "onlink"]);
    has(&pod.run("ip -6 route"), &["default via fe80::1 dev eth0", "onlink"]);
    let neighbours = pod.run("ip neighbour show dev eth0");
    has(&neighbours, &["169.254.1.1", &host_mac, "PERMANENT"]);
    has(&neighbours, &["fe80::1", &host_mac, "PERMANENT"]);
    assert_eq!(pod.run("cat /proc/sys/net/ipv6/conf/eth0/accept_ra").trim(), "0");

    has(&node.host.run("ip -4 route"), &["10.0.1.23 dev flr23", "scope link"]);
    has(&node.host.run("ip -6 route"), &["2001:db8:1::23 dev flr23"]);
    for (family, suppress, address, gateway) in [
        ("-4", "31", "10.0.1.23", "10.0.1.253"),
        ("-6", "127", "2001:db8:1::23", "2001:db8:1::fffd"),
    ] {
        let rules = node.host.run(&format!("ip {family} rule show"));
        has(
            &rules,
            &["512:", "from all lookup main", &format!("suppress_prefixlength {suppress}")],
        );
        has(&rules, &["2048:", &format!("from {address} lookup {table}")]);
        let routes = node.host.run(&format!("ip {family} route show table {table}"));
        has(&routes, &["default", &format!("via {gateway} dev eni1"), "onlink"]);
        has(
            &node.host.run("ip neighbour show dev flr23"),
            &[address, &pod_mac, "PERMANENT"],
        );
    }
}

#[test]
fn the_host_reaches_the_pod_at_once_over_both_families() {
    let (node, pod) = (Node::new(), Namespace::new());
    node.host.run("ip address add 10.0.0.10/32 dev eni1");
    node.host.run("ip -6 address add 2001:db8::10/128 dev eni1 nodad");
    node.must("add", &pod, 24, &dual(24));
    node.host.run("ping -c 1 -W 1 10.0.1.24");
    node.host.run("ping -c 1 -W 1 2001:db8:1::24");
}

#[test]
fn del_leaves_nothing_and_the_name_is_free_at_once() {
    let (node, pod, next) = (Node::new(), Namespace::new(), Namespace::new());
    node.must("add", &next, 1, &dual(1));
    node.must("del", &next, 1, &dual(1));
    await_true("the first pair is gone", || {
        !node.host.run("ip -o link show").contains("gone")
    });
    let before = node.state();
    for families in [v4(77), dual(77)] {
        node.must("add", &pod, 77, &families);
        assert_ne!(node.state(), before);
        node.must("del", &pod, 77, &families);
        let at_once = node.state();
        assert!(!at_once.contains("flr77") && !at_once.contains("10.0.1.77"), "{at_once}");
        node.must("add", &next, 77, &families);
        node.must("del", &next, 77, &families);
        await_true("the pairs are deleted and the state is as before", || node.state() == before);
        assert!(
            !pod.run("ip -o link show").contains("eth0"),
            "the pod's end went with its pair"
        );
    }
}

#[test]
fn a_failed_add_leaves_nothing() {
    let (node, pod) = (Node::new(), Namespace::new());
    node.must("add", &pod, 26, &v4(26));
    let before = node.state();
    let output = node.floor("add", &pod, 27, &v4(27));
    assert!(!output.status.success(), "eth0 exists in the pod already");
    assert!(String::from_utf8_lossy(&output.stderr).contains("File exists"), "{output:?}");
    let other = Namespace::new();
    assert!(
        !node.floor("add", &other, 28, &v4(26)).status.success(),
        "the address is another pod's"
    );
    await_true("the state is as before", || node.state() == before);
    for wrong in [
        "",
        "--ipv4 10.0.1.1",
        "--ipv4 10.0.1.1 --gw4 fe80::1",
        "--ipv4 x --gw4 y",
        "--frob 1",
    ] {
        let output = node.floor("add", &other, 29, wrong);
        assert!(!output.status.success() && !output.stderr.is_empty(), "{wrong}");
    }
    assert_eq!(node.state(), before);
}

#[test]
fn a_hundred_at_once() {
    let node = Node::new();
    let pods: Vec<Namespace> = (0..100).map(|_| Namespace::new()).collect();
    for command in ["add", "del"] {
        thread::scope(|scope| {
            for (n, pod) in (1..).zip(&pods) {
                let node = &node;
                scope.spawn(move || node.must(command, pod, n, &dual(n)));
            }
        });
        let rules = node.host.run("ip -4 rule show");
        assert_eq!(
            rules.lines().filter(|line| line.starts_with("2048:")).count(),
            if command == "add" { 100 } else { 0 }
        );
    }
    await_true("all pairs are deleted", || !node.host.run("ip -o link show").contains("gone"));
}

#[test]
fn each_step_can_be_timed_alone() {
    let node = Node::new();
    let socket = node.socket();
    let run = |arguments: &[&str]| std::process::Command::new(FLOOR).args(arguments).output().unwrap();
    assert!(run(&["noop"]).status.success());
    assert_eq!(run(&["echo", "--socket", &socket]).stdout, b"{}\n");
    let size = || fs::metadata(node.directory.join("floor.records")).unwrap().len();
    let before = size();
    assert!(String::from_utf8_lossy(&run(&["sync", "--socket", &socket]).stdout).contains("\"syncUs\":"));
    assert_eq!(size() - before, 256);
    assert!(!run(&["echo", "--socket", "/none"]).status.success());
}

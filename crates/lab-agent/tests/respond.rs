//! The responder between real kernels: an ENI's end in one namespace, the fabric's in another.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::{Value, json};
use support::{Agent, Namespace, await_true, link};

const VPC_MAC: &str = "ee:ff:ff:ff:ff:ff";

struct Fabric {
    node: Namespace,
    vpc: Namespace,
    responder: Agent,
}

fn fabric() -> Fabric {
    let (node, vpc) = (Namespace::new(), Namespace::new());
    link((&vpc, "port0"), (&node, "eni0"));
    node.run("ip address add 10.0.0.5/24 dev eni0");
    node.run("ip -6 address add fd00::5/64 dev eni0 nodad");
    let responder = vpc.spawn("respond --netns-less");
    Fabric { node, vpc, responder }
}

impl Fabric {
    fn arp(&self, target: &str, wait_ms: u32) -> Value {
        self.node.agent(&format!(
            "send-raw arp-request --interface eni0 --source 10.0.0.5 --target {target} --wait {wait_ms}"
        ))
    }

    fn solicit(&self, source: &str, target: &str, wait_ms: u32) -> Value {
        let options = format!("--interface eni0 --source {source} --target {target} --wait {wait_ms}");
        self.node.agent(&format!("send-raw neighbour-solicitation {options}"))
    }
}

#[test]
fn every_request_is_answered_but_for_the_own_addresses() {
    let mut fabric = fabric();
    assert_eq!(
        fabric.arp("10.0.0.77", 100)["answer"],
        Value::Null,
        "no answer before the port is known"
    );
    let ack = fabric
        .responder
        .ask(r#"{"op":"port","ifname":"port0","own":["10.0.0.5","10.0.0.6","fd00::5","fd00::6"]}"#);
    assert_eq!(
        (&ack["ok"], &ack["op"], &ack["ifname"]),
        (&json!(true), &json!("port"), &json!("port0"))
    );

    for target in ["10.0.0.77", "10.0.0.253", "192.0.2.1", "169.254.1.1"] {
        assert_eq!(fabric.arp(target, 1_000)["answer"], VPC_MAC, "{target}");
    }
    for target in ["fd00::77", "fd00::fffd", "fe80::1", "2001:db8::1"] {
        assert_eq!(fabric.solicit("fd00::5", target, 1_000)["answer"], VPC_MAC, "{target}");
    }
    for target in ["10.0.0.5", "10.0.0.6"] {
        assert_eq!(fabric.arp(target, 100)["answer"], Value::Null, "{target} is the ENI's own");
    }
    assert_eq!(
        fabric.solicit("fd00::5", "fd00::6", 100)["answer"],
        Value::Null,
        "fd00::6 is the ENI's own"
    );
    assert_eq!(
        fabric.solicit("::", "fd00::77", 100)["answer"],
        Value::Null,
        "a search for duplicates is not answered"
    );

    let ack = fabric.responder.ask(r#"{"op":"port","ifname":"port0","own":["10.0.0.5"]}"#);
    assert_eq!(ack["ok"], true);
    assert_eq!(
        fabric.arp("10.0.0.6", 1_000)["answer"],
        VPC_MAC,
        "10.0.0.6 was taken from the ENI"
    );
    assert_eq!(fabric.responder.ask(r#"{"op":"remove","ifname":"port0"}"#)["known"], true);
    assert_eq!(fabric.arp("10.0.0.77", 100)["answer"], Value::Null, "removed");
}

/// The node's kernel, not our own frames: it resolves what it wants to reach, and its own new address is no duplicate.
#[test]
fn the_kernel_finds_its_neighbours_and_keeps_its_addresses() {
    let mut fabric = fabric();
    fabric
        .responder
        .ask(r#"{"op":"port","ifname":"port0","own":["10.0.0.5","fd00::5","fd00::6"]}"#);
    fabric.node.run("ip -6 address add fd00::6/64 dev eni0");
    let probes = r#"[{"id":"a","proto":"icmp","addr":"10.0.0.77","timeoutMs":200},{"id":"b","proto":"icmp","addr":"fd00::77","timeoutMs":200}]"#;
    let mut prober = fabric.node.spawn("probe");
    std::io::Write::write_all(&mut prober.stdin.take().unwrap(), probes.as_bytes()).unwrap();
    assert_eq!(
        prober.line()[0]["ok"],
        false,
        "nobody is at that address, but it has a neighbour entry:"
    );
    let neighbours = fabric.node.run("ip neighbour show dev eni0");
    for address in ["10.0.0.77", "fd00::77"] {
        let entry = neighbours.lines().find(|line| line.starts_with(address));
        assert!(entry.is_some_and(|line| line.contains(VPC_MAC)), "{address} in {neighbours}");
    }
    await_true("duplicate address detection is over", || {
        !fabric.node.run("ip -6 address show dev eni0").contains("tentative")
    });
    let addresses = fabric.node.run("ip -6 address show dev eni0");
    assert!(
        addresses.contains("fd00::6/64") && !addresses.contains("dadfailed"),
        "{addresses}"
    );
}

#[test]
fn wrong_commands_are_told_and_harm_nothing() {
    let mut fabric = fabric();
    let wrong = [
        "{",
        "[]",
        r#"{"op":"fly"}"#,
        r#"{"op":"port","ifname":"port0","own":["10.0.0"]}"#,
        r#"{"op":"port","ifname":"none","own":[]}"#,
    ];
    for command in wrong {
        let ack = fabric.responder.ask(command);
        assert_eq!(ack["ok"], false, "{command}");
        assert!(!ack["error"].as_str().unwrap().is_empty());
    }
    assert_eq!(fabric.responder.ask(r#"{"op":"remove","ifname":"none"}"#)["known"], false);
    assert_eq!(fabric.responder.ask(r#"{"op":"port","ifname":"port0","own":[]}"#)["ok"], true);
    assert_eq!(fabric.arp("10.0.0.77", 1_000)["answer"], VPC_MAC);
}

#[test]
fn a_port_that_was_made_again_is_answered_again() {
    let mut fabric = fabric();
    let command = r#"{"op":"port","ifname":"port0","own":["10.0.0.5"]}"#;
    let first = fabric.responder.ask(command);
    fabric.vpc.run("ip link delete port0");
    link((&fabric.vpc, "port0"), (&fabric.node, "eni0"));
    let second = fabric.responder.ask(command);
    assert_ne!(first["ifindex"], second["ifindex"]);
    // The kernel activates the queue of a new link by a work item, and drops what comes before.
    await_true("requests are answered again", || {
        fabric.arp("10.0.0.77", 1_000)["answer"] == VPC_MAC
    });
}

#[test]
fn it_ends_with_its_standard_input() {
    let mut fabric = fabric();
    drop(fabric.responder.stdin.take());
    assert!(fabric.responder.child.wait().unwrap().success());
}

/// Hundreds of ports, each with its own answer, well under a millisecond: by the fastest tenth, because a busy machine is no fault of the responder.
#[test]
fn hundreds_of_ports_are_answered_fast() {
    let (node, vpc) = (Namespace::new(), Namespace::new());
    let mut responder = vpc.spawn("respond");
    for n in 0..200 {
        link((&vpc, &format!("port{n}")), (&node, &format!("eni{n}")));
        assert_eq!(
            responder.ask(&format!(r#"{{"op":"port","ifname":"port{n}","own":["10.0.0.{n}"]}}"#))["ok"],
            true
        );
    }
    let mut times = Vec::new();
    for n in (0..200).step_by(4) {
        let own = format!("10.0.0.{n}");
        let options = format!("--interface eni{n} --source {own} --target 10.0.0.253 --wait 1000");
        let answer = node.agent(&format!("send-raw arp-request {options}"));
        assert_eq!(answer["answer"], VPC_MAC, "eni{n}");
        times.push(answer["rttUs"].as_u64().unwrap());
    }
    times.sort_unstable();
    println!(
        "request to answer: median {} us, slowest {} us",
        times[times.len() / 2],
        times[times.len() - 1]
    );
    assert!(times[times.len() / 10] < 1_000, "{times:?}");
}

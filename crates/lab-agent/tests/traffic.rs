//! Echo server, probes, listener and spoofed packets over a real link.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::io::Write;

use serde_json::{Value, json};
use support::{Namespace, link};

fn pair() -> (Namespace, Namespace) {
    let (client, server) = (Namespace::new(), Namespace::new());
    link((&client, "c0"), (&server, "s0"));
    for (namespace, device, n) in [(&client, "c0", 1), (&server, "s0", 2)] {
        namespace.run(&format!("ip address add 10.1.0.{n}/24 dev {device}"));
        namespace.run(&format!("ip -6 address add fd01::{n}/64 dev {device} nodad"));
    }
    (client, server)
}

fn probe(from: &Namespace, probes: &Value) -> Value {
    let mut prober = from.spawn("probe");
    prober.stdin.take().unwrap().write_all(probes.to_string().as_bytes()).unwrap();
    prober.line()
}

#[test]
fn every_protocol_and_family_is_answered_by_name() {
    let (client, server) = pair();
    client.run("ip address add 10.1.0.9/24 dev c0");
    let mut serve = server.spawn("serve --tcp 8079,8080 --udp 8081 --sctp 8082,8083");
    assert_eq!(serve.line(), json!({"listening": true, "pod": "web-0"}));
    let (mut probes, mut want) = (Vec::new(), Vec::new());
    for (family, address, source, seen) in [
        (4, "10.1.0.2", None, "10.1.0.1"),
        (6, "fd01::2", None, "fd01::1"),
        (9, "10.1.0.2", Some("10.1.0.9"), "10.1.0.9"),
    ] {
        for (proto, port) in [
            ("tcp", 8079),
            ("tcp", 8080),
            ("udp", 8081),
            ("sctp", 8082),
            ("sctp", 8083),
            ("icmp", 0),
        ] {
            let id = format!("{proto}{port} from {family}");
            probes.push(json!({"id": id, "proto": proto, "addr": address, "port": port, "timeoutMs": 2000, "source": source}));
            want.push((id, (proto != "icmp").then_some(seen)));
        }
    }
    let outcomes = probe(&client, &json!(probes));
    for (outcome, (id, seen)) in outcomes.as_array().unwrap().iter().zip(&want) {
        assert_eq!((&outcome["id"], &outcome["ok"]), (&json!(id), &json!(true)), "{outcome}");
        assert!(
            outcome["rttUs"].as_u64().is_some_and(|us| us > 0 && us < 2_000_000),
            "{outcome}"
        );
        let reply = outcome
            .get("reply")
            .map(|reply| serde_json::from_str::<Value>(reply.as_str().unwrap()).unwrap());
        assert_eq!(
            reply.as_ref().map(|reply| reply["client"].as_str().unwrap()),
            *seen,
            "{outcome}"
        );
        assert!(reply.is_none_or(|reply| reply["pod"] == "web-0"));
    }
    assert_eq!(outcomes.as_array().unwrap().len(), want.len());
}

#[test]
fn failures_have_their_reason() {
    let (client, server) = pair();
    server.run("ip route add blackhole 10.9.0.0/16");
    let probes = json!([
        {"id": "closed", "proto": "tcp", "addr": "10.1.0.2", "port": 1, "timeoutMs": 1000},
        {"id": "closed udp", "proto": "udp", "addr": "fd01::2", "port": 1, "timeoutMs": 1000},
        {"id": "nobody", "proto": "icmp", "addr": "10.1.0.77", "timeoutMs": 100},
        {"id": "no route", "proto": "tcp", "addr": "192.0.2.1", "port": 1, "timeoutMs": 1000},
        {"id": "no such source", "proto": "udp", "addr": "10.1.0.2", "port": 1, "source": "10.1.0.99"},
    ]);
    let outcomes = probe(&client, &probes);
    let reasons = [
        "Connection refused",
        "Connection refused",
        "timeout",
        "Network is unreachable",
        "Cannot assign requested address",
    ];
    for (outcome, reason) in outcomes.as_array().unwrap().iter().zip(reasons) {
        assert_eq!(outcome["ok"], false, "{outcome}");
        assert!(outcome["error"].as_str().unwrap().contains(reason), "{outcome}");
    }
}

#[test]
fn one_prober_takes_lists_until_its_input_ends() {
    let (client, server) = pair();
    let mut serve = server.spawn("serve --sctp 80");
    serve.line();
    let mut prober = client.spawn("probe --lines");
    for port in [80, 81] {
        let list = json!([{"id": "one", "proto": "sctp", "addr": "fd01::2", "port": port, "timeoutMs": if port == 80 { 2000 } else { 50 }}]);
        assert_eq!(prober.ask(&list.to_string())[0]["ok"], json!(port == 80));
    }
    drop(prober.stdin.take());
    assert!(prober.child.wait().unwrap().success());
}

#[test]
fn hundreds_of_probes_run_at_once_and_keep_their_order() {
    let (client, server) = pair();
    let mut serve = server.spawn("serve --tcp 8080 --udp 8080");
    serve.line();
    let probes: Vec<Value> = (0..600)
        .map(|n| json!({"id": n.to_string(), "proto": (["tcp", "udp", "icmp"][n % 3]), "addr": "10.1.0.2", "port": 8080, "timeoutMs": 5000}))
        .collect();
    let outcomes = probe(&client, &json!(probes));
    for (n, outcome) in outcomes.as_array().unwrap().iter().enumerate() {
        assert_eq!(
            (&outcome["id"], &outcome["ok"]),
            (&json!(n.to_string()), &json!(true)),
            "{outcome}"
        );
    }
}

#[test]
fn a_spoofed_source_is_what_the_listener_counts() {
    let (client, server) = pair();
    // So that the kernel lets the test's own lie through; a fabric must not.
    server.run("sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.s0.rp_filter=0");
    let link = server.run("ip -o link show s0");
    let mac = link
        .split_whitespace()
        .skip_while(|word| *word != "link/ether")
        .nth(1)
        .unwrap();
    for (source, destination) in [("10.1.0.66", "10.1.0.2"), ("fd01::66", "fd01::2")] {
        let mut listen = server.spawn("listen --udp 9000 --ms 5000 --expect 3");
        assert_eq!(listen.line(), json!({"listening": 9000}));
        let options = format!("--interface c0 --source {source} --destination {destination} --port 9000 --destination-mac {mac}");
        assert_eq!(
            client.agent(&format!("send-raw udp {options} --count 3 --payload hello"))["sent"],
            3
        );
        assert_eq!(listen.line(), json!({"packets": 3, "bytes": 15, "sources": {source: 3}}));
    }
}

#[test]
fn a_gratuitous_announcement_reaches_the_neighbour() {
    let (client, server) = pair();
    server.run("sysctl -qw net.ipv4.conf.s0.arp_accept=1");
    let options = "--interface c0 --source 10.1.0.50 --source-mac 02:00:00:00:00:07";
    assert_eq!(client.agent(&format!("send-raw gratuitous-arp {options}"))["sent"], 1);
    support::await_true("a neighbour entry", || {
        server
            .run("ip neighbour show")
            .contains("10.1.0.50 dev s0 lladdr 02:00:00:00:00:07")
    });
}

#[test]
fn a_silent_port_counts_nothing() {
    let server = Namespace::new();
    let mut listen = server.spawn("listen --udp 9000 --ms 50");
    listen.line();
    assert_eq!(listen.line(), json!({"packets": 0, "bytes": 0, "sources": {}}));
}

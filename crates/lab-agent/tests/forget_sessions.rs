//! Tracked connections of real addresses are forgotten, by address and by prefix, and no others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::json;
use support::Namespace;

/// A namespace that tracks what it says to itself, with one UDP packet from each of four addresses.
fn tracking() -> Namespace {
    let namespace = Namespace::new();
    for address in ["10.0.1.1/32", "10.0.1.17/32", "10.0.1.18/32", "fd00::1/128"] {
        namespace.run(&format!("ip address add {address} dev lo nodad"));
    }
    namespace.run("nft add table inet t");
    namespace.run("nft add chain inet t c { type filter hook output priority 0 ; }");
    namespace.run("nft add rule inet t c ct state established accept");
    let probe = |address: &str| json!({ "id": address, "proto": "icmp", "addr": address, "source": address });
    let probes = json!(["10.0.1.1", "10.0.1.17", "10.0.1.18", "fd00::1"].map(probe));
    let mut prober = namespace.spawn("probe");
    std::io::Write::write_all(&mut prober.stdin.take().unwrap(), probes.to_string().as_bytes()).unwrap();
    let outcomes = prober.line();
    assert!(
        outcomes.as_array().unwrap().iter().all(|outcome| outcome["ok"] == true),
        "{outcomes}"
    );
    namespace
}

#[test]
fn connections_of_the_given_addresses_are_forgotten_and_no_others() {
    let namespace = tracking();
    let forget = |words: &str| namespace.agent(&format!("forget-sessions {words}"))["forgotten"].clone();
    assert_eq!(forget("10.9.9.9 fd00::9"), 0);
    assert_eq!(forget("10.0.1.1"), 1);
    assert_eq!(forget("10.0.1.1"), 0, "it is gone");
    assert_eq!(forget("10.0.1.16/28"), 2);
    assert_eq!(forget("fd00::/80 10.0.0.0/8"), 1, "only the IPv6 one was left");
    assert_eq!(forget(""), 0);
}

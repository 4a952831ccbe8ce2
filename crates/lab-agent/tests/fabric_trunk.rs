//! A trunk port of the fabric: tags on the trunk, plain frames on the members' ports, both ways and in both families.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::{Value, json};
use support::{AGENT, Namespace, link};

/// The fabric and a node with a trunk. The node's own side of two members are ports of a second pair of the same programs, which so stand in for
/// the node's VLAN links.
struct Trunk {
    fabric: Namespace,
    node: Namespace,
}

fn mac(namespace: &Namespace, device: &str) -> String {
    let links: Value = serde_json::from_str(&namespace.run(&format!("ip -j link show {device}"))).unwrap();
    links[0]["address"].as_str().unwrap().to_owned()
}

impl Trunk {
    fn new() -> Self {
        let trunk = Self {
            fabric: Namespace::new(),
            node: Namespace::new(),
        };
        link((&trunk.fabric, "trunk"), (&trunk.node, "eth1"));
        trunk
    }

    /// A member's port in the fabric and its counterpart on the node, with addresses that end in 1 and 2.
    fn member(&self, name: &str, vlan: u16) {
        for (namespace, device, n) in [(&self.fabric, "trunk", 1), (&self.node, "eth1", 2)] {
            let peer = if n == 1 {
                (&self.node, "eth1")
            } else {
                (&self.fabric, "trunk")
            };
            namespace.run(&format!("ip link add {name} type veth peer name {name}-x"));
            namespace.run(&format!("ip link set {name}-x up"));
            namespace.run(&format!("ip link set {name} up"));
            namespace.run(&format!("ip address add 10.{vlan}.0.{n}/24 dev {name}"));
            namespace.run(&format!("ip -6 address add fd{vlan}::{n}/64 dev {name} nodad"));
            let to = mac(peer.0, peer.1);
            namespace.run(&format!(
                "{AGENT} fabric-trunk add --trunk {device} --port {name} --vlan {vlan} --mac {to}"
            ));
        }
    }

    fn pings(&self, address: &str) -> bool {
        let output = self
            .fabric
            .command("ping", &["-c", "1", "-W", "1", address])
            .output()
            .unwrap();
        output.status.success()
    }
}

#[test]
fn two_members_talk_over_one_trunk_in_both_families() {
    let trunk = Trunk::new();
    trunk.member("m1", 10);
    trunk.member("m2", 20);
    for address in ["10.10.0.2", "fd10::2", "10.20.0.2", "fd20::2"] {
        assert!(trunk.pings(address), "{address}");
    }
    let counts = trunk.fabric.agent("fabric-trunk counts --interface trunk");
    assert!(counts["to_member"].as_u64().unwrap() >= 4, "{counts}");
    assert_eq!(counts["unknown_tag"], json!(0), "{counts}");
    assert!(
        trunk.fabric.agent("fabric-trunk counts --interface m1")["to_trunk"]
            .as_u64()
            .unwrap()
            >= 2
    );
}

#[test]
fn a_removed_member_is_an_unknown_tag() {
    let trunk = Trunk::new();
    trunk.member("m1", 10);
    trunk.member("m2", 20);
    assert!(trunk.pings("10.10.0.2"));
    trunk.fabric.run(&format!("{AGENT} fabric-trunk remove --port m1"));
    trunk.fabric.run(&format!("{AGENT} fabric-trunk remove --port m1"));
    assert!(trunk.pings("10.20.0.2"));
    let ping = trunk
        .node
        .command("ping", &["-c", "1", "-W", "1", "10.10.0.1"])
        .output()
        .unwrap();
    assert!(!ping.status.success());
    let counts = trunk.fabric.agent("fabric-trunk counts --interface trunk");
    assert!(counts["unknown_tag"].as_u64().unwrap() >= 1, "{counts}");
    // And back again.
    let to = mac(&trunk.node, "eth1");
    trunk.fabric.run(&format!(
        "{AGENT} fabric-trunk add --trunk trunk --port m1 --vlan 10 --mac {to}"
    ));
    assert!(trunk.pings("10.10.0.2"));
}

#[test]
fn a_tag_has_one_port() {
    let trunk = Trunk::new();
    trunk.member("m1", 10);
    trunk.fabric.run("ip link add m2 type veth peer name m2-x");
    let words = [
        "fabric-trunk",
        "add",
        "--trunk",
        "trunk",
        "--port",
        "m2",
        "--vlan",
        "10",
        "--mac",
        "02:00:00:00:00:01",
    ];
    let output = trunk.fabric.command(AGENT, &words).output().unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("--vlan 10 belongs to the port with index"), "{error}");
    assert!(trunk.pings("10.10.0.2"));
}

#[test]
fn untagged_traffic_stays_the_trunks_own() {
    let trunk = Trunk::new();
    trunk.member("m1", 10);
    trunk.fabric.run("ip address add 10.9.0.1/24 dev trunk");
    trunk.node.run("ip address add 10.9.0.2/24 dev eth1");
    assert!(trunk.pings("10.9.0.2"));
}

//! Tags on a real link: taken out of the frame by the kernel on the way in, pushed beside it on the way out, with large segments between.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use support::Bpffs;
use support::filter::{attach, mac};
use support::namespace::Namespace;
use support::stage::record_for;
use support::talk::talks;
use terway_bpf::{Endpoint, Eni, EniFlags, Programs, Reason};

mod support;

const NODE_ENI: u32 = 1001;
const VPC_ENI: u32 = 1002;

/// A node's trunk and, at the other end of the link, a second one that plays the VPC: each lets a member's frames in with their tag only.
struct Wire {
    node: Namespace,
    vpc: Namespace,
    programs: Programs,
    _bpffs: Bpffs,
}

impl Wire {
    /// `.7` at the node and `.9` in the VPC are members, `.2` and `.1` the trunk's own.
    fn new(node_vlan: u16, vpc_vlan: u16) -> Self {
        let (node, vpc) = (Namespace::new(), Namespace::new());
        node.ip(&format!(
            "link add eni0 index {NODE_ENI} type veth peer name vpc0 index {VPC_ENI}"
        ));
        node.ip(&format!("link set vpc0 netns {}", vpc.path()));
        let bpffs = Bpffs::mount();
        let mut programs = Programs::open(bpffs.path()).unwrap();
        for (namespace, link, ends, member, eni, vlan) in [
            (&node, "eni0", [2, 7], 7, NODE_ENI, node_vlan),
            (&vpc, "vpc0", [1, 9], 9, VPC_ENI, vpc_vlan),
        ] {
            programs
                .maps
                .enis
                .put(
                    &eni,
                    &Eni {
                        flags: EniFlags::TRUNK,
                        ..Eni::default()
                    },
                )
                .unwrap();
            for address in [format!("10.0.0.{member}"), format!("fd00::{member}")] {
                record_for(
                    &mut programs,
                    &address,
                    Endpoint {
                        eni,
                        vlan,
                        ..Endpoint::default()
                    },
                );
            }
            attach(&bpffs, namespace, link);
            namespace.ip(&format!("link set {link} up"));
            for end in ends {
                namespace.ip(&format!("address add 10.0.0.{end}/24 dev {link}"));
                namespace.ip(&format!("-6 address add fd00::{end}/64 dev {link} nodad"));
            }
        }
        // Which of its addresses an end speaks from.
        for (namespace, link, from, to) in [(&node, "eni0", 7, 9), (&node, "eni0", 2, 1), (&vpc, "vpc0", 9, 7)] {
            namespace.ip(&format!("route add 10.0.0.{to}/32 dev {link} src 10.0.0.{from}"));
            namespace.ip(&format!("-6 route add fd00::{to}/128 dev {link} src fd00::{from}"));
        }
        Self {
            node,
            vpc,
            programs,
            _bpffs: bpffs,
        }
    }

    fn packets(&self, reason: Reason) -> u64 {
        self.programs.maps.counters.get(reason).unwrap().packets
    }
}

#[test]
fn members_talk_with_their_tag_and_the_trunk_without() {
    let wire = Wire::new(100, 100);
    for to in ["10.0.0.9", "fd00::9"] {
        talks(&wire.node, &wire.vpc, to).unwrap();
    }
    assert!(wire.packets(Reason::OutPushed) > 20);
    assert_eq!(
        wire.packets(Reason::OutPushed),
        wire.packets(Reason::InPopped),
        "each tag put on is taken off"
    );
    let popped = wire.packets(Reason::InPopped);
    for to in ["10.0.0.1", "fd00::1"] {
        talks(&wire.node, &wire.vpc, to).unwrap();
    }
    assert_eq!(wire.packets(Reason::InPopped), popped);
    for reason in [Reason::InTagMismatch, Reason::InUnknownTag] {
        assert_eq!(wire.packets(reason), 0, "{}", reason.name());
    }
}

#[test]
fn frames_to_the_members_own_hardware_address_are_taken() {
    let wire = Wire::new(100, 100);
    assert_ne!(mac(&wire.node, "eni0"), "02:00:00:00:00:77");
    for address in ["10.0.0.7", "fd00::7"] {
        wire.vpc.ip(&format!(
            "neigh replace {address} lladdr 02:00:00:00:00:77 nud permanent dev vpc0"
        ));
    }
    for to in ["10.0.0.9", "fd00::9"] {
        talks(&wire.node, &wire.vpc, to).unwrap();
    }
}

#[test]
fn another_members_tag_arrives_nowhere() {
    let wire = Wire::new(100, 101);
    for (from, to) in [("10.0.0.7", "10.0.0.9"), ("fd00::7", "fd00::9")] {
        // Known beforehand: the question for it would be dropped first.
        let neighbour = mac(&wire.vpc, "vpc0");
        wire.node
            .ip(&format!("neigh replace {to} lladdr {neighbour} nud permanent dev eni0"));
        let [from, to] = [(from, 0), (to, 9)].map(|(address, port)| SocketAddr::new(address.parse().unwrap(), port));
        let before = wire.packets(Reason::InTagMismatch);
        wire.node.run(|| UdpSocket::bind(from).unwrap().send_to(b"x", to).unwrap());
        let deadline = Instant::now() + Duration::from_secs(5);
        while wire.packets(Reason::InTagMismatch) == before {
            assert!(Instant::now() < deadline, "{to}: not counted");
            std::thread::yield_now();
        }
    }
    assert_eq!(wire.packets(Reason::InPopped), 0);
}

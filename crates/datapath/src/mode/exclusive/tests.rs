//! The worked examples (c) and (f) of the reference: pod 10.0.1.23 / 2001:db8:1::23 on an ENI of its own, node 10.0.0.10 / 2001:db8::10,
//! Service CIDR 172.16.0.0/16, node-local DNS; two ENIs with the indices 5 and 6 in one pod.

use super::*;
use crate::attachment::{FamilyAddress, Mode};
use crate::mode::example::{self, facts};
use crate::object::Place;

fn example(ipv4: bool, ipv6: bool) -> Attachment {
    let both = example::example();
    Attachment {
        mode: Mode::Exclusive,
        host_stack: ["172.16.0.0/16", "169.254.20.10/32", "2001:db8:5::/108"]
            .map(|text| text.parse().unwrap())
            .to_vec(),
        ipv4: both.ipv4.filter(|_| ipv4),
        ipv6: both.ipv6.filter(|_| ipv6),
        ..both
    }
}

/// Links, addresses, neighbours, rules and routes as text; sysctls are looked at apart.
fn render(attachment: &Attachment, eni_index: u32) -> String {
    let facts = HostFacts {
        eni_index,
        eni_name: "eth0".into(),
        ..facts()
    };
    let desired = desired_state(attachment, &facts);
    let names = &desired.names;
    let mut lines = Vec::new();
    for place in [Place::Host, Place::Pod] {
        let state = desired.at(place);
        let mut line = |text: String| lines.push(format!("{place} {text}"));
        state.links.iter().for_each(|link| line(names.link(link.device)));
        state.addresses.iter().for_each(|address| line(names.address(address)));
        for neighbour in &state.neighbours {
            let mac = names.link_address(neighbour.mac);
            line(format!("{} lladdr {mac}", names.neighbour(neighbour)));
        }
        state.rules.iter().for_each(|rule| line(rule.to_string()));
        state.routes.iter().for_each(|route| line(names.route(route)));
        state.masquerade.iter().for_each(|pod| line(format!("masquerade {pod}")));
    }
    lines.join("\n")
}

#[test]
fn exclusive_v4_is_example_c() {
    let want = "\
host link calic95a4947e07
host neighbour 10.0.1.23 dev calic95a4947e07 lladdr the MAC of veth1
host route 10.0.1.23/32 dev calic95a4947e07
host masquerade 10.0.1.23
pod link eth0
pod link veth1
pod address 10.0.1.23/32 dev eth0
pod address 10.0.1.23/32 dev veth1
pod neighbour 169.254.1.1 dev veth1 lladdr the MAC of calic95a4947e07
pod route default via 10.0.1.253 dev eth0 onlink
pod route 169.254.1.1/32 dev veth1
pod route 172.16.0.0/16 via 169.254.1.1 dev veth1 onlink
pod route 169.254.20.10/32 via 169.254.1.1 dev veth1 onlink
pod route 10.0.0.10/32 via 169.254.1.1 dev veth1";
    assert_eq!(render(&example(true, false), 5), want);
}

#[test]
fn exclusive_v6_has_the_gateway_and_the_node_on_its_links() {
    let want = "\
host link calic95a4947e07
host neighbour 2001:db8:1::23 dev calic95a4947e07 lladdr the MAC of veth1
host route 2001:db8:1::23/128 dev calic95a4947e07
host masquerade 2001:db8:1::23
pod link eth0
pod link veth1
pod address 2001:db8:1::23/128 dev eth0
pod address 2001:db8:1::23/128 dev veth1
pod neighbour fe80::1 dev veth1 lladdr the MAC of calic95a4947e07
pod route 2001:db8:1:0:ffff:ffff:ffff:fffd/128 dev eth0
pod route default via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth0 onlink
pod route fe80::1/128 dev veth1
pod route 2001:db8:5::/108 via fe80::1 dev veth1 onlink
pod route 2001:db8::10/128 via fe80::1 dev veth1";
    assert_eq!(render(&example(false, true), 5), want);
}

/// Terway's quirk: the settings of the pair's end were those of the ENI, written twice.
#[test]
fn exclusive_v6_sets_both_links_of_the_pod() {
    let desired = desired_state(
        &example(true, true),
        &HostFacts {
            eni_index: 5,
            eni_name: "eth0".into(),
            uplink: None,
            source_routes: true,
            ..HostFacts::default()
        },
    );
    let sysctls: Vec<String> = (desired.pod.sysctls.iter())
        .map(|sysctl| format!("{} = {}", desired.names.sysctl(&sysctl.key), sysctl.value))
        .collect();
    for link in ["eth0", "veth1"] {
        for name in ["disable_ipv6", "accept_ra", "accept_dad"] {
            let want = format!("sysctl net.ipv6.conf.{link}.{name} = 0");
            assert!(sysctls.contains(&want), "{want}: {sysctls:?}");
        }
    }
    assert_eq!(sysctls.len(), 6);
}

#[test]
fn exclusive_dual_two_interfaces_are_example_f() {
    let first = Attachment {
        own_groups: false,
        multi_network: true,
        host_stack: Vec::new(),
        ..example(true, false)
    };
    let second = Attachment {
        id: "c0ffee/eth1".into(),
        if_name: "eth1".into(),
        ipv4: Some(FamilyAddress {
            address: "10.0.8.4".parse().unwrap(),
            prefix_length: 24,
            gateway: "10.0.8.253".parse().unwrap(),
        }),
        ipv6: example(true, true).ipv6,
        default_route: false,
        ..first.clone()
    };
    let want = "\
host link calic95a4947e07
host neighbour 10.0.1.23 dev calic95a4947e07 lladdr the MAC of veth1
host route 10.0.1.23/32 dev calic95a4947e07
host masquerade 10.0.1.23
pod link eth0
pod link veth1
pod address 10.0.1.23/24 dev eth0
pod address 10.0.1.23/32 dev veth1
pod neighbour 169.254.1.1 dev veth1 lladdr the MAC of calic95a4947e07
pod rule 512: from all oif eth0 lookup 1005
pod rule 512: from 10.0.1.23/32 lookup 1005
pod route default via 10.0.1.253 dev eth0 onlink
pod route default via 10.0.1.253 dev eth0 onlink table 1005
pod route 169.254.1.1/32 dev veth1
pod route 10.0.0.10/32 via 169.254.1.1 dev veth1";
    assert_eq!(render(&first, 5), want);
    let want = "\
pod link eth1
pod address 10.0.8.4/24 dev eth1
pod address 2001:db8:1::23/64 dev eth1
pod rule 512: from all oif eth1 lookup 1006
pod rule 512: from 10.0.8.4/32 lookup 1006
pod rule 512: from all oif eth1 lookup 1006 (ipv6)
pod rule 512: from 2001:db8:1::23/128 lookup 1006
pod route default via 10.0.8.253 dev eth1 onlink table 1006
pod route 2001:db8:1:0:ffff:ffff:ffff:fffd/128 dev eth1
pod route default via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth1 onlink table 1006";
    assert_eq!(render(&second, 6), want);
}

#[test]
fn exclusive_dual_may_send_everything_through_the_node() {
    let attachment = Attachment {
        host_stack: vec![Family::V4.default_prefix(), Family::V6.default_prefix()],
        ..example(true, true)
    };
    let state = render(&attachment, 5);
    let defaults: Vec<&str> = state.lines().filter(|line| line.contains("route default")).collect();
    assert_eq!(
        defaults,
        [
            "pod route default via 169.254.1.1 dev veth1 onlink",
            "pod route default via fe80::1 dev veth1 onlink"
        ]
    );
}

#[test]
fn exclusive_dual_without_a_peer_leaves_nothing_on_the_host() {
    let attachment = Attachment {
        host_peer: false,
        ..example(true, true)
    };
    let state = render(&attachment, 5);
    assert!(!state.contains("host ") && !state.contains("veth1"), "{state}");
}

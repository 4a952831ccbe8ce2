//! The worked example (e) of the reference: pod 10.0.1.23 / 2001:db8:1::23 on the shared ENI eth1 with index 3, node 10.0.0.10 /
//! 2001:db8::10, Service CIDRs in both families; then the same pod as a member of a trunk.

use super::*;
use crate::attachment::{Mode, Trunk};
use crate::mode::example::{example, render};

fn pod() -> Attachment {
    Attachment {
        mode: Mode::Ipvlan,
        host_stack: ["172.16.0.0/16", "2001:db8:5::/108"]
            .map(|text| text.parse().unwrap())
            .to_vec(),
        ..example()
    }
}

const COMMON: &str = "\
host link eth1 mtu >= 1500
host link ipvl_3 mtu >= 1500 alias terway-eni:00:16:3e:00:00:01 noarp
host address 10.0.0.10/32 dev ipvl_3
host address 2001:db8::10/128 dev ipvl_3
host route 10.0.1.23/32 dev ipvl_3 scope link
host route 2001:db8:1::23/128 dev ipvl_3
host masquerade 10.0.1.23
host masquerade 2001:db8:1::23
pod link eth0 mtu 1500 alias terway:c0ffee/eth0
";

#[test]
fn ipvlan_dual_is_example_e() {
    let want = format!(
        "{COMMON}\
pod address 10.0.1.23/24 dev eth0
pod address 2001:db8:1::23/64 dev eth0
pod neighbour 10.0.0.10 dev eth0 lladdr the MAC of eth0
pod neighbour 169.254.1.1 dev eth0 lladdr the MAC of eth0
pod neighbour 2001:db8::10 dev eth0 lladdr the MAC of eth0
pod neighbour fe80::1 dev eth0 lladdr the MAC of eth0
pod route 10.0.0.10/32 dev eth0 scope link
pod route 172.16.0.0/16 via 169.254.1.1 dev eth0 onlink
pod route 10.0.1.0/24 dev eth0 scope link
pod route default via 10.0.1.253 dev eth0 onlink
pod route 2001:db8::10/128 dev eth0
pod route 2001:db8:5::/108 via fe80::1 dev eth0 onlink
pod route 2001:db8:1::/64 dev eth0
pod route default via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth0 onlink"
    );
    assert_eq!(render(&pod()), want);
}

#[test]
fn ipvlan_member_of_a_trunk_speaks_to_its_gateway_alone() {
    let trunk = Trunk {
        vlan_id: 1001,
        gateway_ipv4: None,
        gateway_ipv6: None,
    };
    let state = render(&Attachment {
        trunk: Some(trunk),
        host_stack: Vec::new(),
        ..pod()
    });
    for line in [
        "pod address 10.0.1.23/32 dev eth0",
        "pod address 2001:db8:1::23/128 dev eth0",
        "pod neighbour 10.0.1.253 dev eth0 lladdr ee:ff:ff:ff:ff:ff",
        "pod neighbour 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth0 lladdr ee:ff:ff:ff:ff:ff",
        "pod route default via 10.0.1.253 dev eth0 onlink",
    ] {
        assert!(state.lines().any(|got| got == line), "missing: {line}\n{state}");
    }
    assert!(!state.contains("10.0.1.0/24") && !state.contains("masquerade"), "{state}");
}

/// One table holds one route for each destination.
#[test]
fn ipvlan_sends_a_destination_one_way() {
    let state = render(&Attachment {
        host_stack: vec!["0.0.0.0/0".parse().unwrap()],
        extra_routes: ["10.0.1.0/24", "198.51.100.0/24"].map(|text| text.parse().unwrap()).to_vec(),
        ipv6: None,
        ..pod()
    });
    let routes: Vec<&str> = state.lines().filter(|line| line.starts_with("pod route")).collect();
    assert_eq!(
        routes,
        [
            "pod route 10.0.0.10/32 dev eth0 scope link",
            "pod route default via 169.254.1.1 dev eth0 onlink",
            "pod route 10.0.1.0/24 dev eth0 scope link",
            "pod route 198.51.100.0/24 via 10.0.1.253 dev eth0 onlink",
        ]
    );
}

//! The worked example (d) of the reference, in both families, and one interface of several.

use super::*;
use crate::attachment::{Mode, Trunk};
use crate::mode::example::{example, render};

fn pod() -> Attachment {
    Attachment {
        mode: Mode::Vlan,
        trunk: Some(Trunk {
            vlan_id: 1001,
            // No way for what carries the member's tag.
            gateway_ipv4: Some([10, 0, 9, 253].into()),
            gateway_ipv6: Some("2001:db8:9::fffd".parse().unwrap()),
        }),
        // No way leads from this pod to its node but through the VPC.
        host_stack: vec!["172.16.0.0/16".parse().unwrap()],
        ..example()
    }
}

#[test]
fn vlan_dual_is_example_d() {
    let want = "\
host link eth1 mtu >= 1500
pod link eth0 mtu 1500 alias terway:c0ffee/eth0
pod address 10.0.1.23/24 dev eth0
pod address 2001:db8:1::23/64 dev eth0
pod route 10.0.1.0/24 dev eth0 scope link
pod route default via 10.0.1.253 dev eth0 onlink
pod route 2001:db8:1::/64 dev eth0
pod route default via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth0 onlink";
    assert_eq!(render(&pod()), want);
    assert_eq!(desired_state(&pod(), &crate::mode::example::facts()).form, Form::Vlan(1001));
}

#[test]
fn vlan_of_several_interfaces_has_a_table_of_its_own() {
    let state = render(&Attachment {
        if_name: "eth1".into(),
        own_groups: false,
        multi_network: true,
        default_route: false,
        extra_routes: vec!["203.0.113.0/24".parse().unwrap()],
        ipv6: None,
        ..pod()
    });
    let policy: Vec<&str> = state.lines().filter(|line| line.starts_with("pod r")).collect();
    assert_eq!(
        policy,
        [
            "pod rule 512: from all oif eth1 lookup 2001",
            "pod rule 512: from 10.0.1.23/32 lookup 2001",
            "pod route 10.0.1.0/24 dev eth1 scope link",
            "pod route 203.0.113.0/24 via 10.0.1.253 dev eth1 onlink",
            "pod route default via 10.0.1.253 dev eth1 onlink table 2001",
        ]
    );
}

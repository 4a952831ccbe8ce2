//! The worked example of the reference: node 10.0.0.10 / 2001:db8::10, ENI eth1 with index 3 in 10.0.1.0/24 and 2001:db8:1::/64, pod
//! default/client-b6989bf87-2bgtc = 10.0.1.23 / 2001:db8:1::23, MTU 1500. One line for each object, in the order in which it is made.

use super::*;
use crate::desired::UplinkFacts;
use crate::mode::example::{self, facts};
use crate::object::{Place, Scope};

fn example(ipv4: bool, ipv6: bool, rule_form: RuleForm) -> Attachment {
    let both = example::example();
    Attachment {
        rule_form,
        ipv4: both.ipv4.filter(|_| ipv4),
        ipv6: both.ipv6.filter(|_| ipv6),
        ..both
    }
}

/// The state as text, one object a line.
fn render(attachment: &Attachment, facts: &HostFacts) -> String {
    let desired = desired_state(attachment, facts);
    let names = &desired.names;
    let mut lines = Vec::new();
    for place in [Place::Host, Place::Pod] {
        let state = desired.at(place);
        let mut line = |text: String| lines.push(format!("{place} {text}"));
        for sysctl in &state.sysctls {
            line(format!("{} = {}", names.sysctl(&sysctl.key), sysctl.value));
        }
        for link in &state.links {
            let mtu = match link.mtu {
                Mtu::Exactly(mtu) => format!("mtu {mtu}"),
                Mtu::AtLeast(mtu) => format!("mtu >= {mtu}"),
            };
            let alias = link.alias.as_ref().map_or(String::new(), |alias| format!(" alias {alias}"));
            line(format!("{} up {mtu}{alias}", names.link(link.device)));
        }
        for address in &state.addresses {
            line(names.address(address));
        }
        for neighbour in &state.neighbours {
            line(format!(
                "{} lladdr {} PERMANENT",
                names.neighbour(neighbour),
                names.link_address(neighbour.mac)
            ));
        }
        for rule in &state.rules {
            line(format!("{rule} proto {}", rule.protocol));
        }
        for route in &state.routes {
            let scope = if route.scope == Scope::Link { " scope link" } else { "" };
            line(format!(
                "{}{scope} metric {} proto {}",
                names.route(route),
                route.metric,
                route.protocol
            ));
        }
    }
    lines.join("\n")
}

const NODE_V4: &str = "\
host sysctl net.ipv4.conf.all.forwarding = 1
host sysctl net.ipv4.conf.all.rp_filter = 0
host sysctl net.ipv4.conf.default.forwarding = 1
host sysctl net.ipv4.conf.default.rp_filter = 0";

const PAIR: &str = "\
host link eth1 up mtu >= 1500
host link calic95a4947e07 up mtu 1500 alias terway:c0ffee/eth0";

#[test]
fn ipv4_compact() {
    let want = format!(
        "{NODE_V4}
host sysctl net.ipv4.conf.eth1.forwarding = 1
host sysctl net.ipv4.conf.eth1.rp_filter = 0
host sysctl net.ipv4.conf.calic95a4947e07.forwarding = 1
host sysctl net.ipv4.conf.calic95a4947e07.rp_filter = 0
host sysctl net.ipv4.conf.eth1.accept_local = 1
{PAIR}
host address 10.0.0.10/32 dev eth1
host neighbour 10.0.1.23 dev calic95a4947e07 lladdr the MAC of eth0 PERMANENT
host rule 2546: from all nop proto 116
host rule 2049: from all goto 2546 proto 116
host rule 2359: from all goto 2546 proto 116
host rule 2358: from 10.0.1.23/32 lookup 1003 proto 116
host rule 2179: from all goto 2546 proto 116
host rule 2178: from 10.0.1.16/29 goto 2358 proto 116
host rule 2103: from all goto 2546 proto 116
host rule 2102: from 10.0.1.0/27 goto 2178 proto 116
host rule 2067: from all goto 2546 proto 116
host rule 2066: from 10.0.1.0/25 goto 2102 proto 116
host rule 2051: from all goto 2546 proto 116
host rule 2050: from 10.0.0.0/23 goto 2066 proto 116
host rule 2048: from 10.0.0.0/20 goto 2050 proto 116
host rule 512: from all lookup main suppress_prefixlength 31 proto 116
host route unreachable default table 1003 metric 4278198272 proto 116
host route default via 10.0.1.253 dev eth1 onlink table 1003 metric 0 proto 116
host route 10.0.1.23/32 dev calic95a4947e07 scope link metric 0 proto 116
pod link eth0 up mtu 1500 alias terway:c0ffee/eth0
pod address 10.0.1.23/32 dev eth0
pod neighbour 169.254.1.1 dev eth0 lladdr the MAC of calic95a4947e07 PERMANENT
pod route default via 169.254.1.1 dev eth0 onlink metric 0 proto 116"
    );
    assert_eq!(render(&example(true, false, RuleForm::Compact), &facts()), want);
}

#[test]
fn ipv6_per_pod() {
    let want = format!(
        "{NODE_V4}
host sysctl net.ipv6.conf.all.forwarding = 1
host sysctl net.ipv6.conf.eth1.accept_dad = 0
host sysctl net.ipv6.conf.eth1.disable_ipv6 = 0
host sysctl net.ipv6.conf.eth1.accept_ra = 0
host sysctl net.ipv6.conf.eth1.forwarding = 1
host sysctl net.ipv6.conf.calic95a4947e07.disable_ipv6 = 0
host sysctl net.ipv6.conf.calic95a4947e07.accept_ra = 0
host sysctl net.ipv6.conf.calic95a4947e07.forwarding = 1
{PAIR}
host address 2001:db8::10/128 dev eth1
host neighbour 2001:db8:1::23 dev calic95a4947e07 lladdr the MAC of eth0 PERMANENT
host rule 2048: from 2001:db8:1::23/128 lookup 1003 proto 116
host rule 512: from all to 2001:db8:1::23/128 lookup main proto 116
host route unreachable default table 1003 metric 4278198272 proto 116
host route 2001:db8:1:0:ffff:ffff:ffff:fffd/128 dev eth1 metric 1024 proto 116
host route default via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth1 onlink table 1003 metric 1024 proto 116
host route 2001:db8:1::23/128 dev calic95a4947e07 metric 1024 proto 116
pod sysctl net.ipv6.conf.eth0.disable_ipv6 = 0
pod sysctl net.ipv6.conf.eth0.accept_ra = 0
pod sysctl net.ipv6.conf.eth0.accept_dad = 0
pod link eth0 up mtu 1500 alias terway:c0ffee/eth0
pod address 2001:db8:1::23/128 dev eth0
pod neighbour fe80::1 dev eth0 lladdr the MAC of calic95a4947e07 PERMANENT
pod route default via fe80::1 dev eth0 onlink metric 1024 proto 116"
    );
    assert_eq!(render(&example(false, true, RuleForm::PerPod), &facts()), want);
}

/// Example (a) line by line, without what we add to it.
#[test]
fn dual_stack_per_pod_holds_all_of_the_reference() {
    let state = render(&example(true, true, RuleForm::PerPod), &facts());
    let reference = [
        "pod address 10.0.1.23/32 dev eth0",
        "pod address 2001:db8:1::23/128 dev eth0",
        "pod route default via 169.254.1.1 dev eth0 onlink",
        "pod route default via fe80::1 dev eth0 onlink",
        "pod neighbour 169.254.1.1 dev eth0 lladdr the MAC of calic95a4947e07 PERMANENT",
        "pod neighbour fe80::1 dev eth0 lladdr the MAC of calic95a4947e07 PERMANENT",
        "host link calic95a4947e07 up mtu 1500",
        "host route 10.0.1.23/32 dev calic95a4947e07 scope link",
        "host route 2001:db8:1::23/128 dev calic95a4947e07",
        "host route 2001:db8:1:0:ffff:ffff:ffff:fffd/128 dev eth1",
        "host route default via 10.0.1.253 dev eth1 onlink table 1003",
        "host route default via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth1 onlink table 1003",
        "host rule 512: from all to 10.0.1.23/32 lookup main",
        "host rule 2048: from 10.0.1.23/32 lookup 1003",
        "host rule 512: from all to 2001:db8:1::23/128 lookup main",
        "host rule 2048: from 2001:db8:1::23/128 lookup 1003",
        "host link eth1 up",
        "host address 10.0.0.10/32 dev eth1",
        "host address 2001:db8::10/128 dev eth1",
    ];
    for line in reference {
        assert!(state.lines().any(|got| got.starts_with(line)), "missing: {line}\n{state}");
    }
}

#[test]
fn compact_differs_from_per_pod_in_the_way_out_and_the_shared_rule_alone() {
    let compact = render(&example(true, true, RuleForm::Compact), &facts());
    let per_pod = render(&example(true, true, RuleForm::PerPod), &facts());
    let only = |these: &str, those: &str| -> Vec<String> {
        these
            .lines()
            .filter(|line| !those.lines().any(|other| other == *line))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        only(&compact, &per_pod),
        [
            "host rule 2546: from all nop proto 116",
            "host rule 2049: from all goto 2546 proto 116",
            "host rule 2359: from all goto 2546 proto 116",
            "host rule 2358: from 10.0.1.23/32 lookup 1003 proto 116",
            "host rule 2179: from all goto 2546 proto 116",
            "host rule 2178: from 10.0.1.16/29 goto 2358 proto 116",
            "host rule 2103: from all goto 2546 proto 116",
            "host rule 2102: from 10.0.1.0/27 goto 2178 proto 116",
            "host rule 2067: from all goto 2546 proto 116",
            "host rule 2066: from 10.0.1.0/25 goto 2102 proto 116",
            "host rule 2051: from all goto 2546 proto 116",
            "host rule 2050: from 10.0.0.0/23 goto 2066 proto 116",
            "host rule 2048: from 10.0.0.0/20 goto 2050 proto 116",
            "host rule 512: from all lookup main suppress_prefixlength 31 proto 116",
            "host rule 2048: from all lookup 1000 (ipv6) proto 116",
            "host rule 512: from all lookup main suppress_prefixlength 127 (ipv6) proto 116",
            "host route unreachable default from 2001:db8:1::23/128 table 1000 metric 4278198272 proto 116",
            "host route default from 2001:db8:1::23/128 via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth1 onlink table 1000 metric 1024 proto 116",
        ]
    );
    assert_eq!(
        only(&per_pod, &compact),
        [
            "host rule 2048: from 10.0.1.23/32 lookup 1003 proto 116",
            "host rule 512: from all to 10.0.1.23/32 lookup main proto 116",
            "host rule 2048: from 2001:db8:1::23/128 lookup 1003 proto 116",
            "host rule 512: from all to 2001:db8:1::23/128 lookup main proto 116",
            "host route 2001:db8:1:0:ffff:ffff:ffff:fffd/128 dev eth1 metric 1024 proto 116",
            "host route default via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth1 onlink table 1003 metric 1024 proto 116",
        ]
    );
}

#[test]
fn a_pod_with_several_interfaces_chooses_by_source_and_by_bound_device() {
    let mut attachment = example(true, true, RuleForm::Compact);
    attachment.if_name = "eth1".into();
    attachment.default_route = false;
    attachment.multi_network = true;
    let state = render(&attachment, &facts());
    let policy: Vec<&str> = (state.lines())
        .filter(|line| line.starts_with("pod rule") || line.starts_with("pod route"))
        .collect();
    assert_eq!(
        policy,
        [
            "pod rule 512: from all oif eth1 lookup 2001 proto 116",
            "pod rule 512: from 10.0.1.23/32 lookup 2001 proto 116",
            "pod rule 512: from all oif eth1 lookup 2001 (ipv6) proto 116",
            "pod rule 512: from 2001:db8:1::23/128 lookup 2001 proto 116",
            "pod route default via 169.254.1.1 dev eth1 onlink table 2001 metric 0 proto 116",
            "pod route default via fe80::1 dev eth1 onlink table 2001 metric 1024 proto 116",
        ]
    );
}

/// A kernel without IPv6 routes by source keeps a rule for each pod in that family.
#[test]
fn ipv6_compact_without_routes_by_source() {
    let facts = HostFacts {
        source_routes: false,
        ..facts()
    };
    let state = render(&example(false, true, RuleForm::Compact), &facts);
    let policy: Vec<&str> = state
        .lines()
        .filter(|line| line.contains("rule") || line.contains("table"))
        .collect();
    assert_eq!(
        policy,
        [
            "host rule 2048: from 2001:db8:1::23/128 lookup 1003 proto 116",
            "host rule 512: from all lookup main suppress_prefixlength 127 (ipv6) proto 116",
            "host route unreachable default table 1003 metric 4278198272 proto 116",
            "host route default via 2001:db8:1:0:ffff:ffff:ffff:fffd dev eth1 onlink table 1003 metric 1024 proto 116",
        ]
    );
}

#[test]
fn extra_routes_use_the_next_hop_that_answers() {
    let mut attachment = example(true, true, RuleForm::Compact);
    attachment.default_route = false;
    attachment.extra_routes = vec!["172.16.0.0/16".parse().unwrap(), "2001:db8:f::/48".parse().unwrap()];
    let state = render(&attachment, &facts());
    let routes: Vec<&str> = state.lines().filter(|line| line.starts_with("pod route")).collect();
    assert_eq!(
        routes,
        [
            "pod route 172.16.0.0/16 via 169.254.1.1 dev eth0 onlink metric 0 proto 116",
            "pod route 2001:db8:f::/48 via fe80::1 dev eth0 onlink metric 1024 proto 116",
        ]
    );
}

/// `rt6_purge_dflt_routers`: switching forwarding on first would take the node's default route.
#[test]
fn a_node_on_router_advertisements_goes_on_listening_before_it_forwards() {
    let facts = HostFacts {
        uplink: Some(UplinkFacts {
            name: "eth0".into(),
            advertised: true,
            addressed: false,
        }),
        ..facts()
    };
    let state = render(&example(true, true, RuleForm::Compact), &facts);
    let line = |text: &str| {
        state
            .lines()
            .position(|line| line == text)
            .unwrap_or_else(|| panic!("missing: {text}"))
    };
    let listens = line("host sysctl net.ipv6.conf.eth0.accept_ra = 2");
    assert!(listens < line("host sysctl net.ipv6.conf.all.forwarding = 1"));
}

#[test]
fn a_node_without_own_addresses_puts_none_on_the_eni() {
    let mut attachment = example(true, true, RuleForm::Compact);
    (attachment.host_ipv4, attachment.host_ipv6) = (None, None);
    assert!(desired_state(&attachment, &facts()).host.addresses.is_empty());
}

/// Over IPv6 the kernel would look for the node's address on the links of all pods.
#[test]
fn the_way_to_a_pod_names_the_nodes_address_over_ipv6() {
    let desired = desired_state(&example::example(), &facts());
    let to_pods = desired
        .host
        .routes
        .iter()
        .filter(|route| route.device == Some(Device::HostEnd));
    let named: Vec<_> = to_pods.map(|route| (route.destination.family(), route.preferred)).collect();
    assert_eq!(
        named,
        [(Family::V4, None), (Family::V6, example::example().host_ipv6.map(Into::into))]
    );
    let elsewhere = Attachment {
        host_ipv6: None,
        ..example::example()
    };
    let desired = desired_state(&elsewhere, &facts());
    assert!(desired.host.routes.iter().all(|route| route.preferred.is_none()));
}

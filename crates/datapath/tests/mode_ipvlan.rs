//! Mode `ipvlan`. Test names are `<mode>_<family>_<scenario>`; a table of modes, families and kernels is made from them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::drift::{Edit, LIMITS_IN_POD, MASQUERADED, ON_HANGING_LINK, covers, dragging, drift, edit, whole};
use support::drift_edits::{ENI_SILENT, LINK_SILENT, NODE, NODE_SILENT, POD_IPV6};
use support::modes::lacks;
use terway_datapath::attachment::Mode;
use terway_datapath::diff::Problem::{Different, Missing};

const HOST: &[Edit] = &[
    edit("link set HOST mtu 1400", "link HOST", Different),
    edit("link set HOST alias nobody", "link HOST", Different),
    edit("link set HOST arp on", "link HOST", Different),
    dragging("link set HOST down", "link HOST", Different),
    dragging("link del HOST", "link HOST", Missing),
    dragging("addr del 10.0.0.10/32 dev HOST", "address 10.0.0.10/32 dev HOST", Missing),
    dragging(
        "-6 addr del 2001:db8::10/128 dev HOST",
        "address 2001:db8::10/128 dev HOST",
        Missing,
    ),
    edit("route del A4/32 dev HOST", "route A4/32 dev HOST", Missing),
    edit("-6 route del A6/128 dev HOST", "route A6/128 dev HOST", Missing),
    dragging("link set eth1 mtu 1400", "link eth1", Different),
    edit("link set eth1 down", "link eth1", Different),
    edit(
        "sysctl ipv4/conf/eth1/rp_filter 1",
        "sysctl net.ipv4.conf.eth1.rp_filter",
        Different,
    ),
    edit(
        "sysctl ipv4/conf/HOST/rp_filter 1",
        "sysctl net.ipv4.conf.HOST.rp_filter",
        Different,
    ),
];

const POD: &[Edit] = &[
    edit("route del 10.0.0.10 dev eth0", "route 10.0.0.10/32 dev eth0", Missing),
    edit(
        "-6 route del 2001:db8::10 dev eth0",
        "route 2001:db8::10/128 dev eth0",
        Missing,
    ),
    edit(
        "route del 169.254.20.0/24",
        "route 169.254.20.0/24 via 169.254.1.1 dev eth0 onlink",
        Missing,
    ),
    edit(
        "-6 route del fd00:20::/64",
        "route fd00:20::/64 via fe80::1 dev eth0 onlink",
        Missing,
    ),
    edit("neigh del 10.0.0.10 dev eth0", "neighbour 10.0.0.10 dev eth0", Missing),
    edit("neigh del 2001:db8::10 dev eth0", "neighbour 2001:db8::10 dev eth0", Missing),
    edit("neigh del fe80::1 dev eth0", "neighbour fe80::1 dev eth0", Missing),
    edit(
        "neigh replace 169.254.1.1 dev eth0 lladdr 02:00:00:00:00:09 nud permanent",
        "neighbour 169.254.1.1 dev eth0",
        Different,
    ),
];

mode_tests! {
    ipvlan_v4_traffic: traffic(Ipvlan, V4);
    ipvlan_v6_traffic: traffic(Ipvlan, V6);
    ipvlan_dual_traffic: traffic(Ipvlan, Dual);
    ipvlan_v4_lifecycle: lifecycle(Ipvlan, V4);
    ipvlan_v6_lifecycle: lifecycle(Ipvlan, V6);
    ipvlan_dual_lifecycle: lifecycle(Ipvlan, Dual);
    ipvlan_dual_crashes: crashes(Ipvlan, Dual);
    ipvlan_v4_host_stack: host_stack(Ipvlan, V4);
    ipvlan_v6_host_stack: host_stack(Ipvlan, V6);
    ipvlan_dual_host_stack: host_stack(Ipvlan, Dual);
    ipvlan_v4_two_interfaces: two_interfaces(Ipvlan, V4);
    ipvlan_v6_two_interfaces: two_interfaces(Ipvlan, V6);
    ipvlan_dual_two_interfaces: two_interfaces(Ipvlan, Dual);
}

/// On the host; nobody is told of most.
fn silent() -> Vec<Edit> {
    [NODE_SILENT, LINK_SILENT, ENI_SILENT, MASQUERADED].concat()
}

/// Whatever the kernel can do.
#[test]
fn drift_has_a_test_for_every_object_of_ipvlan() {
    if !support::skip("drift_has_a_test_for_every_object_of_ipvlan") {
        covers(
            Mode::Ipvlan,
            whole,
            &[HOST, NODE, &silent(), ON_HANGING_LINK, LIMITS_IN_POD, POD, POD_IPV6],
        );
    }
}

#[test]
fn ipvlan_dual_drift() {
    if !lacks("ipvlan_dual_drift", Mode::Ipvlan) {
        drift(
            Mode::Ipvlan,
            &[HOST, NODE].concat(),
            &silent(),
            &[ON_HANGING_LINK, LIMITS_IN_POD, POD, POD_IPV6].concat(),
        );
    }
}

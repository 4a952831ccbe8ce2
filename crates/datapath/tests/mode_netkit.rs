//! Mode `netkit`. Test names are `<mode>_<family>_<scenario>`; a table of modes, families and kernels is made from them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::drift::{Edit, dragging, drift, edit};
use support::modes::lacks;
use terway_datapath::attachment::Mode;
use terway_datapath::diff::Problem::{Different, Missing};

const HOST: &[Edit] = &[
    edit("link set HOST mtu 1400", "link HOST", Different),
    edit("link set HOST alias nobody", "link HOST", Different),
    dragging("link set HOST down", "link HOST", Different),
    dragging("link del HOST", "link HOST", Missing),
    edit("route del A4/32 dev HOST", "route A4/32 dev HOST", Missing),
    edit("-6 route del A6/128 dev HOST", "route A6/128 dev HOST", Missing),
];

const POD: &[Edit] = &[
    edit("link set eth0 mtu 1400", "link eth0", Different),
    dragging("link set eth0 down", "link eth0", Different),
    dragging("addr del A4/32 dev eth0", "address A4/32 dev eth0", Missing),
    edit("-6 addr del A6/128 dev eth0", "address A6/128 dev eth0", Missing),
    edit("route del default", "route default via 169.254.1.1 dev eth0 onlink", Missing),
    edit("-6 route del default", "route default via fe80::1 dev eth0 onlink", Missing),
    edit(
        "sysctl ipv6/conf/eth0/accept_ra 1",
        "sysctl net.ipv6.conf.eth0.accept_ra",
        Different,
    ),
];

mode_tests! {
    netkit_v4_traffic: traffic(Netkit, V4);
    netkit_v6_traffic: traffic(Netkit, V6);
    netkit_dual_traffic: traffic(Netkit, Dual);
    netkit_v4_lifecycle: lifecycle(Netkit, V4);
    netkit_v6_lifecycle: lifecycle(Netkit, V6);
    netkit_dual_lifecycle: lifecycle(Netkit, Dual);
    netkit_dual_crashes: crashes(Netkit, Dual);
    netkit_v4_host_stack: host_stack(Netkit, V4);
    netkit_v6_host_stack: host_stack(Netkit, V6);
    netkit_dual_host_stack: host_stack(Netkit, Dual);
}

#[test]
fn netkit_dual_drift() {
    if !lacks("netkit_dual_drift", Mode::Netkit) {
        drift(Mode::Netkit, HOST, POD);
    }
}

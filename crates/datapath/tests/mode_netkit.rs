//! Mode `netkit`. Test names are `<mode>_<family>_<scenario>`; a table of modes, families and kernels is made from them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::drift::{Edit, LIMIT_OF_POD, LIMIT_ON_PAIR, covers, dragging, drift, whole};
use support::drift_edits::{
    COMPACT, ENI_SILENT, HOST_END, LINK_SILENT, NODE, NODE_SILENT, PAIR, PAIR_POD, PAIR_SILENT, POD_IPV6,
};
use support::modes::lacks;
use terway_datapath::attachment::Mode;
use terway_datapath::diff::Problem::{Different, Missing};

const HOST: &[Edit] = &[
    dragging("link set HOST down", "link HOST", Different),
    dragging("link del HOST", "link HOST", Missing),
];

const POD: &[Edit] = &[dragging("link set eth0 down", "link eth0", Different)];

fn host() -> Vec<Edit> {
    [HOST_END, PAIR, COMPACT, NODE, LIMIT_ON_PAIR, HOST].concat()
}

/// Nobody is told of most.
fn silent() -> Vec<Edit> {
    [NODE_SILENT, LINK_SILENT, ENI_SILENT, PAIR_SILENT].concat()
}

fn pod() -> Vec<Edit> {
    [LIMIT_OF_POD, PAIR_POD, POD_IPV6, POD].concat()
}

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

/// Whatever the kernel can do.
#[test]
fn drift_has_a_test_for_every_object_of_netkit() {
    if !support::skip("drift_has_a_test_for_every_object_of_netkit") {
        covers(Mode::Netkit, whole, &[&host(), &silent(), &pod()]);
    }
}

#[test]
fn netkit_dual_drift() {
    if !lacks("netkit_dual_drift", Mode::Netkit) {
        drift(Mode::Netkit, &host(), &silent(), &pod());
    }
}

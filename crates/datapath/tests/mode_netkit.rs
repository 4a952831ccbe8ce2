//! Mode `netkit`. Test names are `<mode>_<family>_<scenario>`; a table of modes, families and kernels is made from them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

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

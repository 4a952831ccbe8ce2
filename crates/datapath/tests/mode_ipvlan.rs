//! Mode `ipvlan`. Test names are `<mode>_<family>_<scenario>`; a table of modes, families and kernels is made from them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

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
}

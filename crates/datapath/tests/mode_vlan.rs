//! Mode `vlan`. Test names are `<mode>_<family>_<scenario>`; a table of modes, families and kernels is made from them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

mode_tests! {
    vlan_v4_traffic: traffic(Vlan, V4);
    vlan_v6_traffic: traffic(Vlan, V6);
    vlan_dual_traffic: traffic(Vlan, Dual);
    vlan_v4_lifecycle: lifecycle(Vlan, V4);
    vlan_v6_lifecycle: lifecycle(Vlan, V6);
    vlan_dual_lifecycle: lifecycle(Vlan, Dual);
    vlan_dual_crashes: crashes(Vlan, Dual);
}

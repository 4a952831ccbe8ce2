//! Mode `policy_route`; the other test programs look closer. Test names are `<mode>_<family>_<scenario>`; a table of modes, families and kernels is made from them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

mode_tests! {
    policy_route_v4_traffic: traffic(PolicyRoute, V4);
    policy_route_v6_traffic: traffic(PolicyRoute, V6);
    policy_route_dual_traffic: traffic(PolicyRoute, Dual);
}

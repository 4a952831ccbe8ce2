//! Objects that come from JavaScript; the fields are those of `ts/model/src/attachment.ts`.

use napi_derive::napi;

/// One address family of a pod interface.
#[napi(object, object_to_js = false)]
pub struct FamilyAddress {
    pub address: String,
    pub prefix_length: f64,
    pub gateway: String,
}

/// What one pod interface must be.
#[napi(object, object_to_js = false)]
pub struct Attachment {
    pub id: String,
    pub generation: f64,
    #[napi(ts_type = "'policy_route' | 'ipvlan' | 'vlan' | 'exclusive' | 'netkit'")]
    pub mode: String,
    pub netns: String,
    pub if_name: String,
    pub host_if_name: String,
    pub mtu: f64,
    pub ipv4: Option<FamilyAddress>,
    pub ipv6: Option<FamilyAddress>,
    pub eni_mac: String,
    pub host_ipv4: Option<String>,
    pub host_ipv6: Option<String>,
    pub default_route: bool,
    pub extra_routes: Vec<String>,
    #[napi(ts_type = "'compact' | 'per_pod'")]
    pub rule_form: String,
    pub vlan_id: Option<f64>,
    pub trunk_gateway_ipv4: Option<String>,
    pub trunk_gateway_ipv6: Option<String>,
    pub multi_network: Option<bool>,
    /// False when absent.
    pub network_policy: Option<bool>,
    /// False when absent.
    pub fast_path: Option<bool>,
    pub own_groups: Option<bool>,
    pub host_stack_cidrs: Option<Vec<String>>,
    pub host_peer: Option<bool>,
    pub bandwidth: Option<Bandwidth>,
    #[napi(ts_type = "'tc' | 'edt'")]
    pub bandwidth_mode: Option<String>,
    #[napi(ts_type = "'guaranteed' | 'burstable' | 'best_effort'")]
    pub priority: Option<String>,
}

/// Limits in bytes per second.
#[napi(object, object_to_js = false)]
pub struct Bandwidth {
    pub ingress: Option<f64>,
    pub egress: Option<f64>,
}

/// What is known of an attachment that has to go.
#[napi(object, object_to_js = false)]
pub struct DetachTarget {
    pub id: String,
    pub netns: Option<String>,
    pub if_name: Option<String>,
    pub host_if_name: Option<String>,
    pub addresses: Vec<String>,
}

/// How to repair.
#[napi(object, object_to_js = false)]
pub struct RepairOptions {
    pub scan_interval_ms: f64,
    pub pods: bool,
}

/// Symmetric routing; what is absent has Terway's default.
#[napi(object, object_to_js = false)]
pub struct SymmetricRouting {
    pub interface: Option<String>,
    pub mark: Option<f64>,
    pub mask: Option<f64>,
    pub table_id: Option<f64>,
    pub rule_priority: Option<f64>,
    pub comment: Option<String>,
    #[napi(ts_type = "'iptables' | 'nftables'")]
    pub backend: Option<String>,
}

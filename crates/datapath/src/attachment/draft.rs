//! An attachment as it crosses the border: text and numbers, unchecked.

/// The text of an attachment as it crosses the border.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// See [`Attachment`](super::Attachment); all fields unchecked.
    pub id: String,
    /// Unchecked.
    pub generation: f64,
    /// Unchecked.
    pub mode: String,
    /// Unchecked.
    pub netns: String,
    /// Unchecked.
    pub if_name: String,
    /// Unchecked.
    pub host_if_name: String,
    /// Unchecked.
    pub mtu: f64,
    /// Unchecked.
    pub ipv4: Option<DraftFamily>,
    /// Unchecked.
    pub ipv6: Option<DraftFamily>,
    /// Unchecked.
    pub eni_mac: String,
    /// Unchecked.
    pub host_ipv4: Option<String>,
    /// Unchecked.
    pub host_ipv6: Option<String>,
    /// Unchecked.
    pub default_route: bool,
    /// Unchecked.
    pub extra_routes: Vec<String>,
    /// Unchecked.
    pub rule_form: String,
    /// Unchecked.
    pub vlan_id: Option<f64>,
    /// Unchecked.
    pub trunk_gateway_ipv4: Option<String>,
    /// Unchecked.
    pub trunk_gateway_ipv6: Option<String>,
    /// Unchecked.
    pub own_groups: bool,
    /// Unchecked.
    pub multi_network: bool,
    /// Unchecked.
    pub host_stack: Vec<String>,
    /// Unchecked; true when none.
    pub host_peer: Option<bool>,
    /// Unchecked, bytes per second.
    pub ingress: Option<f64>,
    /// Unchecked, bytes per second.
    pub egress: Option<f64>,
    /// Unchecked; `tc` when none.
    pub bandwidth_mode: Option<String>,
    /// Unchecked.
    pub priority: Option<String>,
    /// Unchecked.
    pub network_policy: bool,
    /// Unchecked.
    pub fast_path: bool,
}

/// The text of one address family.
#[derive(Clone, Debug, Default)]
pub struct DraftFamily {
    /// Unchecked.
    pub address: String,
    /// Unchecked.
    pub prefix_length: f64,
    /// Unchecked.
    pub gateway: String,
}

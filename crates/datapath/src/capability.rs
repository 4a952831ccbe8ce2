//! What the running kernel can do, found out by doing it: each feature is made and taken away again in a namespace that nobody else sees.
//! Versions say little (distributions leave out and add), and a module that loads on demand counts as there.

use std::fmt;

/// Something a kernel may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feature {
    /// veth pairs.
    Veth,
    /// IPvlan slaves in L2 mode.
    Ipvlan,
    /// 802.1Q links.
    Vlan,
    /// netkit pairs in L3 mode.
    Netkit,
    /// netkit pairs that keep mark and priority on their way (`IFLA_NETKIT_SCRUB`).
    NetkitScrub,
    /// The qdisc that classifiers at ingress and egress hang on.
    Clsact,
    /// Loading BPF classifiers at all.
    Bpf,
    /// BPF classifiers on `Clsact`.
    ClsBpf,
    /// Token bucket qdisc.
    Tbf,
    /// `ifb` and the action that redirects to it (`mirred`): what a device receives can wait in a queue.
    Ifb,
    /// Fair queueing qdisc, which keeps departure times.
    Fq,
    /// Priority qdisc.
    Prio,
    /// One qdisc for each hardware queue.
    Mq,
    /// The IPv6 family.
    Ipv6,
    /// IPv6 routes with a source prefix (`CONFIG_IPV6_SUBTREES`).
    Ipv6SourceRoutes,
    /// Rules that ignore answers with short prefixes.
    RuleSuppressPrefixLength,
    /// Rules that jump to other rules.
    RuleGoto,
    /// nftables.
    Nftables,
}

impl Feature {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 18] = [
        Self::Veth,
        Self::Ipvlan,
        Self::Vlan,
        Self::Netkit,
        Self::NetkitScrub,
        Self::Clsact,
        Self::Bpf,
        Self::ClsBpf,
        Self::Tbf,
        Self::Ifb,
        Self::Fq,
        Self::Prio,
        Self::Mq,
        Self::Ipv6,
        Self::Ipv6SourceRoutes,
        Self::RuleSuppressPrefixLength,
        Self::RuleGoto,
        Self::Nftables,
    ];

    /// The name that crosses the border.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Veth => "veth",
            Self::Ipvlan => "ipvlan",
            Self::Vlan => "vlan",
            Self::Netkit => "netkit",
            Self::NetkitScrub => "netkitScrub",
            Self::Clsact => "clsact",
            Self::Bpf => "bpf",
            Self::ClsBpf => "clsBpf",
            Self::Tbf => "tbf",
            Self::Ifb => "ifb",
            Self::Fq => "fq",
            Self::Prio => "prio",
            Self::Mq => "mq",
            Self::Ipv6 => "ipv6",
            Self::Ipv6SourceRoutes => "ipv6SourceRoutes",
            Self::RuleSuppressPrefixLength => "ruleSuppressPrefixLength",
            Self::RuleGoto => "ruleGoto",
            Self::Nftables => "nftables",
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the running kernel can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelCapabilities {
    /// `uname -r`
    pub release: String,
    /// Each feature, and what the kernel said where it refused.
    pub features: Vec<(Feature, Result<(), String>)>,
}

impl KernelCapabilities {
    /// True if the kernel can do it.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.iter().any(|(each, state)| *each == feature && state.is_ok())
    }
}

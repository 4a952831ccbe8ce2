//! Layouts of the eBPF maps: what stands in them byte by byte, once for the kernel programs (`ebpf/`) and for user space (`crates/bpf`).
//!
//! Every record has spare bytes, written as zero: a later version may give them a meaning without changing the size, so that versions of the
//! daemon can follow each other on the same maps. A change of size or of a field's meaning raises [`LAYOUT`].
#![cfg_attr(not(test), no_std)]

mod address;
mod counter;
mod endpoint;
mod eni;
mod fabric;
mod flow;
#[cfg(feature = "user")]
mod pod;
mod policy;
mod prefix;
mod schema;
mod verdict;

pub use address::Address;
pub use counter::{Count, Reason};
pub use endpoint::{Class, Endpoint, EndpointFlags};
pub use eni::{Eni, EniFlags, VlanLink, VlanLinkKey};
pub use fabric::{FabricFloor, FabricMember, FabricReason, FabricTrunkKey};
pub use flow::{Direction, FORWARDED, Flow, FlowFlags, FlowKey, FlowState, Fragment, FragmentKey, Path};
pub use policy::{PeerClass, Pod, PodFlags, PolicyKey, Set, SetFlags, Settings, SettingsFlags, slot};
pub use prefix::Prefix;
pub use schema::{Field, SCHEMAS, Schema};
pub use verdict::{Sample, VerdictKey};

/// Version of all layouts in this crate; part of the directory that maps and programs are pinned in.
pub const LAYOUT: u32 = if cfg!(feature = "other-layout") { 1000 + 2 } else { 2 };

/// What records of the other layout have ahead of their first field, in bytes.
const AHEAD: usize = if cfg!(feature = "other-layout") { 8 } else { 0 };

/// Bit of a packet's mark: it was for an address of the node when the pod sent it. What the node translates and sends on (a `NodePort` whose endpoint is elsewhere)
/// leaves as the node's own, not by the pod's ENI. Away from the bits of kube-proxy (0x4000, 0x8000), Calico (0xffff0000), Cilium (0xf00) and symmetric routing (0x10).
pub const NODE_MARK: u32 = 0x2000;

/// Names of the maps as they stand in the object file and in the pin directory. The kernel cuts names after 15 bytes.
pub mod map {
    /// [`Address`](crate::Address) → [`Endpoint`](crate::Endpoint), hash.
    pub const ENDPOINTS: &str = "ENDPOINTS";
    /// ifindex (`u32`) → [`Eni`](crate::Eni), hash.
    pub const ENIS: &str = "ENIS";
    /// [`VlanLinkKey`](crate::VlanLinkKey) → [`VlanLink`](crate::VlanLink), hash.
    pub const VLAN_LINKS: &str = "VLAN_LINKS";
    /// [`Prefix`](crate::Prefix) of what pods reach by the node's stack only → `u32` (reserved, zero), longest prefix match.
    pub const HOST_STACK: &str = "HOST_STACK";
    /// [`Endpoint::id`](crate::Endpoint::id) → departure time of its last paced packet (`u64`, ns of the monotonic clock), LRU hash.
    pub const DEPARTURES: &str = "DEPARTURES";
    /// [`Reason`](crate::Reason) → [`Count`](crate::Count), array with a value per processor.
    pub const COUNTERS: &str = "COUNTERS";

    /// [`slot`](crate::slot) (`u32`) → [`Pod`](crate::Pod), hash.
    pub const PODS: &str = "PODS";
    /// Number of a set (`u64`, a hash of its content; 0 is none) → [`Set`](crate::Set), hash.
    pub const SETS: &str = "SETS";
    /// [`PolicyKey`](crate::PolicyKey) → number of the rule (`u32`), hash.
    pub const POLICY: &str = "POLICY";
    /// [`Address`](crate::Address) of a pod of the cluster → its class (`u64`), hash.
    pub const PEERS: &str = "PEERS";
    /// [`Prefix`](crate::Prefix) → class (`u64`) of the addresses in it that are no pod's, longest prefix match.
    pub const BLOCKS: &str = "BLOCKS";
    /// [`Address`](crate::Address) of the node itself → `u32` (reserved, zero), hash.
    pub const HOST_ADDRS: &str = "HOST_ADDRS";
    /// [`Prefix`](crate::Prefix) of Service addresses that the node translates → `u32` (reserved, zero), longest prefix match.
    pub const SERVICES: &str = "SERVICES";
    /// [`FlowKey`](crate::FlowKey) → [`Flow`](crate::Flow), LRU hash.
    pub const FLOWS: &str = "FLOWS";
    /// [`FragmentKey`](crate::FragmentKey) → [`Fragment`](crate::Fragment), LRU hash.
    pub const FRAGMENTS: &str = "FRAGMENTS";
    /// [`VerdictKey`](crate::VerdictKey) → [`Count`](crate::Count), LRU hash with a value per processor.
    pub const VERDICTS: &str = "VERDICTS";
    /// 0 → [`Settings`](crate::Settings), array.
    pub const SETTINGS: &str = "SETTINGS";
    /// [`Sample`](crate::Sample), ring buffer.
    pub const SAMPLES: &str = "SAMPLES";
    /// The programs' own room, array with a value per processor.
    pub const SCRATCH: &str = "SCRATCH";

    /// All of them.
    pub const ALL: [&str; 19] = [
        ENDPOINTS, ENIS, VLAN_LINKS, HOST_STACK, DEPARTURES, COUNTERS, PODS, SETS, POLICY, PEERS, BLOCKS, HOST_ADDRS, SERVICES,
        FLOWS, FRAGMENTS, VERDICTS, SETTINGS, SAMPLES, SCRATCH,
    ];
}

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
#[cfg(feature = "user")]
mod pod;
mod prefix;

pub use address::Address;
pub use counter::{Count, Reason};
pub use endpoint::{Class, Endpoint, EndpointFlags};
pub use eni::{Eni, EniFlags, VlanLink, VlanLinkKey};
pub use fabric::{FabricMember, FabricReason, FabricTrunkKey};
pub use prefix::Prefix;

/// Version of all layouts in this crate; part of the directory that maps and programs are pinned in.
pub const LAYOUT: u32 = 1;

/// Names of the maps as they stand in the object file and in the pin directory. The kernel cuts names after 15 bytes.
pub mod map {
    /// [`Address`](crate::Address) → [`Endpoint`](crate::Endpoint), hash.
    pub const ENDPOINTS: &str = "ENDPOINTS";
    /// ifindex (`u32`) → [`Eni`](crate::Eni), hash.
    pub const ENIS: &str = "ENIS";
    /// [`VlanLinkKey`](crate::VlanLinkKey) → [`VlanLink`](crate::VlanLink), hash.
    pub const VLAN_LINKS: &str = "VLAN_LINKS";
    /// [`Prefix`](crate::Prefix) → `u32` (reserved, zero), longest prefix match.
    pub const HOST_STACK: &str = "HOST_STACK";
    /// [`Endpoint::id`](crate::Endpoint::id) → departure time of its last paced packet (`u64`, ns of the monotonic clock), LRU hash.
    pub const DEPARTURES: &str = "DEPARTURES";
    /// [`Reason`](crate::Reason) → [`Count`](crate::Count), array with a value per processor.
    pub const COUNTERS: &str = "COUNTERS";

    /// All of them.
    pub const ALL: [&str; 6] = [ENDPOINTS, ENIS, VLAN_LINKS, HOST_STACK, DEPARTURES, COUNTERS];
}

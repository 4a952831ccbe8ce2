//! What the kernel programs read, as objects: wanted, seen, written and removed like everything else.

use std::net::IpAddr;

use terway_bpf::{Endpoint, Eni, VlanLink, VlanLinkKey};

use super::Prefix;

/// One record of the programs' maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// How packets of a pod's address leave.
    Endpoint(IpAddr, Endpoint),
    /// An ENI that the programs work on, by interface index.
    Eni(u32, Eni),
    /// A pod's 802.1Q link on an ENI that the programs work on.
    VlanLink(VlanLinkKey, VlanLink),
    /// What pods reach by the node's stack only.
    HostStack(Prefix),
    /// The pod with this number may do everything, unless NetworkPolicy says more about it.
    Tracked(u32),
}

/// What a record is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordKey {
    /// A pod's address.
    Endpoint(IpAddr),
    /// An interface index.
    Eni(u32),
    /// An interface index and a VLAN id.
    VlanLink(VlanLinkKey),
    /// A prefix.
    HostStack(Prefix),
    /// A pod's number.
    Tracked(u32),
}

impl Record {
    /// What it is found by.
    pub fn key(&self) -> RecordKey {
        match self {
            Self::Endpoint(address, _) => RecordKey::Endpoint(*address),
            Self::Eni(index, _) => RecordKey::Eni(*index),
            Self::VlanLink(key, _) => RecordKey::VlanLink(*key),
            Self::HostStack(prefix) => RecordKey::HostStack(*prefix),
            Self::Tracked(endpoint) => RecordKey::Tracked(*endpoint),
        }
    }
}

//! What was seen in one network namespace, in the terms of one attachment.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::object::{
    Address, Device, Family, Filter, Mac, Neighbour, Qdisc, Record, Redirect, Route, Rule, SysctlKey, SysctlScope,
};

/// The per-link sysctls the kernel sends along with a link; absent where the family is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkSysctls {
    /// `net.ipv4.conf.X.forwarding`
    pub forwarding4: Option<i32>,
    /// `net.ipv4.conf.X.rp_filter`
    pub rp_filter: Option<i32>,
    /// `net.ipv4.conf.X.accept_local`
    pub accept_local: Option<i32>,
    /// `net.ipv6.conf.X.forwarding`
    pub forwarding6: Option<i32>,
    /// `net.ipv6.conf.X.accept_ra`
    pub accept_ra: Option<i32>,
    /// `net.ipv6.conf.X.disable_ipv6`
    pub disable_ipv6: Option<i32>,
    /// `net.ipv6.conf.X.accept_dad`
    pub accept_dad: Option<i32>,
    /// `net.ipv6.conf.X.use_oif_addrs_only`
    pub use_oif_addrs_only: Option<i32>,
}

/// A link as the kernel describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedLink {
    /// Interface index.
    pub index: u32,
    /// Name.
    pub name: String,
    /// `IFF_UP`.
    pub up: bool,
    /// `IFF_LOOPBACK`.
    pub loopback: bool,
    /// It asks for MACs (`IFF_NOARP` is off).
    pub arp: bool,
    /// Operational state is `up`: the kernel has activated its queues, so that a packet sent now is not dropped.
    pub operational: bool,
    /// MTU.
    pub mtu: u32,
    /// Ethernet address, if it has one.
    pub mac: Option<Mac>,
    /// Alternative names (Linux 5.5).
    pub alternative_names: Vec<String>,
    /// How an XDP program is attached (`XDP_ATTACHED_*`); 0 for none.
    pub xdp: u8,
    /// Interface alias.
    pub alias: Option<String>,
    /// Device group.
    pub group: u32,
    /// Kind of a virtual link, `veth` for instance; none for hardware.
    pub kind: Option<String>,
    /// VLAN id of an 802.1Q link.
    pub vlan_id: Option<u16>,
    /// Index of the peer or lower link.
    pub peer_index: Option<u32>,
    /// The peer lives in another network namespace.
    pub peer_elsewhere: bool,
    /// Queues that it sends through.
    pub queues: u32,
    /// Kind of its root qdisc.
    pub root_qdisc: String,
    /// Index of the bridge or bond above it.
    pub controller: Option<u32>,
    /// Per-link sysctls.
    pub sysctls: LinkSysctls,
}

impl ObservedLink {
    fn sysctl(&self, family: Family, name: &str) -> Option<i32> {
        match (family, name) {
            (Family::V4, "forwarding") => self.sysctls.forwarding4,
            (Family::V4, "rp_filter") => self.sysctls.rp_filter,
            (Family::V4, "accept_local") => self.sysctls.accept_local,
            (Family::V6, "forwarding") => self.sysctls.forwarding6,
            (Family::V6, "accept_ra") => self.sysctls.accept_ra,
            (Family::V6, "disable_ipv6") => self.sysctls.disable_ipv6,
            (Family::V6, "accept_dad") => self.sysctls.accept_dad,
            (Family::V6, "use_oif_addrs_only") => self.sysctls.use_oif_addrs_only,
            _ => None,
        }
    }
}

/// Everything seen in one namespace that can concern one attachment. Devices are named by their part in it where they have one.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Links by part.
    pub links: HashMap<Device, ObservedLink>,
    /// Addresses.
    pub addresses: Vec<Address>,
    /// Routes.
    pub routes: Vec<Route>,
    /// Rules.
    pub rules: Vec<Rule>,
    /// Neighbours.
    pub neighbours: Vec<Neighbour>,
    /// Qdiscs of the devices where some are wanted, or where the link shows one of a kind of ours.
    pub qdiscs: Vec<Qdisc>,
    /// Masqueraded sources.
    pub masquerade: Vec<IpAddr>,
    /// What stands at the place of our filters.
    pub filters: Vec<Filter>,
    /// What stands at the place of our redirects.
    pub redirects: Vec<Redirect>,
    /// Records of the kernel programs.
    pub records: Vec<Record>,
    /// Sysctls of `all` and `default`.
    pub sysctls: HashMap<SysctlKey, i32>,
}

impl Observed {
    /// The value of a sysctl, if it was seen.
    pub fn sysctl(&self, key: &SysctlKey) -> Option<i32> {
        match key.scope {
            SysctlScope::Device(device) => self.links.get(&device)?.sysctl(key.family, key.name),
            SysctlScope::All | SysctlScope::Default => self.sysctls.get(key).copied(),
        }
    }

    /// The part of the device with this index, or the index itself.
    pub fn device(&self, index: u32) -> Device {
        let part = self.links.iter().find(|(_, link)| link.index == index);
        part.map_or(Device::Index(index), |(device, _)| *device)
    }
}

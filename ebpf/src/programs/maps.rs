//! The maps. Names, keys and values are `terway_abi`'s.

use aya_ebpf::{
    macros::map,
    maps::{HashMap, LpmTrie, LruHashMap, PerCpuArray},
    programs::TcContext,
};
use terway_abi::{Address, Count, Endpoint, Eni, Prefix, Reason, VlanLink, VlanLinkKey};

/// `BPF_F_NO_PREALLOC`: memory for the records there are, not for those there could be.
const NO_PREALLOC: u32 = 1;

#[map]
pub static ENDPOINTS: HashMap<Address, Endpoint> = HashMap::with_max_entries(8192, NO_PREALLOC);
#[map]
pub static ENIS: HashMap<u32, Eni> = HashMap::with_max_entries(256, NO_PREALLOC);
#[map]
pub static VLAN_LINKS: HashMap<VlanLinkKey, VlanLink> = HashMap::with_max_entries(1024, NO_PREALLOC);
#[map]
pub static HOST_STACK: LpmTrie<Prefix, u32> = LpmTrie::with_max_entries(1024, NO_PREALLOC);
/// The oldest entry goes when it is full: a pod that sent nothing for long owes no waiting time.
#[map]
pub static DEPARTURES: LruHashMap<u32, u64> = LruHashMap::with_max_entries(8192, 0);
#[map]
pub static COUNTERS: PerCpuArray<Count> = PerCpuArray::with_max_entries(Reason::SLOTS, 0);

/// Adds the packet to what happened to it.
#[inline(always)]
pub fn count(ctx: &TcContext, reason: Reason) {
    if let Some(count) = COUNTERS.get_ptr_mut(reason as u32) {
        // SAFETY: the slot is this processor's, and programs on a hook do not interrupt one another on one processor.
        unsafe {
            (*count).packets += 1;
            (*count).bytes += u64::from(ctx.len());
        }
    }
}

/// The record of an address. It may change while it is read; each field by itself is whole.
#[inline(always)]
pub fn endpoint(address: Address) -> Option<&'static Endpoint> {
    // SAFETY: records are freed only after every running program has ended (RCU).
    unsafe { ENDPOINTS.get(address) }
}

/// The record of an ENI.
#[inline(always)]
pub fn eni(ifindex: u32) -> Option<&'static Eni> {
    // SAFETY: as in `endpoint`.
    unsafe { ENIS.get(ifindex) }
}

/// Has a pod a VLAN link with this tag on the trunk?
#[inline(always)]
pub fn is_vlan_link(eni: u32, vlan: u16) -> bool {
    // SAFETY: as in `endpoint`.
    unsafe { VLAN_LINKS.get(VlanLinkKey { eni, vlan, reserved: 0 }) }.is_some()
}

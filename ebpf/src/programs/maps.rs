//! The maps. Names, keys and values are `terway_abi`'s.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap, LpmTrie, LruHashMap, LruPerCpuHashMap, PerCpuArray, RingBuf},
    programs::TcContext,
};
use terway_abi::{
    Address, Count, Endpoint, Eni, Flow, FlowKey, Fragment, FragmentKey, Pod, PolicyKey, Prefix, Reason, Set, Settings,
    VerdictKey, VlanLink, VlanLinkKey,
};

use crate::scratch::{Room, Scratch};

/// `BPF_F_NO_PREALLOC`: memory for the records there are, not for those there could be.
const NO_PREALLOC: u32 = 1;
/// `BPF_F_NO_COMMON_LRU`: each processor gives up its own oldest record, without a lock that all share.
const NO_COMMON_LRU: u32 = 2;

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

#[map]
pub static PODS: HashMap<u32, Pod> = HashMap::with_max_entries(8192, NO_PREALLOC);
#[map]
pub static SETS: HashMap<u64, Set> = HashMap::with_max_entries(8192, NO_PREALLOC);
#[map]
pub static POLICY: HashMap<PolicyKey, u32> = HashMap::with_max_entries(262_144, NO_PREALLOC);
#[map]
pub static PEERS: HashMap<Address, u64> = HashMap::with_max_entries(524_288, NO_PREALLOC);
#[map]
pub static BLOCKS: LpmTrie<Prefix, u64> = LpmTrie::with_max_entries(65_536, NO_PREALLOC);
#[map]
pub static HOST_ADDRS: HashMap<Address, u32> = HashMap::with_max_entries(4096, NO_PREALLOC);
#[map]
pub static SERVICES: LpmTrie<Prefix, u32> = LpmTrie::with_max_entries(16_384, NO_PREALLOC);
/// Memory for all of them is taken at once: 18 MiB. Flows that are used stay when others come.
#[map]
pub static FLOWS: LruHashMap<FlowKey, Flow> = LruHashMap::with_max_entries(131_072, NO_COMMON_LRU);
#[map]
pub static FRAGMENTS: LruHashMap<FragmentKey, Fragment> = LruHashMap::with_max_entries(8192, 0);
#[map]
pub static VERDICTS: LruPerCpuHashMap<VerdictKey, Count> = LruPerCpuHashMap::with_max_entries(8192, 0);
#[map]
pub static SETTINGS: Array<Settings> = Array::with_max_entries(1, 0);
#[map]
pub static SAMPLES: RingBuf = RingBuf::with_byte_size(256 << 10, 0);
#[map]
pub static SCRATCH: PerCpuArray<Room> = PerCpuArray::with_max_entries(1, 0);

/// Adds the packet to what happened to it.
#[inline(always)]
pub fn count(ctx: &TcContext, reason: Reason) {
    add(reason, ctx.len());
}

/// Adds a packet of so many bytes to what happened to it.
#[inline(always)]
pub fn add(reason: Reason, bytes: u32) {
    if let Some(count) = COUNTERS.get_ptr_mut(reason as u32) {
        // SAFETY: the slot is this processor's, and programs on a hook do not interrupt one another on one processor.
        unsafe {
            (*count).packets += 1;
            (*count).bytes += u64::from(bytes);
        }
    }
}

/// The record of an address. It may change while it is read; each field by itself is whole.
#[inline(always)]
pub fn endpoint(address: Address) -> Option<&'static Endpoint> {
    // SAFETY: records are freed only after every running program has ended (RCU).
    unsafe { ENDPOINTS.get(address) }
}

/// What a pod may do.
#[inline(always)]
pub fn pod(slot: u32) -> Option<&'static Pod> {
    // SAFETY: as in `endpoint`.
    unsafe { PODS.get(slot) }
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

/// This processor's room.
#[inline(always)]
pub fn scratch() -> Option<&'static mut Scratch> {
    // SAFETY: see the type; the pointer is used for the time of one program.
    SCRATCH.get_ptr_mut(0).map(|room| unsafe { &mut (*room).scratch })
}

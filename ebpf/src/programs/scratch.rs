//! Room that a program's stack has not: what is known of the packet that is worked on. Data alone; [`crate::maps::scratch`] hands it out.

use aya_ebpf::maps::lpm_trie::Key;
use terway_abi::{Address, Flow, FlowKey, Path, PolicyKey, Prefix, VerdictKey};
use terway_ebpf::packet::Packet;

/// One for each processor: programs on a hook do not interrupt one another on one processor.
#[repr(C)]
pub struct Scratch {
    /// The packet.
    pub packet: Packet,
    /// Key of its flow.
    pub key: FlowKey,
    /// Key of the flow of its sender, if that is a pod of this node too.
    pub sender: FlowKey,
    /// A flow on its way into the map.
    pub flow: Flow,
    /// What is asked for.
    pub question: Question,
    /// The entry that is looked for.
    pub entry: PolicyKey,
    /// The address that is looked for.
    pub prefix: Key<Prefix>,
    /// The verdict that is counted.
    pub verdict: VerdictKey,
    /// Begin of the current window of samples.
    pub sampled_since: u64,
    /// Samples in it.
    pub sampled: u32,
    /// Not 0: the pod's side of the packet has one of its addresses.
    pub own: u32,
    /// Where the packet goes.
    pub way: Way,
    /// The tick of the kernel's in which [`Scratch::now`] was read.
    pub tick: u64,
    /// See [`crate::policy::flow::now`].
    pub now: u64,
    /// Whose packet was refused, where that is not the program's own pod.
    pub refused: u32,
}

/// May a remote be talked to?
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Question {
    /// The set that decides.
    pub set: u64,
    /// Who it is.
    pub remote: Address,
    /// Port on the side of the server.
    pub port: u16,
    /// IP protocol.
    pub protocol: u8,
    reserved: u8,
    /// Not 0: the port is not known, and only what allows every port decides.
    pub portless: u32,
    /// Not 0: the remote has no class.
    pub unclassified: u32,
    reserved_too: u32,
}

/// What is known of the path of the packet that is worked on.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Way {
    /// See [`Path::ENI`].
    pub next_hop: Address,
    /// See [`Path::ENI`].
    pub index: u32,
    /// A [`Path`].
    pub path: u32,
    /// Not 0: a path is to be found, [`BEGUN`] or [`STALE`].
    pub due: u32,
    /// Not 0: the packet is no fragment. One that is goes by the stack, and says nothing of its flow.
    pub whole: u32,
}

/// [`Way::due`]: the flow has begun with this packet, and has no path yet.
pub const BEGUN: u32 = 1;
/// [`Way::due`]: its path was found a second ago or more.
pub const STALE: u32 = 2;

impl Way {
    /// By the stack, unless more is found out.
    #[inline(always)]
    pub fn reset(&mut self, whole: bool) {
        self.path = u32::from(Path::STACK);
        self.due = 0;
        self.whole = u32::from(whole);
    }
}

/// What the map holds: its size is part of the map's shape, which all builds of a layout share.
#[repr(C)]
pub struct Room {
    /// Its beginning.
    pub scratch: Scratch,
    rest: [u8; 1024 - size_of::<Scratch>()],
}

//! What was decided: counted by rule, and samples of what was dropped.

use crate::Address;

/// Whose packets, and what decided.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerdictKey {
    /// [`Pod::id`](crate::Pod::id).
    pub endpoint: u32,
    /// Number of the rule that allowed it; 0: denied.
    pub rule: u32,
    /// A [`Direction`](crate::Direction).
    pub direction: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<VerdictKey>() == 12 && align_of::<VerdictKey>() == 4);

/// A packet that was dropped.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// When, ns of the monotonic clock.
    pub time: u64,
    /// [`Pod::id`](crate::Pod::id).
    pub endpoint: u32,
    /// A [`Reason`](crate::Reason).
    pub reason: u32,
    /// From; zero as far as the packet could not be read.
    pub source: Address,
    /// To.
    pub destination: Address,
    /// Source port, in the processor's order.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// IP protocol.
    pub protocol: u8,
    /// A [`Direction`](crate::Direction).
    pub direction: u8,
    /// Flags of TCP.
    pub tcp_flags: u8,
    /// Zero.
    pub reserved: u8,
    /// Bytes of the packet, link header included.
    pub length: u32,
    /// Zero.
    pub spare: u32,
}

const _: () = assert!(size_of::<Sample>() == 64 && align_of::<Sample>() == 8);

impl Sample {
    /// Most samples of one processor in one [`Self::WINDOW`].
    pub const BURST: u32 = 64;
    /// In ns.
    pub const WINDOW: u64 = 1_000_000_000;
}

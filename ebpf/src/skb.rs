//! The socket buffer's fields that aya-ebpf has no names for.

use aya_ebpf::programs::TcContext;

/// The program has no opinion: the next filter on the hook decides, and without one the packet passes. `TC_ACT_UNSPEC`, and tcx's `NEXT`.
pub const CONTINUE: i32 = -1;
/// `TC_ACT_SHOT`.
pub const DROP: i32 = 2;

/// `PACKET_HOST` and `PACKET_OTHERHOST` of linux/if_packet.h.
pub const PACKET_HOST: u32 = 0;
/// See [`PACKET_HOST`].
pub const PACKET_OTHERHOST: u32 = 3;

macro_rules! field {
    ($(#[$doc:meta] $name:ident)*) => {$(
        #[$doc]
        #[inline(always)]
        #[must_use]
        pub fn $name(ctx: &TcContext) -> u32 {
            // SAFETY: the kernel hands a valid context to the program for the time it runs.
            unsafe { (*ctx.skb.skb).$name }
        }
    )*};
}

field! {
    /// Interface on whose hook the program runs.
    ifindex
    /// Class id of the filter that runs the program, 16 bits of it.
    tc_classid
    /// Not 0: a tag stands beside the frame, taken out of it by the kernel or by the card.
    vlan_present
    /// That tag.
    vlan_tci
    /// For whom the link layer takes the frame.
    pkt_type
    /// Bytes on the wire: of a large segment all its packets with their headers. 0 on the way in.
    wire_len
    /// Not 0: a large segment, and payload bytes of each of its packets.
    gso_size
    /// What an earlier program said about the packet.
    tc_index
}

/// Departure time, in ns of the monotonic clock; 0 is none. Before Linux 5.18 and without a pacing sender it may hold a time of arrival.
#[inline(always)]
#[must_use]
pub fn departure(ctx: &TcContext) -> u64 {
    // SAFETY: as in `field`.
    unsafe { (*ctx.skb.skb).tstamp }
}

/// Sets the departure time, which `fq` keeps.
#[inline(always)]
pub fn set_departure(ctx: &TcContext, nanoseconds: u64) {
    // SAFETY: as in `field`; tc programs may write it since Linux 5.0.
    unsafe { (*ctx.skb.skb).tstamp = nanoseconds }
}

/// Adds bits to the mark, which policy rules read.
#[inline(always)]
pub fn add_mark(ctx: &TcContext, bits: u32) {
    // SAFETY: as in `field`.
    unsafe { (*ctx.skb.skb).mark |= bits }
}

/// Leaves a word for programs on later hooks; it stays with the packet when it is redirected.
#[inline(always)]
pub fn set_tc_index(ctx: &TcContext, value: u16) {
    // SAFETY: as in `field`.
    unsafe { (*ctx.skb.skb).tc_index = u32::from(value) }
}

/// Sets the priority, which `prio` maps to its bands.
#[inline(always)]
pub fn set_priority(ctx: &TcContext, priority: u32) {
    // SAFETY: as in `field`.
    unsafe { (*ctx.skb.skb).priority = priority }
}

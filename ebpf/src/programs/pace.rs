//! Earliest departure time: each packet of a limited pod is told when it may leave, and `fq` holds it until then. A pod owns one clock, which
//! all its packets move on by their time on the wire.

use aya_ebpf::{
    helpers::{bpf_ktime_get_ns, bpf_skb_ecn_set_ce},
    programs::TcContext,
};
use terway_abi::{Endpoint, EndpointFlags};
use terway_ebpf::skb;

use crate::maps::DEPARTURES;

const SECOND: u64 = 1_000_000_000;
/// Beyond this a packet is dropped: `fq`'s own horizon is ten seconds, and a queue that long helps nobody.
const HORIZON: u64 = 2 * SECOND;
/// A packet that has to wait longer tells its sender, if that is wanted and both ends speak ECN.
const MARK: u64 = SECOND / 20;

/// When a packet leaves.
pub enum Pace {
    /// No limit, or below it.
    Now,
    /// At the time it was given.
    Later,
    /// The same, and it tells its sender to slow down.
    Marked,
    /// Beyond the horizon.
    Never,
}

/// Two processors may read the same clock and send two packets in the time of one: fetching adds (Linux 5.12) are not to be had on 5.10,
/// and one pod's packets mostly leave from one processor.
#[inline(always)]
pub fn depart(ctx: &TcContext, endpoint: &Endpoint) -> Pace {
    let rate = endpoint.egress_rate;
    if rate == 0 {
        return Pace::Now;
    }
    // SAFETY: a plain call.
    let now = unsafe { bpf_ktime_get_ns() };
    // A sender that paces itself (TCP) has set a time; one far away is a time of arrival in another clock.
    let asked = match skb::departure(ctx) {
        asked if asked > now && asked - now < HORIZON => asked,
        _ => now,
    };
    let bytes = u64::from(match skb::wire_len(ctx) {
        0 => ctx.len(),
        bytes => bytes,
    });
    let took = bytes * SECOND / rate;
    let Some(clock) = DEPARTURES.get_ptr_mut(endpoint.id) else {
        let _ = DEPARTURES.insert(endpoint.id, asked, 0);
        return Pace::Now;
    };
    // SAFETY: an aligned word in the map; a lost race costs the time of one packet, see above.
    let next = unsafe { *clock } + took;
    if next <= asked {
        // SAFETY: as above.
        unsafe { *clock = asked };
        return Pace::Now;
    }
    if next - now >= HORIZON {
        return Pace::Never;
    }
    // SAFETY: as above.
    unsafe { *clock = next };
    skb::set_departure(ctx, next);
    // SAFETY: the context is the kernel's, and no pointer into the packet is kept.
    if endpoint.flags & EndpointFlags::ECN != 0 && next - now >= MARK && unsafe { bpf_skb_ecn_set_ce(ctx.skb.skb) } == 1 {
        return Pace::Marked;
    }
    Pace::Later
}

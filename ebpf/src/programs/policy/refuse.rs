//! What becomes of a packet that may not pass: it is counted, and a sample of it is kept.

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use terway_abi::{Direction, Reason, Sample};
use terway_ebpf::skb::DROP;

use crate::{
    maps::{SAMPLES, count},
    scratch::Scratch,
};

use super::{flow::now, judge::tally};

/// Drops the packet.
#[inline(never)]
pub fn refuse(skb: *mut __sk_buff, scratch: &mut Scratch, endpoint: u32, direction: Direction, reason: Reason) -> i32 {
    let ctx = TcContext::new(skb);
    count(&ctx, reason);
    if matches!(
        reason,
        Reason::DeniedIngress | Reason::DeniedEgress | Reason::FragmentUnknown | Reason::RelatedUnknown
    ) {
        tally(scratch, endpoint, direction, 0, ctx.len());
    }
    sample(&ctx, scratch, endpoint, direction, reason);
    DROP
}

#[inline(always)]
fn sample(ctx: &TcContext, scratch: &mut Scratch, endpoint: u32, direction: Direction, reason: Reason) {
    let time = now(scratch);
    if time.saturating_sub(scratch.sampled_since) >= Sample::WINDOW {
        scratch.sampled_since = time;
        scratch.sampled = 0;
    }
    if scratch.sampled >= Sample::BURST {
        return;
    }
    scratch.sampled += 1;
    let Some(mut room) = SAMPLES.reserve::<Sample>(0) else {
        return;
    };
    let tuple = &scratch.packet.tuple;
    room.write(Sample {
        time,
        endpoint,
        reason: reason as u32,
        source: tuple.source,
        destination: tuple.destination,
        source_port: tuple.source_port,
        destination_port: tuple.destination_port,
        protocol: tuple.protocol,
        direction: direction as u8,
        tcp_flags: tuple.tcp_flags,
        reserved: 0,
        length: ctx.len(),
        spare: 0,
    });
    room.submit(0);
}

//! NetworkPolicy on a pod's packets: `from_pod` and `to_pod` are one program, seen from its two ends.
//!
//! A packet of a known flow passes after one look-up. Anything else is a first packet: its source must be the pod's own, the node's traffic
//! passes, and the pod's set for the direction decides; what it allows becomes a flow.

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use terway_abi::{Direction, Pod, PodFlags, Reason, slot};
use terway_ebpf::{
    fresh,
    packet::{Kind, Packet},
    skb::{self, CONTINUE, DROP},
};

mod first;
pub mod flow;
mod fragment;
mod judge;
mod known;
mod refuse;
mod related;
mod sender;

pub use flow::epoch;
pub use judge::{is_ipv4, look_for, words};
pub use sender::leaves;

use crate::{
    maps::{pod, scratch},
    scratch::Scratch,
};
use refuse::refuse;

/// What does not change while a packet is judged.
#[derive(Clone, Copy)]
pub struct View {
    /// Whose hook it is, or who receives.
    pub pod: &'static Pod,
    now: u64,
    epoch: u32,
}

/// One program for both directions, compiled for each. What a pod sends and may send goes on to `send`, an ICMP error to `send_error`; they say where.
#[inline(always)]
pub fn run<const EGRESS: bool>(
    ctx: &TcContext,
    send: impl FnOnce(&TcContext, &mut Scratch, &View) -> i32,
    send_error: impl FnOnce(&TcContext, &mut Scratch, u32) -> i32,
) -> i32 {
    if EGRESS {
        // Only we say that.
        skb::set_tc_index(ctx, 0);
    }
    // A test run has no filter.
    let own_slot = match skb::tc_classid(ctx) {
        0 => skb::ifindex(ctx),
        slot => slot,
    };
    // Before anything that a change may write: a flow judged by what was before it must not bear its number.
    let epoch = epoch();
    let Some(pod) = pod(own_slot) else { return CONTINUE };
    let Some(scratch) = scratch() else { return DROP };
    let direction = own_direction::<EGRESS>();
    let kind = scratch.packet.read(ctx);
    scratch.way.reset(matches!(kind, Kind::Whole));
    let view = View {
        pod,
        now: flow::now(scratch),
        epoch,
    };
    match kind {
        Kind::Other => return CONTINUE,
        Kind::Truncated | Kind::Malformed if pod.flags & PodFlags::TRACK_ONLY != 0 => return CONTINUE,
        Kind::Truncated => return refuse(ctx.skb.skb, scratch, pod.id, direction, Reason::Truncated),
        Kind::Malformed => return refuse(ctx.skb.skb, scratch, pod.id, direction, Reason::Malformed),
        Kind::Link => return link::<EGRESS>(ctx, scratch, pod),
        Kind::Error => {
            let verdict = related::run::<EGRESS>(ctx, scratch, &view);
            return match EGRESS && verdict == CONTINUE {
                true => send_error(ctx, scratch, pod.id),
                false => verdict,
            };
        }
        Kind::First => fragment::remember(&scratch.packet),
        Kind::Later => fragment::recall(&mut scratch.packet),
        Kind::Whole => {}
    }
    match EGRESS {
        true => scratch.packet.tuple.of_sender(pod.id, &mut scratch.key),
        false => scratch.packet.tuple.of_receiver(pod.id, &mut scratch.key),
    }
    let known = match fresh(&scratch.packet.portless) {
        // What is on its way out of the node's stack to the pod has come by it.
        0 if EGRESS => known::run::<true, false>(ctx, scratch, &view),
        0 => known::run::<false, true>(ctx, scratch, &view),
        _ => None,
    };
    let verdict = match known {
        Some(verdict) => verdict,
        None => first::run::<EGRESS>(ctx, scratch, &view),
    };
    match EGRESS && verdict == CONTINUE && fresh(&scratch.way.whole) != 0 {
        true => send(ctx, scratch, &view),
        false => verdict,
    }
}

/// The verdict of a pod on a packet that is on its way to it past the stack, and so past the hook of its link. Of an IP packet that is whole.
#[inline(never)]
pub fn receive(skb: *mut __sk_buff, scratch: &mut Scratch, id: u32) -> i32 {
    let ctx = TcContext::new(skb);
    let epoch = epoch();
    scratch.way.reset(true);
    let Some(pod) = pod(slot(id)).filter(|pod| pod.id == id) else {
        return CONTINUE;
    };
    let view = View {
        pod,
        now: flow::now(scratch),
        epoch,
    };
    scratch.packet.tuple.of_receiver(id, &mut scratch.key);
    match known::run::<false, false>(&ctx, scratch, &view) {
        Some(verdict) => verdict,
        None => first::run::<false>(&ctx, scratch, &view),
    }
}

#[inline(always)]
const fn own_direction<const EGRESS: bool>() -> Direction {
    match EGRESS {
        true => Direction::Egress,
        false => Direction::Ingress,
    }
}

/// Who talks on the link with whom is no policy's affair; but only routers advertise themselves and send elsewhere.
#[inline(always)]
fn link<const EGRESS: bool>(ctx: &TcContext, scratch: &mut Scratch, pod: &Pod) -> i32 {
    const ADVERTISEMENT: u8 = 134;
    const REDIRECT: u8 = 137;
    match scratch.packet.tuple.icmp {
        ADVERTISEMENT | REDIRECT if EGRESS && pod.flags & PodFlags::TRACK_ONLY == 0 => {
            refuse(ctx.skb.skb, scratch, pod.id, Direction::Egress, Reason::Spoofed)
        }
        _ => CONTINUE,
    }
}

/// Link-local ICMPv6 between neighbours: echo, and discovery that is not [`Kind::Link`].
#[inline(always)]
fn is_link_local_icmp(packet: &Packet) -> bool {
    let [a, b, ..] = packet.tuple.source.0;
    packet.tuple.protocol == terway_ebpf::packet::protocol::ICMPV6 && a == 0xfe && b & 0xc0 == 0x80
}

//! NetworkPolicy on a pod's packets: `from_pod` and `to_pod` are one program, seen from its two ends.
//!
//! A packet of a known flow passes after one look-up. Anything else is a first packet: its source must be the pod's own, the node's traffic
//! passes, and the pod's set for the direction decides; what it allows becomes a flow.

use aya_ebpf::programs::TcContext;
use terway_abi::{Direction, Pod, PodFlags, Reason};
use terway_ebpf::{
    fresh,
    packet::{Kind, Packet},
    skb::{self, CONTINUE, DROP},
};

mod first;
mod flow;
mod fragment;
mod judge;
mod known;
mod refuse;
mod related;
mod scratch;
mod sender;

pub use scratch::{Room, Scratch};
pub use sender::leaves;

use crate::maps::pod;
use refuse::refuse;
use scratch::scratch;

/// What does not change while a packet is judged.
#[derive(Clone, Copy)]
struct View {
    pod: &'static Pod,
    now: u64,
    epoch: u32,
}

/// One program for both directions, compiled for each.
#[inline(always)]
pub fn run<const EGRESS: bool>(ctx: &TcContext) -> i32 {
    // A test run has no filter.
    let slot = match skb::tc_classid(ctx) {
        0 => skb::ifindex(ctx),
        slot => slot,
    };
    // Before anything that a change may write: a flow judged by what was before it must not bear its number.
    let epoch = flow::epoch();
    let Some(pod) = pod(slot) else { return CONTINUE };
    let Some(scratch) = scratch() else { return DROP };
    let direction = own_direction::<EGRESS>();
    let kind = scratch.packet.read(ctx);
    let view = View {
        pod,
        now: flow::now(),
        epoch,
    };
    match kind {
        Kind::Other => return CONTINUE,
        Kind::Truncated | Kind::Malformed if pod.flags & PodFlags::TRACK_ONLY != 0 => return CONTINUE,
        Kind::Truncated => return refuse(ctx.skb.skb, scratch, pod.id, direction, Reason::Truncated),
        Kind::Malformed => return refuse(ctx.skb.skb, scratch, pod.id, direction, Reason::Malformed),
        Kind::Link => return link::<EGRESS>(ctx, scratch, pod),
        Kind::Error => return related::run::<EGRESS>(ctx, scratch, &view),
        Kind::First => fragment::remember(&scratch.packet),
        Kind::Later => fragment::recall(&mut scratch.packet),
        Kind::Whole => {}
    }
    match EGRESS {
        true => scratch.packet.tuple.of_sender(pod.id, &mut scratch.key),
        false => scratch.packet.tuple.of_receiver(pod.id, &mut scratch.key),
    }
    if fresh(&scratch.packet.portless) == 0
        && let Some(verdict) = known::run::<EGRESS>(ctx, scratch, &view)
    {
        return verdict;
    }
    first::run::<EGRESS>(ctx, scratch, &view)
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

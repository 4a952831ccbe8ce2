//! First packets, and those that have no flow.

use aya_ebpf::programs::TcContext;
use terway_abi::{Direction, FlowFlags, FlowState, NODE_MARK, PodFlags, Reason};
use terway_ebpf::{
    fresh,
    packet::{Signal, protocol},
    skb::{CONTINUE, add_mark},
};

use crate::{
    maps::{HOST_ADDRS, SERVICES, count, endpoint},
    scratch::Scratch,
};

use super::{
    View,
    flow::{self, Begin},
    is_link_local_icmp,
    judge::{ALLOWED, UNCLASSIFIED, judge, look_for, tally},
    own_direction,
    refuse::refuse,
    sender,
};

#[inline(always)]
pub fn run<const EGRESS: bool>(ctx: &TcContext, scratch: &mut Scratch, view: &View) -> i32 {
    let pod = view.pod;
    let skb = ctx.skb.skb;
    let direction = own_direction::<EGRESS>();
    if is_link_local_icmp(&scratch.packet) {
        return CONTINUE;
    }
    scratch.own = u32::from(matches!(endpoint(scratch.key.local), Some(own) if own.id == pod.id));
    let track_only = pod.flags & PodFlags::TRACK_ONLY != 0;
    if EGRESS && fresh(&scratch.own) == 0 {
        return match track_only {
            true => CONTINUE,
            false => refuse(skb, scratch, pod.id, direction, Reason::Spoofed),
        };
    }
    // A pod may talk to itself, and with its node; neither needs a flow.
    let remote = &scratch.key.remote;
    if matches!(endpoint(*remote), Some(own) if own.id == pod.id) {
        return CONTINUE;
    }
    // SAFETY: records are freed only after every running program has ended (RCU).
    if unsafe { HOST_ADDRS.get(remote) }.is_some() {
        if EGRESS {
            add_mark(ctx, NODE_MARK);
        }
        return CONTINUE;
    }
    if track_only {
        if is_kept(scratch) {
            learn(scratch, direction, view);
        }
        return CONTINUE;
    }
    if pod.flags & PodFlags::HELD != 0 {
        return refuse(skb, scratch, pod.id, direction, Reason::Held);
    }
    if EGRESS && is_service(scratch) {
        if is_kept(scratch) {
            let begin = Begin {
                opened: direction as u8,
                flags: FlowFlags::DEFERRED,
                state: flow::state(scratch),
                rule: 0,
            };
            flow::keep(scratch, false, begin, view.now, view.epoch);
        }
        return CONTINUE;
    }
    if !EGRESS && !sender::may_send(scratch, view.epoch, view.now) {
        return refuse(skb, scratch, scratch.refused, Direction::Egress, Reason::DeniedEgress);
    }
    let set = match EGRESS {
        true => pod.egress_set,
        false => pod.ingress_set,
    };
    let mut rule = 0;
    if set != 0 {
        scratch.question.set = set;
        scratch.question.remote = scratch.key.remote;
        scratch.question.port = match EGRESS {
            true => scratch.key.remote_port,
            false => scratch.key.local_port,
        };
        scratch.question.protocol = scratch.key.protocol;
        scratch.question.portless = scratch.packet.portless;
        let answer = judge(scratch);
        if answer & ALLOWED == 0 {
            if answer & UNCLASSIFIED != 0 {
                count(ctx, Reason::Unclassified);
            }
            let reason = match (scratch.packet.portless != 0, EGRESS) {
                (true, _) => Reason::FragmentUnknown,
                (false, true) => Reason::DeniedEgress,
                (false, false) => Reason::DeniedIngress,
            };
            return refuse(skb, scratch, pod.id, direction, reason);
        }
        rule = answer as u32;
        tally(scratch, pod.id, direction, rule, ctx.len());
    }
    if is_kept(scratch) {
        let begin = Begin {
            opened: direction as u8,
            flags: 0,
            state: flow::state(scratch),
            rule,
        };
        flow::keep(scratch, false, begin, view.now, view.epoch);
    }
    CONTINUE
}

/// Keeps a flow of a pod whose packets all pass. Who opens one says so in TCP, SCTP and echoes; of anything else either side may have been
/// the first.
#[inline(always)]
fn learn(scratch: &mut Scratch, direction: Direction, view: &View) {
    let other = match direction {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    };
    let (opened, flags, state) = match scratch.packet.tuple.signal {
        Signal::OPEN => (direction as u8, 0, FlowState::SYN),
        Signal::ACCEPT => (other as u8, 0, FlowState::SYN | FlowState::REPLIED),
        _ => (0, FlowFlags::LEARNED, FlowState::REPLIED),
    };
    // Where it goes is judged behind the node's translation, also when the time of watching is over.
    let flags = match is_service(scratch) {
        true => flags | FlowFlags::DEFERRED,
        false => flags,
    };
    // A datagram or echo is kept for the short time until the other side is seen to answer.
    let state = match scratch.key.protocol {
        protocol::TCP | protocol::SCTP => state,
        _ => 0,
    };
    let begin = Begin {
        opened,
        flags,
        state,
        rule: 0,
    };
    flow::keep(scratch, false, begin, view.now, view.epoch);
}

/// A flow is of the pod's own address, and its ports are known.
#[inline(always)]
fn is_kept(scratch: &Scratch) -> bool {
    fresh(&scratch.own) != 0 && fresh(&scratch.packet.portless) == 0
}

#[inline(always)]
fn is_service(scratch: &mut Scratch) -> bool {
    look_for(scratch, scratch.key.remote);
    SERVICES.get(&scratch.prefix).is_some()
}

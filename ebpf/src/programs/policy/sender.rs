//! Service traffic: what a pod sends to a Service is judged where its real destination is known, at that pod's own link or on the ENI.

use aya_ebpf::programs::TcContext;
use terway_abi::{Direction, Endpoint, Flow, FlowFlags, Path, PodFlags, Reason, slot};
use terway_ebpf::{
    frame::Frame,
    fresh,
    packet::{self, Kind},
};

use crate::{
    maps::{FLOWS, HOST_ADDRS, add, endpoint, pod, scratch},
    scratch::Scratch,
};

use super::{
    flow::{self, Begin},
    fragment,
    judge::{ALLOWED, judge, tally},
    refuse::refuse,
};

/// Does the packet's sender, if it is an isolated pod of this node, have a verdict for it? That is so for all but what came by a Service.
/// If not, it is judged; [`Scratch::refused`] is who was refused.
#[inline(never)]
pub fn may_send(scratch: &mut Scratch, epoch: u32, now: u64) -> bool {
    let Some(sender) = endpoint(scratch.packet.tuple.source) else {
        return true;
    };
    let Some(pod) = pod(slot(sender.id)) else { return true };
    if pod.id != sender.id || pod.egress_set == 0 || pod.flags & (PodFlags::TRACK_ONLY | PodFlags::HELD) != 0 {
        return true;
    }
    scratch.refused = pod.id;
    scratch.packet.tuple.of_sender(pod.id, &mut scratch.sender);
    if fresh(&scratch.packet.portless) == 0
        && let Some(pointer) = FLOWS.get_ptr_mut(&scratch.sender)
    {
        // SAFETY: as in `known`.
        let flow = unsafe { &mut *pointer };
        // What it did not open it was asked, and `from_pod` has judged that.
        if is_judged(flow, scratch.sender.protocol, now) && (flow.epoch == epoch || flow.opened != Direction::Egress as u8) {
            return true;
        }
    }
    // SAFETY: records are freed only after every running program has ended (RCU).
    if unsafe { HOST_ADDRS.get(&scratch.sender.remote) }.is_some() || is_own(scratch, pod.id) {
        return true;
    }
    scratch.question.set = pod.egress_set;
    scratch.question.remote = scratch.sender.remote;
    scratch.question.port = scratch.sender.remote_port;
    scratch.question.protocol = scratch.sender.protocol;
    scratch.question.portless = scratch.packet.portless;
    let answer = judge(scratch);
    let known = match fresh(&scratch.packet.portless) {
        0 => FLOWS.get_ptr_mut(&scratch.sender),
        _ => None,
    };
    if answer & ALLOWED == 0 {
        if known.is_some() {
            let _ = FLOWS.remove(&scratch.sender);
        }
        return false;
    }
    tally(scratch, pod.id, Direction::Egress, answer as u32, 0);
    if let Some(pointer) = known {
        // SAFETY: as in `known`.
        let flow = unsafe { &mut *pointer };
        if is_judged(flow, scratch.sender.protocol, now) {
            flow.epoch = epoch;
            flow.rule = answer as u32;
            return true;
        }
    }
    if fresh(&scratch.packet.portless) == 0 {
        let begin = Begin {
            opened: Direction::Egress as u8,
            flags: 0,
            state: flow::state(scratch),
            rule: answer as u32,
        };
        flow::keep(scratch, true, begin, now, epoch);
    }
    true
}

/// What leaves the stack for the ENI has come by the stack, perhaps with another destination than the pod gave it. The answer comes in with
/// this one, and must find that its flow goes by the stack.
#[inline(never)]
fn stays(scratch: &mut Scratch, id: u32, epoch: u32, now: u64) {
    scratch.packet.tuple.of_sender(id, &mut scratch.sender);
    if let Some(pointer) = FLOWS.get_ptr_mut(&scratch.sender) {
        // SAFETY: as in `known`.
        let flow = unsafe { &mut *pointer };
        if flow::is_alive(flow, scratch.sender.protocol, now) {
            if flow.path != Path::STACK {
                flow.path = Path::STACK;
                add(Reason::PathLost, 0);
            }
            flow::touch(flow, scratch.packet.tuple.signal, Direction::Egress, now);
            return;
        }
    }
    let begin = Begin {
        opened: Direction::Egress as u8,
        flags: 0,
        state: flow::state(scratch),
        rule: 0,
    };
    flow::keep(scratch, true, begin, now, epoch);
}

/// A flow to a Service has no verdict yet, and where it leaves untranslated it needs one.
#[inline(always)]
fn is_judged(flow: &Flow, protocol: u8, now: u64) -> bool {
    flow.flags & FlowFlags::DEFERRED == 0 && flow::is_alive(flow, protocol, now)
}

#[inline(always)]
fn is_own(scratch: &Scratch, id: u32) -> bool {
    matches!(endpoint(scratch.sender.remote), Some(own) if own.id == id)
}

/// May a pod's packet leave by an ENI? `from_pod` has judged all but what came by a Service; pods that are not isolated pay one look-up.
#[inline(always)]
pub fn leaves(ctx: &TcContext, frame: &Frame, endpoint: &Endpoint) -> bool {
    let is_isolated = matches!(pod(slot(endpoint.id)), Some(pod) if pod.egress_set != 0);
    if !is_isolated && endpoint.link == 0 {
        return true;
    }
    let Some(scratch) = scratch() else { return false };
    let kind = packet::read(
        ctx.skb.skb,
        &mut scratch.packet,
        u32::from(frame.ethertype),
        frame.payload as u32,
    );
    match kind {
        Kind::Whole => {}
        Kind::First => fragment::remember(&scratch.packet),
        Kind::Later => fragment::recall(&mut scratch.packet),
        _ => return true,
    }
    let (epoch, now) = (flow::epoch(), flow::now(scratch));
    if !is_isolated || may_send(scratch, epoch, now) {
        if endpoint.link != 0 && matches!(kind, Kind::Whole) {
            stays(scratch, endpoint.id, epoch, now);
        }
        return true;
    }
    let _ = refuse(ctx.skb.skb, scratch, scratch.refused, Direction::Egress, Reason::DeniedEgress);
    false
}

//! Packets of a flow that is known.

use aya_ebpf::programs::TcContext;
use terway_abi::{Direction, Flow, FlowFlags, FlowState, Path, Pod, PodFlags, Reason};
use terway_ebpf::{fresh, packet::Signal, skb::CONTINUE};

use crate::{
    maps::{FLOWS, HOST_ADDRS, SERVICES, add},
    scratch::{STALE, Scratch},
};

use super::{
    View, flow,
    judge::{ALLOWED, judge, look_for},
    own_direction,
    refuse::refuse,
    sender,
};

/// The verdict, if the packet belongs to a flow; `None`: it is a first packet.
#[inline(always)]
pub fn run<const EGRESS: bool, const BY_STACK: bool>(ctx: &TcContext, scratch: &mut Scratch, view: &View) -> Option<i32> {
    let pointer = FLOWS.get_ptr_mut(&scratch.key)?;
    // SAFETY: the memory stays a flow while the program runs. Should it become another key's meanwhile, that flow's times are a little wrong.
    let flow = unsafe { &mut *pointer };
    let direction = own_direction::<EGRESS>();
    let signal = scratch.packet.tuple.signal;
    if !flow::is_alive(flow, scratch.packet.tuple.protocol, view.now) {
        return None;
    }
    // The one who opens it again is judged as the first time; the flow stays what it is if that is not allowed.
    if signal & Signal::OPEN != 0 && (flow.opened != direction as u8 || FlowState::is_closing(flow.state)) {
        return None;
    }
    if flow.epoch != view.epoch {
        let skb = ctx.skb.skb;
        if view.pod.flags & PodFlags::HELD != 0 {
            return Some(refuse(skb, scratch, view.pod.id, direction, Reason::Held));
        }
        if !EGRESS && !sender::may_send(scratch, view.epoch, view.now) {
            return Some(refuse(skb, scratch, scratch.refused, Direction::Egress, Reason::DeniedEgress));
        }
        match rejudge(scratch, view.pod, flow, view.epoch) {
            KEPT => scratch.way.due = STALE,
            EGRESS_REVOKED => return Some(refuse(skb, scratch, view.pod.id, Direction::Egress, Reason::DeniedEgress)),
            _ => return Some(refuse(skb, scratch, view.pod.id, Direction::Ingress, Reason::DeniedIngress)),
        }
    }
    if flow::touch(flow, signal, direction, view.now) {
        scratch.way.due = STALE;
    }
    if flow.path == Path::STACK || fresh(&scratch.way.whole) == 0 {
        scratch.way.due = 0;
    } else if BY_STACK {
        // The other direction must come by here too.
        flow.path = Path::STACK;
        add(Reason::PathLost, 0);
    } else {
        scratch.way.path = u32::from(flow.path);
        if EGRESS && flow.path == Path::ENI {
            scratch.way.index = flow.path_index;
            scratch.way.next_hop = flow.next_hop;
        }
    }
    Some(CONTINUE)
}

const KEPT: u64 = 0;
const EGRESS_REVOKED: u64 = 1;
const INGRESS_REVOKED: u64 = 2;

/// Judges a flow once more, in the direction in which it was opened, where that is known. One that is not allowed any more stays as refused, with its
/// old epoch, until it is allowed or its time is over: without it the other end's next segment would be a first packet, judged in the other direction,
/// and where that one is open it would begin the connection anew.
#[inline(never)]
fn rejudge(scratch: &mut Scratch, pod: &Pod, flow: &mut Flow, epoch: u32) -> u64 {
    scratch.question.remote = scratch.key.remote;
    scratch.question.protocol = scratch.key.protocol;
    scratch.question.portless = 0;
    // SAFETY: records are freed only after every running program has ended (RCU).
    let is_node = unsafe { HOST_ADDRS.get(&scratch.question.remote) }.is_some();
    if is_node || pod.flags & PodFlags::TRACK_ONLY != 0 || is_deferred(scratch, flow) {
        keep_on(flow, epoch);
        return KEPT;
    }
    let mut revoked = INGRESS_REVOKED;
    if fresh(&flow.opened) != Direction::Ingress as u8 {
        scratch.question.port = scratch.key.remote_port;
        if pod.egress_set == 0 || allows(scratch, flow, pod.egress_set) {
            keep_on(flow, epoch);
            return KEPT;
        }
        revoked = EGRESS_REVOKED;
    }
    if fresh(&flow.opened) != Direction::Egress as u8 {
        scratch.question.port = scratch.key.local_port;
        if pod.ingress_set == 0 || allows(scratch, flow, pod.ingress_set) {
            keep_on(flow, epoch);
            return KEPT;
        }
    }
    if flow.flags & FlowFlags::REVOKED == 0 {
        flow.flags |= FlowFlags::REVOKED;
        add(Reason::Revoked, 0);
    }
    revoked
}

#[inline(always)]
fn keep_on(flow: &mut Flow, epoch: u32) {
    flow.flags &= !FlowFlags::REVOKED;
    flow.epoch = epoch;
}

#[inline(always)]
fn allows(scratch: &mut Scratch, flow: &mut Flow, set: u64) -> bool {
    scratch.question.set = set;
    let answer = judge(scratch);
    if answer & ALLOWED == 0 {
        return false;
    }
    flow.rule = answer as u32;
    true
}

/// Is the flow still to a Service? If not, its verdict is due here.
#[inline(always)]
fn is_deferred(scratch: &mut Scratch, flow: &mut Flow) -> bool {
    if flow.flags & FlowFlags::DEFERRED == 0 {
        return false;
    }
    look_for(scratch, scratch.question.remote);
    if SERVICES.get(&scratch.prefix).is_some() {
        return true;
    }
    flow.flags &= !FlowFlags::DEFERRED;
    false
}

//! Packets of a flow that is known.

use aya_ebpf::programs::TcContext;
use terway_abi::{Direction, Flow, FlowFlags, FlowKey, FlowState, Pod, PodFlags, Reason};
use terway_ebpf::{packet::Signal, skb::CONTINUE};

use crate::maps::{FLOWS, HOST_ADDRS, SERVICES, add};

use super::{
    Scratch, View, flow,
    judge::{ALLOWED, judge, look_for},
    own_direction,
    refuse::{Refusal, refuse},
    scratch::Question,
    sender,
};

/// The verdict, if the packet belongs to a flow; `None`: it is a first packet.
#[inline(always)]
pub fn run<const EGRESS: bool>(ctx: &TcContext, scratch: &mut Scratch, view: &View) -> Option<i32> {
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
        if !EGRESS && !sender::may_send(scratch, view.epoch, view.now, 0) {
            return Some(refuse(skb, scratch, scratch.refused, Direction::Egress, Reason::DeniedEgress));
        }
        let refusal = rejudge(scratch, view.pod, flow, view.epoch, 0);
        if let Some(refusal) = Refusal::from_code(refusal) {
            return Some(refuse(skb, scratch, view.pod.id, refusal.direction, refusal.reason));
        }
    }
    flow::touch(flow, signal, direction, view.now);
    Some(CONTINUE)
}

/// Judges a flow once more, in the direction in which it was opened; one that is not allowed any more ends. Returns a code of [`Refusal`].
#[inline(never)]
pub fn rejudge(scratch: &mut Scratch, pod: &Pod, flow: &mut Flow, epoch: u32, of_sender: u32) -> u64 {
    if pod.flags & PodFlags::HELD != 0 {
        return Refusal::code(Direction::Ingress, Reason::Held);
    }
    let (local_port, remote_port) = match of_sender {
        0 => ask_about(&mut scratch.question, &scratch.key),
        _ => ask_about(&mut scratch.question, &scratch.sender),
    };
    let passes = pod.flags & PodFlags::TRACK_ONLY != 0
        // SAFETY: records are freed only after every running program has ended (RCU).
        || unsafe { HOST_ADDRS.get(&scratch.question.remote) }.is_some()
        || is_deferred(scratch, flow);
    if passes {
        flow.epoch = epoch;
        return 0;
    }
    let either = flow.flags & FlowFlags::LEARNED != 0 || flow.opened == 0;
    let mut denied = Direction::Egress;
    if (either || flow.opened == Direction::Egress as u8)
        && (pod.egress_set == 0 || allows(scratch, flow, pod.egress_set, remote_port))
    {
        flow.epoch = epoch;
        return 0;
    }
    if either || flow.opened == Direction::Ingress as u8 {
        if pod.ingress_set == 0 || allows(scratch, flow, pod.ingress_set, local_port) {
            flow.epoch = epoch;
            return 0;
        }
        denied = Direction::Ingress;
    }
    let _ = match of_sender {
        0 => FLOWS.remove(&scratch.key),
        _ => FLOWS.remove(&scratch.sender),
    };
    add(Reason::Revoked, 0);
    match denied {
        Direction::Egress => Refusal::code(denied, Reason::DeniedEgress),
        Direction::Ingress => Refusal::code(denied, Reason::DeniedIngress),
    }
}

/// Returns the ports, the pod's first.
#[inline(always)]
fn ask_about(question: &mut Question, key: &FlowKey) -> (u16, u16) {
    question.remote = key.remote;
    question.protocol = key.protocol;
    question.portless = 0;
    (key.local_port, key.remote_port)
}

#[inline(always)]
fn allows(scratch: &mut Scratch, flow: &mut Flow, set: u64, port: u16) -> bool {
    scratch.question.set = set;
    scratch.question.port = port;
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

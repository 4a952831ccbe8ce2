//! What a pod sends: to its ENI, or into another pod of the node.

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use terway_abi::{Endpoint, Path, Reason};
use terway_ebpf::{fresh, skb::CONTINUE};

use super::{
    choose::settle,
    fits, is_plain,
    rewrite::{deliver, leave},
};
use crate::{
    maps::{FLOWS, add, endpoint},
    policy::{View, is_ipv4, receive},
    scratch::{BEGUN, Scratch},
};

const ENI: u32 = Path::ENI as u32;
const POD: u32 = Path::POD as u32;

/// After the pod's own verdict: where the packet goes by its flow's path.
#[inline(always)]
pub fn send(ctx: &TcContext, scratch: &mut Scratch, view: &View) -> i32 {
    if fresh(&scratch.way.due) != 0 {
        settle(ctx.skb.skb, scratch);
    }
    match fresh(&scratch.way.path) {
        ENI => {
            let ipv4 = is_ipv4(&scratch.key.local);
            match is_plain(ctx, scratch, ipv4) {
                true => leave(ctx, scratch.way.index, &scratch.way.next_hop, &mut scratch.packet, ipv4),
                false => CONTINUE,
            }
        }
        POD => hand_over(ctx.skb.skb, scratch, view),
        _ => CONTINUE,
    }
}

/// To another pod of the node, which judges it here: its own hook is on the way that is left out.
#[inline(never)]
fn hand_over(skb: *mut __sk_buff, scratch: &mut Scratch, view: &View) -> i32 {
    let ctx = TcContext::new(skb);
    let ipv4 = is_ipv4(&scratch.key.local);
    let to = match endpoint(scratch.key.remote) {
        Some(to) if to.link != 0 => to,
        // Gone, or not to be reached so any more.
        _ => {
            lose(scratch, view.pod.id);
            return CONTINUE;
        }
    };
    if !is_plain(&ctx, scratch, ipv4) || !fits(&ctx, scratch, to) {
        return CONTINUE;
    }
    let verdict = receive(skb, scratch, to.id);
    if verdict != CONTINUE {
        return verdict;
    }
    if !joins(scratch) {
        lose(scratch, view.pod.id);
        return CONTINUE;
    }
    arrive_in(&ctx, scratch, to, ipv4)
}

#[inline(always)]
fn arrive_in(ctx: &TcContext, scratch: &mut Scratch, to: &Endpoint, ipv4: bool) -> i32 {
    deliver(ctx, to, &mut scratch.packet, ipv4, Reason::ForwardedPod)
}

/// Makes the receiver's flow go the same way. Not if it goes by the stack: then this packet's connection is one that the stack has translated, or is
/// mistaken for one, and the stack alone can tell them apart.
#[inline(always)]
fn joins(scratch: &mut Scratch) -> bool {
    if fresh(&scratch.way.due) == 0 && fresh(&scratch.way.path) == POD {
        return true;
    }
    let Some(pointer) = FLOWS.get_ptr_mut(&scratch.key) else {
        return false;
    };
    // SAFETY: as in `known`.
    let flow = unsafe { &mut *pointer };
    if fresh(&scratch.way.due) != BEGUN && flow.path == Path::STACK {
        return false;
    }
    flow.path = Path::POD;
    true
}

/// The sender's flow goes by the stack from now on.
#[inline(always)]
fn lose(scratch: &mut Scratch, sender: u32) {
    scratch.packet.tuple.of_sender(sender, &mut scratch.sender);
    if let Some(pointer) = FLOWS.get_ptr_mut(&scratch.sender) {
        // SAFETY: as in `known`.
        unsafe { (*pointer).path = Path::STACK };
        add(Reason::PathLost, 0);
    }
}

//! ICMP errors take the way of the flow that they are about: to the stack they would be about nothing, and what is that may be dropped there.

use aya_ebpf::programs::TcContext;
use terway_abi::{Endpoint, Flow, Path, Reason};
use terway_ebpf::skb::{self, CONTINUE, PACKET_HOST};

use super::rewrite::{deliver, leave};
use crate::{
    maps::{FLOWS, endpoint},
    policy::{flow, is_ipv4},
    scratch::Scratch,
};

/// One that a pod sends, after its verdict.
#[inline(always)]
pub fn send_error(ctx: &TcContext, scratch: &mut Scratch, id: u32) -> i32 {
    if !has_hops(ctx, scratch) {
        return CONTINUE;
    }
    let ipv4 = is_ipv4(&scratch.packet.tuple.destination);
    scratch.packet.quoted.of_receiver(id, &mut scratch.key);
    let Some(flow) = quoted(scratch) else { return CONTINUE };
    if scratch.key.remote != scratch.packet.tuple.destination {
        return CONTINUE;
    }
    match flow.path {
        Path::ENI => leave(ctx, flow.path_index, &flow.next_hop, &mut scratch.packet, ipv4),
        Path::POD => {
            let Some(to) = endpoint(scratch.key.remote) else {
                return CONTINUE;
            };
            scratch.packet.quoted.of_sender(to.id, &mut scratch.key);
            match quoted(scratch) {
                Some(flow) if flow.path == Path::POD && to.link != 0 => {
                    deliver(ctx, to, &mut scratch.packet, ipv4, Reason::ForwardedPod)
                }
                _ => CONTINUE,
            }
        }
        _ => CONTINUE,
    }
}

/// One that comes in on the ENI for a pod.
#[inline(always)]
pub fn arrive(ctx: &TcContext, scratch: &mut Scratch, to: &Endpoint) -> i32 {
    if !has_hops(ctx, scratch) {
        return CONTINUE;
    }
    let ipv4 = is_ipv4(&scratch.packet.tuple.destination);
    scratch.packet.quoted.of_sender(to.id, &mut scratch.key);
    match quoted(scratch) {
        Some(flow) if flow.path == Path::ENI => deliver(ctx, to, &mut scratch.packet, ipv4, Reason::ForwardedIn),
        _ => CONTINUE,
    }
}

#[inline(always)]
fn has_hops(ctx: &TcContext, scratch: &Scratch) -> bool {
    skb::pkt_type(ctx) == PACKET_HOST && scratch.packet.hops > 1 && !flow::is_taken_over()
}

/// The living flow of [`Scratch::key`].
#[inline(always)]
fn quoted(scratch: &mut Scratch) -> Option<&'static Flow> {
    // SAFETY: as in `known`.
    let flow = unsafe { FLOWS.get(&scratch.key) }?;
    let now = flow::now(scratch);
    flow::is_alive(flow, scratch.key.protocol, now).then_some(flow)
}

//! What comes in on an ENI for a pod.

use aya_ebpf::programs::TcContext;
use terway_abi::{Direction, Endpoint, FlowState, Path, Reason};
use terway_ebpf::{
    fresh,
    packet::{Kind, Signal, protocol},
    skb::CONTINUE,
};

use super::{choose::settle, error, fits, is_plain, rewrite::deliver};
use crate::{
    maps::{FLOWS, endpoint, scratch},
    policy::{epoch, flow, is_ipv4, receive},
    scratch::{BEGUN, STALE, Scratch},
};

const ENI: u32 = Path::ENI as u32;

/// Into the pod, if the packet's flow goes past the stack.
#[inline(always)]
pub fn arrive(ctx: &TcContext, ifindex: u32) -> i32 {
    let Some(scratch) = scratch() else { return CONTINUE };
    let kind = scratch.packet.read(ctx);
    if !matches!(kind, Kind::Whole | Kind::Error) {
        return CONTINUE;
    }
    let to = match endpoint(scratch.packet.tuple.destination) {
        Some(to) if to.link != 0 && to.eni == ifindex => to,
        _ => return CONTINUE,
    };
    match kind {
        Kind::Error => error::arrive(ctx, scratch, to),
        _ => whole(ctx, scratch, to),
    }
}

#[inline(always)]
fn whole(ctx: &TcContext, scratch: &mut Scratch, to: &Endpoint) -> i32 {
    let ipv4 = is_ipv4(&scratch.packet.tuple.destination);
    if !is_plain(ctx, scratch, ipv4) || !fits(ctx, scratch, to) {
        return CONTINUE;
    }
    let (epoch, now) = (epoch(), flow::now(scratch));
    scratch.packet.tuple.of_receiver(to.id, &mut scratch.key);
    scratch.way.reset(true);
    let signal = scratch.packet.tuple.signal;
    let mut is_known = false;
    if let Some(pointer) = FLOWS.get_ptr_mut(&scratch.key) {
        // SAFETY: as in `known`.
        let flow = unsafe { &mut *pointer };
        let begins_anew =
            signal & Signal::OPEN != 0 && (flow.opened != Direction::Ingress as u8 || FlowState::is_closing(flow.state));
        if flow::is_alive(flow, scratch.key.protocol, now) && !begins_anew {
            if flow.path == Path::STACK {
                // The flow of what the stack translates has no other hook in this direction.
                flow::touch(flow, signal, Direction::Ingress, now);
                return CONTINUE;
            }
            if flow.epoch == epoch {
                if flow::touch(flow, signal, Direction::Ingress, now) {
                    scratch.way.due = STALE;
                }
                scratch.way.path = u32::from(flow.path);
                is_known = true;
            }
        }
    }
    if !is_known {
        // What belongs to no flow and opens none may be an answer that the stack has to translate first.
        if !opens(scratch) {
            return CONTINUE;
        }
        let verdict = receive(ctx.skb.skb, scratch, to.id);
        if verdict != CONTINUE {
            return verdict;
        }
    }
    if fresh(&scratch.way.due) != 0 {
        settle(ctx.skb.skb, scratch);
    }
    match fresh(&scratch.way.path) {
        ENI => deliver(ctx, to, &mut scratch.packet, ipv4, Reason::ForwardedIn),
        _ => CONTINUE,
    }
}

#[inline(always)]
fn opens(scratch: &Scratch) -> bool {
    match scratch.packet.tuple.protocol {
        protocol::TCP | protocol::SCTP => fresh(&scratch.packet.tuple.signal) & Signal::OPEN != 0,
        _ => true,
    }
}

const _: () = assert!(BEGUN != STALE);

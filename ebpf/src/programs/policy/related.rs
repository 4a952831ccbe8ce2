//! ICMP errors: they belong to the flow of the packet that they quote.

use aya_ebpf::programs::TcContext;
use terway_abi::{PodFlags, Reason};
use terway_ebpf::skb::CONTINUE;

use crate::{
    maps::{FLOWS, HOST_ADDRS, endpoint},
    scratch::Scratch,
};

use super::{View, flow, is_link_local_icmp, own_direction, refuse::refuse};

#[inline(always)]
pub fn run<const EGRESS: bool>(ctx: &TcContext, scratch: &mut Scratch, view: &View) -> i32 {
    let pod = view.pod;
    if pod.flags & PodFlags::TRACK_ONLY != 0 || is_link_local_icmp(&scratch.packet) {
        return CONTINUE;
    }
    let direction = own_direction::<EGRESS>();
    let (tuple, quoted) = (&scratch.packet.tuple, &scratch.packet.quoted);
    let remote = match EGRESS {
        true => &tuple.destination,
        false => &tuple.source,
    };
    if EGRESS && !matches!(endpoint(tuple.source), Some(own) if own.id == pod.id) {
        return refuse(ctx.skb.skb, scratch, pod.id, direction, Reason::Spoofed);
    }
    // SAFETY: records are freed only after every running program has ended (RCU).
    if unsafe { HOST_ADDRS.get(remote) }.is_some() {
        return CONTINUE;
    }
    // What the pod tells is about a packet that came to it; what it is told, about one that it sent.
    match EGRESS {
        true => quoted.of_receiver(pod.id, &mut scratch.key),
        false => quoted.of_sender(pod.id, &mut scratch.key),
    }
    // SAFETY: as in `known`.
    if let Some(flow) = unsafe { FLOWS.get(&scratch.key) }
        && flow::is_alive(flow, scratch.key.protocol, view.now)
    {
        return CONTINUE;
    }
    if pod.flags & PodFlags::HELD != 0 {
        return refuse(ctx.skb.skb, scratch, pod.id, direction, Reason::Held);
    }
    let set = match EGRESS {
        true => pod.egress_set,
        false => pod.ingress_set,
    };
    match set {
        0 => CONTINUE,
        _ => refuse(ctx.skb.skb, scratch, pod.id, direction, Reason::RelatedUnknown),
    }
}

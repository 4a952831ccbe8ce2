//! What comes in on an ENI. On a trunk a frame reaches a member's address only with the member's own tag, so that networks that the VPC keeps apart stay
//! apart on the node. Terway pops any tag. And on any ENI: what goes to a pod past the node's stack.

use aya_ebpf::{helpers::bpf_skb_vlan_pop, programs::TcContext};
use terway_abi::{EndpointFlags, EniFlags, Reason};
use terway_ebpf::{
    frame::{Frame, Tag, Truncated},
    skb::{self, CONTINUE, DROP, PACKET_HOST, PACKET_OTHERHOST},
};

use crate::{
    maps::{count, endpoint, eni, is_vlan_link},
    path,
};

#[inline(always)]
pub fn run(ctx: &TcContext) -> i32 {
    let ifindex = skb::ifindex(ctx);
    let Some(eni) = eni(ifindex) else { return CONTINUE };
    let verdict = match eni.flags & EniFlags::TRUNK {
        0 => CONTINUE,
        _ => trunk(ctx, ifindex),
    };
    match verdict == CONTINUE && eni.flags & EniFlags::FORWARDS != 0 && skb::vlan_present(ctx) == 0 {
        true => path::arrive(ctx, ifindex),
        false => verdict,
    }
}

#[inline(always)]
fn trunk(ctx: &TcContext, ifindex: u32) -> i32 {
    let Ok(frame) = Frame::parse(ctx) else { return CONTINUE };
    let (reason, verdict) = match frame.tag {
        Tag::None => untagged(ctx, &frame, ifindex),
        Tag::Vlan(vlan) => tagged(ctx, &frame, ifindex, vlan),
        Tag::Nested => (Reason::InUnknownTag, DROP),
    };
    count(ctx, reason);
    verdict
}

/// The trunk's own traffic; but a member's address is reached with its tag only.
#[inline(always)]
fn untagged(ctx: &TcContext, frame: &Frame, ifindex: u32) -> (Reason, i32) {
    match frame.destination(ctx) {
        Ok(Some(address)) => match endpoint(address) {
            Some(endpoint) if endpoint.eni == ifindex && endpoint.vlan != 0 => (Reason::InTagMismatch, DROP),
            _ => (Reason::InUntagged, CONTINUE),
        },
        _ => (Reason::InUntagged, CONTINUE),
    }
}

#[inline(always)]
fn tagged(ctx: &TcContext, frame: &Frame, ifindex: u32, vlan: u16) -> (Reason, i32) {
    let record = match frame.destination(ctx) {
        Ok(Some(address)) => endpoint(address),
        Ok(None) => None,
        Err(Truncated) => return (Reason::InTruncated, DROP),
    };
    match record {
        Some(endpoint) if endpoint.eni == ifindex && endpoint.vlan == vlan => match endpoint.flags & EndpointFlags::VLAN_LINK {
            0 => pop(ctx),
            _ => (Reason::InVlanLink, CONTINUE),
        },
        _ if is_vlan_link(ifindex, vlan) => (Reason::InVlanLink, CONTINUE),
        Some(_) => (Reason::InTagMismatch, DROP),
        None => (Reason::InUnknownTag, DROP),
    }
}

#[inline(always)]
fn pop(ctx: &TcContext) -> (Reason, i32) {
    // SAFETY: the context is the kernel's, and no pointer into the packet is kept.
    if unsafe { bpf_skb_vlan_pop(ctx.skb.skb) } != 0 {
        return (Reason::InPopFailed, DROP);
    }
    // Tag and address name the pod; should the frame carry the member's hardware address, it is the trunk's all the same. The kernel allows
    // the change from any type to any but loopback; a refusal leaves what was.
    if skb::pkt_type(ctx) == PACKET_OTHERHOST {
        let _ = ctx.change_type(PACKET_HOST);
    }
    (Reason::InPopped, CONTINUE)
}

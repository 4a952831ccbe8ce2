//! What leaves an ENI: by its source address a packet gets its class, its departure time and its member's tag; what an IPvlan pod sends to the
//! host-stack prefixes goes to the host instead.

use aya_ebpf::{
    helpers::{bpf_redirect, bpf_skb_vlan_push},
    maps::lpm_trie::Key,
    programs::TcContext,
};
use terway_abi::{Class, Endpoint, EndpointFlags, Eni, EniFlags, FORWARDED, Prefix, Reason};
use terway_ebpf::{
    frame::{Frame, Tag},
    skb::{self, CONTINUE, DROP},
};

use crate::{
    maps::{HOST_STACK, count, endpoint, eni, is_vlan_link},
    pace::{self, Pace},
    policy,
};

/// `BPF_F_INGRESS`.
const INGRESS: u64 = 1;
/// ETH_P_8021Q, in network order as the helper takes it.
const VLAN: u16 = 0x8100u16.to_be();

#[inline(always)]
pub fn run(ctx: &TcContext) -> i32 {
    let ifindex = skb::ifindex(ctx);
    let Some(eni) = eni(ifindex) else { return CONTINUE };
    let is_forwarded = skb::tc_index(ctx) == u32::from(FORWARDED);
    if is_forwarded {
        skb::set_tc_index(ctx, 0);
        // `from_pod` has judged it, and knows whose it is.
        if eni.flags & (EniFlags::TRUNK | EniFlags::STAMPS) == 0 && eni.host_slave == 0 {
            count(ctx, Reason::OutPassed);
            return CONTINUE;
        }
    }
    let Ok(frame) = Frame::parse(ctx) else { return CONTINUE };
    // A pod with raw sockets on an IPvlan slave could write the tag of another member into its frames.
    let tagged = match frame.tag {
        Tag::None => false,
        Tag::Vlan(vlan) if is_vlan_link(ifindex, vlan) => true,
        _ if eni.flags & EniFlags::TRUNK != 0 => {
            count(ctx, Reason::OutUnknownTag);
            return DROP;
        }
        _ => return CONTINUE,
    };
    let Some(endpoint) = frame.source(ctx).and_then(endpoint) else {
        count(ctx, Reason::OutForeign);
        return CONTINUE;
    };
    let is_own = endpoint.eni == ifindex;
    // To a Service: the host translates it, and it comes by here again.
    if is_own && endpoint.flags & EndpointFlags::IPVLAN != 0 && eni.host_slave != 0 && is_host_stack(ctx, &frame) {
        return to_host(ctx, eni);
    }
    if !is_forwarded && !policy::leaves(ctx, &frame, endpoint) {
        return DROP;
    }
    if !is_own {
        count(ctx, Reason::OutForeign);
        return CONTINUE;
    }
    if let Some(priority) = Class::priority(endpoint.class) {
        skb::set_priority(ctx, priority);
    }
    match pace::depart(ctx, endpoint) {
        Pace::Now => {}
        Pace::Later => count(ctx, Reason::OutPaced),
        Pace::Marked => {
            count(ctx, Reason::OutPaced);
            count(ctx, Reason::OutMarked);
        }
        Pace::Never => {
            count(ctx, Reason::OutHorizon);
            return DROP;
        }
    }
    if !tagged && !push(ctx, endpoint) {
        count(ctx, Reason::OutPushFailed);
        return DROP;
    }
    count(ctx, Reason::OutPassed);
    CONTINUE
}

#[inline(always)]
fn is_host_stack(ctx: &TcContext, frame: &Frame) -> bool {
    match frame.ip_destination(ctx) {
        Some(prefix) => HOST_STACK.get(Key::new(Prefix::BITS, prefix)).is_some(),
        None => false,
    }
}

/// The receiving side judges by the hardware address whether a frame is the host's (`eth_type_trans` in the redirection), so that changing the
/// packet's type alone does nothing.
#[inline(always)]
fn to_host(ctx: &TcContext, eni: &Eni) -> i32 {
    let mac = eni.mac;
    if ctx.store(0, &mac, 0).is_err() {
        count(ctx, Reason::OutRedirectFailed);
        return DROP;
    }
    count(ctx, Reason::OutRedirected);
    // SAFETY: a plain call; an interface that is gone drops the packet.
    (unsafe { bpf_redirect(eni.host_slave, INGRESS) }) as i32
}

#[inline(always)]
fn push(ctx: &TcContext, endpoint: &Endpoint) -> bool {
    if endpoint.vlan == 0 || endpoint.flags & EndpointFlags::VLAN_LINK != 0 {
        return true;
    }
    // SAFETY: the context is the kernel's, and no pointer into the packet is kept.
    if unsafe { bpf_skb_vlan_push(ctx.skb.skb, VLAN, endpoint.vlan) } != 0 {
        return false;
    }
    count(ctx, Reason::OutPushed);
    true
}

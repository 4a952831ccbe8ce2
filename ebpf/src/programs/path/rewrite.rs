//! What a hop changes in a packet, and the last step to the other link.

use core::{mem::zeroed, ptr};

use aya_ebpf::{
    bindings::bpf_redir_neigh as NextHop,
    helpers::{bpf_redirect_neigh, bpf_redirect_peer, bpf_skb_store_bytes},
    programs::TcContext,
};
use terway_abi::{Address, Endpoint, FORWARDED, Reason};
use terway_ebpf::skb::{self, CONTINUE};

use crate::{
    maps::count,
    policy::{is_ipv4, words},
};

const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
/// `BPF_F_RECOMPUTE_CSUM`: a sum over the packet that the card has made stays right.
const RECOMPUTE: u64 = 1;

/// To the ENI. The stack would do the same at its end; what is not known of the next hop's hardware address is asked there.
#[inline(always)]
pub fn leave(ctx: &TcContext, index: u32, next_hop: &Address, ipv4: bool, hops: u32) -> i32 {
    if !take_hop(ctx, ipv4, hops) {
        return CONTINUE;
    }
    // SAFETY: integers and arrays of them.
    let mut to: NextHop = unsafe { zeroed() };
    match is_ipv4(next_hop) {
        true => {
            to.nh_family = AF_INET;
            to.__bindgen_anon_1.ipv4_nh = words(next_hop)[3];
        }
        false => {
            to.nh_family = AF_INET6;
            to.__bindgen_anon_1.ipv6_nh = *words(next_hop);
        }
    }
    skb::set_tc_index(ctx, FORWARDED);
    count(ctx, Reason::ForwardedOut);
    // SAFETY: a plain call with a buffer of the size that it is told; an interface that is gone drops the packet.
    unsafe { bpf_redirect_neigh(index, ptr::from_mut(&mut to), size_of::<NextHop>() as i32, 0) as i32 }
}

/// Into a pod, as if it had come over its pair.
#[inline(always)]
pub fn deliver(ctx: &TcContext, to: &Endpoint, ipv4: bool, hops: u32, reason: Reason) -> i32 {
    let [first, second, ..] = to.macs;
    // Who bridges inside the pod goes by the addresses of the frame. A multicast address is nobody's own, so that 0 means that there is none.
    if first | second != 0 {
        let macs = to.macs;
        // SAFETY: the buffer has the size that is told.
        if unsafe { bpf_skb_store_bytes(ctx.skb.skb, 0, macs.as_ptr().cast(), 12, 0) } != 0 {
            return CONTINUE;
        }
    }
    if !take_hop(ctx, ipv4, hops) {
        return CONTINUE;
    }
    count(ctx, reason);
    // SAFETY: a plain call; a link that is gone drops the packet.
    unsafe { bpf_redirect_peer(to.link, 0) as i32 }
}

/// Takes one hop off, as each router does.
#[inline(always)]
fn take_hop(ctx: &TcContext, ipv4: bool, hops: u32) -> bool {
    const TTL: usize = 14 + 8;
    const HOP_LIMIT: u32 = 14 + 7;
    let hops = (hops - 1) as u8;
    if !ipv4 {
        // SAFETY: the buffer has the size that is told.
        return unsafe { bpf_skb_store_bytes(ctx.skb.skb, HOP_LIMIT, ptr::from_ref(&hops).cast(), 1, RECOMPUTE) } == 0;
    }
    let Ok([_, protocol, high, low]) = ctx.load::<[u8; 4]>(TTL) else {
        return false;
    };
    // RFC 1624, as `ip_decrease_ttl`; the sum over the whole header does not change, so that nobody else's does.
    let sum = u32::from(u16::from_be_bytes([high, low])) + 0x0100;
    let [high, low] = ((sum + u32::from(sum >= 0xffff)) as u16).to_be_bytes();
    let bytes = [hops, protocol, high, low];
    // SAFETY: the buffer has the size that is told.
    unsafe { bpf_skb_store_bytes(ctx.skb.skb, TTL as u32, bytes.as_ptr().cast(), 4, 0) == 0 }
}

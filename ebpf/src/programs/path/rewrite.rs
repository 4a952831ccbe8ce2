//! What a hop changes in a packet, and the last step to the other link.

use core::{mem::zeroed, ptr};

use aya_ebpf::{
    bindings::bpf_redir_neigh as NextHop,
    helpers::{bpf_redirect_neigh, bpf_redirect_peer, bpf_skb_store_bytes},
    programs::TcContext,
};
use terway_abi::{Address, Endpoint, FORWARDED, Reason};
use terway_ebpf::{
    packet::{Head, Packet},
    skb::{self, CONTINUE},
};

use crate::{
    maps::count,
    policy::{is_ipv4, words},
};

const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
/// `BPF_F_RECOMPUTE_CSUM`: a sum over the packet that the card has made stays right.
const RECOMPUTE: u64 = 1;
/// Where an IPv4 header has its TTL, in the frame; protocol and checksum stand behind it.
const TTL: u32 = 14 + 8;
/// Where an IPv6 header has its hop limit.
const HOP_LIMIT: u32 = 14 + 7;

/// To the ENI. The stack would do the same at its end; what is not known of the next hop's hardware address is asked there.
#[inline(always)]
pub fn leave(ctx: &TcContext, index: u32, next_hop: &Address, packet: &mut Packet, ipv4: bool) -> i32 {
    if !take_hop(ctx, &mut packet.head, ipv4, packet.hops) {
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
pub fn deliver(ctx: &TcContext, to: &Endpoint, packet: &mut Packet, ipv4: bool, reason: Reason) -> i32 {
    let head = &mut packet.head;
    let [first, second, ..] = to.macs;
    // Who bridges inside the pod goes by the addresses of the frame. A multicast address is nobody's own, so that 0 means that there is none.
    let is_pair = first | second != 0;
    if is_pair {
        head.macs = to.macs;
    }
    let is_written = if is_pair && ipv4 {
        lower(head, packet.hops);
        store(ctx, head, 0, TTL + 4)
    } else {
        (!is_pair || store(ctx, head, 0, 12)) && take_hop(ctx, head, ipv4, packet.hops)
    };
    if !is_written {
        return CONTINUE;
    }
    count(ctx, reason);
    // SAFETY: a plain call; a link that is gone drops the packet.
    unsafe { bpf_redirect_peer(to.link, 0) as i32 }
}

/// Takes one hop off, as each router does.
#[inline(always)]
fn take_hop(ctx: &TcContext, head: &mut Head, ipv4: bool, hops: u32) -> bool {
    if ipv4 {
        lower(head, hops);
        return store(ctx, head, TTL, 4);
    }
    let hops = (hops - 1) as u8;
    // SAFETY: the buffer has the size that is told.
    unsafe { bpf_skb_store_bytes(ctx.skb.skb, HOP_LIMIT, ptr::from_ref(&hops).cast(), 1, RECOMPUTE) == 0 }
}

/// RFC 1624, as `ip_decrease_ttl`; the sum over the whole header does not change, so that nobody else's does.
#[inline(always)]
fn lower(head: &mut Head, hops: u32) {
    let header = head.ipv4_mut();
    let sum = u32::from(u16::from_be(header.checksum)) + 0x0100;
    header.ttl = (hops - 1) as u8;
    header.checksum = ((sum + u32::from(sum >= 0xffff)) as u16).to_be();
}

/// These bytes of the frame as they are in its head.
#[inline(always)]
fn store(ctx: &TcContext, head: &Head, at: u32, bytes: u32) -> bool {
    // SAFETY: the head has as many bytes and more.
    unsafe { bpf_skb_store_bytes(ctx.skb.skb, at, head.frame().add(at as usize).cast(), bytes, 0) == 0 }
}

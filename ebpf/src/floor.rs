//! The floor of a fast path, for the benches: the same hops by the same helpers, and nothing else. `floor_out` on the ingress of the pair's end in
//! the node hands what a pod sends to the ENI, `floor_in` on the ENI's ingress hands what comes in to the pod.
#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry functions that the macro makes carry none")]

use core::{mem::zeroed, ptr};

use aya_ebpf::{
    bindings::bpf_redir_neigh as NextHop,
    helpers::{bpf_redirect_neigh, bpf_redirect_peer},
    macros::{classifier, map},
    maps::Array,
    programs::TcContext,
};
use terway_abi::FabricFloor;
use terway_ebpf::{
    frame::{IPV4, IPV6},
    packet::protocol::ICMPV6,
    skb::CONTINUE,
};

const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

#[map]
static FLOOR: Array<FabricFloor> = Array::with_max_entries(1, 0);

/// Ingress of the node's end of the pair.
#[classifier]
pub fn floor_out(ctx: TcContext) -> i32 {
    let Some(floor) = FLOOR.get(0) else { return CONTINUE };
    // SAFETY: integers and arrays of them.
    let mut to: NextHop = unsafe { zeroed() };
    match protocol(&ctx) {
        IPV4 => {
            to.nh_family = AF_INET;
            to.__bindgen_anon_1.ipv4_nh = floor.ipv4_gateway;
        }
        IPV6 if !is_icmp(&ctx) => {
            to.nh_family = AF_INET6;
            to.__bindgen_anon_1.ipv6_nh = floor.ipv6_gateway;
        }
        _ => return CONTINUE,
    }
    // SAFETY: a plain call with a buffer of the size that it is told.
    unsafe { bpf_redirect_neigh(floor.eni, ptr::from_mut(&mut to), size_of::<NextHop>() as i32, 0) as i32 }
}

/// Ingress of the ENI.
#[classifier]
pub fn floor_in(ctx: TcContext) -> i32 {
    let Some(floor) = FLOOR.get(0) else { return CONTINUE };
    match protocol(&ctx) {
        IPV4 => {}
        IPV6 if !is_icmp(&ctx) => {}
        _ => return CONTINUE,
    }
    // SAFETY: a plain call.
    unsafe { bpf_redirect_peer(floor.pod, 0) as i32 }
}

#[inline(always)]
fn protocol(ctx: &TcContext) -> u16 {
    // SAFETY: the kernel hands a valid context to the program for the time it runs.
    u16::from_be(unsafe { (*ctx.skb.skb).protocol } as u16)
}

/// Neighbours are the stack's.
#[inline(always)]
fn is_icmp(ctx: &TcContext) -> bool {
    !matches!(ctx.load::<u8>(14 + 6), Ok(next) if next != ICMPV6)
}

terway_ebpf::object!();

//! Which path a flow takes: what the kernel's routes say, where that is a path of ours.

use core::{mem::zeroed, ptr};

use aya_ebpf::{
    bindings::{__sk_buff, bpf_fib_lookup as Fib},
    helpers::bpf_fib_lookup,
};
use terway_abi::{Address, Endpoint, FlowFlags, Path, Reason};
use terway_ebpf::{
    fresh,
    packet::{Signal, protocol},
};

use crate::{
    maps::{FLOWS, HOST_ADDRS, HOST_STACK, add, endpoint},
    policy::{is_ipv4, look_for, words},
    scratch::{BEGUN, STALE, Scratch},
};

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// `BPF_FIB_LKUP_RET_SUCCESS` and `BPF_FIB_LKUP_RET_NO_NEIGH`: a next hop that is not known yet is asked for by the redirection.
const SUCCESS: i64 = 0;
const NO_NEIGHBOUR: i64 = 7;

/// Finds the path of the flow [`Scratch::key`], keeps it with the flow, and leaves it in [`Scratch::way`]. What was STACK stays it.
#[inline(never)]
pub fn settle(skb: *mut __sk_buff, scratch: &mut Scratch) {
    let due = fresh(&scratch.way.due);
    scratch.way.due = 0;
    if due == BEGUN && !is_beginning(scratch) {
        return;
    }
    let path = match endpoint(scratch.key.local) {
        Some(own) if own.id == scratch.key.endpoint => choose(skb, scratch, own),
        _ => u32::from(Path::STACK),
    };
    scratch.way.path = u32::from(Path::STACK);
    let Some(pointer) = FLOWS.get_ptr_mut(&scratch.key) else {
        return;
    };
    // SAFETY: as in `known`.
    let flow = unsafe { &mut *pointer };
    if flow.flags & FlowFlags::DEFERRED != 0 || (due == STALE && flow.path == Path::STACK) {
        return;
    }
    if path == u32::from(Path::STACK) && due == STALE {
        add(Reason::PathLost, 0);
    }
    if path == u32::from(Path::ENI) {
        flow.path_index = scratch.way.index;
        flow.next_hop = scratch.way.next_hop;
    }
    flow.path = path as u8;
    scratch.way.path = path;
}

/// Connections that are met in their middle may be what the stack translates.
#[inline(always)]
fn is_beginning(scratch: &Scratch) -> bool {
    match scratch.packet.tuple.protocol {
        protocol::TCP | protocol::SCTP => scratch.packet.tuple.signal & Signal::OPEN != 0,
        _ => true,
    }
}

#[inline(always)]
fn choose(skb: *mut __sk_buff, scratch: &mut Scratch, own: &Endpoint) -> u32 {
    const BY_STACK: u32 = Path::STACK as u32;
    let remote = scratch.key.remote;
    if own.link == 0 || is_of_link(&remote) || is_of_link(&scratch.key.local) {
        return BY_STACK;
    }
    look_for(scratch, remote);
    // SAFETY: records are freed only after every running program has ended (RCU).
    if HOST_STACK.get(&scratch.prefix).is_some() || unsafe { HOST_ADDRS.get(&remote) }.is_some() {
        return BY_STACK;
    }
    let index = look_up(skb, scratch, own, BY_RULES);
    if index == 0 {
        return BY_STACK;
    }
    scratch.way.index = own.eni;
    if index == own.eni {
        return u32::from(Path::ENI);
    }
    match endpoint(remote) {
        Some(other) if other.link != 0 && other.link == index => return u32::from(Path::POD),
        _ => {}
    }
    if is_ipv4(&remote) {
        return BY_STACK;
    }
    match is_passed_over(skb, scratch, own, index) {
        true => {
            scratch.way.next_hop = own.gateway;
            u32::from(Path::ENI)
        }
        false => BY_STACK,
    }
}

/// For IPv6 the look does not know of `suppress_prefixlength` (`fib6_rule_suppress` has no route to look at): where one rule leads all pods to main, it
/// answers with a wide route of main, the default route mostly, which the stack passes over. It is such a one if main leads the address beside the
/// remote, which no route for the remote alone can cover, there as well.
#[inline(always)]
fn is_passed_over(skb: *mut __sk_buff, scratch: &mut Scratch, own: &Endpoint, index: u32) -> bool {
    let next_hop = scratch.way.next_hop;
    let is_on_link = words(&next_hop) == words(&scratch.key.remote);
    scratch.key.remote.0[15] ^= 1;
    let beside = look_up(skb, scratch, own, BY_MAIN);
    let is_same = match is_on_link {
        true => words(&scratch.way.next_hop) == words(&scratch.key.remote),
        false => words(&scratch.way.next_hop) == words(&next_hop),
    };
    scratch.key.remote.0[15] ^= 1;
    beside == index && is_same
}

/// Rules and tables as for a packet that came over the pod's pair.
const BY_RULES: u32 = 0;
/// `BPF_FIB_LOOKUP_DIRECT`: the table main alone.
const BY_MAIN: u32 = 1;

/// The interface that leads from the flow's pod to its remote, 0 where none does; its next hop is left in [`Scratch::way`].
#[inline(never)]
fn look_up(skb: *mut __sk_buff, scratch: &mut Scratch, own: &Endpoint, flags: u32) -> u32 {
    // SAFETY: integers and arrays of them.
    let mut fib: Fib = unsafe { zeroed() };
    let key = &scratch.key;
    fib.l4_protocol = key.protocol;
    fib.sport = key.local_port.to_be();
    fib.dport = key.remote_port.to_be();
    fib.ifindex = own.link;
    // A route for smaller packets only is the stack's to explain; Linux 5.12 and later say so here.
    fib.__bindgen_anon_1.tot_len = own.mtu as u16;
    let (source, destination) = (words(&key.local), words(&key.remote));
    match is_ipv4(&key.remote) {
        true => {
            fib.family = AF_INET;
            fib.__bindgen_anon_3.ipv4_src = source[3];
            fib.__bindgen_anon_4.ipv4_dst = destination[3];
        }
        false => {
            fib.family = AF_INET6;
            fib.__bindgen_anon_3.ipv6_src = *source;
            fib.__bindgen_anon_4.ipv6_dst = *destination;
        }
    }
    // SAFETY: a plain call with a buffer of the size that it is told.
    let answer = unsafe { bpf_fib_lookup(skb.cast(), ptr::from_mut(&mut fib), size_of::<Fib>() as i32, flags) };
    if answer != SUCCESS && answer != NO_NEIGHBOUR {
        return 0;
    }
    scratch.way.next_hop = match fib.family {
        // SAFETY: both forms are plain words; the family says which one is there.
        AF_INET => Address::mapped(unsafe { fib.__bindgen_anon_4.ipv4_dst }.to_ne_bytes()),
        // SAFETY: as above.
        _ => address(unsafe { fib.__bindgen_anon_4.ipv6_dst }),
    };
    fib.ifindex
}

#[inline(always)]
fn address(words: [u32; 4]) -> Address {
    // SAFETY: the same bytes.
    unsafe { core::mem::transmute(words) }
}

/// Link-local or for many: 169.254.0.0/16, 224.0.0.0/4 and above, fe80::/10, ff00::/8.
#[inline(always)]
fn is_of_link(address: &Address) -> bool {
    let [first, second, .., a, b, _, _] = address.0;
    match is_ipv4(address) {
        true => (a == 169 && b == 254) || a >= 224,
        false => (first == 0xfe && second & 0xc0 == 0x80) || first == 0xff,
    }
}

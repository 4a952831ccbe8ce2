//! The fast path: packets that go from one link of the node to the next past its stack.
//!
//! A flow gets its path with its first packet, by one look into the kernel's routes, and while packets come the look is repeated once a second: the
//! routes stay the authority. What the stack may have to change or to answer goes by the stack: Services and the node's own addresses, fragments,
//! options, packets that are too large or have no hops left, connections whose beginning was not seen.

use aya_ebpf::programs::TcContext;
use terway_abi::Endpoint;
use terway_ebpf::{
    fresh,
    packet::protocol::TCP,
    skb::{self, PACKET_HOST},
};

use crate::{policy::flow::is_taken_over, scratch::Scratch};

mod arrive;
mod choose;
mod error;
mod rewrite;
mod send;

pub use arrive::arrive;
pub use error::send_error;
pub use send::send;

/// Bytes of the headers up to the transport header, if there is nothing in them that only the stack understands.
#[inline(always)]
fn plain_headers(scratch: &Scratch, ipv4: bool) -> bool {
    fresh(&scratch.packet.transport()) == if ipv4 { 34 } else { 54 }
}

/// May the packet go past the stack at all?
#[inline(always)]
fn is_plain(ctx: &TcContext, scratch: &Scratch, ipv4: bool) -> bool {
    // A router passes on what has a hop left behind it, and answers the rest.
    skb::pkt_type(ctx) == PACKET_HOST && fresh(&scratch.packet.hops) > 1 && plain_headers(scratch, ipv4) && !is_taken_over()
}

/// Does it fit into the receiver's link as it is? If not, the stack cuts it or tells its sender.
#[inline(always)]
fn fits(ctx: &TcContext, scratch: &Scratch, receiver: &Endpoint) -> bool {
    const ETHERNET: u32 = 14;
    let segment = skb::gso_size(ctx);
    if segment == 0 {
        return ctx.len() <= receiver.mtu + ETHERNET;
    }
    let at = fresh(&scratch.packet.transport());
    let header = match scratch.packet.tuple.protocol {
        TCP => match ctx.load::<u8>(at as usize + 12) {
            Ok(offset) => u32::from(offset >> 4) * 4,
            Err(_) => return false,
        },
        _ => 8,
    };
    at + header + segment <= receiver.mtu + ETHERNET
}

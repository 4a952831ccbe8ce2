//! Ports of packets in fragments.

use terway_abi::Fragment;
use terway_ebpf::packet::Packet;

use crate::maps::FRAGMENTS;

/// Keeps what only the first fragment says. It is kept before the verdict: the others get the same one by it.
#[inline(always)]
pub fn remember(packet: &Packet) {
    let fragment = Fragment {
        source_port: packet.tuple.source_port,
        destination_port: packet.tuple.destination_port,
        protocol: packet.tuple.protocol,
        reserved: [0; 3],
    };
    let _ = FRAGMENTS.insert(&packet.fragment, &fragment, 0);
}

/// Gives another fragment what the first one said, if that one was seen.
#[inline(always)]
pub fn recall(packet: &mut Packet) {
    // SAFETY: a record may be taken for another packet's while it is read; that one was seen then just as well.
    let Some(fragment) = (unsafe { FRAGMENTS.get(&packet.fragment) }) else {
        packet.portless = 1;
        return;
    };
    packet.tuple.source_port = fragment.source_port;
    packet.tuple.destination_port = fragment.destination_port;
    packet.tuple.protocol = fragment.protocol;
}

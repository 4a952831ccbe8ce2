//! Ethernet frames: the ARP and neighbour discovery that the responder speaks, and the frames that tests send by hand.

mod arp;
mod header;
mod mac;
mod neighbour;
mod udp;

pub use arp::{Arp, Operation};
pub use header::{ETHERTYPE_ARP, ETHERTYPE_IPV6, checksum};
pub use mac::Mac;
pub use neighbour::{Solicitation, advertisement, parse_advertisement};
pub use udp::udp;

#[cfg(test)]
#[path = "frame_test.rs"]
mod tests;

//! Addresses.

use netlink_packet_core::DefaultNla;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};

use super::family::address_family;
use crate::kernel::uapi::IFA_TARGET_NETNSID;
use crate::object::{Family, Prefix};

/// `RTM_GETADDR` of one link of the namespace with this id, both families.
pub fn list_addresses_in(netns: i32, family: Family, index: u32) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.family = address_family(family);
    message.header.index = index;
    let netns = DefaultNla::new(IFA_TARGET_NETNSID, netns.to_ne_bytes().to_vec());
    message.attributes.push(AddressAttribute::Other(netns));
    RouteNetlinkMessage::GetAddress(message)
}

/// `RTM_GETADDR` of one link.
pub fn list_addresses(family: Family, index: u32) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.family = address_family(family);
    message.header.index = index;
    RouteNetlinkMessage::GetAddress(message)
}

/// `RTM_NEWADDR`. IPv6 without duplicate detection (the VPC hands addresses out, and the node's own stands on several ENIs), and
/// without the prefix route: a connected route that a mode wants it makes itself. `here` keeps the address to its link, out of the choice of
/// sources elsewhere (IPv4).
pub fn add_address(index: u32, prefix: Prefix, here: bool) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.family = address_family(prefix.family());
    message.header.prefix_len = prefix.length;
    message.header.index = index;
    message.header.scope = if here { AddressScope::Host } else { AddressScope::Universe };
    message.attributes.push(AddressAttribute::Local(prefix.address));
    message.attributes.push(AddressAttribute::Address(prefix.address));
    match prefix.family() {
        Family::V6 => message
            .attributes
            .push(AddressAttribute::Flags(AddressFlags::Nodad | AddressFlags::Noprefixroute)),
        Family::V4 if !prefix.is_host() => message.attributes.push(AddressAttribute::Flags(AddressFlags::Noprefixroute)),
        Family::V4 => {}
    }
    RouteNetlinkMessage::NewAddress(message)
}

//! Neighbours.

use std::net::IpAddr;

use netlink_packet_core::DefaultNla;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::RouteType;

use super::family::address_family;
use crate::kernel::uapi::NDA_IFINDEX;
use crate::object::{Family, Mac};

/// `RTM_GETNEIGH` of one neighbour (Linux 5.0).
pub fn get_neighbour(index: u32, address: IpAddr) -> RouteNetlinkMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = address_family(Family::of(address));
    message.header.ifindex = index;
    message.attributes.push(NeighbourAttribute::Destination(address.into()));
    RouteNetlinkMessage::GetNeighbour(message)
}

/// `RTM_GETNEIGH` of one link, both families.
pub fn list_neighbours(index: u32) -> RouteNetlinkMessage {
    let mut message = NeighbourMessage::default();
    message.attributes.push(NeighbourAttribute::Other(DefaultNla::new(
        NDA_IFINDEX,
        index.to_ne_bytes().to_vec(),
    )));
    RouteNetlinkMessage::GetNeighbour(message)
}

/// `RTM_GETNEIGH` of all links, both families.
pub fn list_all_neighbours() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default())
}

/// `RTM_NEWNEIGH` of a permanent neighbour.
pub fn put_neighbour(index: u32, address: IpAddr, mac: Mac) -> RouteNetlinkMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = address_family(Family::of(address));
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(NeighbourAttribute::Destination(address.into()));
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    RouteNetlinkMessage::NewNeighbour(message)
}

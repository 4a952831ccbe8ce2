//! Ids of network namespaces.

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};

/// `RTM_NEWNSID`: gives a namespace an id in the socket's own, the first free one; it stays until the namespace dies.
pub fn name_netns(netns: BorrowedFd<'_>) -> RouteNetlinkMessage {
    let mut message = NsidMessage::default();
    message.attributes.push(NsidAttribute::Fd(netns.as_raw_fd() as u32));
    message.attributes.push(NsidAttribute::Id(-1));
    RouteNetlinkMessage::NewNsId(message)
}

/// `RTM_GETNSID` of one namespace.
pub fn get_netns_id(netns: BorrowedFd<'_>) -> RouteNetlinkMessage {
    let mut message = NsidMessage::default();
    message.attributes.push(NsidAttribute::Fd(netns.as_raw_fd() as u32));
    RouteNetlinkMessage::GetNsId(message)
}

/// `RTM_GETNSID` of all namespaces that have an id in the socket's own.
pub fn list_netns_ids() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetNsId(NsidMessage::default())
}

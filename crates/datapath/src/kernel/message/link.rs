//! Links that are there.

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute, LinkExtentMask, LinkFlags, LinkMessage, LinkXdp, Prop,
};

use crate::object::Mac;

/// `RTM_GETLINK` of one link by name; statistics are left out.
pub fn get_link_by_name(name: &str) -> RouteNetlinkMessage {
    let mut message = get_link();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    RouteNetlinkMessage::GetLink(message)
}

/// `RTM_GETLINK` of one link by index.
pub fn get_link_by_index(index: u32) -> RouteNetlinkMessage {
    let mut message = get_link();
    message.header.index = index;
    RouteNetlinkMessage::GetLink(message)
}

/// `RTM_GETLINK` of all links.
pub fn list_links() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(get_link())
}

fn get_link() -> LinkMessage {
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    message
}

/// `RTM_DELLINK` by index, in the socket's namespace or in one with this id in it.
pub fn delete_link(index: u32, netns: Option<i32>) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.extend(netns.map(LinkAttribute::IfNetnsId));
    RouteNetlinkMessage::DelLink(message)
}

/// `RTM_GETLINK` of all links of the namespace with this id.
pub fn list_links_in(netns: i32) -> RouteNetlinkMessage {
    let mut message = get_link();
    message.attributes.push(LinkAttribute::IfNetnsId(netns));
    RouteNetlinkMessage::GetLink(message)
}

/// New properties of a link; what is none stays.
#[derive(Clone, Debug, Default)]
pub struct LinkChange {
    pub name: Option<String>,
    pub mtu: Option<u32>,
    pub up: Option<bool>,
    /// Whether it asks for MACs.
    pub arp: Option<bool>,
    pub alias: Option<String>,
    pub group: Option<u32>,
}

/// `RTM_SETLINK` by index.
pub fn set_link(index: u32, change: LinkChange) -> RouteNetlinkMessage {
    let mut message = change_message(change);
    message.header.index = index;
    RouteNetlinkMessage::SetLink(message)
}

/// `RTM_SETLINK` of a host end just made, by name because its index is not known yet: the alias that marks it, and no IPv6 link-local
/// address. Nobody speaks to it (the pod's next hop is a permanent neighbour), and a thousand of them are two thousand routes that the
/// kernel walks whenever a link goes up or down.
pub fn mark_by_name(name: &str, alias: &str) -> RouteNetlinkMessage {
    let mut message = quiet(alias);
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    RouteNetlinkMessage::SetLink(message)
}

/// `RTM_SETLINK` of a host's slave that is up: the alias that marks it, no ARP (it has forgotten that coming up), and no link-local address.
pub fn mark(index: u32, alias: &str) -> RouteNetlinkMessage {
    let mut message = quiet(alias);
    message.header.index = index;
    message.header.change_mask = LinkFlags::Noarp;
    message.header.flags = LinkFlags::Noarp;
    RouteNetlinkMessage::SetLink(message)
}

fn quiet(alias: &str) -> LinkMessage {
    let change = LinkChange {
        alias: Some(alias.to_owned()),
        ..LinkChange::default()
    };
    let mut message = change_message(change);
    let quiet = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
    message.attributes.push(LinkAttribute::AfSpecUnspec(vec![quiet]));
    message
}

fn change_message(change: LinkChange) -> LinkMessage {
    let mut message = LinkMessage::default();
    for (flag, on) in [(LinkFlags::Up, change.up), (LinkFlags::Noarp, change.arp.map(|arp| !arp))] {
        if let Some(on) = on {
            message.header.change_mask |= flag;
            message.header.flags |= if on { flag } else { LinkFlags::empty() };
        }
    }
    message.attributes.extend(change.name.map(LinkAttribute::IfName));
    message.attributes.extend(change.mtu.map(LinkAttribute::Mtu));
    message.attributes.extend(change.alias.map(LinkAttribute::IfAlias));
    message.attributes.extend(change.group.map(LinkAttribute::Group));
    message
}

/// `RTM_SETLINK` that moves a link into another namespace. The kernel moves it under its old name or, if that is taken there, under `name`
/// (without one it refuses then), and gives it `name` afterwards. A link that moves loses addresses, routes, neighbours, qdiscs and
/// filters, and goes down.
pub fn move_link(index: u32, netns: BorrowedFd<'_>, name: Option<&str>) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::NetNsFd(netns.as_raw_fd()));
    message
        .attributes
        .extend(name.map(|name| LinkAttribute::IfName(name.to_owned())));
    RouteNetlinkMessage::SetLink(message)
}

/// `RTM_NEWLINKPROP` or `RTM_DELLINKPROP` of alternative names (Linux 5.5).
pub fn alternative_names(index: u32, names: &[String], add: bool) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    let names = names.iter().cloned().map(Prop::AltIfName).collect();
    message.attributes.push(LinkAttribute::PropList(names));
    if add {
        RouteNetlinkMessage::NewLinkProp(message)
    } else {
        RouteNetlinkMessage::DelLinkProp(message)
    }
}

/// `RTM_SETLINK` that takes an XDP program off; `how` is the mode it is attached in (`XDP_FLAGS_*_MODE`).
pub fn detach_xdp(index: u32, how: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    let program = vec![LinkXdp::Fd(-1), LinkXdp::Flags(how)];
    message.attributes.push(LinkAttribute::Xdp(program));
    RouteNetlinkMessage::SetLink(message)
}

/// `RTM_SETLINK` of the MAC.
pub fn set_mac(index: u32, mac: Mac) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::Address(mac.0.to_vec()));
    RouteNetlinkMessage::SetLink(message)
}

/// `RTM_DELLINK` of every link of a group.
pub fn delete_group(group: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::Group(group));
    RouteNetlinkMessage::DelLink(message)
}

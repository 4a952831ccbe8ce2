//! Objects to netlink requests. Devices are indices by now.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::DefaultNla;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoIpVlan, InfoKind, InfoNetkit, InfoVeth, InfoVlan, IpVlanMode,
    LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage, LinkXdp, NetkitMode, NetkitScrub, Prop,
};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteMessage, RouteScope, RouteType};
use netlink_packet_route::rule::{RuleAction as KernelAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::uapi::{IFA_TARGET_NETNSID, NDA_IFINDEX};
use crate::object::{Family, Mac, Prefix, Route, RouteKind, Rule, RuleAction, Scope};

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

/// The two ends of a pair that is about to be made.
pub struct Pair<'a> {
    pub host_name: &'a str,
    pub pod_name: &'a str,
    /// Of the host end and of the pod end: veth. None: netkit, whose ends have none.
    pub macs: Option<(Mac, Mac)>,
    pub pod_netns: BorrowedFd<'a>,
    pub mtu: u32,
}

/// `RTM_NEWLINK` of a pair. Both MACs are given: neighbours can be written without reading them back, and udev leaves them alone.
///
/// netkit: L3 mode. Both directions pass while no program is attached. The node's mark and priority reach the pod's programs; a kernel
/// older than 6.13 that has no such switch does not know the attribute and ignores it. The pod's own are always wiped: they would mean
/// something to the node's rules.
pub fn create_pair(pair: &Pair<'_>) -> RouteNetlinkMessage {
    let end = |name: &str, mac: Option<Mac>| {
        let mut attributes = vec![LinkAttribute::IfName(name.to_owned()), LinkAttribute::Mtu(pair.mtu)];
        attributes.extend(mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
        attributes
    };
    let mut peer = LinkMessage::default();
    peer.attributes = end(pair.pod_name, pair.macs.map(|(_, pod)| pod));
    peer.attributes.push(LinkAttribute::NetNsFd(pair.pod_netns.as_raw_fd()));
    let mut host = LinkMessage::default();
    host.attributes = end(pair.host_name, pair.macs.map(|(host, _)| host));
    let info = match pair.macs {
        Some(_) => [
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ],
        None => [
            LinkInfo::Kind(InfoKind::Netkit),
            LinkInfo::Data(InfoData::Netkit(vec![
                InfoNetkit::Mode(NetkitMode::L3),
                InfoNetkit::Scrub(NetkitScrub::None),
                InfoNetkit::Peer(peer),
            ])),
        ],
    };
    host.attributes.push(LinkAttribute::LinkInfo(info.to_vec()));
    RouteNetlinkMessage::NewLink(host)
}

/// A link that hangs on another, about to be made.
pub struct Hanging<'a> {
    pub name: &'a str,
    pub lower: u32,
    pub mtu: u32,
    /// The VLAN id of an 802.1Q link; none: an IPvlan slave in L2 mode.
    pub vlan_id: Option<u16>,
    /// Where it is born; none: in the socket's namespace, up.
    pub netns: Option<BorrowedFd<'a>>,
}

/// `RTM_NEWLINK` of a link that hangs on another.
pub fn create_hanging(link: &Hanging<'_>) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    if link.netns.is_none() {
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = message.header.flags;
    }
    let attributes = &mut message.attributes;
    attributes.push(LinkAttribute::IfName(link.name.to_owned()));
    attributes.push(LinkAttribute::Link(link.lower));
    attributes.push(LinkAttribute::Mtu(link.mtu));
    attributes.extend(link.netns.map(|netns| LinkAttribute::NetNsFd(netns.as_raw_fd())));
    let info = match link.vlan_id {
        Some(id) => [
            LinkInfo::Kind(InfoKind::Vlan),
            LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(id)])),
        ],
        None => [
            LinkInfo::Kind(InfoKind::IpVlan),
            LinkInfo::Data(InfoData::IpVlan(vec![InfoIpVlan::Mode(IpVlanMode::L2)])),
        ],
    };
    attributes.push(LinkAttribute::LinkInfo(info.to_vec()));
    RouteNetlinkMessage::NewLink(message)
}

/// `RTM_DELLINK` by index, in the socket's namespace or in one with this id in it.
pub fn delete_link(index: u32, netns: Option<i32>) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.extend(netns.map(LinkAttribute::IfNetnsId));
    RouteNetlinkMessage::DelLink(message)
}

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

/// `RTM_GETLINK` of all links of the namespace with this id.
pub fn list_links_in(netns: i32) -> RouteNetlinkMessage {
    let mut message = get_link();
    message.attributes.push(LinkAttribute::IfNetnsId(netns));
    RouteNetlinkMessage::GetLink(message)
}

/// `RTM_GETADDR` of one link of the namespace with this id, both families.
pub fn list_addresses_in(netns: i32, family: Family, index: u32) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.family = address_family(family);
    message.header.index = index;
    let netns = DefaultNla::new(IFA_TARGET_NETNSID, netns.to_ne_bytes().to_vec());
    message.attributes.push(AddressAttribute::Other(netns));
    RouteNetlinkMessage::GetAddress(message)
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

/// `RTM_SETLINK` that moves a link into another namespace and gives it a name there. The kernel moves it first, under its old name or,
/// if that is taken, under the new one; a link that moves loses addresses, routes, neighbours, qdiscs and filters, and goes down.
pub fn move_link(index: u32, netns: BorrowedFd<'_>, name: &str) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::NetNsFd(netns.as_raw_fd()));
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
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

fn address_family(family: Family) -> AddressFamily {
    match family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    }
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

/// `RTM_GETROUTE` of a list, filtered by the kernel.
pub fn list_routes(family: Family, table: Option<u32>, device: Option<u32>) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(family);
    message.attributes.extend(table.map(RouteAttribute::Table));
    message.attributes.extend(device.map(RouteAttribute::Oif));
    RouteNetlinkMessage::GetRoute(message)
}

/// `RTM_GETROUTE` of the routes that `protocol` made, in all tables.
pub fn list_routes_of(family: Family, protocol: u8) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(family);
    message.header.protocol = protocol.into();
    RouteNetlinkMessage::GetRoute(message)
}

/// `RTM_GETROUTE` of the entry that a packet from the node to `destination` would use.
pub fn match_route(destination: IpAddr) -> RouteNetlinkMessage {
    let prefix = Prefix::host(destination);
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(prefix.family());
    message.header.destination_prefix_length = prefix.length;
    message.header.flags = RouteFlags::FibMatch;
    message.attributes.push(RouteAttribute::Destination(destination.into()));
    RouteNetlinkMessage::GetRoute(message)
}

/// The body of `RTM_NEWROUTE` and `RTM_DELROUTE`.
pub fn route(route: &Route, device: Option<u32>) -> RouteMessage {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = address_family(route.destination.family());
    header.destination_prefix_length = route.destination.length;
    header.protocol = route.protocol.into();
    header.kind = match route.kind {
        RouteKind::Unicast => RouteType::Unicast,
        RouteKind::Unreachable => RouteType::Unreachable,
        RouteKind::Other(kind) => RouteType::Other(kind),
    };
    header.scope = match route.scope {
        Scope::Universe => RouteScope::Universe,
        Scope::Link => RouteScope::Link,
        Scope::Other(scope) => RouteScope::from(scope),
    };
    if route.onlink {
        header.flags = RouteFlags::Onlink;
    }
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Table(route.table));
    if !route.destination.is_default() {
        attributes.push(RouteAttribute::Destination(route.destination.address.into()));
    }
    if let Some(source) = route.source {
        header.source_prefix_length = source.length;
        attributes.push(RouteAttribute::Source(source.address.into()));
    }
    attributes.extend(route.gateway.map(|gateway| RouteAttribute::Gateway(gateway.into())));
    attributes.extend(device.map(RouteAttribute::Oif));
    if route.metric != 0 {
        attributes.push(RouteAttribute::Priority(route.metric));
    }
    message
}

/// `RTM_GETRULE` of all rules of a family.
pub fn list_rules(family: Family) -> RouteNetlinkMessage {
    let mut message = RuleMessage::default();
    message.header.family = address_family(family);
    RouteNetlinkMessage::GetRule(message)
}

/// The body of `RTM_NEWRULE` and `RTM_DELRULE`.
pub fn rule(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = address_family(rule.family);
    message.header.action = match rule.action {
        RuleAction::Lookup(_) => KernelAction::ToTable,
        RuleAction::Goto(_) => KernelAction::Goto,
        RuleAction::Nop => KernelAction::Nop,
    };
    let attributes = &mut message.attributes;
    if let Some(from) = rule.from {
        message.header.src_len = from.length;
        attributes.push(RuleAttribute::Source(from.address));
    }
    if let Some(to) = rule.to {
        message.header.dst_len = to.length;
        attributes.push(RuleAttribute::Destination(to.address));
    }
    attributes.extend(rule.input.map(|input| RuleAttribute::Iifname(input.to_string())));
    attributes.extend(rule.output.map(|output| RuleAttribute::Oifname(output.to_string())));
    attributes.push(RuleAttribute::Priority(rule.priority));
    attributes.extend(match rule.action {
        RuleAction::Lookup(table) => Some(RuleAttribute::Table(table)),
        RuleAction::Goto(priority) => Some(RuleAttribute::Goto(priority)),
        RuleAction::Nop => None,
    });
    attributes.push(RuleAttribute::Protocol(rule.protocol.into()));
    attributes.extend(rule.suppress_prefix_length.map(RuleAttribute::SuppressPrefixLen));
    message
}

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

//! Links that are about to be made.

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoIpVlan, InfoKind, InfoNetkit, InfoVeth, InfoVlan, IpVlanMode, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
    NetkitMode, NetkitScrub,
};

use crate::object::Mac;

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

/// `RTM_NEWLINK` of an `ifb`.
pub fn create_shaper(name: &str, mtu: u32) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message.attributes.push(LinkAttribute::Mtu(mtu));
    message
        .attributes
        .push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Ifb)]));
    RouteNetlinkMessage::NewLink(message)
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

//! Reading the kernel: single objects, and lists filtered by the kernel.

use std::net::IpAddr;
use std::os::fd::BorrowedFd;

use super::decode;
use super::message;
use super::socket::{Answer, Request, Socket};
use super::uapi::{RTM_NEWADDR, RTM_NEWLINK, RTM_NEWNEIGH, RTM_NEWNSID, RTM_NEWROUTE, RTM_NEWRULE};
use crate::error::Result;
use crate::mark::{is_hanging, is_shaper};
use crate::object::{Address, Family, Neighbour, PROTOCOL, Route, Rule};
use crate::observed::ObservedLink;

const ENODEV: i32 = 19;
const ENXIO: i32 = 6;
const EINVAL: i32 = 22;

/// The link with this name, if there is one.
pub fn link_by_name(socket: &mut Socket, name: &str) -> Result<Option<ObservedLink>> {
    let answer = socket.request(message::get_link_by_name(name), 0)?;
    one_link(answer, name)
}

/// The link with this index, if there is one.
pub fn link_by_index(socket: &mut Socket, index: u32) -> Result<Option<ObservedLink>> {
    let answer = socket.request(message::get_link_by_index(index), 0)?;
    one_link(answer, &format!("index {index}"))
}

/// The link in the answer to an `RTM_GETLINK`.
pub fn one_link(answer: Answer, name: &str) -> Result<Option<ObservedLink>> {
    match answer.result {
        Err(refusal) if refusal.errno == ENODEV || refusal.errno == ENXIO => Ok(None),
        Err(refusal) => Err(refusal.error("RTM_GETLINK").about(format!("link {name}"))),
        Ok(()) => Ok(answer
            .replies
            .iter()
            .filter(|reply| reply.kind == RTM_NEWLINK)
            .find_map(|reply| decode::link(&reply.payload))),
    }
}

fn entry<T>(kind: u16, parse: fn(&[u8]) -> Option<T>) -> impl Fn(u16, &[u8]) -> Option<T> {
    move |got, payload| if got == kind { parse(payload) } else { None }
}

/// All links.
pub fn links(socket: &mut Socket) -> Result<Vec<ObservedLink>> {
    socket.dump("RTM_GETLINK", &message::list_links(), entry(RTM_NEWLINK, decode::link))
}

/// The id that a namespace has in the socket's own, if it has one.
pub fn netns_id(socket: &mut Socket, netns: BorrowedFd<'_>) -> Result<Option<i32>> {
    let answer = socket.request(message::get_netns_id(netns), 0)?;
    let replies = answer.replies.iter().filter(|reply| reply.kind == RTM_NEWNSID);
    Ok(replies.map(|reply| decode::netns_id(&reply.payload)).next().flatten())
}

/// Links of the namespace with this id; none if it has gone.
pub fn links_in(socket: &mut Socket, netns: i32) -> Result<Vec<ObservedLink>> {
    let listed = socket.dump(
        "RTM_GETLINK",
        &message::list_links_in(netns),
        entry(RTM_NEWLINK, decode::link),
    );
    match listed {
        Err(error) if error.errno == Some(EINVAL) => Ok(Vec::new()),
        other => other,
    }
}

/// Addresses of one link of the namespace with this id; none if it has gone.
pub fn addresses_in(socket: &mut Socket, netns: i32, index: u32) -> Result<Vec<Address>> {
    let mut found = Vec::new();
    for family in [Family::V4, Family::V6] {
        let listed = socket.dump(
            "RTM_GETADDR",
            &message::list_addresses_in(netns, family, index),
            entry(RTM_NEWADDR, decode::address),
        );
        match listed {
            Err(error) if error.errno == Some(EINVAL) => {}
            other => found.extend(other?),
        }
    }
    Ok(found)
}

/// Links of ours that hang on an ENI, and what shapes the traffic to them, in all namespaces that have an id in this one, with that id.
pub fn hanging_links(socket: &mut Socket) -> Result<Vec<(i32, ObservedLink)>> {
    let ids = socket.dump(
        "RTM_GETNSID",
        &message::list_netns_ids(),
        entry(RTM_NEWNSID, decode::netns_id),
    )?;
    let mut found = Vec::new();
    for netns in ids {
        let links = links_in(socket, netns)?.into_iter();
        let ours = links.filter(|link| is_hanging(link) || is_shaper(link));
        found.extend(ours.map(|link| (netns, link)));
    }
    Ok(found)
}

/// Addresses of one family on one link (0: on all).
pub fn addresses(socket: &mut Socket, family: Family, index: u32) -> Result<Vec<Address>> {
    socket.dump(
        "RTM_GETADDR",
        &message::list_addresses(family, index),
        entry(RTM_NEWADDR, decode::address),
    )
}

/// State of the IPv6 link-local address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkLocal {
    /// There is none (yet).
    Missing,
    /// Duplicate detection is not over: nothing is sent from it.
    Tentative,
    /// In use.
    Ready,
}

/// The link-local address of a link.
pub fn link_local(socket: &mut Socket, index: u32) -> Result<LinkLocal> {
    let states = socket.dump("RTM_GETADDR", &message::list_addresses(Family::V6, index), |kind, payload| {
        let address = entry(RTM_NEWADDR, decode::address)(kind, payload)?;
        let local = matches!(address.prefix.address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        local.then(|| {
            if decode::is_tentative(payload) {
                LinkLocal::Tentative
            } else {
                LinkLocal::Ready
            }
        })
    })?;
    Ok(states.into_iter().next().unwrap_or(LinkLocal::Missing))
}

/// Routes of one family, of one table, through one device.
pub fn routes(socket: &mut Socket, family: Family, table: Option<u32>, device: Option<u32>) -> Result<Vec<Route>> {
    socket.dump(
        "RTM_GETROUTE",
        &message::list_routes(family, table, device),
        entry(RTM_NEWROUTE, decode::route),
    )
}

/// Routes of one family that we made, in all tables.
pub fn own_routes(socket: &mut Socket, family: Family) -> Result<Vec<Route>> {
    let routes = socket.dump(
        "RTM_GETROUTE",
        &message::list_routes_of(family, PROTOCOL),
        entry(RTM_NEWROUTE, decode::route),
    )?;
    Ok(routes.into_iter().filter(|route| route.protocol == PROTOCOL).collect())
}

/// Rules of one family.
pub fn rules(socket: &mut Socket, family: Family) -> Result<Vec<Rule>> {
    socket.dump("RTM_GETRULE", &message::list_rules(family), entry(RTM_NEWRULE, decode::rule))
}

/// Those of these neighbours that are there. Asked for one by one: a list walks the neighbours of all namespaces of the machine.
pub fn wanted_neighbours<'a>(
    socket: &mut Socket,
    index: u32,
    wanted: impl Iterator<Item = &'a Neighbour>,
) -> Result<Vec<Neighbour>> {
    let get = |neighbour: &Neighbour| Request {
        message: message::get_neighbour(index, neighbour.address),
        flags: 0,
    };
    let requests: Vec<Request> = wanted.map(get).collect();
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let answers = socket.batch(requests)?;
    let replies = answers
        .iter()
        .flat_map(|answer| &answer.replies)
        .filter(|reply| reply.kind == RTM_NEWNEIGH);
    Ok(replies.filter_map(|reply| decode::neighbour(&reply.payload)).collect())
}

/// Neighbours of both families on one link.
pub fn neighbours(socket: &mut Socket, index: u32) -> Result<Vec<Neighbour>> {
    socket.dump(
        "RTM_GETNEIGH",
        &message::list_neighbours(index),
        entry(RTM_NEWNEIGH, decode::neighbour),
    )
}

/// Neighbours of both families on all links.
pub fn all_neighbours(socket: &mut Socket) -> Result<Vec<Neighbour>> {
    socket.dump(
        "RTM_GETNEIGH",
        &message::list_all_neighbours(),
        entry(RTM_NEWNEIGH, decode::neighbour),
    )
}

/// The entry of the routing tables that a packet from the namespace itself to `destination` would use.
pub fn matching_route(socket: &mut Socket, destination: IpAddr) -> Result<Option<Route>> {
    let answer = socket.request(message::match_route(destination), 0)?;
    Ok(answer
        .replies
        .iter()
        .filter(|reply| reply.kind == RTM_NEWROUTE)
        .find_map(|reply| decode::route(&reply.payload)))
}

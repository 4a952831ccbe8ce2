//! Steps to netlink requests.

use netlink_packet_route::RouteNetlinkMessage;

use super::filter;
use super::message::{self, LinkChange};
use super::parts::Parts;
use super::queueing;
use super::redirect;
use super::socket::Request;
use super::uapi::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use crate::error::{Error, ErrorCode, Result};
use crate::object::{Device, Route};
use crate::step::Step;

/// The request of a step that is a single one.
pub fn request(step: &Step, parts: &Parts) -> Result<Request> {
    let device = |route: &Route| route.device.map(|device| parts.index(device)).transpose();
    let (message, flags) = match step {
        Step::Create(_)
        | Step::WriteSysctl(..)
        | Step::Masquerade(_)
        | Step::PutRecord(_)
        | Step::DeleteRecord(_)
        | Step::PutFilter(..) => {
            return Err(Error::new(ErrorCode::Kernel, "not a single netlink request"));
        }
        Step::SetLink {
            device,
            name,
            mtu,
            up,
            alias,
            arp,
            ..
        } => {
            let change = LinkChange {
                name: name.clone(),
                mtu: *mtu,
                up: up.then_some(true),
                alias: alias.clone(),
                arp: *arp,
                group: None,
            };
            (message::set_link(parts.index(*device)?, change), 0)
        }
        Step::AddAddress(_, address) => (
            message::add_address(
                parts.index(address.device)?,
                address.prefix,
                address.device == Device::HostSlave,
            ),
            NLM_F_CREATE | NLM_F_EXCL,
        ),
        Step::PutRoute(_, route) => {
            let flags = if route.stands_beside() {
                NLM_F_CREATE
            } else {
                NLM_F_CREATE | NLM_F_REPLACE
            };
            (RouteNetlinkMessage::NewRoute(message::route(route, device(route)?)), flags)
        }
        Step::DeleteRoute(_, route) => (RouteNetlinkMessage::DelRoute(message::route(route, device(route)?)), 0),
        Step::AddRule(_, rule) => (RouteNetlinkMessage::NewRule(message::rule(rule)), NLM_F_CREATE | NLM_F_EXCL),
        Step::DeleteRule(_, rule) => (RouteNetlinkMessage::DelRule(message::rule(rule)), 0),
        Step::PutNeighbour(_, neighbour) => {
            let mac = parts.mac(neighbour.mac)?;
            let message = message::put_neighbour(parts.index(neighbour.device)?, neighbour.address, mac);
            (message, NLM_F_CREATE | NLM_F_REPLACE)
        }
        Step::ReplaceQdisc(_, qdisc) => (queueing::put(parts.index(qdisc.device)?, qdisc), NLM_F_CREATE | NLM_F_REPLACE),
        Step::DeleteFilter(_, filter) => (filter::delete(parts.index(filter.device)?, filter.direction), 0),
        Step::PutQdisc(_, qdisc) => (queueing::put(parts.index(qdisc.device)?, qdisc), NLM_F_CREATE),
        Step::PutRedirect(_, redirect) => (
            redirect::put(parts.index(redirect.device)?, parts.index(redirect.to)?),
            NLM_F_CREATE,
        ),
        Step::DeleteRedirect(_, redirect) => (redirect::delete(parts.index(redirect.device)?), 0),
        Step::DeleteLink(_, device) => (message::delete_link(parts.index(*device)?, None), 0),
        Step::DeleteQdisc(_, qdisc) => (queueing::delete(parts.index(qdisc.device)?, qdisc), 0),
    };
    Ok(Request { message, flags })
}

/// The name of what a step asks of the kernel.
pub fn request_name(step: &Step) -> &'static str {
    match step {
        Step::Create(_) => "RTM_NEWLINK",
        Step::SetLink { .. } => "RTM_SETLINK",
        Step::WriteSysctl(..) => "write",
        Step::Masquerade(_) => "nf_tables",
        Step::AddAddress(..) => "RTM_NEWADDR",
        Step::PutRoute(..) => "RTM_NEWROUTE",
        Step::DeleteRoute(..) => "RTM_DELROUTE",
        Step::AddRule(..) => "RTM_NEWRULE",
        Step::DeleteRule(..) => "RTM_DELRULE",
        Step::PutNeighbour(..) => "RTM_NEWNEIGH",
        Step::PutQdisc(..) | Step::ReplaceQdisc(..) => "RTM_NEWQDISC",
        Step::PutFilter(..) | Step::PutRedirect(..) => "RTM_NEWTFILTER",
        Step::DeleteFilter(..) | Step::DeleteRedirect(..) => "RTM_DELTFILTER",
        Step::DeleteLink(..) => "RTM_DELLINK",
        Step::PutRecord(_) | Step::DeleteRecord(_) => "bpf",
        Step::DeleteQdisc(..) => "RTM_DELQDISC",
    }
}

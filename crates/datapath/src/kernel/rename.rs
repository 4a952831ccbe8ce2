//! Renaming links that are up, for kernels before 6.2, which refuse it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use netlink_packet_route::RouteNetlinkMessage;

use super::message::{self, LinkChange};
use super::observe;
use super::socket::{Request, Socket};
use super::uapi::{NLM_F_CREATE, NLM_F_REPLACE};
use crate::error::Result;
use crate::object::{Device, Family, LinkAddress};
use crate::observed::ObservedLink;

const READY_PAUSE: Duration = Duration::from_micros(100);
/// The pod's end may be down for good.
const READY_LIMIT: Duration = Duration::from_millis(200);

/// Down, rename, up; what the kernel forgets with the link down, routes and neighbours, is put back in the same system call.
pub fn rename_while_down(socket: &mut Socket, holder: &ObservedLink, rename: LinkChange) -> Result<()> {
    let index = holder.index;
    let mut requests = vec![
        Request {
            message: message::set_link(
                index,
                LinkChange {
                    up: Some(false),
                    ..LinkChange::default()
                },
            ),
            flags: 0,
        },
        Request {
            message: message::set_link(index, rename),
            flags: 0,
        },
        Request {
            message: message::set_link(
                index,
                LinkChange {
                    up: Some(true),
                    ..LinkChange::default()
                },
            ),
            flags: 0,
        },
    ];
    let judged = requests.len();
    for neighbour in observe::neighbours(socket, index)?
        .into_iter()
        .filter(|neighbour| neighbour.permanent)
    {
        if let LinkAddress::Is(mac) = neighbour.mac {
            let message = message::put_neighbour(index, neighbour.address, mac);
            requests.push(Request {
                message,
                flags: NLM_F_CREATE | NLM_F_REPLACE,
            });
        }
    }
    for family in [Family::V4, Family::V6] {
        let of_kernel = |protocol: u8| protocol == 2;
        for route in observe::routes(socket, family, None, Some(index))?
            .into_iter()
            .filter(|route| !of_kernel(route.protocol))
        {
            let device = match route.device {
                Some(Device::Index(index)) => Some(index),
                _ => None,
            };
            let message = RouteNetlinkMessage::NewRoute(message::route(&route, device));
            requests.push(Request {
                message,
                flags: NLM_F_CREATE | NLM_F_REPLACE,
            });
        }
    }
    for answer in socket.batch(requests)?.into_iter().take(judged) {
        answer
            .result
            .map_err(|refusal| refusal.error("RTM_SETLINK").about(format!("link {}", holder.name)))?;
    }
    wait_operational(socket, index)
}

/// Both ends have lost their carrier for a moment, and drop packets until one work item has noticed for both that it is back.
fn wait_operational(socket: &mut Socket, index: u32) -> Result<()> {
    let deadline = Instant::now() + READY_LIMIT;
    while observe::link_by_index(socket, index)?.is_some_and(|link| !link.operational) && Instant::now() < deadline {
        sleep(READY_PAUSE);
    }
    Ok(())
}

#[cfg(test)]
mod tests;

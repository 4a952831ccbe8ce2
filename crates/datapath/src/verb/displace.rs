//! Taking a name from a link that may still carry a living sandbox.

use std::thread::sleep;
use std::time::{Duration, Instant};

use netlink_packet_route::RouteNetlinkMessage;

use crate::error::Result;
use crate::kernel::message::{self, LinkChange};
use crate::kernel::observe;
use crate::kernel::socket::{Request, Socket};
use crate::kernel::uapi::{NLM_F_CREATE, NLM_F_REPLACE};
use crate::object::{Device, Family, LinkAddress, displaced_name};
use crate::observed::ObservedLink;

const ENODEV: i32 = 19;
const EBUSY: i32 = 16;
const READY_PAUSE: Duration = Duration::from_micros(100);
/// The pod's end may be down for good.
const READY_LIMIT: Duration = Duration::from_millis(200);

/// Renames a link after its index. It keeps its routes, its neighbours and its traffic. Nothing if it has vanished meanwhile.
pub fn displace(socket: &mut Socket, holder: &ObservedLink) -> Result<Option<String>> {
    let name = displaced_name(holder.index);
    let rename = LinkChange {
        name: Some(name.clone()),
        ..LinkChange::default()
    };
    match socket.request(message::set_link(holder.index, rename.clone()), 0)?.result {
        Ok(()) => Ok(Some(name)),
        Err(refusal) if refusal.errno == ENODEV => Ok(None),
        // Before Linux 6.2 a link that is up cannot be renamed.
        Err(refusal) if refusal.errno == EBUSY => match rename_while_down(socket, holder, rename) {
            Ok(()) => Ok(Some(name)),
            Err(error) if error.errno == Some(ENODEV) => Ok(None),
            Err(error) => Err(error),
        },
        Err(refusal) => Err(refusal.error("RTM_SETLINK name").about(format!("link {}", holder.name))),
    }
}

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

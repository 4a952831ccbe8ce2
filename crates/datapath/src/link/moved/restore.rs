//! Back into the host namespace, and there back to what it was. Each step can be the last one of a killed process: the marks go last,
//! and whoever finds an ENI with marks in the host namespace goes on from where it stands.

use std::os::fd::AsFd;

use netlink_packet_route::RouteNetlinkMessage;

use crate::attachment::ALIAS_PREFIX;
use crate::error::{Error, ErrorCode, Result};
use crate::failpoint::Failpoint;
use crate::former::{Former, is_mark};
use crate::kernel::message::{self, LinkChange};
use crate::kernel::netns::Netns;
use crate::kernel::observe;
use crate::kernel::pod::Pod;
use crate::kernel::socket::Socket;
use crate::observed::ObservedLink;

const EEXIST: i32 = 17;
const EBUSY: i32 = 16;
/// The kernel numbers it.
const ANY_NAME: &str = "eth%d";
/// Something else on the node may set a link up that comes back, or rename it.
const ATTEMPTS: u32 = 4;
/// `XDP_ATTACHED_*` to the `XDP_FLAGS_*_MODE` that takes it off: driver, generic, hardware; several at once.
const XDP_MODES: [(u8, &[u32]); 4] = [(1, &[4]), (2, &[2]), (3, &[8]), (4, &[2, 4, 8])];

/// What a restored ENI is called now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Its name.
    pub name: String,
}

/// Moves the ENI out of a pod. It is down and has its marks still.
pub fn bring_home(pod: &mut Pod, link: &ObservedLink, home: &Netns, failpoint: &mut Failpoint) -> Result<()> {
    failpoint.pass()?;
    let down = LinkChange {
        up: Some(false),
        ..LinkChange::default()
    };
    ask(&mut pod.socket, link, "RTM_SETLINK", message::set_link(link.index, down))?;
    failpoint.pass()?;
    // A name that nobody else has, whatever the pod has called it and whatever is taken here.
    let digits: String = link
        .mac
        .iter()
        .flat_map(|mac| mac.0)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let request = message::move_link(link.index, home.as_fd(), Some(&format!("eni{digits}")));
    ask(&mut pod.socket, link, "RTM_SETLINK netns", request)
}

/// Makes an ENI in the host namespace what it was, without our marks, and leaves it down: as a hot plug would bring it. Its addresses,
/// routes, qdiscs and filters went when it moved.
pub fn restore(socket: &mut Socket, link: &ObservedLink, failpoint: &mut Failpoint) -> Result<Restored> {
    let (mac, former) = match Former::read(link) {
        Some((mac, former)) => (Some(mac), former),
        // A pod has taken the marks off: the name that it has here is as good as any.
        None => (None, Former::of(link, 0)),
    };
    let index = link.index;
    for mode in XDP_MODES
        .iter()
        .filter(|(how, _)| *how == link.xdp)
        .flat_map(|(_, modes)| *modes)
    {
        failpoint.pass()?;
        ask(socket, link, "RTM_SETLINK xdp", message::detach_xdp(index, *mode))?;
    }
    if link.up {
        failpoint.pass()?;
        ask(socket, link, "RTM_SETLINK", message::set_link(index, down()))?;
    }
    if let Some(mac) = mac.filter(|mac| link.mac != Some(*mac)) {
        failpoint.pass()?;
        ask(socket, link, "RTM_SETLINK address", message::set_mac(index, mac))?;
    }
    if link.mtu != former.mtu {
        failpoint.pass()?;
        let change = LinkChange {
            mtu: Some(former.mtu),
            ..LinkChange::default()
        };
        ask(socket, link, "RTM_SETLINK mtu", message::set_link(index, change))?;
    }
    if link.name != former.name {
        failpoint.pass()?;
        rename(socket, link, &former.name)?;
    }
    for name in &former.alternative_names {
        failpoint.pass()?;
        // Somebody else may have it by now.
        socket.request(message::alternative_names(index, std::slice::from_ref(name), true), 0)?;
    }
    failpoint.pass()?;
    let foreign = Some(former.alias).filter(|alias| !alias.starts_with(ALIAS_PREFIX));
    let change = LinkChange {
        alias: Some(foreign.unwrap_or_default()),
        ..LinkChange::default()
    };
    ask(socket, link, "RTM_SETLINK alias", message::set_link(index, change))?;
    let marks: Vec<String> = link.alternative_names.iter().filter(|name| is_mark(name)).cloned().collect();
    if !marks.is_empty() {
        failpoint.pass()?;
        let request = message::alternative_names(index, &marks, false);
        let removed = ask(socket, link, "RTM_DELLINKPROP", request);
        // Collection may have found it at the same time.
        let left = observe::link_by_index(socket, index)?.is_some_and(|link| Former::read(&link).is_some());
        removed.or_else(|error| if left { Err(error) } else { Ok(()) })?;
    }
    let name = observe::link_by_index(socket, index)?.map_or(former.name, |link| link.name);
    Ok(Restored { name })
}

fn down() -> LinkChange {
    LinkChange {
        up: Some(false),
        ..LinkChange::default()
    }
}

/// To its old name, or to any if another link has that now. Before Linux 6.2 a link that is up cannot be renamed, and whoever manages the
/// node's links may set it up in between.
fn rename(socket: &mut Socket, link: &ObservedLink, name: &str) -> Result<()> {
    let mut wanted = name;
    for attempt in 1.. {
        let change = LinkChange {
            name: Some(wanted.to_owned()),
            ..LinkChange::default()
        };
        match socket.request(message::set_link(link.index, change), 0)?.result {
            Ok(()) => break,
            Err(refusal) if refusal.errno == EEXIST && wanted == name => wanted = ANY_NAME,
            Err(refusal) if refusal.errno == EBUSY && attempt < ATTEMPTS => {
                ask(socket, link, "RTM_SETLINK", message::set_link(link.index, down()))?;
            }
            Err(refusal) => return Err(refusal.error("RTM_SETLINK name").about(format!("link {}", link.name))),
        }
    }
    Ok(())
}

/// One request about the ENI, which must succeed.
pub(super) fn ask(socket: &mut Socket, link: &ObservedLink, what: &str, request: RouteNetlinkMessage) -> Result<()> {
    let answer = socket.request(request, 0)?;
    answer
        .result
        .map_err(|refusal| refusal.error(what).about(format!("link {}", link.name)))
}

/// The ENI of a pod that has just been brought home.
pub(super) fn vanished(link: &ObservedLink) -> Error {
    Error::new(ErrorCode::EniNotFound, "vanished on its way home").about(format!("link {}", link.name))
}

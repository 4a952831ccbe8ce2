//! `cls_bpf` filters to netlink requests and back (`linux/pkt_cls.h`).

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::DefaultNla;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcMessage};

use super::raw::Attributes;
use super::socket::{Request, Socket};
use super::uapi::RTM_NEWTFILTER;
use super::wire::{attributes, text, u32_at};
use crate::error::Result;
use crate::object::{Device, Direction, FILTER_HANDLE, FILTER_PRIORITY, Filter};

const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_CLASSID: u16 = 3;
const TCA_BPF_FD: u16 = 6;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_FLAGS: u16 = 8;
const TCA_BPF_ID: u16 = 11;
/// The program's answer is the verdict (direct action).
const TCA_BPF_FLAG_ACT_DIRECT: u32 = 1;
const ETH_P_ALL: u16 = 3;
/// Offset of the attributes: `struct tcmsg`.
const TCMSG: usize = 20;

/// Of a filter that stands behind ours for a moment.
const PRIORITY_BEHIND: u16 = FILTER_PRIORITY + 1;

/// The place of our filter: its device, hook, priority, handle and protocol.
fn place(index: u32, direction: Direction) -> TcMessage {
    place_at(index, direction, FILTER_PRIORITY)
}

fn place_at(index: u32, direction: Direction, priority: u16) -> TcMessage {
    let mut message = TcMessage::with_index(index as i32);
    message.header.parent = direction.parent().into();
    message.header.handle = FILTER_HANDLE.into();
    message.header.info = u32::from(priority) << 16 | u32::from(ETH_P_ALL.to_be());
    message.attributes.push(TcAttribute::Kind("bpf".into()));
    message
}

/// `RTM_GETTFILTER` of ours.
pub fn get(index: u32, direction: Direction) -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetTrafficFilter(place(index, direction))
}

/// `RTM_NEWTFILTER`: made, or given another program or class without a packet that misses both.
pub fn put(index: u32, filter: &Filter, program: BorrowedFd<'_>) -> RouteNetlinkMessage {
    put_at(place(index, filter.direction), filter, program)
}

/// The same behind ours: a filter that gets what ours lets pass.
pub fn put_behind(index: u32, filter: &Filter, program: BorrowedFd<'_>) -> RouteNetlinkMessage {
    put_at(place_at(index, filter.direction, PRIORITY_BEHIND), filter, program)
}

fn put_at(mut message: TcMessage, filter: &Filter, program: BorrowedFd<'_>) -> RouteNetlinkMessage {
    let name = [filter.name.as_bytes(), &[0]].concat();
    let mut options = Attributes::default();
    if filter.class != 0 {
        options = options.with(TCA_BPF_CLASSID, &filter.class.to_ne_bytes());
    }
    let options = options
        .with(TCA_BPF_FD, &program.as_raw_fd().to_ne_bytes())
        .with(TCA_BPF_NAME, &name)
        .with(TCA_BPF_FLAGS, &TCA_BPF_FLAG_ACT_DIRECT.to_ne_bytes());
    message
        .attributes
        .push(TcAttribute::Other(DefaultNla::new(TCA_OPTIONS, options.into_bytes())));
    RouteNetlinkMessage::NewTrafficFilter(message)
}

/// `RTM_DELTFILTER` of ours.
pub fn delete(index: u32, direction: Direction) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelTrafficFilter(place(index, direction))
}

/// `RTM_DELTFILTER` of the one behind ours.
pub fn delete_behind(index: u32, direction: Direction) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelTrafficFilter(place_at(index, direction, PRIORITY_BEHIND))
}

/// `RTM_NEWTFILTER`, `RTM_DELTFILTER` of a filter at our priority and handle; nothing for any other.
pub fn decode(payload: &[u8]) -> Option<Filter> {
    let direction = match u32_at(payload, 12)? {
        parent if parent == Direction::In.parent() => Direction::In,
        parent if parent == Direction::Out.parent() => Direction::Out,
        _ => return None,
    };
    let at_our_place = u32_at(payload, 8)? == FILTER_HANDLE && u32_at(payload, 16)? >> 16 == u32::from(FILTER_PRIORITY);
    if !at_our_place {
        return None;
    }
    let mut filter = Filter {
        device: Device::Index(u32_at(payload, 4)?),
        direction,
        name: String::new(),
        program: 0,
        class: 0,
    };
    for (kind, value) in attributes(payload, TCMSG) {
        match kind {
            TCA_KIND if text(value) != "bpf" => filter.name = text(value),
            TCA_OPTIONS => {
                for (kind, value) in attributes(value, 0) {
                    match kind {
                        TCA_BPF_CLASSID => filter.class = u32_at(value, 0)?,
                        TCA_BPF_NAME => filter.name = text(value),
                        TCA_BPF_ID => filter.program = u32_at(value, 0)?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some(filter)
}

/// The device, if the message is of our priority: a priority that is emptied at once is told without handles.
pub fn device_at_our_priority(payload: &[u8]) -> Option<Device> {
    let ours = u32_at(payload, 16)? >> 16 == u32::from(FILTER_PRIORITY);
    u32_at(payload, 4).filter(|_| ours).map(Device::Index)
}

/// What stands at our place on the hooks of a device.
pub fn observe(socket: &mut Socket, index: u32) -> Result<Vec<Filter>> {
    let ask = |direction| Request {
        message: get(index, direction),
        flags: 0,
    };
    let answers = socket.batch([Direction::In, Direction::Out].map(ask).into())?;
    let replies = answers.iter().flat_map(|answer| &answer.replies);
    Ok(replies
        .filter(|reply| reply.kind == RTM_NEWTFILTER)
        .filter_map(|reply| decode(&reply.payload))
        .collect())
}

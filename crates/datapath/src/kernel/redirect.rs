//! Redirects to netlink requests and back: `cls_bpf` with a classic program of one instruction that matches everything (`matchall` would
//! do, but fewer kernels have it), and the action `mirred`.

use netlink_packet_core::DefaultNla;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcMessage};

use super::raw::Attributes;
use super::socket::{Request, Socket};
use super::uapi::RTM_NEWTFILTER;
use super::wire::{attributes, text, u32_at};
use crate::error::Result;
use crate::object::{Device, Direction, FILTER_HANDLE, REDIRECT_PRIORITY, Redirect};

const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_ACT: u16 = 1;
const TCA_BPF_OPS_LEN: u16 = 4;
const TCA_BPF_OPS: u16 = 5;
const TCA_ACT_KIND: u16 = 1;
const TCA_ACT_OPTIONS: u16 = 2;
const TCA_MIRRED_PARMS: u16 = 2;
const TCA_EGRESS_REDIR: u32 = 1;
const TC_ACT_STOLEN: u32 = 4;
const ETH_P_ALL: u16 = 3;
/// Place of the device in `struct tc_mirred`: behind index, capab, action, refcnt, bindcnt, eaction.
const MIRRED_DEVICE: usize = 24;
/// Nested attributes say so in their number.
const NESTED: u16 = 0x8000;
/// Offset of the attributes: `struct tcmsg`.
const TCMSG: usize = 20;

/// `struct sock_filter`: return -1, which means a match.
const MATCH: [u8; 8] = [6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];

/// The options of a `cls_bpf` filter that sends everything to the egress of the device with index `to`.
pub fn options(to: u32) -> Attributes {
    let numbers = [0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, to];
    let mirred = numbers.map(u32::to_ne_bytes).concat();
    let action = Attributes::default()
        .with(TCA_ACT_KIND, b"mirred\0")
        .with_nested(TCA_ACT_OPTIONS, Attributes::default().with(TCA_MIRRED_PARMS, &mirred));
    Attributes::default()
        .with(TCA_BPF_OPS_LEN, &1u16.to_ne_bytes())
        .with(TCA_BPF_OPS, &MATCH)
        .with_nested(TCA_BPF_ACT, Attributes::default().with_nested(1, action))
}

/// The place of a redirect: its device's ingress hook, our priority, handle and protocol.
fn place(index: u32) -> TcMessage {
    let mut message = TcMessage::with_index(index as i32);
    message.header.parent = Direction::In.parent().into();
    message.header.handle = FILTER_HANDLE.into();
    message.header.info = u32::from(REDIRECT_PRIORITY) << 16 | u32::from(ETH_P_ALL.to_be());
    message.attributes.push(TcAttribute::Kind("bpf".into()));
    message
}

/// `RTM_NEWTFILTER`: made, or led to another device.
pub fn put(index: u32, to: u32) -> RouteNetlinkMessage {
    let mut message = place(index);
    let options = DefaultNla::new(TCA_OPTIONS, options(to).into_bytes());
    message.attributes.push(TcAttribute::Other(options));
    RouteNetlinkMessage::NewTrafficFilter(message)
}

/// `RTM_DELTFILTER`
pub fn delete(index: u32) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelTrafficFilter(place(index))
}

/// `RTM_NEWTFILTER` of a filter at our place.
fn decode(payload: &[u8]) -> Option<Redirect> {
    let at_our_place = u32_at(payload, 8)? == FILTER_HANDLE && u32_at(payload, 16)? >> 16 == u32::from(REDIRECT_PRIORITY);
    if !at_our_place {
        return None;
    }
    let inside = |message, wanted| {
        attributes(message, 0)
            .find(|(kind, _)| kind & !NESTED == wanted)
            .map(|(_, value)| value)
    };
    let options = attributes(payload, TCMSG).find(|(kind, _)| kind & !NESTED == TCA_OPTIONS);
    let options = options.map_or(&[] as &[u8], |(_, value)| value);
    let matches_all = inside(options, TCA_BPF_OPS) == Some(&MATCH[..]);
    let action = inside(options, TCA_BPF_ACT).and_then(|actions| inside(actions, 1));
    let mirred = action.filter(|action| inside(action, TCA_ACT_KIND).is_some_and(|kind| text(kind) == "mirred"));
    let to = mirred
        .and_then(|action| inside(action, TCA_ACT_OPTIONS))
        .and_then(|options| inside(options, TCA_MIRRED_PARMS))
        .and_then(|mirred| u32_at(mirred, MIRRED_DEVICE));
    let is_bpf = attributes(payload, TCMSG).any(|(kind, value)| kind == TCA_KIND && text(value) == "bpf");
    Some(Redirect {
        device: Device::Index(u32_at(payload, 4)?),
        to: Device::Index(to.unwrap_or(0)),
        foreign: !is_bpf || !matches_all || to.is_none(),
    })
}

/// What stands at our redirect's place on a device.
pub fn observe(socket: &mut Socket, index: u32) -> Result<Option<Redirect>> {
    let request = Request {
        message: RouteNetlinkMessage::GetTrafficFilter(place(index)),
        flags: 0,
    };
    let answers = socket.batch(vec![request])?;
    let mut replies = answers.iter().flat_map(|answer| &answer.replies);
    Ok(replies
        .find(|reply| reply.kind == RTM_NEWTFILTER)
        .and_then(|reply| decode(&reply.payload)))
}

//! Qdiscs to netlink requests and back (`linux/pkt_sched.h`). The options are written and read here: the packet library knows few kinds.

use netlink_packet_core::DefaultNla;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcMessage};

use super::raw::Attributes;
use super::socket::{Request, Socket};
use super::uapi::RTM_NEWQDISC;
use super::wire::{attributes, text, u32_at, u64_at};
use crate::error::Result;
use crate::object::{Attach, Device, Discipline, Qdisc, TICK_NS};

const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RATE64: u16 = 4;
const TCA_TBF_BURST: u16 = 6;
const TCA_FQ_FLOW_PLIMIT: u16 = 2;
/// `struct tc_prio_qopt` of three bands with the default map.
const PRIO: [u8; 20] = prio();
/// With it the kernel computes times itself and needs no table.
const TC_LINKLAYER_ETHERNET: u8 = 1;
/// Before Linux 6.14 the answer to `RTM_GETQDISC` is a notification, and comes back to the asker only with this flag.
const NLM_F_ECHO: u16 = 8;
/// Offset of the attributes: `struct tcmsg`.
const TCMSG: usize = 20;

fn message(index: u32, handle: u32, parent: u32) -> TcMessage {
    let mut message = TcMessage::with_index(index as i32);
    message.header.handle = handle.into();
    message.header.parent = parent.into();
    message
}

/// `RTM_GETQDISC` of the one at this place of a device.
pub fn get(index: u32, attach: Attach) -> Request {
    Request {
        message: RouteNetlinkMessage::GetQueueDiscipline(message(index, 0, attach.parent())),
        flags: NLM_F_ECHO,
    }
}

/// `RTM_GETQDISC` of all devices.
pub fn list() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default())
}

/// `RTM_NEWQDISC`. Without `NLM_F_REPLACE` the kernel changes a qdisc of the same handle, takes the place of its own default, and refuses
/// (`EEXIST`) where somebody else's stands.
pub fn put(index: u32, qdisc: &Qdisc) -> RouteNetlinkMessage {
    let mut message = message(index, qdisc.handle, qdisc.attach.parent());
    let kind = qdisc.discipline.kind().to_owned();
    message.attributes.push(TcAttribute::Kind(kind));
    let options = options(&qdisc.discipline);
    if !options.is_empty() {
        message
            .attributes
            .push(TcAttribute::Other(DefaultNla::new(TCA_OPTIONS, options)));
    }
    RouteNetlinkMessage::NewQueueDiscipline(message)
}

/// `RTM_DELQDISC`, only if the one at its place has its handle.
pub fn delete(index: u32, qdisc: &Qdisc) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelQueueDiscipline(message(index, qdisc.handle, qdisc.attach.parent()))
}

fn options(discipline: &Discipline) -> Vec<u8> {
    match discipline {
        Discipline::Tbf { rate, burst, limit } => {
            let low_rate = u32::try_from(*rate).unwrap_or(u32::MAX);
            // struct tc_tbf_qopt: rate, peakrate (both struct tc_ratespec), limit, buffer (given as TCA_TBF_BURST instead), mtu.
            let mut parameters = vec![0, TC_LINKLAYER_ETHERNET, 0, 0, 0, 0, 0, 0];
            parameters.extend(low_rate.to_ne_bytes());
            parameters.extend([0; 12]);
            parameters.extend(limit.to_ne_bytes());
            parameters.extend([0; 8]);
            let options = Attributes::default()
                .with(TCA_TBF_PARMS, &parameters)
                .with(TCA_TBF_BURST, &burst.to_ne_bytes());
            if low_rate == u32::MAX {
                options.with(TCA_TBF_RATE64, &rate.to_ne_bytes()).into_bytes()
            } else {
                options.into_bytes()
            }
        }
        Discipline::Prio => PRIO.to_vec(),
        Discipline::Fq { flow_limit } => Attributes::default()
            .with(TCA_FQ_FLOW_PLIMIT, &flow_limit.to_ne_bytes())
            .into_bytes(),
        Discipline::Mq | Discipline::Clsact | Discipline::Other(_) => Vec::new(),
    }
}

const fn prio() -> [u8; 20] {
    let [a, b, c, d] = 3i32.to_ne_bytes();
    [a, b, c, d, 1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
}

/// `RTM_NEWQDISC`, `RTM_DELQDISC`
pub fn decode(payload: &[u8]) -> Option<Qdisc> {
    let (mut kind, mut options) = (String::new(), &[] as &[u8]);
    for (attribute, value) in attributes(payload, TCMSG) {
        match attribute {
            TCA_KIND => kind = text(value),
            TCA_OPTIONS => options = value,
            _ => {}
        }
    }
    Some(Qdisc {
        device: Device::Index(u32_at(payload, 4)?),
        handle: u32_at(payload, 8)?,
        attach: Attach::of_parent(u32_at(payload, 12)?),
        discipline: discipline(kind, options),
    })
}

fn discipline(kind: String, options: &[u8]) -> Discipline {
    match kind.as_str() {
        "tbf" => tbf(options).unwrap_or(Discipline::Other(kind)),
        "prio" if options.starts_with(&PRIO) => Discipline::Prio,
        "fq" => attributes(options, 0)
            .find(|(kind, _)| *kind == TCA_FQ_FLOW_PLIMIT)
            .and_then(|(_, limit)| u32_at(limit, 0))
            .map_or(Discipline::Other(kind), |flow_limit| Discipline::Fq { flow_limit }),
        "mq" => Discipline::Mq,
        "clsact" => Discipline::Clsact,
        _ => Discipline::Other(kind),
    }
}

fn tbf(options: &[u8]) -> Option<Discipline> {
    let (mut parameters, mut rate64) = (None, None);
    for (kind, value) in attributes(options, 0) {
        match kind {
            TCA_TBF_PARMS => parameters = Some(value),
            TCA_TBF_RATE64 => rate64 = u64_at(value, 0),
            _ => {}
        }
    }
    let parameters = parameters?;
    let rate = rate64.unwrap_or(u64::from(u32_at(parameters, 8)?));
    let ticks = u64::from(u32_at(parameters, 28)?);
    let burst = u128::from(ticks * TICK_NS) * u128::from(rate) / 1_000_000_000;
    Some(Discipline::Tbf {
        rate,
        burst: u32::try_from(burst).unwrap_or(u32::MAX),
        limit: u32_at(parameters, 24)?,
    })
}

/// The qdiscs at these places of a device, those that are there.
pub fn observe(socket: &mut Socket, index: u32, places: impl IntoIterator<Item = Attach>) -> Result<Vec<Qdisc>> {
    let answers = socket.batch(places.into_iter().map(|place| get(index, place)).collect())?;
    let replies = answers.iter().flat_map(|answer| &answer.replies);
    Ok(replies
        .filter(|reply| reply.kind == RTM_NEWQDISC)
        .filter_map(|reply| decode(&reply.payload))
        .collect())
}

/// The qdiscs of all devices.
pub fn observe_all(socket: &mut Socket) -> Result<Vec<Qdisc>> {
    socket.dump("RTM_GETQDISC", &list(), |kind, payload| {
        (kind == RTM_NEWQDISC).then(|| decode(payload)).flatten()
    })
}

#[cfg(test)]
mod tests;

//! Neighbour Solicitation and Advertisement (RFC 4861, sections 4.3, 4.4 and 7.1).

use std::net::Ipv6Addr;

use super::header::{ETHERTYPE_IPV6, checksum, ethernet, ipv6_header, payload, pseudo_header};
use super::mac::Mac;

const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// A smaller hop limit means that the message came from another link.
const HOP_LIMIT: u8 = 255;
const SOURCE_LINK_LAYER_ADDRESS: u8 = 1;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
/// Solicited and override.
const FLAGS: u8 = 0x60;

/// A Neighbour Solicitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Solicitation {
    /// Hardware address of the asking interface.
    pub source_mac: Mac,
    /// Asking address; unspecified when the asker looks for duplicates of its own address.
    pub source: Ipv6Addr,
    /// Address asked for.
    pub target: Ipv6Addr,
}

impl Solicitation {
    /// The solicitation in `frame`, if it is a whole and legal one. Extension headers are not followed: no neighbour sends them.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let message = Message::parse(frame, SOLICITATION)?;
        Some(Self {
            source_mac: message.source_mac,
            source: message.source,
            target: message.target,
        })
    }

    /// The frame that asks, sent to the target's solicited-node group.
    pub fn to_frame(self) -> Vec<u8> {
        let [.., a, b, c] = self.target.octets();
        let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
        let option = (!self.source.is_unspecified()).then_some((SOURCE_LINK_LAYER_ADDRESS, self.source_mac));
        let body = Body {
            kind: SOLICITATION,
            flags: 0,
            target: self.target,
            option,
        };
        body.to_frame(Mac::of_group(group), self.source_mac, self.source, group)
    }
}

/// The answer to `solicitation`: its target is at `mac`.
pub fn advertisement(solicitation: &Solicitation, mac: Mac) -> Vec<u8> {
    let option = Some((TARGET_LINK_LAYER_ADDRESS, mac));
    let body = Body {
        kind: ADVERTISEMENT,
        flags: FLAGS,
        target: solicitation.target,
        option,
    };
    body.to_frame(solicitation.source_mac, mac, solicitation.target, solicitation.source)
}

/// Target and hardware address of an advertisement in `frame`.
pub fn parse_advertisement(frame: &[u8]) -> Option<(Ipv6Addr, Mac)> {
    let message = Message::parse(frame, ADVERTISEMENT)?;
    let mac = message
        .options
        .get(2..8)
        .filter(|_| message.options.starts_with(&[TARGET_LINK_LAYER_ADDRESS, 1]))?;
    Some((message.target, Mac(mac.try_into().ok()?)))
}

struct Message<'a> {
    source_mac: Mac,
    source: Ipv6Addr,
    target: Ipv6Addr,
    options: &'a [u8],
}

impl<'a> Message<'a> {
    fn parse(frame: &'a [u8], kind: u8) -> Option<Self> {
        let (source_mac, packet) = payload(frame, ETHERTYPE_IPV6)?;
        let (header, rest) = packet.split_first_chunk::<40>()?;
        let [version, _, _, _, length_high, length_low, next, hop_limit, addresses @ ..] = header;
        let length = u16::from_be_bytes([*length_high, *length_low]);
        let (source, destination) = addresses.split_first_chunk::<16>()?;
        let (source, destination) = (
            Ipv6Addr::from(*source),
            Ipv6Addr::from(<[u8; 16]>::try_from(destination).ok()?),
        );
        let message = rest.get(..usize::from(length))?;
        let legal = version >> 4 == 6 && *next == ICMPV6 && *hop_limit == HOP_LIMIT && message.len() >= 24;
        if !legal || !message.starts_with(&[kind, 0]) {
            return None;
        }
        // A right sum, checked over itself, leaves zero.
        if checksum(&[&pseudo_header(source.into(), destination.into(), length, ICMPV6), message]) != 0 {
            return None;
        }
        let target = Ipv6Addr::from(<[u8; 16]>::try_from(message.get(8..24)?).ok()?);
        let options = message.get(24..)?;
        (!target.is_multicast() && !target.is_unspecified()).then_some(Self {
            source_mac,
            source,
            target,
            options,
        })
    }
}

struct Body {
    kind: u8,
    flags: u8,
    target: Ipv6Addr,
    option: Option<(u8, Mac)>,
}

impl Body {
    fn to_frame(&self, destination_mac: Mac, source_mac: Mac, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let mut message = vec![self.kind, 0, 0, 0, self.flags, 0, 0, 0];
        message.extend_from_slice(&self.target.octets());
        if let Some((kind, mac)) = self.option {
            message.extend_from_slice(&[kind, 1]);
            message.extend_from_slice(&mac.0);
        }
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        let sum = checksum(&[&pseudo_header(source.into(), destination.into(), length, ICMPV6), &message]);
        message.splice(2..4, sum.to_be_bytes());
        let mut frame = ethernet(destination_mac, source_mac, ETHERTYPE_IPV6);
        frame.extend(ipv6_header(source, destination, ICMPV6, HOP_LIMIT, length));
        frame.extend(message);
        frame
    }
}

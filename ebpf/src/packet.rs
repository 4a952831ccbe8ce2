//! An IP packet as the policy programs see it: whose, to whom, which ports, and what kind.
//!
//! The frame itself is read, never `skb->protocol` or the kernel's header offsets: a pod with raw sockets chooses those on its own devices.

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use terway_abi::FragmentKey;

use crate::frame::{self, IPV4, IPV6};

mod head;
mod ip;
mod transport;
mod tuple;

pub use head::Head;
pub use tuple::{Signal, Tuple};

use head::With;
use ip::{Cursor, FIRST, LATER, MAPPED, ipv4, ipv6, words};
use transport::{ports, tcp_signal, transport};

/// Protocols by number.
pub mod protocol {
    #![expect(missing_docs, reason = "each is its protocol's name")]
    pub const ICMP: u8 = 1;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const ICMPV6: u8 = 58;
    pub const SCTP: u8 = 132;
}
use protocol::{ICMP, ICMPV6, SCTP, TCP, UDP};

/// What a packet is to a conntrack.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// One by itself.
    Whole,
    /// The first fragment of several: it has the ports.
    First,
    /// Another fragment: it has none.
    Later,
    /// An ICMP error; [`Packet::quoted`] is what it is about.
    Error,
    /// Neighbour or listener discovery on the link.
    Link,
    /// Not IP.
    Other,
    /// It ends before its headers do.
    Truncated,
    /// Its headers contradict themselves or one another.
    Malformed,
}

/// Why a packet could not be read.
#[derive(Clone, Copy)]
enum Fault {
    Truncated,
    Malformed,
}

/// The packet.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Packet {
    /// Its own headers.
    pub tuple: Tuple,
    /// Those of the packet that an ICMP error is about.
    pub quoted: Tuple,
    /// Identification, of fragments.
    pub fragment: FragmentKey,
    /// IPv4's TTL or IPv6's hop limit.
    pub hops: u32,
    /// Not 0: a fragment whose ports are not known.
    pub portless: u32,
    cursor: Cursor,
    /// Its first bytes.
    pub head: Head,
}

impl Packet {
    /// Reads an untagged frame; a tag inside it is malformed.
    #[inline(always)]
    #[must_use]
    pub fn read(&mut self, ctx: &TcContext) -> Kind {
        if self.head.load(ctx) && self.is_plain(ctx.len()) {
            return Kind::Whole;
        }
        match frame::ethertype(ctx, frame::ETHERNET - 2) {
            Ok(ethertype) if frame::is_tag(ethertype) => {
                self.tuple.clear();
                Kind::Malformed
            }
            Ok(ethertype) => read(ctx.skb.skb, self, u32::from(ethertype), frame::ETHERNET as u32),
            Err(_) => Kind::Truncated,
        }
    }

    /// Is it a whole TCP segment or UDP datagram without options or extension headers? Then that is all of the reading.
    #[inline(always)]
    fn is_plain(&mut self, length: u32) -> bool {
        const ETHERTYPE_IPV4: u16 = IPV4.to_be();
        const ETHERTYPE_IPV6: u16 = IPV6.to_be();
        let (at, end, protocol, transport) = match self.head.ethertype {
            ETHERTYPE_IPV4 => {
                let With { ip: header, transport } = self.head.ipv4();
                if header.version_length != 0x45 || header.offset & 0x3fff_u16.to_be() != 0 {
                    return false;
                }
                *words(&mut self.tuple.source) = [0, 0, MAPPED, header.source];
                *words(&mut self.tuple.destination) = [0, 0, MAPPED, header.destination];
                self.hops = u32::from(header.ttl);
                (34, 14 + u32::from(u16::from_be(header.total)), header.protocol, transport)
            }
            ETHERTYPE_IPV6 => {
                let With { ip: header, transport } = self.head.ipv6();
                if header.version >> 4 != 6 {
                    return false;
                }
                *words(&mut self.tuple.source) = header.source;
                *words(&mut self.tuple.destination) = header.destination;
                self.hops = u32::from(header.hop_limit);
                (54, 54 + u32::from(u16::from_be(header.payload)), header.next, transport)
            }
            _ => return false,
        };
        // A length of 0, as large segments say (BIG TCP), does not hold the header either, and is read the long way.
        let needed = if protocol == TCP { 20 } else { 8 };
        if end > length || at + needed > end || (protocol != TCP && protocol != UDP) {
            return false;
        }
        self.tuple.source_port = u16::from_be(transport.source_port);
        self.tuple.destination_port = u16::from_be(transport.destination_port);
        self.tuple.icmp = 0;
        let flags = if protocol == TCP { transport.flags } else { 0 };
        self.tuple.tcp_flags = flags;
        self.tuple.signal = tcp_signal(flags);
        self.tuple.protocol = protocol;
        self.portless = 0;
        self.cursor = Cursor {
            at,
            end,
            protocol,
            part: 0,
            reserved: [0; 2],
        };
        true
    }

    /// Where the transport header begins, in the frame. Not of an ICMP error: there it is the one that it quotes.
    #[inline(always)]
    #[must_use]
    pub fn transport(&self) -> u32 {
        self.cursor.at
    }

    #[inline(always)]
    fn read_at(&mut self, ctx: &TcContext, ethertype: u16, at: u32) -> Result<Kind, Fault> {
        self.tuple.clear();
        self.portless = 0;
        let length = ctx.len();
        let own = Some((&mut self.fragment, &mut self.hops));
        match ethertype {
            IPV4 => ipv4(ctx, at, length, &mut self.tuple, own, &mut self.cursor)?,
            IPV6 => ipv6(ctx, at, length, &mut self.tuple, own, &mut self.cursor)?,
            _ => return Ok(Kind::Other),
        };
        let cursor = self.cursor.forget(self.cursor);
        self.tuple.protocol = cursor.protocol;
        if cursor.part == LATER {
            return Ok(Kind::Later);
        }
        transport(ctx, &cursor, &mut self.tuple)?;
        if cursor.part == FIRST {
            return Ok(Kind::First);
        }
        if self.is_link() {
            return Ok(Kind::Link);
        }
        if !self.is_error() {
            return Ok(Kind::Whole);
        }
        self.quoted.clear();
        let (at, end) = (cursor.at + 8, cursor.end);
        match ethertype {
            IPV4 => ipv4(ctx, at, end, &mut self.quoted, None, &mut self.cursor)?,
            _ => ipv6(ctx, at, end, &mut self.quoted, None, &mut self.cursor)?,
        };
        let inner = self.cursor.forget(self.cursor);
        self.quoted.protocol = inner.protocol;
        if inner.part != LATER {
            ports(ctx, &inner, &mut self.quoted)?;
        }
        Ok(Kind::Error)
    }

    /// Neighbour discovery is valid with its hop limit of 255 only, which no router passes on; listener reports go to groups of the link.
    #[inline(always)]
    fn is_link(&self) -> bool {
        if self.tuple.protocol != ICMPV6 {
            return false;
        }
        let [first, ..] = self.tuple.destination.0;
        match self.tuple.icmp {
            133..=137 => self.hops == 255,
            130..=132 | 143 => first == 0xff && self.hops == 1,
            _ => false,
        }
    }

    #[inline(always)]
    fn is_error(&self) -> bool {
        match self.tuple.protocol {
            ICMP => matches!(self.tuple.icmp, 3 | 4 | 5 | 11 | 12),
            ICMPV6 => matches!(self.tuple.icmp, 1..=4),
            _ => false,
        }
    }
}

/// Reads what a frame carries. A function of its own: its stack is free again before the next one's is needed.
#[inline(never)]
#[must_use]
pub fn read(skb: *mut __sk_buff, packet: &mut Packet, ethertype: u32, at: u32) -> Kind {
    match packet.read_at(&TcContext::new(skb), ethertype as u16, at) {
        Ok(kind) => kind,
        Err(Fault::Truncated) => Kind::Truncated,
        Err(Fault::Malformed) => Kind::Malformed,
    }
}

/// Has the protocol ports that rules can name?
#[inline(always)]
#[must_use]
pub fn has_ports(protocol: u8) -> bool {
    matches!(protocol, TCP | UDP | SCTP)
}

#[inline(always)]
fn load<T>(ctx: &TcContext, at: u32) -> Result<T, Fault> {
    ctx.load(at as usize).map_err(|_| Fault::Truncated)
}

//! An IP packet as the policy programs see it: whose, to whom, which ports, and what kind.
//!
//! The frame itself is read, never `skb->protocol` or the kernel's header offsets: a pod with raw sockets chooses those on its own devices.

use core::ptr;

use aya_ebpf::{bindings::__sk_buff, helpers::bpf_skb_load_bytes, programs::TcContext};
use terway_abi::{Address, FlowKey, FragmentKey};

use crate::frame::{self, IPV4, IPV6};

mod head;
pub use head::Head;

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

/// Extension headers that are followed; more are no packet of an honest sender.
const HEADERS: u32 = 8;

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

/// Where it goes from whom, in the words of its sender.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Tuple {
    /// From.
    pub source: Address,
    /// To.
    pub destination: Address,
    /// In the processor's order; 0 where the protocol has none. Of an ICMP echo the identifier.
    pub source_port: u16,
    /// Likewise.
    pub destination_port: u16,
    /// IP protocol behind all headers.
    pub protocol: u8,
    /// Type of an ICMP message.
    pub icmp: u8,
    /// [`Signal`].
    pub signal: u8,
    /// Flags of TCP.
    pub tcp_flags: u8,
}

const _: () = assert!(core::mem::offset_of!(Tuple, destination) == 16 && size_of::<Tuple>() == 40 && align_of::<Tuple>() == 4);

/// What a packet says about its connection; bits of [`Tuple::signal`].
pub struct Signal;

impl Signal {
    /// Opens one: TCP SYN, SCTP INIT, a request for an echo.
    pub const OPEN: u8 = 1 << 0;
    /// Answers that: TCP SYN ACK, SCTP INIT ACK, an echo.
    pub const ACCEPT: u8 = 1 << 1;
    /// The sender has no more to say: FIN, SHUTDOWN.
    pub const FINISH: u8 = 1 << 2;
    /// There is none any more: RST, ABORT.
    pub const RESET: u8 = 1 << 3;
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

/// Where the next header begins and where the packet ends, in the frame, and what is there.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Cursor {
    at: u32,
    end: u32,
    protocol: u8,
    /// 0: whole; otherwise [`FIRST`] or [`LATER`].
    part: u8,
    reserved: [u8; 2],
}

const FIRST: u8 = 1;
const LATER: u8 = 2;

impl Cursor {
    /// Written to memory and read back: the verifier then knows nothing of the value, and follows the rest of the program once instead of
    /// once for every way through the headers.
    #[inline(always)]
    fn forget(&mut self, value: Self) -> Self {
        // SAFETY: a reference is valid for both.
        unsafe {
            ptr::write_volatile(self, value);
            ptr::read_volatile(self)
        }
    }
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
                let header = self.head.ipv4();
                if header.version_length != 0x45 || header.offset & 0x3fff_u16.to_be() != 0 {
                    return false;
                }
                *words(&mut self.tuple.source) = [0, 0, MAPPED, header.source];
                *words(&mut self.tuple.destination) = [0, 0, MAPPED, header.destination];
                self.hops = u32::from(header.ttl);
                (
                    34,
                    14 + u32::from(u16::from_be(header.total)),
                    header.protocol,
                    &header.transport,
                )
            }
            ETHERTYPE_IPV6 => {
                let header = self.head.ipv6();
                if header.version >> 4 != 6 {
                    return false;
                }
                *words(&mut self.tuple.source) = header.source;
                *words(&mut self.tuple.destination) = header.destination;
                self.hops = u32::from(header.hop_limit);
                (
                    54,
                    54 + u32::from(u16::from_be(header.payload)),
                    header.next,
                    &header.transport,
                )
            }
            _ => return false,
        };
        // Also 0, as large segments say (BIG TCP): what is no length is looked at below.
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

impl Tuple {
    /// Nothing is read yet. Word by word: as a whole it would be a call of `memset`, which goes byte by byte.
    #[inline(always)]
    fn clear(&mut self) {
        let words: *mut [u32; 10] = ptr::from_mut(self).cast();
        for index in 0..10 {
            // SAFETY: the type is as large, and aligned for it.
            unsafe { ptr::write_volatile(words.cast::<u32>().add(index), 0) };
        }
    }

    /// Writes the key of the flow of the pod that sent it. What is reserved in it is zero already.
    #[inline(always)]
    pub fn of_sender(&self, endpoint: u32, key: &mut FlowKey) {
        key.local = self.source;
        key.remote = self.destination;
        key.local_port = self.source_port;
        key.remote_port = self.destination_port;
        self.finish(endpoint, key);
    }

    /// Writes the key of the flow of the pod that it is for.
    #[inline(always)]
    pub fn of_receiver(&self, endpoint: u32, key: &mut FlowKey) {
        key.local = self.destination;
        key.remote = self.source;
        key.local_port = self.destination_port;
        key.remote_port = self.source_port;
        self.finish(endpoint, key);
    }

    /// An echo's identifier stands on the pod's side, whoever asks.
    #[inline(always)]
    fn finish(&self, endpoint: u32, key: &mut FlowKey) {
        key.endpoint = endpoint;
        key.protocol = self.protocol;
        if matches!(self.protocol, ICMP | ICMPV6) {
            key.local_port = self.source_port;
            key.remote_port = 0;
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

#[repr(C)]
struct Ipv4 {
    version_length: u8,
    service: u8,
    total: u16,
    id: u16,
    offset: u16,
    ttl: u8,
    protocol: u8,
    checksum: u16,
    source: u32,
    destination: u32,
}

/// `::ffff:0:0`
const MAPPED: u32 = 0xffff_u32.to_be();

#[inline(always)]
fn words(address: &mut Address) -> &mut [u32; 4] {
    // SAFETY: the type is as large, and aligned for it.
    unsafe { &mut *ptr::from_mut(address).cast() }
}

#[inline(always)]
fn ipv4(
    ctx: &TcContext,
    at: u32,
    limit: u32,
    tuple: &mut Tuple,
    own: Option<(&mut FragmentKey, &mut u32)>,
    cursor: &mut Cursor,
) -> Result<(), Fault> {
    let header = load::<Ipv4>(ctx, at)?;
    *words(&mut tuple.source) = [0, 0, MAPPED, header.source];
    *words(&mut tuple.destination) = [0, 0, MAPPED, header.destination];
    let length = u32::from(header.version_length & 15) * 4;
    if header.version_length >> 4 != 4 || length < 20 {
        return Err(Fault::Malformed);
    }
    let total = u32::from(u16::from_be(header.total));
    let offset = u16::from_be(header.offset);
    let id = u32::from(u16::from_be(header.id));
    let protocol = header.protocol;
    let part = match (offset & 0x1fff, offset & 0x2000) {
        (0, 0) => 0,
        (0, _) => FIRST,
        _ => LATER,
    };
    // What an error quotes is cut off, and says the length that it had.
    let end = match (own, total) {
        (None, _) => limit,
        // Of a large segment (BIG TCP) 0 is written.
        (Some((fragment, hops)), 0) => {
            identify(fragment, tuple, id, protocol);
            *hops = u32::from(header.ttl);
            limit
        }
        (Some((fragment, hops)), total) => {
            if total < length {
                return Err(Fault::Malformed);
            }
            if at + total > limit {
                return Err(Fault::Truncated);
            }
            identify(fragment, tuple, id, protocol);
            *hops = u32::from(header.ttl);
            at + total
        }
    };
    *cursor = Cursor {
        at: at + length,
        end,
        protocol,
        part,
        reserved: [0; 2],
    };
    Ok(())
}

#[inline(always)]
fn identify(key: &mut FragmentKey, tuple: &Tuple, id: u32, protocol: u8) {
    key.source = tuple.source;
    key.destination = tuple.destination;
    key.id = id;
    key.protocol = protocol;
}

/// Follows the headers that Linux follows (`ipv6_ext_hdr`); what stands behind another one is that one's affair.
#[inline(always)]
fn ipv6(
    ctx: &TcContext,
    at: u32,
    limit: u32,
    tuple: &mut Tuple,
    own: Option<(&mut FragmentKey, &mut u32)>,
    cursor: &mut Cursor,
) -> Result<(), Fault> {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const AUTHENTICATION: u8 = 51;
    const DESTINATION: u8 = 60;

    let [version, _, _, _, length_a, length_b, next, hop_limit] = load::<[u8; 8]>(ctx, at)?;
    let addresses = ptr::from_mut(&mut tuple.source).cast();
    // SAFETY: both addresses stand one behind the other, see the assertion beside their type.
    if unsafe { bpf_skb_load_bytes(ctx.skb.skb.cast(), at + 8, addresses, 32) } != 0 {
        return Err(Fault::Truncated);
    }
    if version >> 4 != 6 {
        return Err(Fault::Malformed);
    }
    let payload = u32::from(u16::from_be_bytes([length_a, length_b]));
    let mut next = Cursor {
        at: at + 40,
        end: limit,
        protocol: next,
        part: 0,
        reserved: [0; 2],
    };
    let mut fragment = None;
    if let Some((key, hops)) = own {
        *hops = u32::from(hop_limit);
        // A jumbogram, also a large segment (BIG TCP), says 0 here.
        if payload != 0 {
            if next.at + payload > limit {
                return Err(Fault::Truncated);
            }
            next.end = next.at + payload;
        }
        fragment = Some(key);
    }
    for _ in 0..HEADERS {
        next = cursor.forget(next);
        match next.protocol {
            HOP_BY_HOP | ROUTING | DESTINATION => {
                let [protocol, length] = load(ctx, next.at)?;
                next.protocol = protocol;
                next.at += (u32::from(length) + 1) * 8;
            }
            AUTHENTICATION => {
                let [protocol, length] = load(ctx, next.at)?;
                next.protocol = protocol;
                next.at += (u32::from(length) + 2) * 4;
            }
            FRAGMENT => {
                let [protocol, _, offset_a, offset_b, id @ ..] = load::<[u8; 8]>(ctx, next.at)?;
                next.protocol = protocol;
                next.at += 8;
                let offset = u16::from_be_bytes([offset_a, offset_b]);
                match (offset & 0xfff8, offset & 1) {
                    // Alone, with a header for nothing (RFC 6946).
                    (0, 0) => {}
                    (0, _) => next.part = FIRST,
                    _ => next.part = LATER,
                }
                if let Some(key) = &mut fragment {
                    identify(key, tuple, u32::from_be_bytes(id), protocol);
                }
                if next.part == LATER {
                    *cursor = next;
                    return Ok(());
                }
            }
            _ => return Ok(()),
        }
    }
    Err(Fault::Malformed)
}

/// Ports, and what the packet says about its connection.
#[inline(always)]
fn transport(ctx: &TcContext, cursor: &Cursor, tuple: &mut Tuple) -> Result<(), Fault> {
    let needed = match cursor.protocol {
        TCP => 20,
        SCTP => 12,
        UDP | ICMPV6 | ICMP => 8,
        _ => 0,
    };
    if cursor.at + needed > cursor.end {
        return Err(Fault::Truncated);
    }
    ports(ctx, cursor, tuple)?;
    match cursor.protocol {
        TCP => {
            let flags = load::<u8>(ctx, cursor.at + 13)?;
            tuple.tcp_flags = flags;
            tuple.signal = tcp_signal(flags);
        }
        // A packet with no chunk says nothing.
        SCTP if cursor.at + 13 <= cursor.end => tuple.signal = sctp_signal(load(ctx, cursor.at + 12)?),
        _ => {}
    }
    Ok(())
}

#[inline(always)]
fn ports(ctx: &TcContext, cursor: &Cursor, tuple: &mut Tuple) -> Result<(), Fault> {
    match cursor.protocol {
        TCP | UDP | SCTP => {
            let [s0, s1, d0, d1] = load::<[u8; 4]>(ctx, cursor.at)?;
            tuple.source_port = u16::from_be_bytes([s0, s1]);
            tuple.destination_port = u16::from_be_bytes([d0, d1]);
        }
        ICMP | ICMPV6 => {
            let [icmp, _, _, _, id_a, id_b] = load::<[u8; 6]>(ctx, cursor.at)?;
            tuple.icmp = icmp;
            tuple.signal = echo_signal(cursor.protocol, icmp);
            if tuple.signal != 0 {
                tuple.source_port = u16::from_be_bytes([id_a, id_b]);
            }
        }
        _ => {}
    }
    Ok(())
}

/// 0: it is no echo.
#[inline(always)]
fn echo_signal(protocol: u8, icmp: u8) -> u8 {
    match (protocol, icmp) {
        (ICMP, 8) | (ICMPV6, 128) => Signal::OPEN,
        (ICMP, 0) | (ICMPV6, 129) => Signal::ACCEPT,
        _ => 0,
    }
}

#[inline(always)]
fn tcp_signal(flags: u8) -> u8 {
    const FIN: u8 = 1;
    const SYN: u8 = 2;
    const RST: u8 = 4;
    const ACK: u8 = 16;
    if flags & RST != 0 {
        return Signal::RESET;
    }
    match flags & (SYN | ACK) {
        SYN => Signal::OPEN,
        both if both == SYN | ACK => Signal::ACCEPT,
        _ if flags & FIN != 0 => Signal::FINISH,
        _ => 0,
    }
}

#[inline(always)]
fn sctp_signal(chunk: u8) -> u8 {
    match chunk {
        1 => Signal::OPEN,
        2 => Signal::ACCEPT,
        7 | 8 => Signal::FINISH,
        6 | 14 => Signal::RESET,
        _ => 0,
    }
}

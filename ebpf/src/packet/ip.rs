//! IP headers, one after the other, up to what they carry.

use core::ptr;

use aya_ebpf::{helpers::bpf_skb_load_bytes, programs::TcContext};
use terway_abi::{Address, FragmentKey};

use super::{Fault, Tuple, head::Ipv4, load};

/// Extension headers that are followed; more are no packet of an honest sender.
const HEADERS: u32 = 8;

/// Where the next header begins and where the packet ends, in the frame, and what is there.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Cursor {
    pub at: u32,
    pub end: u32,
    pub protocol: u8,
    /// 0: whole; otherwise [`FIRST`] or [`LATER`].
    pub part: u8,
    pub reserved: [u8; 2],
}

pub const FIRST: u8 = 1;
pub const LATER: u8 = 2;

impl Cursor {
    /// Written to memory and read back: the verifier then knows nothing of the value, and follows the rest of the program once instead of
    /// once for every way through the headers.
    #[inline(always)]
    pub fn forget(&mut self, value: Self) -> Self {
        // SAFETY: a reference is valid for both.
        unsafe {
            ptr::write_volatile(self, value);
            ptr::read_volatile(self)
        }
    }
}

/// `::ffff:0:0`
pub const MAPPED: u32 = 0xffff_u32.to_be();

#[inline(always)]
pub fn words(address: &mut Address) -> &mut [u32; 4] {
    // SAFETY: the type is as large, and aligned for it.
    unsafe { &mut *ptr::from_mut(address).cast() }
}

#[inline(always)]
pub fn ipv4(
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
    let end = match own {
        // What an error quotes is cut off, and says the length that it had.
        None => limit,
        Some((fragment, hops)) => {
            identify(fragment, tuple, id, protocol);
            *hops = u32::from(header.ttl);
            match total {
                // Of a large segment (BIG TCP).
                0 => limit,
                _ if total < length => return Err(Fault::Malformed),
                _ if at + total > limit => return Err(Fault::Truncated),
                _ => at + total,
            }
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
pub fn ipv6(
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

//! Where a frame comes from and goes to, with its VLAN tag wherever it stands.

use aya_ebpf::programs::TcContext;
use terway_abi::{Address, Prefix};

use crate::skb;

/// Bytes of the link header.
pub const ETHERNET: usize = 14;
const TAG: usize = 4;

/// Ethertype.
pub const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const VLAN: u16 = 0x8100;
const PROVIDER_VLAN: u16 = 0x88a8;
/// Ethertype.
pub const IPV6: u16 = 0x86dd;

const ICMPV6: u8 = 58;
const NEIGHBOUR_SOLICITATION: u8 = 135;

/// The frame ends before the field.
pub struct Truncated;

/// Tags of a frame.
#[derive(Clone, Copy)]
pub enum Tag {
    /// None; also the priority tag (VLAN id 0), which is no VLAN.
    None,
    /// One, with this VLAN id.
    Vlan(u16),
    /// More than one, which nothing on a trunk has.
    Nested,
}

/// A frame's tag, what it carries, and where that begins.
pub struct Frame {
    /// The tag, in the frame or beside it.
    pub tag: Tag,
    /// What it carries.
    pub ethertype: u16,
    /// Where that begins.
    pub payload: usize,
}

impl Frame {
    /// Reads the link header.
    ///
    /// # Errors
    /// The frame is shorter than that.
    #[inline(always)]
    pub fn parse(ctx: &TcContext) -> Result<Self, Truncated> {
        let outer = ethertype(ctx, ETHERNET - 2)?;
        if skb::vlan_present(ctx) != 0 {
            let tag = match is_tag(outer) {
                true => Tag::Nested,
                false => Tag::of(skb::vlan_tci(ctx)),
            };
            return Ok(Self {
                tag,
                ethertype: outer,
                payload: ETHERNET,
            });
        }
        if !is_tag(outer) {
            return Ok(Self {
                tag: Tag::None,
                ethertype: outer,
                payload: ETHERNET,
            });
        }
        let inner = ethertype(ctx, ETHERNET + TAG - 2)?;
        let tag = match is_tag(inner) {
            true => Tag::Nested,
            false => Tag::of(u32::from(ethertype(ctx, ETHERNET)?)),
        };
        Ok(Self {
            tag,
            ethertype: inner,
            payload: ETHERNET + TAG,
        })
    }

    /// Whom the frame is for; of an ARP request or neighbour solicitation, whom it asks for. `None`: it carries neither.
    ///
    /// # Errors
    /// The frame ends before the address.
    #[inline(always)]
    pub fn destination(&self, ctx: &TcContext) -> Result<Option<Address>, Truncated> {
        match self.ethertype {
            IPV4 => ipv4(ctx, self.payload + 16).map(Some),
            ARP => ipv4(ctx, self.payload + 24).map(Some),
            IPV6 => {
                let destination = ipv6(ctx, self.payload + 24)?;
                let [first, ..] = destination.0;
                if first == 0xff && self.solicits(ctx) {
                    return ipv6(ctx, self.payload + 48).map(Some);
                }
                Ok(Some(destination))
            }
            _ => Ok(None),
        }
    }

    /// Whose the frame is; of ARP the sender. `None`: it carries no address, or ends before it.
    #[inline(always)]
    #[must_use]
    pub fn source(&self, ctx: &TcContext) -> Option<Address> {
        match self.ethertype {
            IPV4 => ipv4(ctx, self.payload + 12).ok(),
            ARP => ipv4(ctx, self.payload + 14).ok(),
            IPV6 => ipv6(ctx, self.payload + 8).ok(),
            _ => None,
        }
    }

    /// The destination of an IP packet, to look up in a longest-prefix map. `None`: no IP packet, or it ends before it.
    #[inline(always)]
    #[must_use]
    pub fn ip_destination(&self, ctx: &TcContext) -> Option<Prefix> {
        match self.ethertype {
            IPV4 => ipv4(ctx, self.payload + 16).ok().map(|address| Prefix::of(4, address)),
            IPV6 => ipv6(ctx, self.payload + 24).ok().map(|address| Prefix::of(6, address)),
            _ => None,
        }
    }

    /// Neighbour discovery is never sent with extension headers (RFC 6980 forbids the only one that could matter).
    #[inline(always)]
    fn solicits(&self, ctx: &TcContext) -> bool {
        matches!(ctx.load::<u8>(self.payload + 6), Ok(ICMPV6))
            && matches!(ctx.load::<u8>(self.payload + 40), Ok(NEIGHBOUR_SOLICITATION))
    }
}

impl Tag {
    #[inline(always)]
    fn of(tci: u32) -> Self {
        match (tci & 0x0fff) as u16 {
            0 => Self::None,
            id => Self::Vlan(id),
        }
    }
}

/// Is it the ethertype of a VLAN tag?
#[inline(always)]
#[must_use]
pub fn is_tag(ethertype: u16) -> bool {
    ethertype == VLAN || ethertype == PROVIDER_VLAN
}

/// Reads one.
///
/// # Errors
/// The frame ends before it.
#[inline(always)]
pub fn ethertype(ctx: &TcContext, offset: usize) -> Result<u16, Truncated> {
    ctx.load(offset).map(u16::from_be).map_err(|_| Truncated)
}

#[inline(always)]
fn ipv4(ctx: &TcContext, offset: usize) -> Result<Address, Truncated> {
    ctx.load(offset).map(Address::mapped).map_err(|_| Truncated)
}

#[inline(always)]
fn ipv6(ctx: &TcContext, offset: usize) -> Result<Address, Truncated> {
    ctx.load(offset).map(Address).map_err(|_| Truncated)
}

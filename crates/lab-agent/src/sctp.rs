//! The two SCTP messages that show a path: INIT, and the INIT ACK that answers it (RFC 9260). Sent and received over raw IP sockets, because a kernel
//! may have no SCTP of its own; a kernel that has one answers just as well.

use std::io;

use socket2::{Domain, Protocol, Socket, Type};

const PROTOCOL: i32 = 132;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const STATE_COOKIE: u16 = 7;
/// Common header, chunk header and the fixed part of both chunks.
const FIXED: usize = 12 + 20;
const WINDOW: u32 = 64 << 10;
const STREAMS: u16 = 1;

/// Which of the two messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk {
    /// Asks for an association.
    Init,
    /// Answers with everything that the server would have to remember, as a cookie.
    InitAck,
}

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub chunk: Chunk,
    pub source_port: u16,
    pub destination_port: u16,
    /// What the sender of an INIT calls itself, and what its answer carries; zero in an INIT.
    pub verification_tag: u32,
    /// What the sender calls itself.
    pub tag: u32,
    /// Empty in an INIT.
    pub cookie: Vec<u8>,
}

impl Message {
    /// Everything after the IP header.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, mut cookie) = match self.chunk {
            Chunk::Init => (INIT, Vec::new()),
            Chunk::InitAck => (INIT_ACK, self.cookie.clone()),
        };
        let parameter = if cookie.is_empty() { 0 } else { 4 + cookie.len() };
        let mut bytes = Vec::with_capacity(FIXED + parameter + 3);
        bytes.extend(self.source_port.to_be_bytes());
        bytes.extend(self.destination_port.to_be_bytes());
        bytes.extend(self.verification_tag.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend([kind, 0]);
        bytes.extend(length(20 + parameter).to_be_bytes());
        bytes.extend(self.tag.to_be_bytes());
        bytes.extend(WINDOW.to_be_bytes());
        bytes.extend(STREAMS.to_be_bytes());
        bytes.extend(STREAMS.to_be_bytes());
        bytes.extend(self.tag.to_be_bytes());
        if parameter > 0 {
            bytes.extend(STATE_COOKIE.to_be_bytes());
            bytes.extend(length(parameter).to_be_bytes());
            bytes.append(&mut cookie);
        }
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        // The one field of SCTP that is written little end first (RFC 9260, appendix A).
        let checksum = crc32c(&bytes).to_le_bytes();
        bytes.splice(8..12, checksum);
        bytes
    }

    /// What stands after an IP header; `None`: another message, or a broken one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let half = |at: usize| bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes);
        let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
        let chunk = match *bytes.get(12)? {
            INIT => Chunk::Init,
            INIT_ACK => Chunk::InitAck,
            _ => return None,
        };
        let mut zeroed = bytes.to_vec();
        zeroed.get_mut(8..12)?.fill(0);
        if bytes.get(8..12)? != crc32c(&zeroed).to_le_bytes() {
            return None;
        }
        Some(Self {
            chunk,
            source_port: half(0)?,
            destination_port: half(2)?,
            verification_tag: word(4)?,
            tag: word(16)?,
            cookie: cookie(bytes.get(FIXED..12 + usize::from(half(14)?))?),
        })
    }
}

/// The first state cookie among the parameters.
fn cookie(mut parameters: &[u8]) -> Vec<u8> {
    while let [kind_high, kind_low, high, low, rest @ ..] = parameters {
        let length = usize::from(u16::from_be_bytes([*high, *low])).saturating_sub(4);
        if u16::from_be_bytes([*kind_high, *kind_low]) == STATE_COOKIE {
            return rest.get(..length).unwrap_or_default().to_vec();
        }
        parameters = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Vec::new()
}

fn length(bytes: usize) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX)
}

fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

/// A raw socket for SCTP packets of one IP version.
///
/// # Errors
/// What the kernel says; `EPERM` without `CAP_NET_RAW`.
pub fn socket(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::RAW, Some(Protocol::from(PROTOCOL)))
}

/// What a raw socket received, without the IP header that only IPv4's have.
pub fn payload(packet: &[u8], v4: bool) -> &[u8] {
    let header = match packet.first() {
        Some(first) if v4 => usize::from(first & 0x0f) * 4,
        _ => 0,
    };
    packet.get(header..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn messages_are_read_as_they_were_written() {
        for (chunk, cookie) in [(Chunk::Init, ""), (Chunk::InitAck, "{\"pod\":\"a\"}\n")] {
            let message = Message {
                chunk,
                source_port: 40_000,
                destination_port: 80,
                verification_tag: 7,
                tag: 0x0102_0304,
                cookie: cookie.into(),
            };
            let bytes = message.to_bytes();
            assert_eq!(bytes.len() % 4, 0);
            assert_eq!(Message::parse(&bytes).unwrap(), message);
            for cut in 0..bytes.len() {
                assert_eq!(Message::parse(bytes.get(..cut).unwrap()), None);
            }
        }
    }
}

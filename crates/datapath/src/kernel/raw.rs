//! Netlink requests as bytes, for what the packet crate has no words for: kinds of links, qdiscs and filters that are only tried, and
//! nftables' own protocol.

use std::io;

use netlink_sys::{Socket, SocketAddr};

use super::uapi::{NLM_F_ACK, NLM_F_REQUEST, NLMSG_ERROR, NLMSGERR_ATTR_MSG};
use super::wire::{align, attributes, frames, i32_of_array, text};

const HEADER: usize = 16;
const NESTED: u16 = 0x8000;
const ERROR_HEADER: usize = 4 + HEADER;
const RECEIVE_BUFFER: usize = 64 * 1024;
const MSG_DONTWAIT: i32 = 0x40;

/// One request under construction.
pub struct Message(Vec<u8>);

impl Message {
    /// A request with the fixed header of its type; REQUEST and ACK are set.
    pub fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        Self::unacknowledged(kind, flags | NLM_F_ACK, fixed)
    }

    /// A request that the kernel answers only if it refuses.
    pub fn unacknowledged(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((flags | NLM_F_REQUEST).to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(fixed);
        Self(bytes).padded()
    }

    /// With an attribute.
    #[must_use]
    pub fn with(mut self, kind: u16, value: &[u8]) -> Self {
        push(&mut self.0, kind, value);
        self
    }

    /// With a nested attribute.
    #[must_use]
    pub fn with_nested(self, kind: u16, inside: Attributes) -> Self {
        self.with(kind | NESTED, &inside.0)
    }

    fn padded(mut self) -> Self {
        self.0.resize(align(self.0.len()), 0);
        self
    }

    fn finished(mut self, sequence: u32) -> Vec<u8> {
        let length = (self.0.len() as u32).to_ne_bytes();
        for (place, bytes) in [(0, length), (8, sequence.to_ne_bytes())] {
            if let Some(field) = self.0.get_mut(place..place + 4) {
                field.copy_from_slice(&bytes);
            }
        }
        self.0
    }
}

/// What stands inside a nested attribute.
#[derive(Default)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    /// As they stand in a message.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// With an attribute.
    #[must_use]
    pub fn with(mut self, kind: u16, value: &[u8]) -> Self {
        push(&mut self.0, kind, value);
        self
    }

    /// With a nested attribute.
    #[must_use]
    pub fn with_nested(self, kind: u16, inside: Self) -> Self {
        self.with(kind | NESTED, &inside.0)
    }
}

fn push(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend((4 + value.len() as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(align(bytes.len()), 0);
}

/// A socket for such requests, of any netlink protocol.
pub struct RawSocket {
    inner: Socket,
    sequence: u32,
    receive: Vec<u8>,
}

impl RawSocket {
    /// Opens a socket of `protocol` in the namespace of the calling thread.
    pub fn open(protocol: isize) -> io::Result<Self> {
        let mut inner = Socket::new(protocol)?;
        inner.bind_auto()?;
        inner.connect(&SocketAddr::new(0, 0))?;
        inner.set_cap_ack(true)?;
        inner.set_ext_ack(true)?;
        Ok(Self {
            inner,
            sequence: 0,
            receive: Vec::with_capacity(RECEIVE_BUFFER),
        })
    }

    /// Sends the requests together. The payloads of what came back beside acknowledgements, or the first refusal with the kernel's own
    /// words.
    pub fn call(&mut self, messages: impl IntoIterator<Item = Message>) -> io::Result<Vec<Vec<u8>>> {
        let mut datagram = Vec::new();
        let first = self.sequence;
        for message in messages {
            self.sequence += 1;
            datagram.extend(message.finished(self.sequence));
        }
        self.inner.send(&datagram, 0)?;
        let mut replies = Vec::new();
        loop {
            self.receive.clear();
            match self.inner.recv(&mut self.receive, MSG_DONTWAIT) {
                Ok(_) => {}
                // The kernel has answered everything by the time `send` returns.
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(replies),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => continue,
                Err(cause) => return Err(cause),
            }
            for frame in frames(&self.receive).filter(|frame| frame.sequence > first) {
                if frame.kind != NLMSG_ERROR {
                    replies.push(frame.payload.to_vec());
                    continue;
                }
                let errno = i32_of_array(frame.payload, 0).unwrap_or(0);
                if errno != 0 {
                    let words = attributes(frame.payload, ERROR_HEADER)
                        .find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG)
                        .map(|(_, words)| text(words));
                    return Err(refusal(-errno, words));
                }
            }
        }
    }
}

fn refusal(errno: i32, words: Option<String>) -> io::Error {
    let plain = io::Error::from_raw_os_error(errno);
    match words {
        Some(words) => io::Error::new(plain.kind(), format!("{words} ({plain})")),
        None => plain,
    }
}

//! Route netlink by hand: messages as bytes, many of them in one system call.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys;

/// Flag for objects that must not exist yet.
pub const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
/// Flag for objects that exist.
pub const CHANGE: u16 = 0;

const HEADER: usize = 16;
const ERROR_MESSAGE: u16 = 2;

/// Requests that go out together and are answered one by one.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    names: Vec<&'static str>,
}

impl Batch {
    /// Appends one request; `what` names it in an error, `body` writes the fixed part and the attributes.
    pub fn push(&mut self, what: &'static str, kind: u16, flags: u16, body: impl FnOnce(&mut Message<'_>)) {
        let start = self.bytes.len();
        let sequence = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes
            .extend_from_slice(&(flags | (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16).to_ne_bytes());
        self.bytes.extend_from_slice(&sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        body(&mut Message { bytes: &mut self.bytes });
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        put(&mut self.bytes, start, &length.to_ne_bytes());
        self.names.push(what);
    }
}

/// Body of one request.
pub struct Message<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Message<'_> {
    /// Raw bytes, as for the fixed part.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// An attribute, padded to four bytes.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.nested(kind, |message| {
            message.raw(value);
        })
    }

    /// An attribute with a number.
    pub fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// An attribute with a string and its terminating zero.
    pub fn string(&mut self, kind: u16, value: &str) -> &mut Self {
        self.nested(kind, |message| {
            message.raw(value.as_bytes()).raw(&[0]);
        })
    }

    /// An attribute that holds others.
    pub fn nested(&mut self, kind: u16, body: impl FnOnce(&mut Message<'_>)) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        body(&mut Message { bytes: self.bytes });
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        put(self.bytes, start, &length.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(room) = bytes.get_mut(at..at + value.len()) {
        room.copy_from_slice(value);
    }
}

/// A route netlink socket of the namespace that its maker was in.
pub struct Socket(OwnedFd);

impl Socket {
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<Self> {
        sys::netlink_socket().map(Self)
    }

    /// Sends the batch and waits for every answer; `tolerated` errors count as success.
    ///
    /// # Errors
    /// The first request that failed, by name. The others were carried out all the same.
    pub fn send(&mut self, batch: &Batch, tolerated: &[i32]) -> Result<(), String> {
        sys::send(self.0.as_raw_fd(), &batch.bytes).map_err(|error| format!("netlink send: {error}"))?;
        let mut failure = None;
        let mut waiting = batch.names.len();
        let mut buffer = [0; 32 << 10];
        while waiting > 0 {
            let count = sys::receive(self.0.as_raw_fd(), &mut buffer).map_err(|error| format!("netlink receive: {error}"))?;
            let mut rest = buffer.get(..count).unwrap_or_default();
            while let Some((length, kind, sequence, error)) = answer(rest) {
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
                if kind != ERROR_MESSAGE {
                    continue;
                }
                waiting = waiting.saturating_sub(1);
                if error != 0 && !tolerated.contains(&-error) && failure.is_none() {
                    let what = batch.names.get(sequence as usize).copied().unwrap_or("a request");
                    failure = Some(format!("{what}: {}", io::Error::from_raw_os_error(-error)));
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Length, type, sequence number and error code of the first message.
fn answer(bytes: &[u8]) -> Option<(usize, u16, u32, i32)> {
    let word = |at: usize| bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    let length = usize::try_from(u32::from_ne_bytes(word(0)?)).ok()?.max(HEADER);
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    Some((length, kind, u32::from_ne_bytes(word(8)?), i32::from_ne_bytes(word(HEADER)?)))
}

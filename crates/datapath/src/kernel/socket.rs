//! One route netlink socket. Requests go out in one `send`; the kernel works on them in order and has answered all of them when `send`
//! returns, so reading never blocks and never hangs.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use netlink_packet_core::{NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket as RawSocket, SocketAddr, protocols::NETLINK_ROUTE};

use super::uapi::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
    NLMSGERR_ATTR_MSG,
};
use super::wire::{Frame, attributes, frames, i32_of_array, text, u32_at};
use crate::error::{Error, ErrorCode, Result};

/// Large enough for any datagram of the kernel (a dump sends at most 32 KiB at once).
const RECEIVE_BUFFER: usize = 64 * 1024;
/// A dump that the kernel marks as interrupted by a change is repeated this often.
const DUMP_ATTEMPTS: u32 = 8;
/// `ENOENT`: the table to be dumped does not exist.
const ENOENT: i32 = 2;
const ENODEV: i32 = 19;
const MSG_DONTWAIT: i32 = 0x40;

/// One request; `flags` beside REQUEST and ACK.
pub struct Request {
    pub message: RouteNetlinkMessage,
    pub flags: u16,
}

/// A message from the kernel that answers a request.
pub struct Reply {
    pub kind: u16,
    pub payload: Vec<u8>,
}

/// The kernel's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Positive error number.
    pub errno: i32,
    /// The kernel's own words (extended acknowledgement), if it had any.
    pub words: Option<String>,
}

/// What came back for one request.
pub struct Answer {
    pub result: Result<(), Refusal>,
    pub replies: Vec<Reply>,
}

impl Refusal {
    /// As an error of this crate; `request` names the netlink request.
    pub fn error(&self, request: &str) -> Error {
        let mut error = Error::system(request, &io::Error::from_raw_os_error(self.errno));
        if let Some(words) = &self.words {
            error.message = format!("{} ({words})", error.message);
        }
        error
    }
}

/// A route netlink socket of the namespace in which it was opened.
pub struct Socket {
    inner: RawSocket,
    sequence: u32,
    port: u32,
    receive: Vec<u8>,
    send: Vec<u8>,
}

impl Socket {
    /// Opens a socket in the namespace of the calling thread.
    pub fn open() -> Result<Self> {
        Self::open_inner().map_err(|cause| Error::system("socket(AF_NETLINK)", &cause))
    }

    fn open_inner() -> io::Result<Self> {
        let mut inner = RawSocket::new(NETLINK_ROUTE)?;
        let port = inner.bind_auto()?.port_number();
        inner.connect(&SocketAddr::new(0, 0))?;
        inner.set_cap_ack(true)?;
        inner.set_ext_ack(true)?;
        // Filters of dumps work only with strict checking (Linux 4.20).
        inner.set_netlink_get_strict_chk(true)?;
        Ok(Self {
            inner,
            sequence: 0,
            port,
            receive: Vec::with_capacity(RECEIVE_BUFFER),
            send: Vec::new(),
        })
    }

    /// The port id that the kernel puts on notifications of changes made through this socket.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Sends all requests at once and returns one answer for each. Every request is tried, also after one was refused.
    pub fn batch(&mut self, requests: Vec<Request>) -> Result<Vec<Answer>> {
        let first = self.sequence.wrapping_add(1);
        let mut answers: Vec<Answer> = Vec::with_capacity(requests.len());
        self.send.clear();
        for request in requests {
            self.append(request.message, request.flags | NLM_F_REQUEST | NLM_F_ACK);
            answers.push(Answer {
                result: Ok(()),
                replies: Vec::new(),
            });
        }
        self.transmit()?;
        let mut open = answers.len();
        while open > 0 {
            self.receive()?;
            for frame in frames(&self.receive) {
                let Some(answer) = answers.get_mut(frame.sequence.wrapping_sub(first) as usize) else {
                    continue;
                };
                match frame.kind {
                    NLMSG_ERROR => {
                        answer.result = acknowledgement(&frame);
                        open -= 1;
                    }
                    kind => answer.replies.push(Reply {
                        kind,
                        payload: frame.payload.to_vec(),
                    }),
                }
            }
        }
        Ok(answers)
    }

    /// Sends one request.
    pub fn request(&mut self, message: impl Into<RouteNetlinkMessage>, flags: u16) -> Result<Answer> {
        let answer = self
            .batch(vec![Request {
                message: message.into(),
                flags,
            }])?
            .pop();
        answer.ok_or_else(|| Error::new(ErrorCode::Kernel, "netlink: no answer"))
    }

    /// Reads a whole list; `each` gets the type and payload of every entry. A table that does not exist is empty.
    pub fn dump<T>(
        &mut self,
        name: &str,
        message: &RouteNetlinkMessage,
        each: impl Fn(u16, &[u8]) -> Option<T>,
    ) -> Result<Vec<T>> {
        let mut entries = Vec::new();
        for _ in 0..DUMP_ATTEMPTS {
            entries.clear();
            self.send.clear();
            self.append(message.clone(), NLM_F_REQUEST | NLM_F_DUMP);
            self.transmit()?;
            match self.collect_dump(&each, &mut entries)? {
                Ok(false) => return Ok(entries),
                Ok(true) => {}
                // No such table; or the device asked for has just gone, and with it all that was on it.
                Err(refusal) if matches!(refusal.errno, ENOENT | ENODEV) => return Ok(Vec::new()),
                Err(refusal) => return Err(refusal.error(name)),
            }
        }
        // A list that changes all the time: each entry is real, and the next look will see what this one missed.
        Ok(entries)
    }

    /// True if the kernel says that the list changed meanwhile.
    fn collect_dump<T>(
        &mut self,
        each: &impl Fn(u16, &[u8]) -> Option<T>,
        entries: &mut Vec<T>,
    ) -> Result<std::result::Result<bool, Refusal>> {
        let mut interrupted = false;
        loop {
            self.receive()?;
            for frame in frames(&self.receive) {
                if frame.sequence != self.sequence {
                    continue;
                }
                interrupted |= frame.flags & NLM_F_DUMP_INTR != 0;
                match frame.kind {
                    NLMSG_ERROR => return Ok(acknowledgement(&frame).map(|()| interrupted)),
                    NLMSG_DONE => return Ok(done(&frame).map(|()| interrupted)),
                    kind => entries.extend(each(kind, frame.payload)),
                }
            }
        }
    }

    fn append(&mut self, message: RouteNetlinkMessage, flags: u16) {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(message));
        message.header.flags = flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let start = self.send.len();
        self.send.resize(start + super::wire::align(message.buffer_len()), 0);
        if let Some(buffer) = self.send.get_mut(start..) {
            message.serialize(buffer);
        }
    }

    fn transmit(&self) -> Result<()> {
        self.inner
            .send(&self.send, 0)
            .map_err(|cause| Error::system("send(AF_NETLINK)", &cause))
            .map(|_| ())
    }

    fn receive(&mut self) -> Result<()> {
        self.receive.clear();
        loop {
            match self.inner.recv(&mut self.receive, MSG_DONTWAIT) {
                Ok(_) => return Ok(()),
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(Error::system("recv(AF_NETLINK)", &cause)),
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Socket(fd {}, port {})", self.inner.as_raw_fd(), self.port)
    }
}

/// `struct nlmsgerr`: the error, the header of the request, and, where flagged, attributes with the kernel's words.
fn acknowledgement(frame: &Frame<'_>) -> Result<(), Refusal> {
    let errno = i32_of_array(frame.payload, 0).unwrap_or(0);
    if errno == 0 {
        return Ok(());
    }
    let request = u32_at(frame.payload, 4).unwrap_or(16) as usize;
    let skip = if frame.flags & NLM_F_CAPPED != 0 {
        4 + 16
    } else {
        4 + request
    };
    Err(Refusal {
        errno: -errno,
        words: words(frame, skip),
    })
}

fn done(frame: &Frame<'_>) -> Result<(), Refusal> {
    match i32_of_array(frame.payload, 0) {
        Some(errno) if errno < 0 => Err(Refusal {
            errno: -errno,
            words: words(frame, 4),
        }),
        _ => Ok(()),
    }
}

fn words(frame: &Frame<'_>, skip: usize) -> Option<String> {
    if frame.flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    attributes(frame.payload, skip)
        .find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG)
        .map(|(_, value)| text(value))
}

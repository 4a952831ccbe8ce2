//! The one `cls_bpf` filter that the fabric keeps on each hook of its ports, over netlink.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

/// Where on an interface a filter stands.
#[derive(Debug, Clone, Copy)]
pub enum Hook {
    Ingress,
    Egress,
}

impl Hook {
    /// The parents that `clsact` offers.
    const fn parent(self) -> u32 {
        match self {
            Self::Ingress => 0xffff_fff2,
            Self::Egress => 0xffff_fff3,
        }
    }
}

/// Before the filters of others, which take a number of 0xc000 and below when they name none.
const PRIORITY: u32 = 7;
const HANDLE: u32 = 1;
const ETH_P_ALL: u16 = 3;
const CLSACT_PARENT: u32 = 0xffff_fff1;
const CLSACT_HANDLE: u32 = 0xffff_0000;

// linux/rtnetlink.h, linux/pkt_cls.h
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_FD: u16 = 6;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_FLAGS: u16 = 8;
const TCA_BPF_ID: u16 = 11;
const ACT_DIRECT: u32 = 1;
const NLA_NESTED: u16 = 1 << 15;

const HEADER: usize = 16;
const TCMSG: usize = 20;

/// Adds the filter. The kernel holds the program from then on.
///
/// # Errors
/// `AlreadyExists` if there is one and `replace` is not wanted; what else the kernel says.
pub fn add(interface: u32, hook: Hook, program: BorrowedFd<'_>, name: &str, replace: bool) -> io::Result<()> {
    let create = libc::NLM_F_CREATE as u16;
    let exclusive = create | libc::NLM_F_EXCL as u16;
    let mut qdisc = tcmsg(interface, CLSACT_HANDLE, CLSACT_PARENT, 0);
    attribute(&mut qdisc, TCA_KIND, b"clsact\0");
    match call(libc::RTM_NEWQDISC, exclusive, &qdisc) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let mut options = Vec::new();
    attribute(&mut options, TCA_BPF_FD, &program.as_raw_fd().to_ne_bytes());
    attribute(&mut options, TCA_BPF_NAME, &[name.as_bytes(), b"\0"].concat());
    attribute(&mut options, TCA_BPF_FLAGS, &ACT_DIRECT.to_ne_bytes());
    let mut filter = filter(interface, hook);
    attribute(&mut filter, TCA_KIND, b"bpf\0");
    attribute(&mut filter, TCA_OPTIONS | NLA_NESTED, &options);
    call(libc::RTM_NEWTFILTER, if replace { create } else { exclusive }, &filter).map(drop)
}

/// Removes the filter.
///
/// # Errors
/// `NotFound` or `InvalidInput` if there is none; what else the kernel says.
pub fn remove(interface: u32, hook: Hook) -> io::Result<()> {
    let mut filter = filter(interface, hook);
    attribute(&mut filter, TCA_KIND, b"bpf\0");
    call(libc::RTM_DELTFILTER, 0, &filter).map(drop)
}

/// Id of the filter's program; `None`: no filter of ours stands there.
pub fn program_id(interface: u32, hook: Hook) -> Option<u32> {
    let mut filter = filter(interface, hook);
    attribute(&mut filter, TCA_KIND, b"bpf\0");
    // The kernel answers ENOENT or EINVAL, as far as it gets: no qdisc, no filter, or one of another kind.
    let answer = call(libc::RTM_GETTFILTER, 0, &filter).ok()?;
    let options = find(answer.get(HEADER + TCMSG..)?, TCA_OPTIONS)?;
    Some(u32::from_ne_bytes(find(options, TCA_BPF_ID)?.try_into().ok()?))
}

fn filter(interface: u32, hook: Hook) -> Vec<u8> {
    tcmsg(
        interface,
        HANDLE,
        hook.parent(),
        (PRIORITY << 16) | u32::from(ETH_P_ALL.to_be()),
    )
}

/// `struct tcmsg`.
fn tcmsg(interface: u32, handle: u32, parent: u32, info: u32) -> Vec<u8> {
    [0, interface, handle, parent, info]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect()
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// The value of the first attribute of this kind.
fn find(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?) & !NLA_NESTED;
        if kind == wanted {
            return attributes.get(4..length);
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

/// Sends a request and gives the answer, or what stands in the acknowledgement.
fn call(kind: u16, flags: u16, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut socket = Socket::new(
        Domain::from(libc::AF_NETLINK),
        Type::RAW,
        Some(Protocol::from(libc::NETLINK_ROUTE)),
    )?;
    let flags = flags | (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
    let mut request = Vec::with_capacity(HEADER + body.len());
    request.extend(u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX).to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend(flags.to_ne_bytes());
    request.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    request.extend(body);
    socket.write_all(&request)?;
    let mut buffer = vec![0; 16384];
    let count = socket.read(&mut buffer)?;
    buffer.truncate(count);
    let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let kind = buffer
        .get(4..6)
        .and_then(|two| two.try_into().ok())
        .map(u16::from_ne_bytes)
        .ok_or_else(short)?;
    if i32::from(kind) != libc::NLMSG_ERROR {
        return Ok(buffer);
    }
    let code = buffer
        .get(HEADER..HEADER + 4)
        .and_then(|four| four.try_into().ok())
        .map(i32::from_ne_bytes)
        .ok_or_else(short)?;
    match code {
        0 => Ok(buffer),
        code => Err(io::Error::from_raw_os_error(-code)),
    }
}

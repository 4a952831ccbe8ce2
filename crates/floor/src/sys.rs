//! System calls that the standard library does not offer.
#![expect(
    unsafe_code,
    reason = "netlink sockets and changing the network namespace; each block says why it is sound"
)]

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process;

/// A route netlink socket of this thread's network namespace.
///
/// # Errors
/// What the kernel says.
pub fn netlink_socket() -> io::Result<OwnedFd> {
    // SAFETY: no pointers; the result is checked before it is used.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave this descriptor to us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends all of `bytes` as one datagram.
///
/// # Errors
/// What the kernel says.
pub fn send(fd: RawFd, bytes: &[u8]) -> io::Result<()> {
    // SAFETY: pointer and length are those of a live slice.
    let sent = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), 0) };
    if usize::try_from(sent) == Ok(bytes.len()) {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Receives one datagram.
///
/// # Errors
/// What the kernel says.
pub fn receive(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of a live slice that only we hold.
    let count = unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Index of an interface of this thread's network namespace.
///
/// # Errors
/// No interface of that name.
pub fn interface_index(name: &str) -> io::Result<u32> {
    let name = CString::new(name)?;
    // SAFETY: `name` is a string with a terminating zero that lives through the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Writes a sysctl below `net/` of this thread's network namespace.
///
/// # Errors
/// What the kernel says.
pub fn set_sysctl(path: &str, value: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .open(format!("/proc/sys/net/{path}"))?
        .write_all(value.as_bytes())
}

/// Runs `work` with this thread in the network namespace `netns`, and comes back.
///
/// # Errors
/// A namespace that cannot be entered, or what `work` says.
pub fn inside<T>(netns: &File, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let home = File::open("/proc/thread-self/ns/net")?;
    enter(netns)?;
    let result = work();
    if let Err(error) = enter(&home) {
        eprintln!("floor: cannot come back from a pod's namespace: {error}");
        process::abort();
    }
    result
}

fn enter(netns: &File) -> io::Result<()> {
    // SAFETY: no pointers; it changes the calling thread's namespace and nothing else.
    match unsafe { libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

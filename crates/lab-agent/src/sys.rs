//! Every system call of this program that the standard library and socket2 do not offer.
#![expect(
    unsafe_code,
    reason = "packet sockets, signal waiting and reaping have no safe interface here; each block says why it is sound"
)]

use std::ffi::{CString, c_int};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, SockFilter, Socket, Type};

use crate::frame::Mac;

/// Blocks `signals` in this thread and all that it starts.
///
/// # Errors
/// What the kernel says.
pub fn block_signals(signals: &[c_int]) -> io::Result<()> {
    let set = signal_set(signals);
    // SAFETY: `set` is initialised and the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Waits for one of `signals`, which must be blocked.
pub fn next_signal(signals: &[c_int]) -> c_int {
    let set = signal_set(signals);
    let mut signal = 0;
    // SAFETY: both pointers are to live values of the right type. Its only error is a signal number that does not exist.
    unsafe { libc::sigwait(&raw const set, &raw mut signal) };
    signal
}

fn signal_set(signals: &[c_int]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the whole set before anything reads it; sigaddset only changes it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// Reaps every child that has ended.
pub fn reap() {
    // SAFETY: no status is asked for, and no other part of this program waits for children.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

/// Moves this thread, and those that it starts from here on, into a network namespace.
///
/// # Errors
/// What the kernel says: `EINVAL` for a file that is no network namespace, `EPERM` without `CAP_SYS_ADMIN`.
pub fn enter_net_namespace(namespace: &File) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as the file is borrowed.
    match unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Index of an interface of this network namespace.
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

/// A packet socket for whole frames of one type, on one interface or on all (`0`).
pub struct PacketSocket(Socket);

impl PacketSocket {
    /// # Errors
    /// What the kernel says; `EPERM` without `CAP_NET_RAW`.
    pub fn open(ethertype: u16, interface: u32) -> io::Result<Self> {
        // Protocol 0 receives nothing, so no frame slips in between here and bind.
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        socket.bind(&link_address(ethertype, interface))?;
        Ok(Self(socket))
    }

    /// Lets only frames through that `filter` (classic BPF) returns non-zero for.
    ///
    /// # Errors
    /// A filter that the kernel refuses.
    pub fn attach_filter(&self, filter: &[SockFilter]) -> io::Result<()> {
        self.0.attach_filter(filter)
    }

    /// Room for bursts of frames, beyond the system's limit where that is allowed.
    pub fn enlarge_buffer(&self, bytes: c_int) {
        // SAFETY: the option's value is an int, and its size is told.
        let forced = unsafe {
            let value = (&raw const bytes).cast();
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVBUFFORCE,
                value,
                size_of::<c_int>() as u32,
            )
        };
        if forced != 0 {
            drop(self.0.set_recv_buffer_size(usize::try_from(bytes).unwrap_or(0)));
        }
    }

    /// Hardware address of the interface that the socket is bound to.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn hardware_address(&self) -> io::Result<Mac> {
        let address = self.0.local_addr()?;
        let [a, b, c, d, e, f, ..] = as_link_address(&address).sll_addr;
        Ok(Mac([a, b, c, d, e, f]))
    }

    /// Waits at most this long in [`Self::receive`].
    ///
    /// # Errors
    /// A zero duration.
    pub fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.0.set_read_timeout(Some(timeout))
    }

    /// The next frame: its interface and its length in `buffer`.
    ///
    /// # Errors
    /// What the kernel says, `WouldBlock` after the timeout.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<(u32, usize)> {
        // SAFETY: MaybeUninit<u8> has u8's layout, and the kernel only writes initialised bytes into it.
        let room = unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<MaybeUninit<u8>>(), buffer.len()) };
        let (count, address) = self.0.recv_from(room)?;
        Ok((u32::try_from(as_link_address(&address).sll_ifindex).unwrap_or(0), count))
    }

    /// Sends a whole frame out of an interface.
    ///
    /// # Errors
    /// What the kernel says; `ENETDOWN` while the interface is down.
    pub fn send(&self, interface: u32, frame: &[u8]) -> io::Result<()> {
        self.0.send_to(frame, &link_address(0, interface)).map(drop)
    }
}

fn link_address(ethertype: u16, interface: u32) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is one of the types that fit into the storage, and all zeroes is a legal value of it.
    let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = ethertype.to_be();
    address.sll_ifindex = interface.cast_signed();
    // SAFETY: the storage holds a sockaddr_ll, and that is its length.
    unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as u32) }
}

/// The address that a packet socket gave; its storage is zeroed, so that a short one reads as zeroes.
fn as_link_address(address: &SockAddr) -> libc::sockaddr_ll {
    // SAFETY: socket2 keeps every address in a zeroed sockaddr_storage, which is larger than sockaddr_ll and aligned for it; all
    // of sockaddr_ll's fields are integers.
    unsafe { address.as_ptr().cast::<libc::sockaddr_ll>().read() }
}

/// From now on the kernel refuses bpf(2) to this process and its children (`EPERM`).
///
/// # Errors
/// What the kernel says; it needs CAP_SYS_ADMIN.
pub fn forbid_bpf() -> io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    // The number of the system call is the first word of `struct seccomp_data`.
    let steps = [
        libc::sock_filter {
            code: LOAD,
            jt: 0,
            jf: 0,
            k: 0,
        },
        libc::sock_filter {
            code: JUMP,
            jt: 0,
            jf: 1,
            k: libc::SYS_bpf as u32,
        },
        libc::sock_filter {
            code: RETURN,
            jt: 0,
            jf: 0,
            k: libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        },
        libc::sock_filter {
            code: RETURN,
            jt: 0,
            jf: 0,
            k: libc::SECCOMP_RET_ALLOW,
        },
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies the program, which lives until the call returns, and writes nothing.
    match unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

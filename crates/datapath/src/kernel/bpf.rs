//! The one BPF program that the datapath loads itself: it says whether this process may load any.
#![expect(unsafe_code, reason = "bpf(2) has no safe wrapper here")]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_TYPE_SCHED_CLS: u32 = 3;
const LICENSE: &[u8] = b"Apache-2.0\0";
/// `r0 = 0; exit`: let the packet go on.
const PROGRAM: [u64; 2] = [0xb7, 0x95];

/// The head of `union bpf_attr` for `BPF_PROG_LOAD`; the kernel takes what is missing at its end as zero.
#[repr(C)]
struct Load {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

/// Loads a classifier that does nothing.
pub fn load_classifier() -> io::Result<OwnedFd> {
    let load = Load {
        program_type: BPF_PROG_TYPE_SCHED_CLS,
        instruction_count: PROGRAM.len() as u32,
        instructions: PROGRAM.as_ptr() as u64,
        license: LICENSE.as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
    };
    // SAFETY: the kernel reads `load` and what it points to, which all live until the call returns, and writes nothing.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const load, size_of::<Load>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

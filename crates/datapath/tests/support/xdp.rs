//! The smallest XDP program, pinned so that `ip` can attach it.
#![expect(unsafe_code, reason = "bpf(2)")]

use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};

/// Of `enum bpf_cmd` and `enum bpf_prog_type`.
const PROG_LOAD: i64 = 5;
const OBJ_PIN: i64 = 6;
const TYPE_XDP: u32 = 6;

/// `r0 = XDP_PASS; exit`
const PASS: [u64; 2] = [0x0000_0002_0000_00b7, 0x95];

/// `union bpf_attr` of `BPF_PROG_LOAD`.
#[repr(C)]
struct Load {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    rest: [u64; 5],
}

/// `union bpf_attr` of `BPF_OBJ_PIN`.
#[repr(C)]
struct Pin {
    path: u64,
    program: u32,
    flags: u32,
}

fn bpf<T>(command: i64, attributes: &T) -> i64 {
    // SAFETY: the attributes are a whole `union bpf_attr` of this command and live over the call, as does what they point to.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    assert!(result >= 0, "bpf({command}): {}", std::io::Error::last_os_error());
    result
}

/// Loads it and pins it at `path`, which must be on a bpf file system and free.
pub fn pin(path: &str) {
    let license = CString::new("GPL").unwrap();
    let fd = bpf(
        PROG_LOAD,
        &Load {
            kind: TYPE_XDP,
            instructions: 2,
            code: PASS.as_ptr() as u64,
            license: license.as_ptr() as u64,
            rest: [0; 5],
        },
    );
    // SAFETY: the descriptor has just been made, and nobody else knows it.
    let program = unsafe { File::from_raw_fd(fd as i32) };
    let path = CString::new(path).unwrap();
    bpf(
        OBJ_PIN,
        &Pin {
            path: path.as_ptr() as u64,
            program: program.as_raw_fd() as u32,
            flags: 0,
        },
    );
}

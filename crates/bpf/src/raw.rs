//! Maps whose layout is known at run time only.
#![expect(unsafe_code, reason = "bpf(2) has no safe wrapper for keys and values of any size")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use aya::maps::MapData;

use crate::Error;

const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP_ELEM: libc::c_int = 1;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const MAP_DELETE_ELEM: libc::c_int = 3;
const MAP_GET_NEXT_KEY: libc::c_int = 4;
const OBJ_PIN: libc::c_int = 6;
const ARRAY: u32 = 2;

/// A map as bytes. Not for maps with a value for each processor.
#[derive(Debug)]
pub(crate) struct RawMap {
    fd: OwnedFd,
    key: usize,
    value: usize,
    limit: u32,
}

/// Key and value.
pub(crate) type Record = (Vec<u8>, Vec<u8>);

/// `union bpf_attr` for `BPF_MAP_*_ELEM` and `BPF_MAP_GET_NEXT_KEY`.
#[repr(C)]
struct Element {
    map: u32,
    reserved: u32,
    key: u64,
    value_or_next: u64,
    flags: u64,
}

/// The same for `BPF_MAP_CREATE`; the kernel takes what is missing at its end as zero.
#[repr(C)]
struct Create {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
}

/// The same for `BPF_OBJ_PIN`.
#[repr(C)]
struct Pin {
    path: u64,
    fd: u32,
    flags: u32,
}

impl RawMap {
    /// A pinned map.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let action = || format!("opening the pin {}", path.display());
        let map = MapData::from_pin(path).map_err(|error| Error::from_cause(action(), &error))?;
        let info = map.info().map_err(|error| Error::from_cause(action(), &error))?;
        let fd = map.fd().as_fd().try_clone_to_owned();
        let fd = fd.map_err(|error| Error::from_cause(action(), &error))?;
        Ok(Self {
            fd,
            key: info.key_size() as usize,
            value: info.value_size() as usize,
            limit: info.max_entries(),
        })
    }

    /// An array of one value, pinned at the path.
    pub(crate) fn pin_value(path: &Path, value: &[u8]) -> Result<(), Error> {
        let failed = |error: io::Error| Error::from_cause(format!("pinning {}", path.display()), &error);
        let create = Create {
            kind: ARRAY,
            key_size: 4,
            value_size: value.len() as u32,
            max_entries: 1,
            map_flags: 0,
        };
        let fd = call(MAP_CREATE, &create).map_err(failed)?;
        // SAFETY: the descriptor is new and nobody else's.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| failed(error.into()))?;
        let map = Self {
            fd,
            key: 4,
            value: value.len(),
            limit: 1,
        };
        map.put(&[0; 4], value).map_err(failed)?;
        let pin = Pin {
            path: name.as_ptr() as u64,
            fd: map.fd.as_raw_fd() as u32,
            flags: 0,
        };
        call(OBJ_PIN, &pin).map(drop).map_err(failed)
    }

    /// Bytes of a key and of a value.
    pub(crate) const fn sizes(&self) -> (usize, usize) {
        (self.key, self.value)
    }

    pub(crate) const fn limit(&self) -> u32 {
        self.limit
    }

    pub(crate) fn get(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let mut value = vec![0; self.value];
        match self.element(MAP_LOOKUP_ELEM, Some(key), value.as_mut_ptr() as u64) {
            Ok(()) => Ok(Some(value)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn put(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        if value.len() != self.value {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.element(MAP_UPDATE_ELEM, Some(key), value.as_ptr() as u64)
    }

    pub(crate) fn remove(&self, key: &[u8]) -> io::Result<()> {
        match self.element(MAP_DELETE_ELEM, Some(key), 0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// All records; of those that come or go meanwhile perhaps some, and perhaps twice.
    pub(crate) fn list(&self) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        let mut key: Option<Vec<u8>> = None;
        // After a key that is gone the kernel begins from the start again.
        for _ in 0..u64::from(self.limit) * 4 {
            let mut next = vec![0; self.key];
            match self.element(MAP_GET_NEXT_KEY, key.as_deref(), next.as_mut_ptr() as u64) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
            if let Some(value) = self.get(&next)? {
                records.push((next.clone(), value));
            }
            key = Some(next);
        }
        Ok(records)
    }

    fn element(&self, command: libc::c_int, key: Option<&[u8]>, value_or_next: u64) -> io::Result<()> {
        if key.is_some_and(|key| key.len() != self.key) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let element = Element {
            map: self.fd.as_raw_fd() as u32,
            reserved: 0,
            key: key.map_or(0, |key| key.as_ptr() as u64),
            value_or_next,
            flags: 0,
        };
        call(command, &element).map(drop)
    }
}

fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_int> {
    // SAFETY: the kernel reads the attributes, and of what they point to as many bytes as the map's sizes, which the callers have checked.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>()) };
    match answer {
        0.. => Ok(answer as libc::c_int),
        _ => Err(io::Error::last_os_error()),
    }
}

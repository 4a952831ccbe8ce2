//! Files under `/proc/sys/net`, which always show the namespace of the calling thread.

use std::fs;
use std::io;

use crate::error::{Error, Result};
use crate::object::{Family, Names, Sysctl, SysctlKey};

fn path(key: &SysctlKey, names: &Names) -> String {
    let family = match key.family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    format!("/proc/sys/net/{family}/conf/{}/{}", names.sysctl_scope(key.scope), key.name)
}

/// The value, or nothing if the file does not exist (no such link, or a kernel without IPv6).
pub fn read(key: &SysctlKey, names: &Names) -> Result<Option<i32>> {
    match fs::read_to_string(path(key, names)) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(Error::system("read", &cause).about(names.sysctl(key))),
    }
}

/// Writes the value.
pub fn write(sysctl: &Sysctl, names: &Names) -> Result<()> {
    let path = path(&sysctl.key, names);
    fs::write(&path, sysctl.value.to_string()).map_err(|cause| Error::system("write", &cause).about(names.sysctl(&sysctl.key)))
}

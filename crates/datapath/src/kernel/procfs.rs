//! A procfs of our own for sysctls.
//!
//! Each namespace that looks a sysctl up leaves its names in the chain of the mounted procfs, and the first look-up in a new namespace
//! walks all of it: 1 ms with 1,000 pods. A procfs instance that nobody else uses starts with an empty chain, and is thrown away
//! before it has a long one. And it can be written to where `/proc/sys` is mounted read-only, as in every container that is not privileged.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

/// Namespaces that share one instance.
const USES: u32 = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct PrivateProcfs {
    mount: Option<OwnedFd>,
    uses: u32,
}

impl PrivateProcfs {
    /// Opens a directory below `/proc`. Where no instance can be made (before Linux 5.2, or without the right to), the common one serves.
    pub fn open_directory(&mut self, path: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        if self.uses == 0 {
            self.mount = mount().ok();
            self.uses = USES;
        }
        self.uses -= 1;
        match &self.mount {
            Some(mount) => rustix::fs::openat(mount, path, flags, Mode::empty()),
            None => rustix::fs::open(format!("/proc/{path}"), flags, Mode::empty()),
        }
    }
}

/// A detached mount: no path leads to it, and it goes with its descriptor.
fn mount() -> Result<OwnedFd, Errno> {
    let context = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

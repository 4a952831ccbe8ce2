//! Files under `/proc/sys/net`. A path there means another file in each network namespace, and the kernel keeps the names of all
//! namespaces in one chain (`proc_sys_compare`): a look-up from the root costs more with every pod. So the directory is opened once for
//! the host, and everything goes from there.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::procfs::PrivateProcfs;
use crate::error::{Error, Result};
use crate::object::{Family, Names, Sysctl, SysctlKey, SysctlScope};

/// Longest value that is read: a number and a line feed.
const VALUE_MAX: usize = 16;

/// `net/ipv4/conf` and `net/ipv6/conf` of one namespace.
#[derive(Debug, Default)]
pub struct SysctlTree {
    // A kernel without one of the families has no such directory.
    ipv4: Option<OwnedFd>,
    ipv6: Option<OwnedFd>,
    /// Files of `all` and `default`, which stay.
    kept: HashMap<SysctlKey, File>,
}

fn path(key: &SysctlKey, names: &Names) -> String {
    format!("{}/{}", names.sysctl_scope(key.scope), key.name)
}

impl SysctlTree {
    /// Opens the directories in the calling thread's namespace, which is the host's. Not in the common `/proc`: a container that is not
    /// privileged sees it read-only.
    pub fn open_host() -> Self {
        Self::open(&mut PrivateProcfs::default(), &[Family::V4, Family::V6])
    }

    /// Opens the directories of these families in the calling thread's namespace.
    pub fn open(procfs: &mut PrivateProcfs, families: &[Family]) -> Self {
        let mut open = |family: Family| {
            let path = format!("sys/net/{}/conf", family.name());
            families
                .contains(&family)
                .then(|| procfs.open_directory(&path).ok())
                .flatten()
        };
        Self {
            ipv4: open(Family::V4),
            ipv6: open(Family::V6),
            kept: HashMap::new(),
        }
    }

    fn file(&self, key: &SysctlKey, names: &Names, flags: OFlags) -> std::result::Result<File, Errno> {
        let directory = match key.family {
            Family::V4 => self.ipv4.as_ref(),
            Family::V6 => self.ipv6.as_ref(),
        };
        let directory = directory.ok_or(Errno::NOENT)?;
        rustix::fs::openat(directory, path(key, names), flags | OFlags::CLOEXEC, Mode::empty()).map(File::from)
    }

    /// The value, or nothing if the file does not exist (no such link, or a kernel without IPv6).
    pub fn read(&mut self, key: &SysctlKey, names: &Names) -> Result<Option<i32>> {
        let failed = |errno: Errno| Error::system("read", &errno.into()).about(names.sysctl(key));
        let stays = matches!(key.scope, SysctlScope::All | SysctlScope::Default);
        if let Some(file) = self.kept.get(key) {
            return value_of(file).map_err(failed);
        }
        let file = match self.file(key, names, OFlags::RDONLY) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(failed(errno)),
        };
        let value = value_of(&file).map_err(failed)?;
        if stays {
            self.kept.insert(*key, file);
        }
        Ok(value)
    }

    /// Writes the value.
    pub fn write(&self, sysctl: &Sysctl, names: &Names) -> Result<()> {
        let write = || {
            let file = self.file(&sysctl.key, names, OFlags::WRONLY)?;
            rustix::io::write(&file, sysctl.value.to_string().as_bytes())
        };
        write().map_err(|errno| Error::system("write", &errno.into()).about(names.sysctl(&sysctl.key)))?;
        Ok(())
    }
}

fn value_of(file: &File) -> std::result::Result<Option<i32>, Errno> {
    let mut buffer = [0u8; VALUE_MAX];
    let length = rustix::io::pread(file.as_fd(), &mut buffer, 0)?;
    let text = buffer.get(..length).and_then(|bytes| std::str::from_utf8(bytes).ok());
    Ok(text.and_then(|text| text.trim().parse().ok()))
}

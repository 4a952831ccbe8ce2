//! The file system that pins lie in.

use std::fs;
use std::path::Path;

use rustix::mount::MountFlags;

use crate::Error;

/// Where systems mount it.
pub const DEFAULT: &str = "/sys/fs/bpf";

/// `BPF_FS_MAGIC` of linux/magic.h.
const MAGIC: u64 = 0xcafe_4a11;

/// Is there a BPF file system at the path?
///
/// # Errors
/// [`Error::NoBpffs`].
pub fn check(path: &Path) -> Result<(), Error> {
    match rustix::fs::statfs(path) {
        Ok(found) if u64::try_from(found.f_type) == Ok(MAGIC) => Ok(()),
        Ok(_) => Err(Error::NoBpffs {
            path: path.to_owned(),
            cause: None,
        }),
        Err(error) => Err(Error::NoBpffs {
            path: path.to_owned(),
            cause: Some(error.into()),
        }),
    }
}

/// Mounts a BPF file system at the path, which is made if it is not there, unless there is one. Who mounts it in a mount namespace of its own loses
/// it with the namespace: a daemon in a container needs the host's, mounted through.
///
/// # Errors
/// The path cannot be made, or the kernel refuses to mount.
pub fn ensure(path: &Path) -> Result<(), Error> {
    if check(path).is_ok() {
        return Ok(());
    }
    let action = || format!("mounting a BPF file system at {}", path.display());
    fs::create_dir_all(path).map_err(|error| Error::from_cause(action(), &error))?;
    rustix::mount::mount(
        "bpf",
        path,
        "bpf",
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        c"mode=0700",
    )
    .map_err(|error| Error::from_cause(action(), &std::io::Error::from(error)))
}

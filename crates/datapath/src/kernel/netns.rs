//! Network namespaces by file descriptor. Only threads of this crate ever change theirs, and they come back before they do anything else.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::{Error, ErrorCode, Result};

/// An open network namespace; the descriptor keeps it alive.
#[derive(Debug)]
pub struct Netns {
    fd: OwnedFd,
    path: String,
    identity: (u64, u64),
}

impl Netns {
    /// The namespace of the calling thread.
    pub fn current() -> Result<Self> {
        Self::open("/proc/thread-self/ns/net")
    }

    /// The namespace behind a path (`/var/run/netns/x`, `/proc/1/ns/net`). `netns_gone` if there is none.
    pub fn open(path: &str) -> Result<Self> {
        let gone = |errno: Errno| Error {
            errno: Some(errno.raw_os_error()),
            ..gone(path, &format!("open: {errno}"))
        };
        let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| match errno {
            Errno::NOENT | Errno::NOTDIR | Errno::NXIO | Errno::LOOP | Errno::NAMETOOLONG | Errno::ISDIR | Errno::ACCESS => {
                gone(errno)
            }
            other => Error::system("open", &other.into()).about(path),
        })?;
        let stat = rustix::fs::fstat(&fd).map_err(|errno| Error::system("fstat", &errno.into()).about(path))?;
        let statfs = rustix::fs::fstatfs(&fd).map_err(|errno| Error::system("fstatfs", &errno.into()).about(path))?;
        // A bind mount that was taken away leaves an empty regular file behind.
        if statfs.f_type != NSFS_MAGIC {
            return Err(gone_plain(path));
        }
        Ok(Self {
            fd,
            path: path.to_owned(),
            identity: (stat.st_dev, stat.st_ino),
        })
    }

    /// What it is known by while somebody holds it: device and inode.
    pub fn identity(&self) -> (u64, u64) {
        self.identity
    }

    /// The same namespace, opened once more.
    pub fn again(&self) -> Result<Self> {
        let fd = self.fd.try_clone().map_err(|cause| Error::system("dup", &cause))?;
        Ok(Self {
            fd,
            path: self.path.clone(),
            identity: self.identity,
        })
    }

    /// Moves the calling thread into this namespace for good.
    pub fn enter(&self) -> Result<()> {
        move_into_link_name_space(self.fd.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|errno| match errno {
            // A namespace of another type, a mount namespace for instance.
            Errno::INVAL => gone(&self.path, "it is of another type"),
            other => Error::system("setns", &other.into()),
        })
    }

    /// Runs `work` in this namespace on the calling thread, which lives in `home`.
    pub fn within<T>(&self, home: &Self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.enter()?;
        let _home = ComeHome(home);
        work()
    }

    /// Runs `work` in this namespace on a thread of its own, for callers whose thread must not move (Node's).
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let run = || {
            self.enter()?;
            work()
        };
        std::thread::scope(|scope| scope.spawn(run).join())
            .unwrap_or_else(|_| Err(Error::new(ErrorCode::Kernel, "a thread of the datapath panicked")))
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl PartialEq for Netns {
    fn eq(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

/// `NSFS_MAGIC` of `linux/magic.h`.
const NSFS_MAGIC: rustix::fs::FsWord = 0x6e73_6673;
const RETURN_PAUSE: Duration = Duration::from_millis(1);

fn gone(path: &str, why: &str) -> Error {
    Error {
        object: Some(path.to_owned()),
        ..Error::new(ErrorCode::NetnsGone, format!("network namespace {path}: {why}"))
    }
}

fn gone_plain(path: &str) -> Error {
    gone(path, "no namespace is mounted there")
}

/// Brings the thread home also when `work` panics.
struct ComeHome<'a>(&'a Netns);

impl Drop for ComeHome<'_> {
    fn drop(&mut self) {
        // Only lack of memory can refuse it. Any other work on this thread would happen in the wrong namespace, so there is none.
        while self.0.enter().is_err() {
            std::thread::sleep(RETURN_PAUSE);
        }
    }
}

//! Throw-away network namespaces.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::mount::UnmountFlags;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

/// A namespace; gone when the last clone is dropped and nothing lives in it.
#[derive(Clone)]
pub struct Namespace(Arc<Inner>);

struct Inner {
    file: File,
    /// A name for it that nobody else ever has: the number of a closed descriptor goes to whatever another test opens next.
    path: PathBuf,
    /// Where its node's BPF file system is, if it is mounted.
    bpffs: PathBuf,
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
        if self.bpffs.exists() {
            let _ = rustix::mount::unmount(&self.bpffs, UnmountFlags::DETACH);
            drop(std::fs::remove_dir(&self.bpffs));
        }
    }
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Namespace {
    pub fn new() -> Self {
        let made = thread::spawn(|| {
            #[expect(unsafe_code, reason = "unshare")]
            // SAFETY: only the network namespace of this short-lived thread is changed; no files are unshared.
            unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
            let file = File::open("/proc/thread-self/ns/net").unwrap();
            Self::of(file)
        });
        let namespace = made.join().unwrap();
        namespace.ip("link set lo up");
        namespace
    }

    /// The one this process lives in.
    pub fn own() -> Self {
        Self::of(File::open("/proc/self/ns/net").unwrap())
    }

    fn of(file: File) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let bpffs = std::env::temp_dir().join(format!("terway-datapath-{process}-{number}"));
        let path = bpffs.with_extension("netns");
        drop(std::fs::remove_file(&path));
        std::os::unix::fs::symlink(format!("/proc/{process}/fd/{}", file.as_raw_fd()), &path).unwrap();
        Self(Arc::new(Inner { file, path, bpffs }))
    }

    /// Where its datapath looks for a BPF file system.
    pub fn bpffs(&self) -> &Path {
        &self.0.bpffs
    }

    /// Mounts one there; its programs and records are this namespace's alone.
    pub fn mount_bpffs(&self) {
        terway_bpf::bpffs::ensure(&self.0.bpffs).unwrap();
    }

    /// A path by which whoever sees this process can open it.
    pub fn path(&self) -> String {
        self.0.path.display().to_string()
    }

    /// Runs `work` on a thread inside.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(self.0.file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a long-lived `work` on a thread inside.
    pub fn spawn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
        let inner = Arc::clone(&self.0);
        thread::spawn(move || {
            move_into_link_name_space(inner.file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            drop(inner);
            work()
        })
    }

    /// `ip ARGUMENTS`, which must succeed; its output.
    pub fn ip(&self, arguments: &str) -> String {
        self.try_ip(arguments)
            .unwrap_or_else(|error| panic!("ip {arguments}: {error}"))
    }

    /// `ip ARGUMENTS`; its output or its error.
    pub fn try_ip(&self, arguments: &str) -> Result<String, String> {
        self.command("ip", arguments)
    }

    /// `tc ARGUMENTS`, which must succeed; its output.
    pub fn tc(&self, arguments: &str) -> String {
        self.try_tc(arguments)
            .unwrap_or_else(|error| panic!("tc {arguments}: {error}"))
    }

    /// `tc ARGUMENTS`; its output or its error.
    pub fn try_tc(&self, arguments: &str) -> Result<String, String> {
        self.command("tc", arguments)
    }

    fn command(&self, program: &str, arguments: &str) -> Result<String, String> {
        let output = self.run(|| Command::new(program).args(arguments.split_whitespace()).output().unwrap());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    /// Several `ip` commands, one a line.
    pub fn ips(&self, commands: &str) {
        for command in commands.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.ip(command);
        }
    }

    /// `/proc/sys/net/PATH`
    pub fn sysctl(&self, path: &str) -> String {
        self.run(|| {
            std::fs::read_to_string(format!("/proc/sys/net/{path}"))
                .unwrap()
                .trim()
                .to_owned()
        })
    }

    pub fn set_sysctl(&self, path: &str, value: &str) {
        self.run(|| std::fs::write(format!("/proc/sys/net/{path}"), value).unwrap());
    }
}

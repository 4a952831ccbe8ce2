//! A BPF file system of a test's own, gone with the test.
#![allow(dead_code, reason = "each test program uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::mount::UnmountFlags;

pub mod filter;
pub mod ip;
pub mod model;
#[path = "../../../datapath/tests/support/namespace.rs"]
pub mod namespace;
pub mod packet;
pub mod pods;
pub mod probe;
pub mod stage;
pub mod talk;

/// Mounted at a directory that carries the process's id.
pub struct Bpffs(PathBuf);

impl Bpffs {
    pub fn mount() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("terway-bpf-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        terway_bpf::bpffs::ensure(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Bpffs {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, UnmountFlags::DETACH);
        let _ = std::fs::remove_dir(&self.0);
    }
}

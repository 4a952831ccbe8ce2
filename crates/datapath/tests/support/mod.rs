//! A node and its VPC out of network namespaces that exist only as open files: they vanish with the test, however it ends.
#![allow(dead_code, missing_docs, reason = "each test binary uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests, though clippy sees only the functions marked so"
)]

pub mod calls;
pub mod drift;
pub mod drift_edits;
pub mod exclusive;
pub mod lab;
pub mod modes;
pub mod namespace;
pub mod probe;
pub mod queues;
pub mod scenario;
pub mod stream;
pub mod trunk;
pub mod vpc;
pub mod xdp;

/// Prints why and returns true if the test cannot run here.
pub fn skip(test: &str) -> bool {
    if rustix::process::geteuid().is_root() {
        return false;
    }
    println!("SKIP {test}: needs root for network namespaces");
    true
}

//! The thin shell around the kernel: blocking netlink sockets, namespaces, sysctl files. Knows objects, no policy.

pub mod bpf;
pub mod create;
pub mod decode;
pub mod execute;
pub mod filter;
pub mod message;
pub mod monitor;
pub mod namespaces;
pub mod netns;
pub mod nftables;
pub mod observe;
pub mod probe;
pub mod procfs;
pub mod program;
pub mod queueing;
pub mod raw;
pub mod rename;
pub mod socket;
pub mod sysctl;
pub mod traffic;
pub(crate) mod uapi;
pub mod waker;
pub(crate) mod wire;

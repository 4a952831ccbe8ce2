//! The kernel programs of a node and their maps: loaded once, pinned, found again after a restart.
//!
//! ```no_run
//! # fn main() -> Result<(), terway_bpf::Error> {
//! use terway_bpf::{Address, Endpoint, ProgramName, Programs};
//! let mut programs = Programs::open("/sys/fs/bpf".as_ref())?;
//! programs.maps.endpoints.put(&Address::from(std::net::Ipv4Addr::new(10, 0, 0, 7)), &Endpoint { eni: 3, vlan: 100, ..Endpoint::default() })?;
//! let program = programs.program(ProgramName::EniIn); // fd() for the filter, id() and tag() to recognise it
//! # Ok(()) }
//! ```

pub mod bpffs;
mod counters;
mod denied;
mod error;
mod maps;
mod object;
mod pin;
mod policy;
mod prefixes;
mod program;
mod programs;
mod raw;
mod shape;
mod table;
mod takeover;
mod verifier;

pub use counters::Counters;
pub use denied::Denial;
pub use error::Error;
pub use maps::Maps;
pub use policy::{PolicyEntry, PolicyTables, Samples, Swept, Verdicts};
pub use prefixes::Prefixes;
pub use program::{Program, ProgramName, Run, SkBuff, Verdict};
pub use programs::{Opened, Programs};
pub use shape::Shape;
pub use table::Table;
pub use terway_abi::{
    Address, Class, Count, Direction, Endpoint, EndpointFlags, Eni, EniFlags, FORWARDED, Flow, FlowFlags, FlowKey, FlowState,
    LAYOUT, NODE_MARK, Path, PeerClass, Pod, PodFlags, PolicyKey, Reason, Sample, VerdictKey, VlanLink, VlanLinkKey, slot,
};

//! The datapath of one node: what a pod interface must be goes in as an attachment, links, addresses, routes, rules and neighbours come out.
//!
//! A mode turns an attachment into a desired state, `diff` compares it with what was observed, `kernel` runs the steps. Attach, check,
//! detach, collection and repair are all this one walk. No Kubernetes word appears here.

mod arrival;
pub mod attachment;
mod call;
pub mod capability;
mod concern;
mod datapath;
pub mod desired;
pub mod diff;
pub mod eni_use;
pub mod error;
mod failpoint;
pub mod form;
mod former;
mod inner;
mod kernel;
mod ledger;
pub mod link;
mod mark;
mod masquerade;
pub mod mode;
mod node_addresses;
pub mod object;
pub mod observed;
pub mod policy;
mod pool;
pub mod programs;
mod reaper;
mod registry;
mod repairer;
mod reply;
mod shared;
pub mod step;
pub mod symmetric;
mod verb;

pub use datapath::{Datapath, Status};
pub use failpoint::Failpoint;
pub use repairer::{Repair, Trigger};
pub use reply::Reply;
pub use verb::attach::Attached;
pub use verb::collect::Collected;
pub use verb::detach::Detached;
pub use verb::host::HostAddresses;
pub use verb::survey::SurveyedLink;
pub use verb::symmetric::Entrance;
pub use verb::takeover::TakenOver;
pub use verb::target::Target;

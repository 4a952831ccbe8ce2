//! Traffic in the manner of netperf: request/response over one connection (RR), with a connection for each (CRR), and datagrams one way.

mod ask;
mod datagram;
mod options;
mod processor;
mod serve;

pub use ask::ask;
pub use options::Options;
pub use serve::serve;

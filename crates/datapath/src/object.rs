//! Kernel objects as data. The same types say what is wanted and what was seen, so that one comparison serves every verb.

mod address;
mod device;
mod display;
mod link;
mod name;
mod record;
mod route;
mod rule;
mod sysctl;
mod traffic;

pub use address::{Family, Mac, Prefix};
pub use device::{Device, Place};
pub use display::Names;
pub use link::{Address, DISPLACED_PREFIX, GROUP_RETIRED, Link, LinkAddress, Mtu, Neighbour, displaced_name};
pub use name::IfName;
pub use record::{Record, RecordKey};
pub use route::{
    METRIC_IPV6, METRIC_LAST, PROTOCOL, Route, RouteKind, Scope, TABLE_MAIN, TABLE_OWN_GROUPS, TABLE_SOURCES, eni_table,
};
pub use rule::{Mark, PRIORITY_BY_NODE, PRIORITY_FROM_POD, PRIORITY_TO_POD, Rule, RuleAction, Selectors};
pub use sysctl::{Sysctl, SysctlKey, SysctlScope};
pub use traffic::{
    Attach, BAND_HANDLE, CLSACT_HANDLE, Direction, Discipline, FILTER_HANDLE, FILTER_PREFIX, FILTER_PRIORITY, FQ_HANDLE, Filter,
    PRIO_HANDLE, QDISC_HANDLE, Qdisc, REDIRECT_PRIORITY, Redirect, TICK_NS,
};

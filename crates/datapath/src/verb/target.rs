//! Whom a detach is about.

use std::net::IpAddr;

/// What is known of an attachment that has to go.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Its id.
    pub id: String,
    /// Path of its network namespace, if known.
    pub netns: Option<String>,
    /// Its host name, if known.
    pub host_if_name: Option<String>,
    /// Its addresses, if known.
    pub addresses: Vec<IpAddr>,
}

//! The namespace of a pod, open.

use super::netns::Netns;
use super::socket::Socket;

/// An open pod namespace and a socket in it.
#[derive(Debug)]
pub struct Pod {
    /// The namespace.
    pub netns: Netns,
    /// A socket inside.
    pub socket: Socket,
}

//! Where an object is.

/// Which network namespace an object lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The node's namespace.
    Host,
    /// The pod's namespace.
    Pod,
}

/// A device by its part in an attachment, because indices are not known before the pair is born.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// The end of the pair in the host namespace.
    HostEnd,
    /// The end of the pair in the pod.
    PodEnd,
    /// Where what the pod's own device receives waits its turn: an `ifb` beside it, in the pod.
    Shaper,
    /// The slave of the ENI in the host namespace that all its IPvlan pods share.
    HostSlave,
    /// The ENI that carries the pod's addresses.
    Eni,
    /// The device with the node's default route.
    Uplink,
    /// Any other device, by index.
    Index(u32),
}

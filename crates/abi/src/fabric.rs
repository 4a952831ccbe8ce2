//! The lab's fabric, which stands in for 802.1Q devices where the kernel has none. Not part of what a node runs.

/// A trunk port of the fabric and a tag that comes in on it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FabricTrunkKey {
    /// ifindex of the trunk port.
    pub trunk: u32,
    /// VLAN id, 1 to 4094.
    pub vlan: u16,
    /// Zero.
    pub reserved: u16,
}

const _: () = assert!(size_of::<FabricTrunkKey>() == 8 && align_of::<FabricTrunkKey>() == 4);

/// A member's port, seen from both sides.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FabricMember {
    /// ifindex of the trunk port.
    pub trunk: u32,
    /// ifindex of the member's port.
    pub port: u32,
    /// VLAN id, 1 to 4094.
    pub vlan: u16,
    /// The port's hardware address: frames from the trunk are addressed to it, or the kernel takes them for somebody else's.
    pub port_mac: [u8; 6],
    /// The trunk ENI's hardware address: frames to the trunk are addressed to it, as the VPC does.
    pub trunk_mac: [u8; 6],
    /// Zero.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<FabricMember>() == 24 && align_of::<FabricMember>() == 4);

/// The bench's floor of a fast path: one pod and its ENI.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FabricFloor {
    /// ifindex of the ENI.
    pub eni: u32,
    /// ifindex of the node's end of the pod's pair.
    pub pod: u32,
    /// In network order.
    pub ipv4_gateway: u32,
    /// In network order.
    pub ipv6_gateway: [u32; 4],
}

const _: () = assert!(size_of::<FabricFloor>() == 28 && align_of::<FabricFloor>() == 4);

/// What the fabric's programs did with a frame; index into their counters.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FabricReason {
    /// Untagged, left to the trunk port itself.
    Untagged = 0,
    /// From the trunk to a member's port.
    ToMember = 1,
    /// Dropped: the trunk has no member with this tag.
    UnknownTag = 2,
    /// From a member's port to the trunk.
    ToTrunk = 3,
    /// Dropped: left a port that is no member's.
    UnknownPort = 4,
    /// Dropped: the kernel refused to change the frame.
    Failed = 5,
}

impl FabricReason {
    /// Every reason with its name, in the order of its number.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Untagged, "untagged"),
        (Self::ToMember, "to_member"),
        (Self::UnknownTag, "unknown_tag"),
        (Self::ToTrunk, "to_trunk"),
        (Self::UnknownPort, "unknown_port"),
        (Self::Failed, "failed"),
    ];
}

/// One ENI of the node. An interface without a record is left alone by every program.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Eni {
    /// ifindex of the host's own IPvlan slave on this ENI; 0 is none.
    pub host_slave: u32,
    /// [`EniFlags`].
    pub flags: u32,
    /// The ENI's hardware address, which its IPvlan slaves share.
    pub mac: [u8; 6],
    /// Zero.
    pub reserved: [u8; 2],
    /// Zero.
    pub spare: [u32; 12],
}

const _: () = assert!(size_of::<Eni>() == 64 && align_of::<Eni>() == 4);

/// Bits of [`Eni::flags`].
pub struct EniFlags;

impl EniFlags {
    /// A trunk: frames of its members carry VLAN tags, and a tag that no member has is dropped in both directions.
    pub const TRUNK: u32 = 1 << 0;
    /// Packets that leave get a departure time or a class.
    pub const STAMPS: u32 = 1 << 1;
    /// What comes in for pods may go to them past the node's stack.
    pub const FORWARDS: u32 = 1 << 2;
}

/// A VLAN link (802.1Q device) of a pod on a trunk.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VlanLinkKey {
    /// ifindex of the trunk.
    pub eni: u32,
    /// VLAN id, 1 to 4094.
    pub vlan: u16,
    /// Zero.
    pub reserved: u16,
}

const _: () = assert!(size_of::<VlanLinkKey>() == 8 && align_of::<VlanLinkKey>() == 4);

/// Frames with the key's tag pass with their tag, also those to addresses that no record names (link-local, multicast): the 802.1Q device
/// keeps the members apart.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VlanLink {
    /// Zero.
    pub spare: [u8; 8],
}

const _: () = assert!(size_of::<VlanLink>() == 8);

//! What a pod may do: its sets, and the entries of sets.

/// A pod's interface to the policy programs, kept under [`slot`] of its id. Without a record its packets are left alone.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Of the other layout.
    #[cfg(feature = "other-layout")]
    pub ahead: [u32; 2],
    /// [`Endpoint::id`](crate::Endpoint::id), whole; part of the key of its flows.
    pub id: u32,
    /// [`PodFlags`].
    pub flags: u32,
    /// Set that judges what comes to the pod; 0: not isolated.
    pub ingress_set: u64,
    /// Set that judges what the pod sends; 0: not isolated.
    pub egress_set: u64,
    /// Zero.
    pub spare: [u64; 5],
}

const _: () = assert!(size_of::<Pod>() == 64 + crate::AHEAD && align_of::<Pod>() == 8);

/// Bits of [`Pod::flags`].
pub struct PodFlags;

impl PodFlags {
    /// Everything passes, and flows are kept, so that enforcement that comes later knows who opened what.
    pub const TRACK_ONLY: u32 = 1 << 0;
    /// Only the node's traffic passes: the pod's policy is not known yet.
    pub const HELD: u32 = 1 << 1;
}

/// Where an endpoint's [`Pod`] stands, and the class id (`TCA_BPF_CLASSID`) of its filters: programs see only 16 bits of that one. Never 0, and
/// equal to the id up to 65,535; pods that live at the same time need different slots.
#[inline(always)]
#[must_use]
pub const fn slot(id: u32) -> u32 {
    match id {
        0 => 0,
        _ => (id - 1) % 65_535 + 1,
    }
}

/// What the entries of a set have in common, so that fewer of them are looked for. A set without this record allows nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// Of the other layout.
    #[cfg(feature = "other-layout")]
    pub ahead: [u32; 2],
    /// Bit n: some entry has a port prefix of n bits, 0 to 16.
    pub port_lengths: u32,
    /// [`SetFlags`].
    pub flags: u32,
    /// Zero.
    pub spare: [u64; 3],
}

const _: () = assert!(size_of::<Set>() == 32 + crate::AHEAD && align_of::<Set>() == 8);

/// Bits of [`Set::flags`].
pub struct SetFlags;

impl SetFlags {
    /// Some entry allows every protocol and port.
    pub const ANY_PROTOCOL: u32 = 1 << 0;
    /// Some entry is for everybody.
    pub const EVERYBODY: u32 = 1 << 1;
}

/// Classes with a meaning of their own; the others are hashes of what the node's rules can see of a remote.
pub struct PeerClass;

impl PeerClass {
    /// In entries: whoever it is.
    pub const EVERYBODY: u64 = 0;
    /// Of an address: a known pod that no rule in force speaks of.
    pub const KNOWN: u64 = 1;
}

/// One thing that a set allows; its value is the number of the rule, for counters.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyKey {
    /// Of the other layout.
    #[cfg(feature = "other-layout")]
    pub ahead: [u32; 2],
    /// The set.
    pub set: u64,
    /// The remote's class; [`PeerClass::EVERYBODY`].
    pub class: u64,
    /// First port of the prefix, in the processor's order; bits behind the prefix are zero.
    pub port: u16,
    /// IP protocol; 0: every protocol and port, and the other two are 0 as well.
    pub protocol: u8,
    /// Bits of the port prefix, 0 to 16.
    pub prefix_length: u8,
    /// Zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<PolicyKey>() == 24 + crate::AHEAD && align_of::<PolicyKey>() == 8);

/// What is the same for all pods.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Of the other layout.
    #[cfg(feature = "other-layout")]
    pub ahead: [u32; 2],
    /// Number of the last change that could change a verdict; flows of another epoch are judged again.
    pub epoch: u32,
    /// [`SettingsFlags`].
    pub flags: u32,
    /// Zero.
    pub spare: [u64; 7],
}

/// Bits of [`Settings::flags`]. Every layout keeps their meaning: one sets them in another's map.
pub struct SettingsFlags;

impl SettingsFlags {
    /// Another layout's programs stand on the hooks too, and must see every packet that passes: none is sent on past them.
    pub const TAKEN_OVER: u32 = 1 << 0;
}

const _: () = assert!(size_of::<Settings>() == 64 + crate::AHEAD && align_of::<Settings>() == 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_fits_a_class_id_and_is_never_zero() {
        for (id, expected) in [(1, 1), (65_535, 65_535), (65_536, 1), (131_070, 65_535), (131_071, 1)] {
            assert_eq!(slot(id), expected);
        }
        assert!((1..=65_535).contains(&slot(u32::MAX)));
    }
}

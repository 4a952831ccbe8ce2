use crate::Address;

/// One address of a pod, and how its packets leave through the ENI. A pod with two addresses has two records with the same [`Self::id`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Of the other layout.
    #[cfg(feature = "other-layout")]
    pub ahead: [u32; 2],
    /// Number of the pod's interface on this node: all its addresses share one departure clock. 0 is no number.
    pub id: u32,
    /// ifindex of the ENI that the address belongs to. Packets of the address on another ENI are left alone.
    pub eni: u32,
    /// VLAN id of the trunk member, 1 to 4094; 0 on an ENI's own address.
    pub vlan: u16,
    /// A [`Class`].
    pub class: u8,
    /// Zero.
    pub reserved: u8,
    /// [`EndpointFlags`].
    pub flags: u32,
    /// Bytes per second that may leave, link headers included; 0 is no limit.
    pub egress_rate: u64,
    /// ifindex of the node's end of the pod's pair, where packets may go past the node's stack; 0: they may not.
    pub link: u32,
    /// Longest packet that the pair takes, in bytes without the link header; only with [`Self::link`].
    pub mtu: u32,
    /// Hardware addresses of both ends, the pod's first: the head of a frame for the pod. Zero where the pair has none.
    pub macs: [u8; 12],
    /// Zero.
    pub reserved_too: u32,
    /// The ENI's gateway, where what the pod sends goes unless routes say otherwise; only with [`Self::link`].
    pub gateway: Address,
}

const _: () = assert!(size_of::<Endpoint>() == 64 + crate::AHEAD && align_of::<Endpoint>() == 8);

/// Bits of [`Endpoint::flags`].
pub struct EndpointFlags;

impl EndpointFlags {
    /// The pod's interface is an IPvlan slave of the ENI: its packets to the host-stack prefixes are handed to the host's own slave.
    pub const IPVLAN: u32 = 1 << 0;
    /// The pod has a VLAN link of its own on the trunk, which pushes and pops the tag.
    pub const VLAN_LINK: u32 = 1 << 1;
    /// Packets that wait longer than 50 ms for their departure are marked (ECN CE) where the sender can take it.
    pub const ECN: u32 = 1 << 2;
}

/// Network priority of a pod, carried to the bands of `prio` by the packet's priority and prio's default map (tc-prio(8)).
#[repr(u8)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Class {
    /// The packet keeps the priority that its sender gave it.
    #[default]
    Unset = 0,
    /// Band 0.
    Guaranteed = 1,
    /// Band 1.
    Burstable = 2,
    /// Band 2.
    BestEffort = 3,
}

impl Class {
    /// `skb->priority` for a value of [`Endpoint::class`]: `TC_PRIO_INTERACTIVE`, `TC_PRIO_BESTEFFORT`, `TC_PRIO_BULK`.
    #[inline(always)]
    #[must_use]
    pub const fn priority(class: u8) -> Option<u32> {
        match class {
            1 => Some(6),
            2 => Some(0),
            3 => Some(2),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sch_prio`'s default map, from tc-prio(8).
    const PRIOMAP: [u8; 16] = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];

    #[test]
    fn classes_fall_into_their_bands() {
        let band = |class: Class| Class::priority(class as u8).and_then(|priority| PRIOMAP.get(priority as usize).copied());
        assert_eq!(band(Class::Guaranteed), Some(0));
        assert_eq!(band(Class::Burstable), Some(1));
        assert_eq!(band(Class::BestEffort), Some(2));
        assert_eq!(band(Class::Unset), None);
    }
}

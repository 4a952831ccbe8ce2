//! How the links of an attachment come to be: a small closed set, chosen by the mode.

use crate::attachment::{Attachment, Mode};
use crate::object::Device;

/// How a pod's link comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Two ends, both ours: one in the host namespace, one born in the pod.
    Pair(PairKind),
    /// IPvlan slave of the ENI, born in the pod; all pods of the ENI share one more slave in the host namespace.
    Slave,
    /// 802.1Q link of the trunk ENI, born in the pod; nothing of it is in the host namespace.
    Vlan(u16),
    /// The ENI itself, moved into the pod, perhaps with a pair to the node beside it.
    Moved,
}

/// Driver of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PairKind {
    /// Ethernet, every kernel.
    Veth,
    /// No Ethernet header (L3), Linux 6.7.
    Netkit,
}

impl PairKind {
    /// The kernel's name of the driver.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Veth => "veth",
            Self::Netkit => "netkit",
        }
    }
}

impl Form {
    /// The form of an attachment's links.
    pub fn of(attachment: &Attachment) -> Self {
        match attachment.mode {
            Mode::PolicyRoute => Self::Pair(PairKind::Veth),
            Mode::Netkit => Self::Pair(PairKind::Netkit),
            Mode::Ipvlan => Self::Slave,
            Mode::Vlan => Self::Vlan(attachment.trunk.map_or(0, |trunk| trunk.vlan_id)),
            Mode::Exclusive => Self::Moved,
        }
    }

    /// True if a missing `device` is made by a step of its own. The pod end of a pair comes with the host end.
    pub fn makes(self, device: Device) -> bool {
        match self {
            Self::Pair(_) => device == Device::HostEnd,
            Self::Slave => matches!(device, Device::PodEnd | Device::HostSlave | Device::Shaper),
            Self::Vlan(_) => matches!(device, Device::PodEnd | Device::Shaper),
            Self::Moved => matches!(device, Device::HostEnd | Device::Shaper),
        }
    }

    /// True if the pod's link hangs on the ENI: the ENI must be up and large enough before the link is made.
    pub fn hangs_on_eni(self) -> bool {
        matches!(self, Self::Slave | Self::Vlan(_))
    }

    /// The link of the host namespace that an attach answers with. A moved ENI has one only where it has a pair beside it.
    pub fn host_device(self) -> Device {
        match self {
            Self::Pair(_) | Self::Moved => Device::HostEnd,
            Self::Slave => Device::HostSlave,
            Self::Vlan(_) => Device::Eni,
        }
    }

    /// The link of the pod that an attach answers with.
    pub fn pod_device(self) -> Device {
        match self {
            Self::Pair(_) | Self::Slave | Self::Vlan(_) => Device::PodEnd,
            Self::Moved => Device::Eni,
        }
    }
}

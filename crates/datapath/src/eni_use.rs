//! What attachments need of their ENI beyond routes. An ENI serves many pods, so this is added up over all of them.

use crate::attachment::{Attachment, BandwidthMode, Mode};

/// What attachments need of their ENI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EniUse {
    /// Tags of trunk members are pushed and popped by address.
    pub tags: bool,
    /// Departure times are kept.
    pub departures: bool,
    /// Packets have classes.
    pub classes: bool,
    /// What pods send through a Service is judged where it leaves, when its destination is known.
    pub exits: bool,
    /// What comes in for pods goes to them past the node's stack.
    pub forwards: bool,
}

impl EniUse {
    /// All of it.
    pub const MOST: Self = Self {
        tags: true,
        departures: true,
        classes: true,
        exits: true,
        forwards: true,
    };

    /// What one attachment needs.
    pub fn of(attachment: &Attachment) -> Self {
        let shaping = &attachment.shaping;
        // An ENI of one's own has nobody to be told from, and its pod's own qdisc.
        if attachment.mode == Mode::Exclusive {
            return Self::default();
        }
        Self {
            tags: attachment.trunk.is_some() && attachment.mode != Mode::Vlan,
            departures: shaping.mode == BandwidthMode::Edt && shaping.egress.is_some(),
            classes: shaping.priority.is_some(),
            exits: is_judged_on_host(attachment),
            forwards: attachment.forwards(),
        }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            tags: self.tags || other.tags,
            departures: self.departures || other.departures,
            classes: self.classes || other.classes,
            exits: self.exits || other.exits,
            forwards: self.forwards || other.forwards,
        }
    }

    /// Kernel programs are needed.
    pub fn any(self) -> bool {
        self != Self::default()
    }
}

/// The VLAN id of the attachment's 802.1Q link, if that is what it has.
pub fn vlan_link(attachment: &Attachment) -> Option<u16> {
    let trunk = attachment.trunk.filter(|_| attachment.mode == Mode::Vlan);
    trunk.map(|trunk| trunk.vlan_id)
}

/// Kernel programs have to do with the attachment's packets.
pub fn needs_programs(attachment: &Attachment) -> bool {
    attachment.is_hooked() || EniUse::of(attachment).any()
}

/// True if the hooks are on the node's end of the pod's pair.
pub fn is_judged_on_host(attachment: &Attachment) -> bool {
    attachment.is_hooked() && matches!(attachment.mode, Mode::PolicyRoute | Mode::Netkit)
}

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
}

impl EniUse {
    /// All of it.
    pub const MOST: Self = Self {
        tags: true,
        departures: true,
        classes: true,
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
        }
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            tags: self.tags || other.tags,
            departures: self.departures || other.departures,
            classes: self.classes || other.classes,
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

/// What a program did with a packet; index into the counters. A packet may count under several.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Came in on a trunk without a tag, and passed.
    InUntagged = 0,
    /// Came in with its destination's tag, which was popped.
    InPopped = 1,
    /// Came in with the tag of a VLAN link, and passed with it.
    InVlanLink = 2,
    /// Dropped: its tag is not the one of its destination.
    InTagMismatch = 3,
    /// Dropped: nobody on this trunk has its tag, or it has two.
    InUnknownTag = 4,
    /// Dropped: tagged, and too short to hold a destination.
    InTruncated = 5,
    /// Dropped: the kernel refused to pop its tag.
    InPopFailed = 6,
    /// Left without being a known pod's, untouched.
    OutForeign = 7,
    /// A pod's packet that left; what follows says how.
    OutPassed = 8,
    /// Its member's tag was pushed.
    OutPushed = 9,
    /// Dropped: the kernel refused to push its tag.
    OutPushFailed = 10,
    /// Dropped: already tagged when it left, and no VLAN link has its tag.
    OutUnknownTag = 11,
    /// Was given a departure time in the future.
    OutPaced = 12,
    /// Marked with ECN CE.
    OutMarked = 13,
    /// Dropped: its departure lies more than two seconds ahead.
    OutHorizon = 14,
    /// Handed to the host's IPvlan slave.
    OutRedirected = 15,
    /// Dropped: could not be handed to the host's IPvlan slave.
    OutRedirectFailed = 16,
    /// Dropped: the pod's ingress rules do not allow it.
    DeniedIngress = 17,
    /// Dropped: the egress rules of the pod that sent it do not allow it.
    DeniedEgress = 18,
    /// Dropped, and its remote is in no block and no pod that is known: perhaps not known yet.
    Unclassified = 19,
    /// Dropped: sent by a pod from an address that is not its own.
    Spoofed = 20,
    /// Dropped: the pod's policy is not known yet.
    Held = 21,
    /// Dropped: a later fragment whose first one was not seen, of a pod whose rules ask for ports.
    FragmentUnknown = 22,
    /// Dropped: not an IP packet as it should be, or a tag inside a pod's frame.
    Malformed = 23,
    /// Dropped: shorter than its headers.
    Truncated = 24,
    /// Dropped: an ICMP error about a flow that an isolated pod does not have.
    RelatedUnknown = 25,
    /// Dropped: the rules no longer allow its flow, which ends. Also counted as denied.
    Revoked = 26,
    /// Passed, but its flow could not be kept.
    FlowsFull = 27,
    /// Sent from a pod to its ENI past the stack.
    ForwardedOut = 28,
    /// Delivered from an ENI to a pod past the stack.
    ForwardedIn = 29,
    /// Delivered from a pod to another one of this node past the stack.
    ForwardedPod = 30,
    /// A flow that went past the stack goes by the stack from now on: it was seen there, or the routes say so.
    PathLost = 31,
}

impl Reason {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; 32] = [
        Self::InUntagged,
        Self::InPopped,
        Self::InVlanLink,
        Self::InTagMismatch,
        Self::InUnknownTag,
        Self::InTruncated,
        Self::InPopFailed,
        Self::OutForeign,
        Self::OutPassed,
        Self::OutPushed,
        Self::OutPushFailed,
        Self::OutUnknownTag,
        Self::OutPaced,
        Self::OutMarked,
        Self::OutHorizon,
        Self::OutRedirected,
        Self::OutRedirectFailed,
        Self::DeniedIngress,
        Self::DeniedEgress,
        Self::Unclassified,
        Self::Spoofed,
        Self::Held,
        Self::FragmentUnknown,
        Self::Malformed,
        Self::Truncated,
        Self::RelatedUnknown,
        Self::Revoked,
        Self::FlowsFull,
        Self::ForwardedOut,
        Self::ForwardedIn,
        Self::ForwardedPod,
        Self::PathLost,
    ];

    /// Slots of the counter map: room for reasons to come.
    pub const SLOTS: u32 = 64;

    /// The name in metrics: `in_popped`, `out_horizon`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InUntagged => "in_untagged",
            Self::InPopped => "in_popped",
            Self::InVlanLink => "in_vlan_link",
            Self::InTagMismatch => "in_tag_mismatch",
            Self::InUnknownTag => "in_unknown_tag",
            Self::InTruncated => "in_truncated",
            Self::InPopFailed => "in_pop_failed",
            Self::OutForeign => "out_foreign",
            Self::OutPassed => "out_passed",
            Self::OutPushed => "out_pushed",
            Self::OutPushFailed => "out_push_failed",
            Self::OutUnknownTag => "out_unknown_tag",
            Self::OutPaced => "out_paced",
            Self::OutMarked => "out_marked",
            Self::OutHorizon => "out_horizon",
            Self::OutRedirected => "out_redirected",
            Self::OutRedirectFailed => "out_redirect_failed",
            Self::DeniedIngress => "denied_ingress",
            Self::DeniedEgress => "denied_egress",
            Self::Unclassified => "unclassified",
            Self::Spoofed => "spoofed",
            Self::Held => "held",
            Self::FragmentUnknown => "fragment_unknown",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::RelatedUnknown => "related_unknown",
            Self::Revoked => "revoked",
            Self::FlowsFull => "flows_full",
            Self::ForwardedOut => "forwarded_out",
            Self::ForwardedIn => "forwarded_in",
            Self::ForwardedPod => "forwarded_pod",
            Self::PathLost => "path_lost",
        }
    }
}

/// Packets and bytes of one reason, as one processor counted them.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets; a large segment counts once.
    pub packets: u64,
    /// Bytes, link header included.
    pub bytes: u64,
}

const _: () = assert!(size_of::<Count>() == 16 && align_of::<Count>() == 8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_stand_at_their_numbers() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
        }
        assert!(Reason::ALL.len() <= Reason::SLOTS as usize);
    }
}

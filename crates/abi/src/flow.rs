//! Conntrack: who opened what.

use crate::Address;

/// Which way, as seen by the pod.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// To the pod.
    Ingress = 1,
    /// From the pod.
    Egress = 2,
}

/// One flow of one pod, the same for both directions. Ports are in the processor's order; of an ICMP echo the identifier is the local port.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// Of the other layout.
    #[cfg(feature = "other-layout")]
    pub ahead: [u32; 2],
    /// [`Pod::id`](crate::Pod::id): a flow of an address's earlier owner is never found.
    pub endpoint: u32,
    /// The pod's address.
    pub local: Address,
    /// The other address.
    pub remote: Address,
    /// The pod's port; 0 where the protocol has none.
    pub local_port: u16,
    /// The other port.
    pub remote_port: u16,
    /// IP protocol.
    pub protocol: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<FlowKey>() == 44 + crate::AHEAD && align_of::<FlowKey>() == 4);

/// What is known of a flow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Of the other layout.
    #[cfg(feature = "other-layout")]
    pub ahead: [u32; 2],
    /// Its last packet, ns of the monotonic clock; at most a second old while packets come.
    pub last_seen: u64,
    /// [`Settings::epoch`](crate::Settings::epoch) of its last verdict.
    pub epoch: u32,
    /// [`Path::ENI`]: ifindex of the ENI; otherwise 0.
    pub path_index: u32,
    /// A [`Direction`]; 0: unknown.
    pub opened: u8,
    /// [`FlowState`].
    pub state: u8,
    /// [`FlowFlags`].
    pub flags: u8,
    /// A [`Path`].
    pub path: u8,
    /// Number of the rule that allowed it; 0: none had to.
    pub rule: u32,
    /// [`Path::ENI`]: who takes the packets on the ENI's link; otherwise zero.
    pub next_hop: Address,
}

const _: () = assert!(size_of::<Flow>() == 40 + crate::AHEAD && align_of::<Flow>() == 8);

/// How the packets of a flow get from one link to the next, the same in both directions; value of [`Flow::path`].
///
/// What the stack has seen of a connection it must go on seeing (NAT, and its conntrack, which takes half a connection for none): a flow may change
/// to [`Self::STACK`] and never back.
pub struct Path;

impl Path {
    /// By the node's stack.
    pub const STACK: u8 = 0;
    /// Between the pod's link and its ENI.
    pub const ENI: u8 = 1;
    /// Between the links of two pods of this node.
    pub const POD: u8 = 2;
}

/// `skb->tc_index` of a packet that `from_pod` has sent to an ENI itself: `eni_out` asks nothing more about it.
pub const FORWARDED: u16 = 0x7e77;

/// Bits of [`Flow::state`].
pub struct FlowState;

impl FlowState {
    /// It began with a SYN (SCTP: INIT).
    pub const SYN: u8 = 1 << 0;
    /// The other side has answered.
    pub const REPLIED: u8 = 1 << 1;
    /// The pod has said FIN (SCTP: SHUTDOWN).
    pub const FIN_LOCAL: u8 = 1 << 2;
    /// The other side has said FIN (SCTP: SHUTDOWN).
    pub const FIN_REMOTE: u8 = 1 << 3;
    /// RST (SCTP: ABORT, SHUTDOWN COMPLETE).
    pub const RESET: u8 = 1 << 4;

    /// Does the flow only wait for its last packets?
    #[inline(always)]
    #[must_use]
    pub const fn is_closing(state: u8) -> bool {
        const FINS: u8 = FlowState::FIN_LOCAL | FlowState::FIN_REMOTE;
        state & Self::RESET != 0 || state & FINS == FINS
    }
}

/// Bits of [`Flow::flags`].
pub struct FlowFlags;

impl FlowFlags {
    /// To a Service: the verdict is left to where the destination is known.
    pub const DEFERRED: u8 = 1 << 0;
    /// Found while nothing was judged: either side may have opened it.
    pub const LEARNED: u8 = 1 << 1;
    /// A change has forbidden it. The record stays, so that no packet of it counts as the first of another one.
    pub const REVOKED: u8 = 1 << 2;
}

const SECOND: u64 = 1_000_000_000;
const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

impl Flow {
    /// How long after its last packet a flow is still one, in ns.
    #[inline(always)]
    #[must_use]
    pub const fn lifetime(protocol: u8, state: u8) -> u64 {
        let replied = state & FlowState::REPLIED != 0;
        SECOND
            * match protocol {
                TCP | SCTP if FlowState::is_closing(state) => 10,
                TCP | SCTP if replied => 8000,
                UDP if replied => 180,
                TCP | SCTP | UDP => 60,
                _ => 30,
            }
    }
}

/// A packet in fragments. IPv4's identification, or that of the fragment header with the protocol that stands in it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FragmentKey {
    /// From.
    pub source: Address,
    /// To.
    pub destination: Address,
    /// Identification.
    pub id: u32,
    /// Protocol as every fragment names it.
    pub protocol: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<FragmentKey>() == 40 && align_of::<FragmentKey>() == 4);

/// What only the first fragment says.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// Source port, in the processor's order.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// IP protocol behind all headers.
    pub protocol: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<Fragment>() == 8 && align_of::<Fragment>() == 2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_follow_protocol_and_state() {
        let seconds = |protocol, state| Flow::lifetime(protocol, state) / SECOND;
        assert_eq!(seconds(TCP, FlowState::SYN), 60);
        assert_eq!(seconds(SCTP, FlowState::SYN | FlowState::REPLIED), 8000);
        assert_eq!(seconds(TCP, FlowState::REPLIED | FlowState::FIN_LOCAL), 8000);
        assert_eq!(
            seconds(TCP, FlowState::REPLIED | FlowState::FIN_LOCAL | FlowState::FIN_REMOTE),
            10
        );
        assert_eq!(seconds(TCP, FlowState::RESET), 10);
        assert_eq!((seconds(UDP, 0), seconds(UDP, FlowState::REPLIED)), (60, 180));
        assert_eq!((seconds(1, 0), seconds(58, FlowState::REPLIED)), (30, 30));
    }
}

//! Flows: their age, and what a packet changes in them.

use aya_ebpf::helpers::{bpf_jiffies64, bpf_ktime_get_ns};
use terway_abi::{Direction, Flow, FlowState, Reason, SettingsFlags};
use terway_ebpf::{fresh, packet::Signal};

use crate::{
    maps::{FLOWS, SETTINGS, add},
    scratch::{BEGUN, Scratch},
};

const SECOND: i64 = 1_000_000_000;

/// The kernel's monotonic clock in ns, at most a tick old: reading the clock costs more than finding a flow, reading the tick nothing.
#[inline(always)]
pub fn now(scratch: &mut Scratch) -> u64 {
    // SAFETY: a plain call.
    let tick = unsafe { bpf_jiffies64() };
    if scratch.tick != tick {
        scratch.tick = tick;
        // SAFETY: likewise.
        scratch.now = unsafe { bpf_ktime_get_ns() };
    }
    scratch.now
}

#[inline(always)]
pub fn epoch() -> u32 {
    SETTINGS.get(0).map_or(0, |settings| fresh(&settings.epoch))
}

/// Programs of another layout stand behind these, and must see what passes.
#[inline(always)]
pub fn is_taken_over() -> bool {
    SETTINGS
        .get(0)
        .is_some_and(|settings| fresh(&settings.flags) & SettingsFlags::TAKEN_OVER != 0)
}

#[inline(always)]
pub fn is_alive(flow: &Flow, protocol: u8, now: u64) -> bool {
    age(flow, now) < Flow::lifetime(protocol, flow.state) as i64
}

/// In ns; a little below 0 if another processor has written a time that is not yet this one's.
#[inline(always)]
fn age(flow: &Flow, now: u64) -> i64 {
    now.wrapping_sub(flow.last_seen) as i64
}

/// A packet of the flow has passed; whether the last one that said so came a second earlier or more. Most packets write nothing: a line of memory that every
/// processor writes is what a conntrack costs.
#[inline(always)]
pub fn touch(flow: &mut Flow, signal: u8, direction: Direction, now: u64) -> bool {
    let mut state = flow.state;
    if signal & Signal::OPEN != 0 {
        state = FlowState::SYN;
    } else {
        if flow.opened != direction as u8 {
            state |= FlowState::REPLIED;
        }
        if signal & Signal::FINISH != 0 {
            state |= match direction {
                Direction::Egress => FlowState::FIN_LOCAL,
                Direction::Ingress => FlowState::FIN_REMOTE,
            };
        }
        // A forged RST ends no flow that goes on: later packets take it back.
        state = match signal & Signal::RESET {
            0 => state & !FlowState::RESET,
            _ => state | FlowState::RESET,
        };
    }
    let is_old = age(flow, now) >= SECOND;
    if state != flow.state {
        flow.state = state;
        flow.last_seen = now;
    } else if is_old {
        flow.last_seen = now;
    }
    is_old
}

/// The state of a flow that begins with this packet.
#[inline(always)]
pub fn state(scratch: &Scratch) -> u8 {
    match fresh(&scratch.packet.tuple.signal) & Signal::OPEN {
        0 => 0,
        _ => FlowState::SYN,
    }
}

/// How a flow begins.
pub struct Begin {
    /// A [`Direction`], or 0.
    pub opened: u8,
    pub flags: u8,
    pub state: u8,
    pub rule: u32,
}

/// Keeps a flow of the packet's pod, or of its sender. What else there is in a record is zero already.
#[inline(always)]
pub fn keep(scratch: &mut Scratch, of_sender: bool, begin: Begin, now: u64, epoch: u32) {
    let flow = &mut scratch.flow;
    flow.last_seen = now;
    flow.epoch = epoch;
    flow.opened = begin.opened;
    flow.state = begin.state;
    flow.flags = begin.flags;
    flow.rule = begin.rule;
    let key = match of_sender {
        true => &scratch.sender,
        false => {
            scratch.way.due = BEGUN;
            &scratch.key
        }
    };
    if FLOWS.insert(key, &scratch.flow, 0).is_err() {
        add(Reason::FlowsFull, 0);
    }
}

//! Queueing disciplines and filters as data.

use super::device::Device;

/// Handle of a bucket, and of `mq` on an ENI (`tc qdisc show`: `7472:`).
///
/// Every qdisc we make has a major number from 7400 to 7fff. The kernel gives numbers from 8000 on to those who name none, people take
/// small ones: what has another number, other than 0 for the kernel's own defaults, is foreign and is never replaced.
pub const QDISC_HANDLE: u32 = 0x7472_0000;
/// Handles of what stands in the place of a queue's default; one range for each kind, because a qdisc is replaced without a gap only by one
/// of another handle.
pub const PRIO_HANDLE: u32 = 0x7500_0000;
/// See [`PRIO_HANDLE`].
pub const FQ_HANDLE: u32 = 0x7600_0000;
/// Handles of the children of `prio`: four for each queue.
pub const BAND_HANDLE: u32 = 0x7700_0000;
const OURS: std::ops::Range<u32> = 0x7400_0000..0x8000_0000;
/// Handle of the one `clsact` that a device can have; it is everybody's.
pub const CLSACT_HANDLE: u32 = 0xffff_0000;
/// `TC_H_ROOT`
const PARENT_ROOT: u32 = 0xffff_ffff;
/// `TC_H_CLSACT`
const PARENT_CLSACT: u32 = 0xffff_fff1;

/// Where a qdisc hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attach {
    /// The device's root.
    Root,
    /// Where `clsact` stands, beside the root.
    Clsact,
    /// A class of another qdisc.
    Under(u32),
}

impl Attach {
    /// As the kernel numbers it.
    pub fn parent(self) -> u32 {
        match self {
            Self::Root => PARENT_ROOT,
            Self::Clsact => PARENT_CLSACT,
            Self::Under(class) => class,
        }
    }

    /// From the kernel's number.
    pub fn of_parent(parent: u32) -> Self {
        match parent {
            PARENT_ROOT => Self::Root,
            PARENT_CLSACT => Self::Clsact,
            class => Self::Under(class),
        }
    }
}

/// What a qdisc does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Discipline {
    /// Token bucket.
    Tbf {
        /// Bytes per second.
        rate: u64,
        /// Bytes that may be sent at once.
        burst: u32,
        /// Bytes that may wait, the burst included.
        limit: u32,
    },
    /// Three bands; a packet's priority chooses by the default map (tc-prio(8)).
    Prio,
    /// Keeps each packet until its departure time.
    Fq {
        /// Packets that one flow may have waiting.
        flow_limit: u32,
    },
    /// One child for each queue of the device.
    Mq,
    /// No queue: a place for filters in both directions.
    Clsact,
    /// Any other, seen only: its kind.
    Other(String),
}

impl Discipline {
    /// The kernel's name of its kind.
    pub fn kind(&self) -> &str {
        match self {
            Self::Tbf { .. } => "tbf",
            Self::Prio => "prio",
            Self::Fq { .. } => "fq",
            Self::Mq => "mq",
            Self::Clsact => "clsact",
            Self::Other(kind) => kind,
        }
    }

    /// True if `seen` does what `self` wants. The kernel tells a burst as a time in ticks of 64 ns, so it comes back rounded.
    pub fn is_met_by(&self, seen: &Self) -> bool {
        match (self, seen) {
            (
                Self::Tbf { rate, burst, limit },
                Self::Tbf {
                    rate: seen_rate,
                    burst: seen_burst,
                    limit: seen_limit,
                },
            ) => {
                let tolerance = 2 + rate.saturating_mul(2 * TICK_NS) / 1_000_000_000;
                rate == seen_rate && limit == seen_limit && u64::from(burst.abs_diff(*seen_burst)) <= tolerance
            }
            _ => self == seen,
        }
    }
}

/// `PSCHED_TICKS2NS(1)`
pub const TICK_NS: u64 = 64;

/// One qdisc.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Qdisc {
    /// Where.
    pub device: Device,
    /// Place in the device's tree.
    pub attach: Attach,
    /// Its own number; 0 for what the kernel made by itself.
    pub handle: u32,
    /// What it does.
    pub discipline: Discipline,
}

impl Qdisc {
    /// Made by us.
    pub fn is_ours(&self) -> bool {
        OURS.contains(&self.handle)
    }

    /// Made by somebody else, not by the kernel, and not for everybody.
    pub fn is_foreign(&self) -> bool {
        self.handle != 0 && !self.is_ours() && self.discipline != Discipline::Clsact
    }
}

/// A hook of `clsact`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// What the device receives.
    In,
    /// What it sends.
    Out,
}

impl Direction {
    /// `TC_H_MIN_INGRESS`, `TC_H_MIN_EGRESS` under `clsact`.
    pub fn parent(self) -> u32 {
        match self {
            Self::In => 0xffff_fff2,
            Self::Out => 0xffff_fff3,
        }
    }
}

/// Priority of every filter of ours (`tc filter show`: `pref 29810`). Whoever wants to see packets before us takes a smaller one.
pub const FILTER_PRIORITY: u16 = 0x7472;
/// Handle of every filter of ours: there is one in each direction.
pub const FILTER_HANDLE: u32 = 1;
/// Start of the name of every filter of ours.
pub const FILTER_PREFIX: &str = "terway_";

/// Priority of every redirect of ours (`pref 29812`): behind the filters, so that what they drop does not wait.
pub const REDIRECT_PRIORITY: u16 = FILTER_PRIORITY + 2;

/// What sends all that a device receives through another device's queue, from which it comes back as if just received: a filter that
/// matches everything, with the action `mirred`, at our redirect's priority and handle on the ingress hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Redirect {
    /// Who receives.
    pub device: Device,
    /// Whose queue; seen only: index 0 where it has gone.
    pub to: Device,
    /// Seen only: somebody else's filter at our place.
    pub foreign: bool,
}

/// One `cls_bpf` filter with direct action, at our priority and handle.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Where.
    pub device: Device,
    /// On which hook.
    pub direction: Direction,
    /// Its name; ours begin with [`FILTER_PREFIX`].
    pub name: String,
    /// The kernel's number of the program that it runs.
    pub program: u32,
    /// What the program is told of the device (`TCA_BPF_CLASSID`, 16 bits of it); 0 is nothing.
    pub class: u32,
}

impl Filter {
    /// Made by us.
    pub fn is_ours(&self) -> bool {
        self.name.starts_with(FILTER_PREFIX)
    }

    /// The name of the program that a filter of ours runs.
    pub fn program_name(&self) -> &str {
        self.name.strip_prefix(FILTER_PREFIX).unwrap_or_default()
    }
}

//! Queueing disciplines as data.

use super::Device;

/// Major number of the handle of every qdisc we make (`tc qdisc show`: `7472:`). The kernel gives numbers from 8000 on to those who name
/// none, people take small ones: what has another number, other than 0 for the kernel's own defaults, is foreign and is never replaced.
pub const QDISC_HANDLE: u32 = 0x7472_0000;
/// `TC_H_ROOT`
const PARENT_ROOT: u32 = 0xffff_ffff;

/// Where a qdisc hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attach {
    /// The device's root.
    Root,
    /// A class of another qdisc.
    Under(u32),
}

impl Attach {
    /// As the kernel numbers it.
    pub fn parent(self) -> u32 {
        match self {
            Self::Root => PARENT_ROOT,
            Self::Under(class) => class,
        }
    }

    /// From the kernel's number.
    pub fn of_parent(parent: u32) -> Self {
        if parent == PARENT_ROOT {
            Self::Root
        } else {
            Self::Under(parent)
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
    /// Any other, seen only: its kind.
    Other(String),
}

impl Discipline {
    /// The kernel's name of its kind.
    pub fn kind(&self) -> &str {
        match self {
            Self::Tbf { .. } => "tbf",
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
        self.handle & 0xffff_0000 == QDISC_HANDLE
    }

    /// Made by somebody else, not by the kernel.
    pub fn is_foreign(&self) -> bool {
        self.handle != 0 && !self.is_ours()
    }
}

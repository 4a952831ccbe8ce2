//! A set's verdict on a remote.

use terway_abi::{Address, Count, Direction, PeerClass, Prefix, Set, SetFlags};
use terway_ebpf::{fresh, packet::has_ports};

use crate::maps::{BLOCKS, PEERS, POLICY, SETS, VERDICTS};

use super::Scratch;

/// Bit of [`judge`]'s answer: allowed, and the lower half is the rule's number.
pub const ALLOWED: u64 = 1 << 32;
/// The remote has no class: no pod that is known, and in no block.
pub const UNCLASSIFIED: u64 = 1 << 33;

/// Asks [`Scratch::question`]. A function of its own, so that the verifier's limits on a program's size do not count it for each asker.
#[inline(never)]
pub fn judge(scratch: &mut Scratch) -> u64 {
    // SAFETY: records are freed only after every running program has ended (RCU).
    let Some(set) = (unsafe { SETS.get(scratch.question.set) }) else {
        return 0;
    };
    scratch.entry.set = scratch.question.set;
    let mut denied = UNCLASSIFIED;
    if let Some(class) = classify(scratch) {
        scratch.entry.class = class;
        let answer = find(scratch, set);
        if answer != 0 {
            return answer;
        }
        denied = 0;
    }
    if set.flags & SetFlags::EVERYBODY != 0 {
        scratch.entry.class = PeerClass::EVERYBODY;
        let answer = find(scratch, set);
        if answer != 0 {
            return answer;
        }
    }
    denied
}

/// Looks for what the set allows to a class.
#[inline(never)]
fn find(scratch: &mut Scratch, set: &Set) -> u64 {
    let (question, entry) = (&scratch.question, &mut scratch.entry);
    if set.flags & SetFlags::ANY_PROTOCOL != 0 {
        entry.port = 0;
        entry.protocol = 0;
        entry.prefix_length = 0;
        // SAFETY: as above.
        if let Some(rule) = unsafe { POLICY.get(&*entry) } {
            return ALLOWED | u64::from(*rule);
        }
    }
    if !has_ports(question.protocol) {
        return 0;
    }
    entry.protocol = question.protocol;
    for length in 0..=16_u32 {
        if length == 1 && fresh(&question.portless) != 0 {
            return 0;
        }
        // Read anew for each bit: what the verifier would know of it would double the ways it follows with each.
        if fresh(&set.port_lengths) & (1 << length) == 0 {
            continue;
        }
        entry.prefix_length = length as u8;
        entry.port = (u32::from(fresh(&question.port)) & (0xffff_0000 >> length)) as u16;
        // SAFETY: as above.
        if let Some(rule) = unsafe { POLICY.get(&*entry) } {
            return ALLOWED | u64::from(*rule);
        }
    }
    0
}

#[inline(always)]
fn classify(scratch: &mut Scratch) -> Option<u64> {
    let remote = scratch.question.remote;
    // SAFETY: as above.
    if let Some(class) = unsafe { PEERS.get(&scratch.question.remote) } {
        return Some(*class);
    }
    look_for(scratch, remote);
    BLOCKS.get(&scratch.prefix).copied()
}

/// Makes the address the one that is looked for in maps of prefixes.
#[inline(always)]
pub fn look_for(scratch: &mut Scratch, address: Address) {
    let family = match is_ipv4(&address) {
        true => 4,
        false => 6,
    };
    scratch.prefix.prefix_len = Prefix::BITS;
    scratch.prefix.data.family[0] = family;
    scratch.prefix.data.address = address;
}

#[inline(always)]
fn is_ipv4(address: &Address) -> bool {
    // SAFETY: the type is as large, and aligned for it.
    let [a, b, c, _] = unsafe { *core::ptr::from_ref(address).cast::<[u32; 4]>() };
    a | b == 0 && c == 0xffff_u32.to_be()
}

/// Counts a first packet by the rule that decided; 0: denied.
#[inline(never)]
pub fn tally(scratch: &mut Scratch, endpoint: u32, direction: Direction, rule: u32, bytes: u32) {
    scratch.verdict.endpoint = endpoint;
    scratch.verdict.rule = rule;
    scratch.verdict.direction = direction as u8;
    match VERDICTS.get_ptr_mut(&scratch.verdict) {
        Some(count) => {
            // SAFETY: the value is this processor's, and programs on a hook do not interrupt one another on one processor.
            unsafe {
                (*count).packets += 1;
                (*count).bytes += u64::from(bytes);
            }
        }
        None => {
            let count = Count {
                packets: 1,
                bytes: u64::from(bytes),
            };
            let _ = VERDICTS.insert(&scratch.verdict, &count, 0);
        }
    }
}

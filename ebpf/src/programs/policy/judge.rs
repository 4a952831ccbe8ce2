//! A set's verdict on a remote.

use terway_abi::{Address, Count, Direction, PeerClass, Prefix, Set, SetFlags};
use terway_ebpf::{fresh, packet::has_ports};

use crate::{
    maps::{BLOCKS, PEERS, POLICY, SETS, VERDICTS},
    scratch::Scratch,
};

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
    classify(scratch);
    if fresh(&scratch.question.unclassified) == 0 {
        let answer = find(scratch, set);
        if answer != 0 {
            return answer;
        }
    }
    if set.flags & SetFlags::EVERYBODY != 0 {
        scratch.entry.class = PeerClass::EVERYBODY;
        let answer = find(scratch, set);
        if answer != 0 {
            return answer;
        }
    }
    match fresh(&scratch.question.unclassified) {
        0 => 0,
        _ => UNCLASSIFIED,
    }
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
    let mut length = 0_u64;
    while length <= 16 {
        if length == 1 && fresh(&question.portless) != 0 {
            return 0;
        }
        // Read anew for each bit: what the verifier would know of it would double the ways it follows with each.
        if u64::from(fresh(&set.port_lengths)) & (1 << length) != 0 {
            entry.prefix_length = length as u8;
            entry.port = (u64::from(fresh(&question.port)) & (0xffff_0000 >> length)) as u16;
            // SAFETY: as above.
            if let Some(rule) = unsafe { POLICY.get(&*entry) } {
                return ALLOWED | u64::from(*rule);
            }
        }
        length += 1;
    }
    0
}

/// Writes the remote's class into the entry that is looked for.
#[inline(always)]
fn classify(scratch: &mut Scratch) {
    scratch.question.unclassified = 0;
    // SAFETY: as above.
    if let Some(class) = unsafe { PEERS.get(&scratch.question.remote) } {
        scratch.entry.class = *class;
        return;
    }
    look_for(scratch, scratch.question.remote);
    match BLOCKS.get(&scratch.prefix) {
        Some(class) => scratch.entry.class = *class,
        None => scratch.question.unclassified = 1,
    }
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
pub fn is_ipv4(address: &Address) -> bool {
    let [a, b, c, _] = words(address);
    a | b == 0 && *c == 0xffff_u32.to_be()
}

/// The address as words in network order.
#[inline(always)]
pub fn words(address: &Address) -> &[u32; 4] {
    // SAFETY: the type is as large, and aligned for it.
    unsafe { &*core::ptr::from_ref(address).cast::<[u32; 4]>() }
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

//! What one layout takes over from another, and what a crash in the middle leaves. The other layout is this one under another number; that fields may stand
//! elsewhere is `test/daemon/layouts.test.ts`'s affair.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::HashSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use support::Bpffs;
use support::ip::TCP;
use support::pods::flow_key;
use terway_bpf::{Address, Direction, Flow, FlowFlags, FlowKey, LAYOUT, Pod, PodFlags, PolicyEntry, Programs};

mod support;

const SET: u64 = 0xfeed;
const CLASS: u64 = 0xc1a5;

fn pod() -> Pod {
    Pod {
        id: 7,
        ingress_set: SET,
        ..Pod::default()
    }
}

fn layout(bpffs: &Path, number: u32) -> PathBuf {
    bpffs.join(format!("terway/v{number}"))
}

fn address(last: u8) -> Address {
    Address::from(Ipv4Addr::new(10, 0, 0, last))
}

fn flow(flags: u8) -> Flow {
    Flow {
        last_seen: 5,
        epoch: 2,
        opened: Direction::Ingress as u8,
        flags,
        rule: 9,
        ..Flow::default()
    }
}

/// A node as another build has left it.
fn left_by_another(bpffs: &Path) {
    let mut other = Programs::open(bpffs).unwrap();
    assert!(!other.is_taking_over());
    let policy = &mut other.maps.policy;
    let entry = PolicyEntry {
        class: CLASS,
        protocol: TCP,
        from: 80,
        to: 443,
        rule: 9,
    };
    policy.put_set(SET, &[entry]).unwrap();
    policy.peers.put(&address(8), &CLASS).unwrap();
    policy.blocks.set("192.0.2.0".parse().unwrap(), 24, CLASS).unwrap();
    policy.put_pod(&pod()).unwrap();
    policy.bump_epoch().unwrap();
    policy.bump_epoch().unwrap();
    let key = flow_key(7, TCP, ("10.0.0.7", 80), ("10.0.0.8", 40_000));
    policy.flows.put(&key, &flow(0)).unwrap();
    drop(other);
    fs::rename(layout(bpffs, LAYOUT), layout(bpffs, 99)).unwrap();
}

#[test]
fn sets_flows_and_records_are_taken_over_and_the_other_goes() {
    let bpffs = Bpffs::mount();
    left_by_another(bpffs.path());
    let mut ours = Programs::open(bpffs.path()).unwrap();
    assert!(ours.is_taking_over());
    let policy = &mut ours.maps.policy;
    assert_eq!(policy.sets().unwrap(), HashSet::from([SET]));
    assert!(!policy.entries(SET).unwrap().is_empty());
    assert_eq!(policy.peers.get(&address(8)).unwrap(), Some(CLASS));
    assert_eq!(policy.blocks.get("192.0.2.0".parse().unwrap()).unwrap(), Some(CLASS));
    assert_eq!(policy.epoch().unwrap(), 2);
    // What goes past the stack would miss the other's judgement.
    assert!(policy.is_taken_over().unwrap());
    // Until it is known what flows there are, nothing is judged; what passes is remembered without knowing who began.
    assert_eq!(policy.pod(7).unwrap().map(|pod| pod.flags), Some(PodFlags::TRACK_ONLY));
    let key = flow_key(7, TCP, ("10.0.0.7", 80), ("10.0.0.8", 40_000));
    assert_eq!(policy.flows.get(&key).unwrap(), None);
    let learned = Flow {
        opened: 0,
        ..flow(FlowFlags::LEARNED)
    };
    policy.flows.put(&key, &learned).unwrap();

    ours.decide().unwrap();
    let policy = &ours.maps.policy;
    assert_eq!(policy.pod(7).unwrap(), Some(pod()));
    assert_eq!(policy.flows.get(&key).unwrap(), Some(flow(0)), "the other knows who began");
    assert!(layout(bpffs.path(), 99).exists(), "its programs may still stand on hooks");
    assert!(policy.is_taken_over().unwrap());
    ours.end_takeover().unwrap();
    assert!(!ours.maps.policy.is_taken_over().unwrap());
    assert!(!layout(bpffs.path(), 99).exists());
    drop(ours);
    assert!(!Programs::open(bpffs.path()).unwrap().is_taking_over());
}

#[test]
fn a_takeover_that_broke_off_begins_again_with_what_the_other_has_by_then() {
    let bpffs = Bpffs::mount();
    left_by_another(bpffs.path());
    drop(Programs::open(bpffs.path()).unwrap());
    // The other build came back, judged on, and changed its tables.
    fs::rename(layout(bpffs.path(), LAYOUT), layout(bpffs.path(), 98)).unwrap();
    fs::rename(layout(bpffs.path(), 99), layout(bpffs.path(), LAYOUT)).unwrap();
    let mut other = Programs::open(bpffs.path()).unwrap();
    assert!(other.is_taking_over(), "what was begun is to be cleared away");
    assert_eq!(
        other.maps.policy.pod(7).unwrap(),
        Some(pod()),
        "what is in force is not touched by what was only begun"
    );
    other.maps.policy.peers.remove(&address(8)).unwrap();
    other.maps.policy.peers.put(&address(9), &CLASS).unwrap();
    drop(other);
    fs::rename(layout(bpffs.path(), LAYOUT), layout(bpffs.path(), 99)).unwrap();
    fs::rename(layout(bpffs.path(), 98), layout(bpffs.path(), LAYOUT)).unwrap();

    let mut ours = Programs::open(bpffs.path()).unwrap();
    ours.decide().unwrap();
    let policy = &ours.maps.policy;
    assert_eq!(policy.peers.get(&address(8)).unwrap(), None);
    assert_eq!(policy.peers.get(&address(9)).unwrap(), Some(CLASS));
    assert_eq!(policy.pod(7).unwrap(), Some(pod()));
}

#[test]
fn after_a_crash_behind_the_decision_ours_are_in_force() {
    let bpffs = Bpffs::mount();
    left_by_another(bpffs.path());
    let mut ours = Programs::open(bpffs.path()).unwrap();
    ours.decide().unwrap();
    ours.maps.policy.peers.put(&address(9), &CLASS).unwrap();
    drop(ours);
    let ours = Programs::open(bpffs.path()).unwrap();
    assert!(ours.is_taking_over(), "hooks and pins are left to be cleared");
    assert!(
        ours.maps.policy.is_taken_over().unwrap(),
        "the other may still stand on hooks"
    );
    assert_eq!(
        ours.maps.policy.peers.get(&address(9)).unwrap(),
        Some(CLASS),
        "the other's are old by now"
    );
    assert_eq!(ours.maps.policy.pod(7).unwrap(), Some(pod()));
    drop(ours);
    // As if the other's pins had gone, and nothing more had been done.
    fs::rename(layout(bpffs.path(), 99), bpffs.path().join("gone")).unwrap();
    let ours = Programs::open(bpffs.path()).unwrap();
    assert!(!ours.is_taking_over() && !ours.maps.policy.is_taken_over().unwrap());
}

/// A full table of flows must not push out the one that began a moment ago, nor half of itself: each processor has a share of the map of its own.
#[test]
fn of_a_full_table_the_newest_flows_are_taken_over_and_none_of_ours_goes() {
    const LIMIT: u32 = 131_072;
    let bpffs = Bpffs::mount();
    let key = |number: u32| FlowKey {
        remote: Address::from(Ipv4Addr::from(number)),
        ..flow_key(7, TCP, ("10.0.0.7", 80), ("10.0.0.8", 40_000))
    };
    left_by_another(bpffs.path());
    fs::rename(layout(bpffs.path(), 99), layout(bpffs.path(), LAYOUT)).unwrap();
    let mut other = Programs::open(bpffs.path()).unwrap();
    for number in 0..LIMIT {
        let last_seen = u64::from(number) + 10;
        other
            .maps
            .policy
            .flows
            .put(&key(number), &Flow { last_seen, ..flow(0) })
            .unwrap();
    }
    let theirs: Vec<u32> = (0..LIMIT)
        .filter(|number| other.maps.policy.flows.get(&key(*number)).unwrap().is_some())
        .collect();
    drop(other);
    fs::rename(layout(bpffs.path(), LAYOUT), layout(bpffs.path(), 99)).unwrap();

    let mut ours = Programs::open(bpffs.path()).unwrap();
    let begun: Vec<u32> = (1 << 24..(1 << 24) + 64).collect();
    for number in &begun {
        ours.maps.policy.flows.put(&key(*number), &flow(FlowFlags::LEARNED)).unwrap();
    }
    ours.decide().unwrap();
    let flows = &ours.maps.policy.flows;
    let has = |number: &u32| flows.get(&key(*number)).unwrap().is_some();
    assert_eq!(
        begun.iter().filter(|number| !has(number)).count(),
        0,
        "a flow that has just begun is pushed out"
    );
    let newest = &theirs[theirs.len() / 2..];
    assert_eq!(
        newest.iter().filter(|number| !has(number)).count(),
        0,
        "one of the newest flows stays behind"
    );
}

//! Writing the maps: all of a change or none of it.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use support::Bpffs;
use terway_bpf::{Address, Error, PeerClass, Pod, PolicyEntry, Programs, Swept, slot};

mod support;

fn entry(class: u64, from: u16, to: u16) -> PolicyEntry {
    PolicyEntry {
        class,
        protocol: 6,
        from,
        to,
        rule: 3,
    }
}

#[test]
fn a_set_grows_by_classes_and_stays_one() {
    let bpffs = Bpffs::mount();
    let policy = &mut Programs::open(bpffs.path()).unwrap().maps.policy;
    policy.put_set(9, &[entry(5, 80, 80)]).unwrap();
    policy.put_set(9, &[entry(6, 1024, 65_535), entry(5, 80, 80)]).unwrap();
    policy.put_set(10, &[]).unwrap();
    assert_eq!(policy.sets().unwrap(), HashSet::from([9, 10]));
    let mut entries = policy.entries(9).unwrap();
    entries.sort();
    let said: Vec<_> = entries
        .iter()
        .map(|(key, rule)| (key.class, key.port, key.prefix_length, *rule))
        .collect();
    assert_eq!(
        said,
        [
            (5, 80, 16, 3),
            (6, 1024, 6, 3),
            (6, 2048, 5, 3),
            (6, 4096, 4, 3),
            (6, 8192, 3, 3),
            (6, 16_384, 2, 3),
            (6, 32_768, 1, 3)
        ]
    );
    assert!(matches!(policy.put_set(0, &[]), Err(Error::Invalid { .. })));
    let wrong = [entry(7, 1, 1), entry(7, 2, 1)];
    assert!(matches!(policy.put_set(11, &wrong), Err(Error::Invalid { .. })));
    assert_eq!(policy.sets().unwrap().len(), 2);
    assert_eq!(policy.entries(11).unwrap(), []);
}

#[test]
fn a_full_map_leaves_the_set_that_was() {
    let bpffs = Bpffs::mount();
    let policy = &mut Programs::open(bpffs.path()).unwrap().maps.policy;
    // Five entries that stay, and as many as there is room for but one.
    policy
        .put_set(1, &(0..5).map(|class| entry(class + 10, 80, 80)).collect::<Vec<_>>())
        .unwrap();
    let many: Vec<_> = (0..262_144 - 5 - 1).map(|class| entry(class + 100, 443, 443)).collect();
    policy.put_set(2, &many).unwrap();
    let change = [
        entry(10, 80, 80),
        PolicyEntry {
            rule: 4,
            ..entry(11, 80, 80)
        },
        entry(50, 81, 81),
        entry(51, 81, 82),
        entry(52, 81, 81),
    ];
    let before = policy.entries(1).unwrap().into_iter().collect::<HashSet<_>>();
    match policy.put_set(1, &change) {
        Err(
            error @ Error::Full {
                map: "POLICY",
                limit: 262_144,
            },
        ) => assert!(error.to_string().contains("262144")),
        other => panic!("{other:?}"),
    }
    assert_eq!(policy.entries(1).unwrap().into_iter().collect::<HashSet<_>>(), before);
    // A set that was not there is not there afterwards.
    assert!(matches!(policy.put_set(3, &change), Err(Error::Full { .. })));
    assert_eq!(policy.sets().unwrap(), HashSet::from([1, 2]));
    // Room comes by sweeping.
    let swept = policy.sweep(&HashSet::from([1]), &(10..15).collect()).unwrap();
    assert_eq!((swept.sets, swept.entries), (1, many.len()));
    policy.put_set(1, &change).unwrap();
}

#[test]
fn sets_are_given_up_when_there_are_too_many() {
    let bpffs = Bpffs::mount();
    let policy = &mut Programs::open(bpffs.path()).unwrap().maps.policy;
    for set in 1..=8192 {
        policy.put_set(set, &[]).unwrap();
    }
    match policy.put_set(9000, &[entry(5, 80, 80)]) {
        Err(Error::Full {
            map: "SETS",
            limit: 8192,
        }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(policy.entries(9000).unwrap(), [], "its entries are taken back");
}

#[test]
fn blocks_are_written_together_or_not_at_all() {
    let bpffs = Bpffs::mount();
    let policy = &mut Programs::open(bpffs.path()).unwrap().maps.policy;
    let cidr = |number: u32, length, class| (IpAddr::V4(Ipv4Addr::from(number << 8)), length, class);
    let first: Vec<_> = (0..65_000).map(|number| cidr(number, 24, 1)).collect();
    policy.blocks.set_all(&first).unwrap();
    let mut change: Vec<_> = (64_990..66_000).map(|number| cidr(number, 24, 2)).collect();
    match policy.blocks.set_all(&change) {
        Err(Error::Full {
            map: "BLOCKS",
            limit: 65_536,
        }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(policy.blocks.list().unwrap().len(), 65_000);
    assert!(policy.blocks.list().unwrap().iter().all(|(_, _, class)| *class == 1));
    change.truncate(20);
    policy.blocks.set_all(&change).unwrap();
    assert_eq!(policy.blocks.get(change[0].0).unwrap(), Some(2));
    // Host bits are cut off, and a wrong length takes back what came before it.
    let wrong = [("10.1.2.3".parse().unwrap(), 24, 7), ("10.1.3.0".parse().unwrap(), 33, 7)];
    let before = policy.blocks.get("10.1.2.9".parse().unwrap()).unwrap();
    assert!(matches!(policy.blocks.set_all(&wrong), Err(Error::Invalid { .. })));
    assert_eq!(policy.blocks.get("10.1.2.9".parse().unwrap()).unwrap(), before);
}

#[test]
fn peers_are_written_together() {
    let bpffs = Bpffs::mount();
    let policy = &mut Programs::open(bpffs.path()).unwrap().maps.policy;
    let address = |number: u32| Address::from(Ipv4Addr::from(0x0a00_0000 + number));
    let all: Vec<_> = (0..1000).map(|number| (address(number), u64::from(number % 7) + 1)).collect();
    policy.peers.set_all(&all).unwrap();
    assert_eq!(policy.peers.list().unwrap().len(), 1000);
    assert_eq!(policy.peers.get(&address(13)).unwrap(), Some(7));
    assert!(policy.peers.remove(&address(13)).unwrap() && !policy.peers.remove(&address(13)).unwrap());
}

#[test]
fn sweeping_keeps_what_is_named() {
    let bpffs = Bpffs::mount();
    let policy = &mut Programs::open(bpffs.path()).unwrap().maps.policy;
    policy
        .put_set(1, &[entry(5, 80, 80), entry(6, 80, 80), entry(PeerClass::EVERYBODY, 53, 53)])
        .unwrap();
    policy.put_set(2, &[entry(5, 80, 81)]).unwrap();
    let swept = policy.sweep(&HashSet::from([1]), &HashSet::from([6])).unwrap();
    assert_eq!(swept, Swept { sets: 1, entries: 2 });
    let mut left: Vec<_> = policy.entries(1).unwrap().iter().map(|(key, _)| key.class).collect();
    left.sort_unstable();
    assert_eq!(left, [PeerClass::EVERYBODY, 6]);
    assert_eq!(
        policy.sweep(&HashSet::from([1]), &HashSet::from([6])).unwrap(),
        Swept::default()
    );
}

#[test]
fn pods_of_one_slot_do_not_overwrite_each_other() {
    let bpffs = Bpffs::mount();
    let policy = &mut Programs::open(bpffs.path()).unwrap().maps.policy;
    let pod = |id, ingress_set| Pod {
        id,
        ingress_set,
        ..Pod::default()
    };
    policy.put_pod(&pod(7, 1)).unwrap();
    policy.put_pod(&pod(7, 2)).unwrap();
    let later = 7 + 65_535;
    assert_eq!(slot(later), 7);
    assert!(matches!(
        policy.put_pod(&pod(later, 3)),
        Err(Error::Invalid { map: "PODS", .. })
    ));
    assert_eq!(policy.pod(7).unwrap(), Some(pod(7, 2)));
    assert_eq!(policy.pod(later).unwrap(), None);
    assert!(!policy.remove_pod(later).unwrap());
    assert!(policy.remove_pod(7).unwrap());
    policy.put_pod(&pod(later, 3)).unwrap();
    assert_eq!(policy.pods().unwrap(), [pod(later, 3)]);
    assert!(matches!(policy.put_pod(&pod(0, 1)), Err(Error::Invalid { .. })));
}

#[test]
fn tables_outlive_their_opener() {
    let bpffs = Bpffs::mount();
    let mut first = Programs::open(bpffs.path()).unwrap();
    first.maps.policy.put_set(9, &[entry(5, 80, 80)]).unwrap();
    assert_eq!(first.maps.policy.bump_epoch().unwrap(), 1);
    assert_eq!(first.maps.policy.bump_epoch().unwrap(), 2);
    drop(first);
    let second = Programs::open(bpffs.path()).unwrap();
    assert_eq!(second.maps.policy.epoch().unwrap(), 2);
    assert_eq!(second.maps.policy.sets().unwrap(), HashSet::from([9]));
}

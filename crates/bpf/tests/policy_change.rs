//! While rules change under traffic, what both the old and the new ones say never wavers.

use std::collections::HashSet;
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use support::ip::{Ip, SYN, TCP};
use support::pods::{CLASS, POD_ID, Pods, entry, pod};
use support::stage::POD;
use terway_bpf::{Pod, ProgramName, Programs, SkBuff, Verdict};

mod support;

const CHANGES: u64 = 1500;
/// Allowed by both sets, by neither, and by one of them in turns.
const BOTH: &str = "10.9.0.1";
const NEITHER: &str = "10.9.0.2";
const TURNS: [&str; 2] = ["10.9.0.3", "10.9.0.4"];

#[test]
fn verdicts_that_do_not_change_hold_during_every_change() {
    let mut pods = Pods::new();
    for (address, class) in [(BOTH, 0), (NEITHER, 1), (TURNS[0], 2), (TURNS[1], 3)] {
        pods.peer(address, CLASS + class);
    }
    let set = |number: u64| [entry(CLASS, TCP, 80, 80), entry(CLASS + 2 + number % 2, TCP, 80, 80)];
    let change = |pods: &mut Pods, number: u64| {
        let policy = &mut pods.programs.maps.policy;
        policy.put_set(number, &set(number)).unwrap();
        policy
            .put_pod(&Pod {
                ingress_set: number,
                ..pod()
            })
            .unwrap();
        policy.bump_epoch().unwrap();
        // Not the set from before: a packet on its way may be judged by it yet.
        policy
            .sweep(&HashSet::from([number - 1, number]), &(CLASS..CLASS + 4).collect())
            .unwrap();
    };
    change(&mut pods, 1);
    let own = Programs::open(pods.bpffs()).unwrap();
    let namespace = File::open("/proc/thread-self/ns/net").unwrap();
    let done = AtomicBool::new(false);
    let probes = thread::scope(|scope| {
        let prober = scope.spawn(|| {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let mut probes = 0_u64;
            let skb = SkBuff {
                ifindex: POD_ID,
                ..SkBuff::default()
            };
            let run = |packet: &Ip| own.program(ProgramName::ToPod).run(&packet.frame(), &skb, 1).unwrap().verdict;
            // Flows that live through all changes, and one new flow after another.
            while !done.load(Ordering::Relaxed) {
                let port = 1 + (probes % 60_000) as u16;
                for (address, expected) in [(BOTH, Verdict::CONTINUE), (NEITHER, Verdict::DROP)] {
                    for port in [port, 65_000] {
                        let verdict = run(&Ip::tcp((address, port), (POD[0], 80), SYN));
                        assert_eq!(verdict, expected, "{address} after {probes} probes");
                    }
                }
                for address in TURNS {
                    run(&Ip::tcp((address, port), (POD[0], 80), SYN));
                }
                probes += 1;
            }
            probes
        });
        for number in 2..CHANGES {
            change(&mut pods, number);
            // The new rules hold as soon as the change has returned.
            let [now, before] = if number % 2 == 0 { TURNS } else { [TURNS[1], TURNS[0]] };
            for (address, expected) in [(now, Verdict::CONTINUE), (before, Verdict::DROP)] {
                let verdict = pods.gets(&Ip::tcp((address, 64_999), (POD[0], 80), SYN)).0;
                assert_eq!(verdict, expected, "{address} after change {number}");
            }
            if prober.is_finished() {
                break;
            }
        }
        done.store(true, Ordering::Relaxed);
        prober.join().unwrap()
    });
    assert!(probes > CHANGES / 10, "{probes} rounds of probes");
}

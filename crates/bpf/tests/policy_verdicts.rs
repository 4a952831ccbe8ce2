//! Who may talk to whom: sets, classes, ports, protocols, and who always may.

use support::ip::{Ip, SCTP, TCP, UDP};
use support::pods::{CLASS, OTHER_ID, OTHER_SET, PASSED, POD_ID, Pods, SET, dropped, entry, everything, key, pod};
use support::stage::{NODE, OTHER, POD, REMOTE};
use terway_bpf::{
    Direction, Endpoint, FlowFlags, PeerClass, Pod, PodFlags, PolicyEntry, ProgramName, Reason, Verdict, VerdictKey,
};

mod support;

const UNCLASSIFIED_IN: [Reason; 2] = [Reason::DeniedIngress, Reason::Unclassified];
const UNCLASSIFIED_OUT: [Reason; 2] = [Reason::DeniedEgress, Reason::Unclassified];

#[test]
fn a_link_without_a_record_is_left_alone() {
    let mut pods = Pods::new();
    assert!(pods.programs.maps.policy.remove_pod(POD_ID).unwrap());
    let foreign = Ip::udp((REMOTE[0], 1), ("10.1.1.1", 2));
    for program in [ProgramName::FromPod, ProgramName::ToPod] {
        assert_eq!(pods.judged(program, POD_ID, &foreign.frame()), PASSED);
        assert_eq!(pods.judged(program, POD_ID, &foreign.frame()[..36]), PASSED);
    }
}

#[test]
fn what_nothing_isolates_passes_and_becomes_a_flow() {
    let mut pods = Pods::new();
    for family in 0..2 {
        let (local, remote) = ((POD[family], 4000), (REMOTE[family], 80));
        assert_eq!(pods.sends(&Ip::opening(TCP, local, remote)), PASSED);
        let flow = pods.flow(POD_ID, TCP, local, remote).unwrap();
        assert_eq!((flow.opened, flow.rule, flow.flags), (Direction::Egress as u8, 0, 0));
        let (local, remote) = ((POD[family], 80), (REMOTE[family], 4000));
        assert_eq!(pods.gets(&Ip::opening(UDP, remote, local)), PASSED);
        assert_eq!(
            pods.flow(POD_ID, UDP, local, remote).unwrap().opened,
            Direction::Ingress as u8
        );
    }
    assert_eq!(pods.verdicts(), [], "nobody had to decide");
    assert_eq!(pods.samples(), []);
}

#[test]
fn a_set_allows_classes_by_protocol_and_port() {
    let entries = [
        entry(CLASS, TCP, 80, 80),
        entry(CLASS, UDP, 1000, 1999),
        entry(CLASS, SCTP, 0, u16::MAX),
        entry(CLASS + 1, TCP, 30_000, 32_767),
    ];
    let mut pods = Pods::isolated(&entries);
    for family in 0..2 {
        let blocks = &mut pods.programs.maps.policy.blocks;
        let (cidr, length) = [("10.9.0.0", 16), ("fd99::", 64)][family];
        blocks.set(cidr.parse().unwrap(), length, CLASS).unwrap();
        let allowed = [
            (TCP, 80, true),
            (TCP, 81, false),
            (TCP, 79, false),
            (UDP, 80, false),
            (UDP, 999, false),
            (UDP, 1000, true),
            (UDP, 1500, true),
            (UDP, 1999, true),
            (UDP, 2000, false),
            (SCTP, 1, true),
            (SCTP, 65_535, true),
            (TCP, 31_000, false),
            (33, 80, false),
        ];
        for (index, (protocol, port, passes)) in allowed.into_iter().enumerate() {
            let client = 50_000 + u16::try_from(index).unwrap();
            let incoming = pods.gets(&Ip::opening(protocol, (REMOTE[family], client), (POD[family], port)));
            let outgoing = pods.sends(&Ip::opening(protocol, (POD[family], client), (REMOTE[family], port)));
            let expected = |reason| if passes { PASSED } else { dropped(&[reason]) };
            assert_eq!(incoming, expected(Reason::DeniedIngress), "{protocol} {port}");
            assert_eq!(outgoing, expected(Reason::DeniedEgress), "{protocol} {port}");
        }
    }
}

#[test]
fn an_entry_for_every_protocol_allows_them_all() {
    for class in [CLASS, PeerClass::EVERYBODY] {
        let mut pods = Pods::isolated(&[everything(class)]);
        for family in 0..2 {
            pods.peer(REMOTE[family], CLASS);
            for protocol in [TCP, UDP, SCTP, 33, 47, 50, 136, 200] {
                let packet = Ip::opening(protocol, (REMOTE[family], 9), (POD[family], 9));
                assert_eq!(pods.gets(&packet), PASSED, "{protocol}");
            }
            assert_eq!(pods.gets(&Ip::echo(REMOTE[family], POD[family], 5, true)), PASSED);
        }
    }
}

#[test]
fn rules_for_ports_allow_no_icmp() {
    let entries = [TCP, UDP, SCTP].map(|protocol| entry(PeerClass::EVERYBODY, protocol, 0, u16::MAX));
    let mut pods = Pods::isolated(&entries);
    for family in 0..2 {
        pods.peer(REMOTE[family], PeerClass::KNOWN);
        let verdict = pods.gets(&Ip::echo(REMOTE[family], POD[family], 5, true));
        assert_eq!(verdict, dropped(&[Reason::DeniedIngress]));
        assert_eq!(pods.gets(&Ip::opening(UDP, (REMOTE[family], 5), (POD[family], 5))), PASSED);
    }
}

#[test]
fn a_pods_class_counts_before_a_blocks() {
    let mut pods = Pods::isolated(&[everything(CLASS)]);
    for family in 0..2 {
        let open = |port| Ip::opening(TCP, (REMOTE[family], port), (POD[family], 80));
        assert_eq!(pods.gets(&open(1)), dropped(&UNCLASSIFIED_IN));
        let blocks = &mut pods.programs.maps.policy.blocks;
        let (wide, narrow) = [(("10.0.0.0", 8), ("10.9.9.8", 31)), (("fd00::", 8), ("fd99::8", 127))][family];
        blocks.set(wide.0.parse().unwrap(), wide.1, CLASS).unwrap();
        assert_eq!(pods.gets(&open(2)), PASSED);
        // An exception within the block is a block of another class.
        pods.programs
            .maps
            .policy
            .blocks
            .set(narrow.0.parse().unwrap(), narrow.1, CLASS + 9)
            .unwrap();
        assert_eq!(pods.gets(&open(3)), dropped(&[Reason::DeniedIngress]));
        pods.peer(REMOTE[family], CLASS);
        assert_eq!(pods.gets(&open(4)), PASSED);
        pods.peer(REMOTE[family], PeerClass::KNOWN);
        assert_eq!(pods.gets(&open(5)), dropped(&[Reason::DeniedIngress]));
    }
}

#[test]
fn directions_are_isolated_by_themselves() {
    let mut pods = Pods::new();
    pods.programs.maps.policy.put_set(SET, &[]).unwrap();
    for (egress_only, sends, gets) in [(true, false, true), (false, true, false)] {
        pods.put(Pod {
            ingress_set: if egress_only { 0 } else { SET },
            egress_set: if egress_only { SET } else { 0 },
            ..pod()
        });
        for family in 0..2 {
            let port = if egress_only { 1 } else { 2 };
            let out = pods.sends(&Ip::opening(TCP, (POD[family], port), (REMOTE[family], port)));
            let incoming = pods.gets(&Ip::opening(UDP, (REMOTE[family], port), (POD[family], port)));
            assert_eq!(out, if sends { PASSED } else { dropped(&UNCLASSIFIED_OUT) });
            assert_eq!(incoming, if gets { PASSED } else { dropped(&UNCLASSIFIED_IN) });
        }
    }
}

#[test]
fn a_set_that_is_not_there_allows_nothing() {
    let mut pods = Pods::new();
    pods.put(Pod {
        ingress_set: 77,
        ..pod()
    });
    pods.peer(REMOTE[0], CLASS);
    let verdict = pods.gets(&Ip::opening(TCP, (REMOTE[0], 1), (POD[0], 1)));
    assert_eq!(verdict, dropped(&[Reason::DeniedIngress]));
}

#[test]
fn the_node_and_the_pod_itself_always_pass() {
    let mut pods = Pods::isolated(&[]);
    // As the node is also when it is held.
    for flags in [0, PodFlags::HELD] {
        pods.put(Pod {
            flags,
            ingress_set: SET,
            egress_set: SET,
            ..pod()
        });
        for family in 0..2 {
            for remote in [NODE[family], POD[family]] {
                for protocol in [TCP, UDP, SCTP, 47] {
                    assert_eq!(pods.gets(&Ip::opening(protocol, (remote, 1), (POD[family], 2))), PASSED);
                    assert_eq!(pods.sends(&Ip::opening(protocol, (POD[family], 2), (remote, 1))), PASSED);
                }
                assert_eq!(pods.gets(&Ip::echo(remote, POD[family], 1, true)), PASSED);
                assert_eq!(pods.sends(&Ip::echo(POD[family], remote, 1, true)), PASSED);
            }
        }
    }
    // Also from one of its addresses to another one.
    let second = Endpoint {
        id: POD_ID,
        ..Endpoint::default()
    };
    pods.programs.maps.endpoints.put(&key("10.0.0.70"), &second).unwrap();
    assert_eq!(pods.sends(&Ip::opening(TCP, (POD[0], 1), ("10.0.0.70", 2))), PASSED);
    assert_eq!(pods.gets(&Ip::opening(TCP, ("10.0.0.70", 1), (POD[0], 2))), PASSED);
    assert_eq!(pods.programs.maps.policy.flows.list().unwrap(), [], "that needs no flows");
}

#[test]
fn a_held_pod_gets_and_sends_nothing_else() {
    let mut pods = Pods::new();
    pods.put(Pod {
        flags: PodFlags::HELD,
        ..pod()
    });
    for family in 0..2 {
        let held = dropped(&[Reason::Held]);
        assert_eq!(pods.gets(&Ip::opening(TCP, (REMOTE[family], 1), (POD[family], 2))), held);
        assert_eq!(pods.sends(&Ip::opening(UDP, (POD[family], 2), (REMOTE[family], 1))), held);
        assert_eq!(pods.sends(&Ip::echo(POD[family], OTHER[family], 1, true)), held);
    }
    // Then it is known that nothing isolates it.
    pods.put(pod());
    assert_eq!(pods.gets(&Ip::opening(TCP, (REMOTE[0], 1), (POD[0], 2))), PASSED);
}

#[test]
fn a_foreign_source_is_dropped() {
    let mut pods = Pods::new();
    for family in 0..2 {
        for source in [OTHER[family], NODE[family], REMOTE[family], ["0.0.0.0", "::"][family]] {
            for protocol in [TCP, UDP, 47] {
                let verdict = pods.sends(&Ip::opening(protocol, (source, 5), (REMOTE[family], 80)));
                assert_eq!(verdict, dropped(&[Reason::Spoofed]), "{source}");
            }
            let verdict = pods.sends(&Ip::opening(TCP, (source, 5), (NODE[family], 80)));
            assert_eq!(verdict, dropped(&[Reason::Spoofed]), "{source} to the node");
            let quoted = Ip::udp((REMOTE[family], 5), (source, 5));
            assert_eq!(
                pods.sends(&Ip::error(source, REMOTE[family], &quoted, 64)),
                dropped(&[Reason::Spoofed])
            );
        }
    }
    assert_eq!(pods.programs.maps.policy.flows.list().unwrap(), []);
    let sample = *pods.samples().first().unwrap();
    assert_eq!(
        (sample.endpoint, sample.reason, sample.source),
        (POD_ID, Reason::Spoofed as u32, key(OTHER[0]))
    );
}

#[test]
fn a_flow_of_the_addresss_last_owner_is_nobodys() {
    let mut pods = Pods::isolated(&[everything(CLASS)]);
    pods.peer(REMOTE[0], CLASS);
    let (local, remote) = ((POD[0], 80), (REMOTE[0], 4000));
    assert_eq!(pods.gets(&Ip::tcp(remote, local, 2)), PASSED);
    assert!(pods.programs.maps.policy.remove_pod(POD_ID).unwrap());
    // The next pod has the same address, interface index and slot.
    let next = POD_ID + 65_535;
    pods.programs
        .maps
        .endpoints
        .put(
            &key(POD[0]),
            &Endpoint {
                id: next,
                ..Endpoint::default()
            },
        )
        .unwrap();
    pods.programs.maps.policy.put_set(OTHER_SET, &[]).unwrap();
    pods.put(Pod {
        id: next,
        ingress_set: OTHER_SET,
        egress_set: OTHER_SET,
        ..Pod::default()
    });
    assert_eq!(pods.gets(&Ip::tcp(remote, local, 16)), dropped(&[Reason::DeniedIngress]));
    assert_eq!(pods.sends(&Ip::tcp(local, remote, 16)), dropped(&[Reason::DeniedEgress]));
}

#[test]
fn what_goes_to_a_service_is_judged_where_it_arrives() {
    let mut pods = Pods::isolated(&[entry(CLASS, TCP, 8080, 8080)]);
    for family in 0..2 {
        let service = ["172.16.0.10", "fd16::10"][family];
        let policy = &mut pods.programs.maps.policy;
        policy
            .services
            .put(["172.16.0.0", "fd16::"][family].parse().unwrap(), [16, 112][family])
            .unwrap();
        for remote in [REMOTE[family], OTHER[family]] {
            pods.peer(remote, CLASS);
        }
        for protocol in [TCP, UDP] {
            let (local, cluster) = ((POD[family], 4000), (service, 80));
            assert_eq!(pods.sends(&Ip::opening(protocol, local, cluster)), PASSED);
            let flow = pods.flow(POD_ID, protocol, local, cluster).unwrap();
            assert_eq!(flow.flags, FlowFlags::DEFERRED);
            // The answer comes from the Service again.
            assert_eq!(
                pods.gets(&Ip::udp(cluster, local)),
                if protocol == UDP { PASSED } else { dropped(&UNCLASSIFIED_IN) }
            );
        }
        // Translated: out by the ENI, or to a pod of this node.
        let out = |port| pods.leaves(&Ip::opening(TCP, (POD[family], 4001), (REMOTE[family], port)));
        assert_eq!(out(8080).0, Verdict::CONTINUE);
        assert_eq!(out(8081), dropped(&[Reason::DeniedEgress]));
        let there = |port| {
            let frame = Ip::opening(TCP, (POD[family], 4002), (OTHER[family], port)).frame();
            pods.judged(ProgramName::ToPod, OTHER_ID, &frame)
        };
        assert_eq!(there(8080), PASSED);
        assert_eq!(there(8081), dropped(&[Reason::DeniedEgress]));
        let kept = pods.flow(POD_ID, TCP, (POD[family], 4002), (OTHER[family], 8080)).unwrap();
        assert_eq!((kept.opened, kept.flags), (Direction::Egress as u8, 0));
        assert_eq!(pods.flow(POD_ID, TCP, (POD[family], 4002), (OTHER[family], 8081)), None);
        assert!(
            pods.flow(OTHER_ID, TCP, (OTHER[family], 8080), (POD[family], 4002)).is_some(),
            "the receiver's own"
        );
        // One that the node does not translate after all.
        let untranslated = pods.leaves(&Ip::opening(TCP, (POD[family], 4000), (service, 80)));
        assert_eq!(untranslated, dropped(&UNCLASSIFIED_OUT[..1]));
    }
}

#[test]
fn a_pod_that_is_not_isolated_leaves_by_the_eni_unjudged() {
    let pods = Pods::new();
    for family in 0..2 {
        let passed = (Verdict::CONTINUE, vec![Reason::OutPassed]);
        assert_eq!(pods.leaves(&Ip::opening(TCP, (POD[family], 1), (REMOTE[family], 2))), passed);
    }
    assert_eq!(pods.programs.maps.policy.flows.list().unwrap(), []);
}

#[test]
fn verdicts_are_counted_by_rule_and_samples_are_kept() {
    let mut pods = Pods::isolated(&[
        PolicyEntry {
            rule: 5,
            ..entry(CLASS, TCP, 80, 80)
        },
        PolicyEntry {
            rule: 6,
            ..entry(PeerClass::EVERYBODY, UDP, 53, 53)
        },
    ]);
    pods.peer(REMOTE[0], CLASS);
    for client in 1..=3 {
        assert_eq!(pods.gets(&Ip::tcp((REMOTE[0], client), (POD[0], 80), 2)), PASSED);
    }
    // Only the first packet of a flow asks a rule.
    assert_eq!(pods.gets(&Ip::tcp((REMOTE[0], 1), (POD[0], 80), 16)), PASSED);
    assert_eq!(pods.sends(&Ip::udp((POD[0], 9), (REMOTE[0], 53))), PASSED);
    assert_eq!(
        pods.sends(&Ip::udp((POD[0], 9), (REMOTE[0], 54))),
        dropped(&[Reason::DeniedEgress])
    );
    let verdict = |direction, rule| VerdictKey {
        endpoint: POD_ID,
        rule,
        direction: direction as u8,
        reserved: [0; 3],
    };
    assert_eq!(
        pods.verdicts(),
        [
            (verdict(Direction::Egress, 0), 1),
            (verdict(Direction::Ingress, 5), 3),
            (verdict(Direction::Egress, 6), 1)
        ]
    );
    let samples = pods.samples();
    let [sample] = samples.as_slice() else { panic!("{samples:?}") };
    assert_eq!(
        (sample.endpoint, sample.reason, sample.direction),
        (POD_ID, Reason::DeniedEgress as u32, Direction::Egress as u8)
    );
    assert_eq!((sample.source, sample.destination), (key(POD[0]), key(REMOTE[0])));
    assert_eq!(
        (sample.protocol, sample.source_port, sample.destination_port, sample.length),
        (UDP, 9, 54, 50)
    );
    pods.programs.maps.policy.verdicts.remove(POD_ID).unwrap();
    assert_eq!(pods.verdicts(), []);
}

#[test]
fn samples_do_not_come_without_end() {
    let mut pods = Pods::isolated(&[]);
    let frame = Ip::udp((POD[0], 9), (REMOTE[0], 54)).frame();
    let skb = terway_bpf::SkBuff {
        ifindex: POD_ID,
        ..Default::default()
    };
    pods.programs.program(ProgramName::FromPod).run(&frame, &skb, 1000).unwrap();
    assert_eq!(pods.packets(Reason::DeniedEgress), 1000);
    let kept = u32::try_from(pods.samples().len()).unwrap();
    // One window of one processor, or two where a second passed meanwhile.
    assert!((1..=2 * terway_bpf::Sample::BURST).contains(&kept), "{kept}");
}

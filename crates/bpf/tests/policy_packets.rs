//! Packets as they should not be, and those that say who they are only in pieces.

use support::ip::{ICMP, ICMPV6, Ip, SCTP, SYN, TCP, UDP};
use support::pods::{CLASS, PASSED, POD_ID, Pods, SET, dropped, entry, everything, pod};
use support::stage::{NODE, OTHER, POD, REMOTE};
use terway_bpf::{Pod, PodFlags, ProgramName, Reason, SkBuff, Verdict};

mod support;

/// REMOTE may talk to TCP and UDP port 80, and POD to those of REMOTE.
fn web() -> Pods {
    let mut pods = Pods::isolated(&[TCP, UDP, SCTP].map(|protocol| entry(CLASS, protocol, 80, 80)));
    for remote in REMOTE {
        pods.peer(remote, CLASS);
    }
    pods
}

/// Extension headers that are read over.
const HEADERS: [u8; 4] = [0, 43, 51, 60];

#[test]
fn options_and_extension_headers_are_read_over() {
    let pods = web();
    let mut number = 1000;
    let mut check = |change: &dyn Fn(Ip) -> Ip, family: usize| {
        for protocol in [TCP, UDP, SCTP] {
            for (port, expected) in [(80, PASSED), (81, dropped(&[Reason::DeniedIngress]))] {
                number += 1;
                let packet = change(Ip::opening(protocol, (REMOTE[family], number), (POD[family], port)));
                assert_eq!(pods.gets(&packet), expected, "{packet:?}");
            }
        }
    };
    for length in (0..=40).step_by(4) {
        check(
            &|mut packet| {
                packet.options = vec![1; length];
                packet
            },
            0,
        );
    }
    for one in HEADERS {
        check(&|packet| packet.header(one), 1);
        for two in HEADERS {
            check(&|packet| packet.header(one).header(two), 1);
        }
    }
    check(&|packet| HEADERS.into_iter().fold(packet, Ip::header), 1);
    // Seven and the transport's own are the most.
    check(&|packet| (0..7).fold(packet, |packet, _| packet.header(60)), 1);
    // One longer than eight bytes.
    check(
        &|mut packet| {
            packet.headers.push((60, [vec![4], vec![0; 38]].concat()));
            packet
        },
        1,
    );
}

#[test]
fn more_headers_than_anybody_sends_are_malformed() {
    let pods = web();
    for count in 8..12 {
        let packet = (0..count).fold(Ip::tcp((REMOTE[1], 1), (POD[1], 80), SYN), |packet, _| packet.header(60));
        assert_eq!(pods.gets(&packet), dropped(&[Reason::Malformed]), "{count}");
    }
}

#[test]
fn what_stands_behind_an_unknown_header_is_not_looked_at() {
    let mut pods = web();
    // Mobility, HIP, shim6, experiments, ESP, none: protocols of their own, as to Linux.
    for kind in [135, 139, 140, 253, 254, 50, 59] {
        let packet = Ip::tcp((REMOTE[1], 1), (POD[1], 80), SYN).header(kind);
        assert_eq!(pods.gets(&packet), dropped(&[Reason::DeniedIngress]), "{kind}");
    }
    pods.programs.maps.policy.put_set(SET, &[everything(CLASS)]).unwrap();
    for kind in [135, 139, 140, 253, 254, 50, 59] {
        let packet = Ip::tcp((REMOTE[1], 1), (POD[1], 80), SYN).header(kind);
        assert_eq!(pods.gets(&packet), PASSED, "{kind}");
    }
}

#[test]
fn truncated_packets_are_dropped_at_every_length() {
    let mut pods = web();
    let cases: Vec<(Ip, usize)> = (0..2)
        .flat_map(|family| {
            let (from, to) = ((REMOTE[family], 1000), (POD[family], 80));
            let header = [20, 40][family];
            let mut with_more = Ip::udp(from, to);
            let more = match family {
                0 => {
                    with_more.options = vec![1; 12];
                    12
                }
                _ => {
                    with_more = HEADERS.into_iter().fold(with_more, Ip::header);
                    32
                }
            };
            // Up to the end of what is read; what follows is the transport's affair.
            [
                (Ip::tcp(from, to, SYN), header + 20),
                (Ip::udp(from, to), header + 8),
                (Ip::sctp(from, to, 1), header + 12),
                (Ip::echo(from.0, to.0, 7, true), header + 8),
                (with_more, header + more + 8),
            ]
        })
        .collect();
    let mut refused = 0;
    for (packet, needed) in &cases {
        let whole = packet.frame();
        for length in 14..14 + needed {
            let frame = &whole[..length];
            let skb = SkBuff {
                ifindex: POD_ID,
                ..SkBuff::default()
            };
            // Newer kernels test-run nothing shorter than an IP header.
            if pods.programs.program(ProgramName::ToPod).run(frame, &skb, 1).is_err() {
                assert!(length < 54, "{length} bytes");
                refused += 1;
                continue;
            }
            assert_eq!(
                pods.judged(ProgramName::ToPod, POD_ID, frame),
                dropped(&[Reason::Truncated]),
                "{length} of {packet:?}"
            );
        }
    }
    println!("{refused} frames were too short for this kernel's test run");
    assert_eq!(pods.programs.maps.policy.flows.list().unwrap(), []);
    // While nothing is enforced it is not our affair.
    pods.put(Pod {
        flags: PodFlags::TRACK_ONLY,
        ..pod()
    });
    let cut = &Ip::tcp((REMOTE[0], 1000), (POD[0], 80), SYN).frame()[..40];
    assert_eq!(pods.judged(ProgramName::ToPod, POD_ID, cut), PASSED);
}

#[test]
fn headers_that_lie_about_lengths_are_dropped() {
    let pods = web();
    let v4 = Ip::tcp((REMOTE[0], 1), (POD[0], 80), SYN).frame();
    let v6 = Ip::tcp((REMOTE[1], 1), (POD[1], 80), SYN).frame();
    let with = |frame: &[u8], offset: usize, bytes: &[u8]| {
        let mut frame = frame.to_vec();
        frame[offset..offset + bytes.len()].copy_from_slice(bytes);
        frame
    };
    for (frame, reason) in [
        // IPv4: version, header length, total length below the header, beyond the frame, and within the ports.
        (with(&v4, 14, &[0x65]), Reason::Malformed),
        (with(&v4, 14, &[0x44]), Reason::Malformed),
        (with(&v4, 14, &[0x40]), Reason::Malformed),
        (with(&v4, 16, &[0, 19]), Reason::Malformed),
        (with(&v4, 16, &[0, 41]), Reason::Truncated),
        (with(&v4, 16, &[0, 39]), Reason::Truncated),
        (with(&v4, 16, &[0, 20]), Reason::Truncated),
        // A header that swallows the transport.
        (with(&v4, 14, &[0x4f]), Reason::Malformed),
        // IPv6: version, payload beyond the frame, and short of the transport.
        (with(&v6, 14, &[0x40]), Reason::Malformed),
        (with(&v6, 18, &[0, 21]), Reason::Truncated),
        (with(&v6, 18, &[0, 19]), Reason::Truncated),
        (with(&v6, 18, &[0, 1]), Reason::Truncated),
    ] {
        assert_eq!(
            pods.judged(ProgramName::ToPod, POD_ID, &frame),
            dropped(&[reason]),
            "{frame:02x?}"
        );
    }
    // Large segments say nothing, or more than two bytes hold.
    for frame in [with(&v4, 16, &[0, 0]), with(&v6, 18, &[0, 0])] {
        assert_eq!(pods.judged(ProgramName::ToPod, POD_ID, &frame), PASSED);
    }
    // Trailing bytes of a short frame are no transport header.
    let mut padded = Ip::of(REMOTE[0], POD[0], UDP, vec![]).frame();
    padded.extend([0, 1, 0, 80, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(
        pods.judged(ProgramName::ToPod, POD_ID, &padded),
        dropped(&[Reason::Truncated])
    );
}

#[test]
fn a_tag_inside_a_frame_is_dropped() {
    let pods = web();
    for program in [ProgramName::FromPod, ProgramName::ToPod] {
        for ethertype in [[0x81, 0x00], [0x88, 0xa8]] {
            let mut frame = Ip::udp((REMOTE[0], 1), (POD[0], 80)).frame();
            frame.splice(12..12, [ethertype[0], ethertype[1], 0, 0]);
            assert_eq!(pods.judged(program, POD_ID, &frame), dropped(&[Reason::Malformed]));
        }
    }
}

#[test]
fn what_is_not_ip_passes() {
    let pods = Pods::isolated(&[]);
    let arp = support::packet::Frame::arp(POD[0], REMOTE[0]).bytes();
    let lldp = support::packet::Frame::of(0x88cc, vec![0; 60]).bytes();
    for frame in [arp, lldp] {
        for program in [ProgramName::FromPod, ProgramName::ToPod] {
            assert_eq!(pods.judged(program, POD_ID, &frame), PASSED);
        }
    }
}

#[test]
fn discovery_passes_on_the_link_only() {
    let pods = Pods::isolated(&[]);
    let message = |kind: u8| [vec![kind], vec![0; 23]].concat();
    let link = "fe80::1";
    for kind in [133, 135, 136] {
        for (source, destination) in [(POD[1], link), ("::", "ff02::1"), ("fe80::7", "ff02::2")] {
            let packet = Ip::of(source, destination, ICMPV6, message(kind)).hops(255);
            assert_eq!(pods.sends(&packet), PASSED, "{kind}");
        }
        assert_eq!(pods.gets(&Ip::of(REMOTE[1], POD[1], ICMPV6, message(kind)).hops(255)), PASSED);
        // A router has passed it on: no neighbour sent it.
        let routed = Ip::of(REMOTE[1], POD[1], ICMPV6, message(kind)).hops(254);
        assert_eq!(pods.gets(&routed), dropped(&[Reason::DeniedIngress, Reason::Unclassified]));
    }
    // Who is no router neither advertises nor redirects; to the pod they come.
    for kind in [134, 137] {
        let packet = Ip::of("fe80::7", "ff02::1", ICMPV6, message(kind)).hops(255);
        assert_eq!(pods.sends(&packet), dropped(&[Reason::Spoofed]));
        assert_eq!(pods.gets(&packet), PASSED);
    }
    for kind in [130, 131, 132, 143] {
        assert_eq!(
            pods.sends(&Ip::of("fe80::7", "ff02::16", ICMPV6, message(kind)).hops(1)),
            PASSED
        );
        let elsewhere = Ip::of(POD[1], REMOTE[1], ICMPV6, message(kind)).hops(1);
        assert_eq!(pods.sends(&elsewhere), dropped(&[Reason::DeniedEgress, Reason::Unclassified]));
    }
    // Link-local addresses carry ICMPv6 and nothing else.
    assert_eq!(pods.sends(&Ip::echo("fe80::7", link, 1, true)), PASSED);
    assert_eq!(pods.gets(&Ip::echo(link, "fe80::7", 1, false)), PASSED);
    assert_eq!(pods.sends(&Ip::udp(("fe80::7", 1), (link, 2))), dropped(&[Reason::Spoofed]));
    let denied = dropped(&[Reason::DeniedIngress, Reason::Unclassified]);
    assert_eq!(pods.gets(&Ip::udp((link, 1), ("fe80::7", 2))), denied);
}

#[test]
fn the_ttl_is_nobodys_reason() {
    let pods = web();
    for family in 0..2 {
        for (port, hops) in [(1000, 0), (1001, 1), (1002, 64), (1003, 255)] {
            assert_eq!(
                pods.gets(&Ip::udp((REMOTE[family], port), (POD[family], 80)).hops(hops)),
                PASSED
            );
            assert_eq!(
                pods.gets(&Ip::udp((REMOTE[family], port), (POD[family], 81)).hops(hops)),
                dropped(&[Reason::DeniedIngress])
            );
        }
    }
}

#[test]
fn later_fragments_follow_the_first() {
    let mut pods = web();
    for family in 0..2 {
        for (index, protocol) in [TCP, UDP, SCTP].into_iter().enumerate() {
            let id = 100 * u32::from(protocol);
            let packet = |port, id| {
                let mut packet = Ip::opening(protocol, (REMOTE[family], 2000), (POD[family], port));
                packet.payload.resize(40, 1);
                packet.id = id;
                packet
            };
            let [first, later] = packet(80, id).cut(24);
            // Before its first one it has no port.
            assert_eq!(pods.gets(&later), dropped(&[Reason::FragmentUnknown]), "{index}");
            assert_eq!(pods.gets(&first), PASSED);
            assert_eq!(pods.gets(&later), PASSED);
            let [first, later] = packet(81, id + 1).cut(24);
            assert_eq!(pods.gets(&first), dropped(&[Reason::DeniedIngress]));
            assert_eq!(
                pods.gets(&later),
                dropped(&[Reason::DeniedIngress]),
                "its first one was denied"
            );
            // Of another packet with the same identification.
            let [_, mut stranger] = packet(80, id).cut(24);
            stranger.source = OTHER[family].parse().unwrap();
            assert_eq!(
                pods.gets(&stranger),
                dropped(&[Reason::Unclassified, Reason::FragmentUnknown])
            );
        }
    }
    // Rules that ask for no port need none.
    let entries = [entry(CLASS, UDP, 0, u16::MAX)];
    pods.programs.maps.policy.put_set(SET + 7, &entries).unwrap();
    pods.put(Pod {
        ingress_set: SET + 7,
        ..pod()
    });
    for family in 0..2 {
        let mut packet = Ip::udp((REMOTE[family], 2000), (POD[family], 80));
        packet.payload.resize(40, 1);
        packet.id = 999;
        let [_, later] = packet.cut(24);
        assert_eq!(pods.gets(&later), PASSED);
    }
}

#[test]
fn a_pods_own_fragments_pass_to_whom_it_may_talk() {
    let pods = web();
    for family in 0..2 {
        let mut packet = Ip::udp((POD[family], 2000), (REMOTE[family], 80));
        packet.payload.resize(64, 1);
        for mut fragment in packet.cut(32) {
            assert_eq!(pods.sends(&fragment), PASSED);
            assert_eq!(pods.leaves(&fragment), (Verdict::CONTINUE, vec![Reason::OutPassed]));
            fragment.source = OTHER[family].parse().unwrap();
            assert_eq!(pods.sends(&fragment), dropped(&[Reason::Spoofed]));
        }
    }
}

#[test]
fn a_first_fragment_too_short_for_its_ports_is_dropped() {
    let pods = web();
    for family in 0..2 {
        let mut tiny = Ip::tcp((REMOTE[family], 1), (POD[family], 80), SYN);
        tiny.fragment = Some((0, true));
        for length in [0, 2, 8, 16] {
            tiny.payload.truncate(20);
            let mut cut = tiny.clone();
            cut.payload.truncate(length);
            assert_eq!(pods.gets(&cut), dropped(&[Reason::Truncated]), "{length}");
        }
        // A fragment header for nothing (RFC 6946).
        tiny.fragment = Some((0, false));
        assert_eq!(pods.gets(&tiny), PASSED);
    }
}

#[test]
fn icmp_errors_belong_to_the_flow_that_they_quote() {
    let pods = web();
    let router = ["10.8.0.1", "fd98::1"];
    for family in 0..2 {
        let none = dropped(&[Reason::RelatedUnknown]);
        for protocol in [TCP, UDP, SCTP] {
            let sent = Ip::opening(protocol, (POD[family], 3000), (REMOTE[family], 80));
            let error = Ip::error(router[family], POD[family], &sent, 68);
            assert_eq!(pods.gets(&error), none, "nothing was sent");
            assert_eq!(pods.sends(&sent), PASSED);
            assert_eq!(pods.gets(&error), PASSED);
            // Eight bytes of the transport header are enough; fewer than the ports are not.
            let header = [20, 40][family];
            assert_eq!(pods.gets(&Ip::error(router[family], POD[family], &sent, header + 8)), PASSED);
            assert_eq!(
                pods.gets(&Ip::error(router[family], POD[family], &sent, header + 3)),
                dropped(&[Reason::Truncated])
            );
            assert_eq!(
                pods.gets(&Ip::error(router[family], POD[family], &sent, header - 1)),
                dropped(&[Reason::Truncated])
            );
            // About another flow.
            let other = Ip::opening(protocol, (POD[family], 3001), (REMOTE[family], 80));
            assert_eq!(pods.gets(&Ip::error(router[family], POD[family], &other, 68)), none);
            // What the pod says of a packet that it got.
            let got = Ip::opening(protocol, (REMOTE[family], 3000), (POD[family], 80));
            let answer = Ip::error(POD[family], REMOTE[family], &got, 68);
            assert_eq!(pods.sends(&answer), none);
            assert_eq!(pods.gets(&got), PASSED);
            assert_eq!(pods.sends(&answer), PASSED);
        }
        // From the node always.
        let sent = Ip::udp((POD[family], 3002), (REMOTE[family], 81));
        assert_eq!(pods.gets(&Ip::error(NODE[family], POD[family], &sent, 68)), PASSED);
        assert_eq!(
            pods.sends(&Ip::error(
                POD[family],
                NODE[family],
                &Ip::udp((NODE[family], 1), (POD[family], 2)),
                68
            )),
            PASSED
        );
    }
}

#[test]
fn errors_quote_fragments_echoes_and_headers_too() {
    let mut pods = Pods::isolated(&[everything(CLASS)]);
    for family in 0..2 {
        pods.peer(REMOTE[family], CLASS);
        let request = Ip::echo(POD[family], REMOTE[family], 77, true);
        assert_eq!(pods.sends(&request), PASSED);
        assert_eq!(pods.gets(&Ip::error(OTHER[family], POD[family], &request, 68)), PASSED);
        let mut sent = Ip::udp((POD[family], 5), (REMOTE[family], 6));
        sent.payload.resize(64, 0);
        let [first, _] = sent.cut(32);
        assert_eq!(pods.sends(&first), PASSED);
        assert_eq!(pods.gets(&Ip::error(OTHER[family], POD[family], &first, 68)), PASSED);
        if family == 1 {
            let sent = Ip::udp((POD[1], 7), (REMOTE[1], 8)).header(60).header(0);
            assert_eq!(pods.sends(&sent), PASSED);
            assert_eq!(pods.gets(&Ip::error(OTHER[1], POD[1], &sent, 100)), PASSED);
        }
    }
}

#[test]
fn errors_reach_a_pod_that_nothing_isolates() {
    let pods = Pods::new();
    for family in 0..2 {
        let about = Ip::udp((POD[family], 5), (REMOTE[family], 6));
        assert_eq!(pods.gets(&Ip::error(OTHER[family], POD[family], &about, 68)), PASSED);
    }
    // A message that is no error is a packet of its own.
    let mut timestamp = Ip::echo(REMOTE[0], POD[0], 5, true);
    timestamp.payload[0] = 13;
    assert_eq!(pods.gets(&timestamp), PASSED);
    assert!(pods.flow(POD_ID, ICMP, (POD[0], 0), (REMOTE[0], 0)).is_some());
}

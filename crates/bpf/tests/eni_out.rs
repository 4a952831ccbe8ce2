//! What leaves an ENI: tag, priority and the way into the host's stack, by source address.

use support::packet::Frame;
use support::stage::{ENI, NODE, OTHER, POD, REMOTE, Stage, record_for};
use terway_bpf::{Class, Endpoint, EndpointFlags, Eni, EniFlags, ProgramName, Reason, SkBuff, Verdict, VlanLink, VlanLinkKey};

mod support;

const VID: u16 = 100;
/// Service addresses, in pairs of both families.
const SERVICE: [&str; 2] = ["172.16.0.10", "fd16::10"];

#[test]
fn a_members_packets_are_tagged_in_both_families() {
    let mut stage = Stage::trunk();
    stage.endpoint(
        POD,
        Endpoint {
            vlan: VID,
            ..Endpoint::default()
        },
    );
    for (pod, remote) in POD.into_iter().zip(REMOTE) {
        for frame in [
            Frame::udp(pod, remote, 100),
            Frame::udp_with_options(pod, remote),
            Frame::fragment(pod, remote),
        ] {
            let judged = stage.judged(|stage| stage.leave(&frame));
            assert_eq!(judged, (Verdict::CONTINUE, vec![Reason::OutPassed, Reason::OutPushed]));
        }
    }
    // The pod's own questions go to its own network.
    for frame in [Frame::arp(POD[0], REMOTE[0]), Frame::solicitation(POD[1], REMOTE[1])] {
        let judged = stage.judged(|stage| stage.leave(&frame));
        assert_eq!(judged, (Verdict::CONTINUE, vec![Reason::OutPassed, Reason::OutPushed]));
    }
}

#[test]
fn the_nodes_own_traffic_leaves_untouched() {
    let mut stage = Stage::trunk();
    stage.endpoint(
        POD,
        Endpoint {
            vlan: VID,
            class: Class::BestEffort as u8,
            ..Endpoint::default()
        },
    );
    let frames = [
        Frame::udp(NODE[0], REMOTE[0], 10),
        Frame::udp(NODE[1], REMOTE[1], 10),
        Frame::arp(NODE[0], REMOTE[0]),
        Frame::solicitation(NODE[1], REMOTE[1]),
        Frame::of(0x88cc, vec![0; 60]),
    ];
    for frame in frames {
        let skb = SkBuff {
            priority: 5,
            ..SkBuff::default()
        };
        let run = stage.run(ProgramName::EniOut, &frame.bytes(), &skb);
        assert_eq!(
            (run.verdict, run.skb.priority, run.frame),
            (Verdict::CONTINUE, 5, frame.bytes())
        );
    }
    assert_eq!(stage.packets(Reason::OutForeign), 5);
    assert_eq!(stage.packets(Reason::OutPushed), 0);
}

#[test]
fn a_pod_on_another_eni_is_not_tagged_here() {
    let mut stage = Stage::trunk();
    let elsewhere = Endpoint {
        eni: 77,
        vlan: VID,
        ..Endpoint::default()
    };
    record_for(&mut stage.programs, "10.0.0.50", elsewhere);
    let judged = stage.judged(|stage| stage.leave(&Frame::udp("10.0.0.50", REMOTE[0], 10)));
    assert_eq!(judged, (Verdict::CONTINUE, vec![Reason::OutForeign]));
}

#[test]
fn the_class_becomes_the_priority_in_both_families() {
    for (class, priority) in [
        (Class::Unset, 5),
        (Class::Guaranteed, 6),
        (Class::Burstable, 0),
        (Class::BestEffort, 2),
    ] {
        let mut stage = Stage::with(Eni::default());
        stage.endpoint(
            POD,
            Endpoint {
                class: class as u8,
                ..Endpoint::default()
            },
        );
        for (pod, remote) in POD.into_iter().zip(REMOTE) {
            let skb = SkBuff {
                priority: 5,
                ..SkBuff::default()
            };
            let run = stage.run(ProgramName::EniOut, &Frame::udp(pod, remote, 10).bytes(), &skb);
            assert_eq!(
                (run.verdict, run.skb.priority),
                (Verdict::CONTINUE, priority),
                "{class:?} {pod}"
            );
        }
    }
}

#[test]
fn a_forged_tag_does_not_leave_a_trunk() {
    let mut stage = Stage::trunk();
    stage.endpoint(
        POD,
        Endpoint {
            vlan: VID,
            ..Endpoint::default()
        },
    );
    for frame in [
        Frame::udp(POD[0], REMOTE[0], 10).tag(200),
        Frame::udp(POD[1], REMOTE[1], 10).tag(VID),
        Frame::udp(NODE[0], REMOTE[0], 10).tag(200),
        Frame::udp(POD[0], REMOTE[0], 10).tag(7).tag(VID),
    ] {
        let judged = stage.judged(|stage| stage.leave(&frame));
        assert_eq!(judged, (Verdict::DROP, vec![Reason::OutUnknownTag]));
    }
    // Elsewhere tags are not ours to judge.
    let stage = Stage::with(Eni::default());
    assert_eq!(
        stage.leave(&Frame::udp(NODE[0], REMOTE[0], 10).tag(200)).verdict,
        Verdict::CONTINUE
    );
}

#[test]
fn a_vlan_links_frames_get_their_class_and_no_second_tag() {
    let mut stage = Stage::trunk();
    let record = Endpoint {
        vlan: VID,
        class: Class::Guaranteed as u8,
        flags: EndpointFlags::VLAN_LINK,
        ..Endpoint::default()
    };
    stage.endpoint(POD, record);
    let key = VlanLinkKey {
        eni: ENI,
        vlan: VID,
        reserved: 0,
    };
    stage.programs.maps.vlan_links.put(&key, &VlanLink::default()).unwrap();
    for (pod, remote) in POD.into_iter().zip(REMOTE) {
        let frame = Frame::udp(pod, remote, 10).tag(VID);
        let run = stage.leave(&frame);
        assert_eq!(
            (run.verdict, run.skb.priority, run.frame),
            (Verdict::CONTINUE, 6, frame.bytes())
        );
    }
    assert_eq!(stage.packets(Reason::OutPushed), 0);
    assert_eq!(stage.packets(Reason::OutPassed), 2);
}

#[test]
fn an_ipvlan_pods_packets_to_services_go_to_the_host() {
    let mac = [2, 1, 2, 3, 4, 5];
    // A slave index that does not exist: the test run does not carry the redirection out.
    let mut stage = Stage::with(Eni {
        host_slave: 4_000_000,
        flags: EniFlags::TRUNK,
        mac,
        ..Eni::default()
    });
    stage.endpoint(
        POD,
        Endpoint {
            vlan: VID,
            flags: EndpointFlags::IPVLAN,
            ..Endpoint::default()
        },
    );
    stage.endpoint(OTHER, Endpoint::default());
    let stack = &mut stage.programs.maps.host_stack;
    stack.put("172.16.0.0".parse().unwrap(), 16).unwrap();
    stack.put("fd16::".parse().unwrap(), 112).unwrap();
    for family in 0..2 {
        let frame = Frame::udp(POD[family], SERVICE[family], 10);
        let run = stage.leave(&frame);
        assert_eq!(run.verdict, Verdict::REDIRECT);
        let mut expected = frame.bytes();
        expected[..6].copy_from_slice(&mac);
        assert_eq!(run.frame, expected, "addressed to the host's slave, without a tag");
        // Not to a Service, not from a slave, not of a pod at all.
        for (source, destination) in [(POD, REMOTE), (OTHER, SERVICE), (NODE, SERVICE)] {
            let frame = Frame::udp(source[family], destination[family], 10);
            assert_eq!(stage.leave(&frame).verdict, Verdict::CONTINUE);
        }
    }
    assert_eq!(stage.packets(Reason::OutRedirected), 2);
    // ARP for a Service address is no IP packet.
    assert_eq!(stage.leave(&Frame::arp(POD[0], SERVICE[0])).verdict, Verdict::CONTINUE);
}

#[test]
fn without_a_host_slave_nothing_is_redirected() {
    let mut stage = Stage::with(Eni::default());
    stage.endpoint(
        POD,
        Endpoint {
            flags: EndpointFlags::IPVLAN,
            ..Endpoint::default()
        },
    );
    stage.programs.maps.host_stack.put("172.16.0.0".parse().unwrap(), 16).unwrap();
    assert_eq!(stage.leave(&Frame::udp(POD[0], SERVICE[0], 10)).verdict, Verdict::CONTINUE);
}

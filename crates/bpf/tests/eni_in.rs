//! What a trunk lets in: a member's address is reached with the member's tag, by either family, and by nothing else.

use support::packet::{Frame, PROVIDER_VLAN};
use support::stage::{ENI, NODE, OTHER, POD, REMOTE, Stage, record_for};
use terway_bpf::{Endpoint, EndpointFlags, Eni, ProgramName, Reason, SkBuff, Verdict, VlanLink, VlanLinkKey};

mod support;

const VID: u16 = 100;

/// POD behind tag 100, OTHER behind tag 200.
fn stage() -> Stage {
    let mut stage = Stage::trunk();
    stage.endpoint(
        POD,
        Endpoint {
            vlan: VID,
            ..Endpoint::default()
        },
    );
    stage.endpoint(
        OTHER,
        Endpoint {
            vlan: 200,
            ..Endpoint::default()
        },
    );
    stage
}

#[test]
fn the_members_tag_comes_off() {
    let stage = stage();
    for (remote, pod) in REMOTE.into_iter().zip(POD) {
        for plain in [
            Frame::udp(remote, pod, 100),
            Frame::udp_with_options(remote, pod),
            Frame::fragment(remote, pod),
        ] {
            let run = stage.come_in(&plain.clone().tag(VID));
            assert_eq!(run.verdict, Verdict::CONTINUE);
            assert_eq!(run.frame, plain.bytes(), "the frame is what it was without the tag");
        }
    }
    assert_eq!(stage.packets(Reason::InPopped), 6);
}

#[test]
fn priority_bits_and_the_providers_ethertype_are_read_over() {
    let stage = stage();
    let plain = Frame::udp(REMOTE[0], POD[0], 10);
    for frame in [
        plain.clone().tag_with(PROVIDER_VLAN, VID),
        plain.clone().tag_with(0x8100, 0xe000 | VID),
    ] {
        let run = stage.come_in(&frame);
        assert_eq!((run.verdict, run.frame), (Verdict::CONTINUE, plain.bytes()));
    }
}

#[test]
fn another_members_tag_is_dropped() {
    let stage = stage();
    for (remote, pod) in REMOTE.into_iter().zip(POD) {
        let judged = stage.judged(|stage| stage.come_in(&Frame::udp(remote, pod, 10).tag(200)));
        assert_eq!(judged, (Verdict::DROP, vec![Reason::InTagMismatch]));
    }
}

#[test]
fn a_members_address_without_a_tag_is_dropped() {
    let stage = stage();
    for (remote, pod) in REMOTE.into_iter().zip(POD) {
        for frame in [Frame::udp(remote, pod, 10), Frame::udp(remote, pod, 10).tag(0)] {
            let judged = stage.judged(|stage| stage.come_in(&frame));
            assert_eq!(judged, (Verdict::DROP, vec![Reason::InTagMismatch]));
        }
    }
}

#[test]
fn a_tag_to_nobody_is_dropped() {
    let stage = stage();
    for (remote, node) in REMOTE.into_iter().zip(NODE) {
        let judged = stage.judged(|stage| stage.come_in(&Frame::udp(remote, node, 10).tag(VID)));
        assert_eq!(judged, (Verdict::DROP, vec![Reason::InUnknownTag]), "{node}");
    }
    // No IP packet at all.
    let judged = stage.judged(|stage| stage.come_in(&Frame::of(0x88cc, vec![0; 60]).tag(VID)));
    assert_eq!(judged, (Verdict::DROP, vec![Reason::InUnknownTag]));
}

#[test]
fn two_tags_are_dropped() {
    let stage = stage();
    for frame in [
        Frame::udp(REMOTE[0], POD[0], 10).tag(VID).tag(VID),
        Frame::udp(REMOTE[0], POD[0], 10).tag(VID).tag_with(PROVIDER_VLAN, 5),
        Frame::udp(REMOTE[1], POD[1], 10).tag(VID).tag(0),
    ] {
        let judged = stage.judged(|stage| stage.come_in(&frame));
        assert_eq!(judged, (Verdict::DROP, vec![Reason::InUnknownTag]));
    }
}

#[test]
fn the_nodes_own_traffic_passes_untouched() {
    let stage = stage();
    let frames = [
        Frame::udp(REMOTE[0], NODE[0], 10),
        Frame::udp(REMOTE[1], NODE[1], 10),
        Frame::arp(REMOTE[0], NODE[0]),
        Frame::solicitation(REMOTE[1], NODE[1]),
        Frame::of(0x88cc, vec![0; 60]),
    ];
    for frame in frames {
        let run = stage.come_in(&frame);
        assert_eq!((run.verdict, run.frame), (Verdict::CONTINUE, frame.bytes()));
    }
    assert_eq!(stage.packets(Reason::InUntagged), 5);
}

#[test]
fn questions_for_a_members_address_follow_the_same_rule() {
    let stage = stage();
    for (frame, tagged) in [
        (Frame::arp(REMOTE[0], POD[0]), Frame::arp(REMOTE[0], POD[0]).tag(VID)),
        (
            Frame::solicitation(REMOTE[1], POD[1]),
            Frame::solicitation(REMOTE[1], POD[1]).tag(VID),
        ),
    ] {
        assert_eq!(
            stage.judged(|stage| stage.come_in(&tagged)),
            (Verdict::CONTINUE, vec![Reason::InPopped])
        );
        assert_eq!(
            stage.judged(|stage| stage.come_in(&frame)),
            (Verdict::DROP, vec![Reason::InTagMismatch])
        );
    }
}

#[test]
fn truncated_tagged_frames_are_dropped() {
    let stage = stage();
    for (remote, pod) in REMOTE.into_iter().zip(POD) {
        let whole = Frame::udp(remote, pod, 10).tag(VID).bytes();
        let header = if remote.contains(':') { 40 } else { 20 };
        // From the end of the tag to one byte before the end of the destination.
        for length in 18..18 + header {
            let cut = whole.get(..length).unwrap();
            let judged = stage.judged(|stage| stage.run(ProgramName::EniIn, cut, &SkBuff::default()));
            assert_eq!(judged, (Verdict::DROP, vec![Reason::InTruncated]), "{length} bytes");
        }
    }
}

#[test]
fn a_vlan_links_frames_keep_their_tag() {
    let mut stage = Stage::trunk();
    stage.endpoint(
        POD,
        Endpoint {
            vlan: VID,
            flags: EndpointFlags::VLAN_LINK,
            ..Endpoint::default()
        },
    );
    let key = VlanLinkKey {
        eni: ENI,
        vlan: VID,
        reserved: 0,
    };
    // Also to addresses that no record names.
    let to = [POD[0], POD[1], "fe80::7", "ff02::1"];
    stage.programs.maps.vlan_links.put(&key, &VlanLink::default()).unwrap();
    for destination in to {
        let source = if destination.contains(':') { REMOTE[1] } else { REMOTE[0] };
        let frame = Frame::udp(source, destination, 10).tag(VID);
        let run = stage.come_in(&frame);
        assert_eq!((run.verdict, run.frame), (Verdict::CONTINUE, frame.bytes()), "{destination}");
    }
    assert_eq!(stage.packets(Reason::InVlanLink), 4);
    assert!(stage.programs.maps.vlan_links.remove(&key).unwrap());
    let judged = stage.judged(|stage| stage.come_in(&Frame::udp(REMOTE[1], "fe80::7", 10).tag(VID)));
    assert_eq!(judged, (Verdict::DROP, vec![Reason::InUnknownTag]));
}

#[test]
fn an_address_of_another_eni_is_no_members_here() {
    let mut stage = stage();
    let elsewhere = Endpoint {
        eni: 77,
        vlan: VID,
        ..Endpoint::default()
    };
    record_for(&mut stage.programs, "10.0.0.50", elsewhere);
    let judged = stage.judged(|stage| stage.come_in(&Frame::udp(REMOTE[0], "10.0.0.50", 10).tag(VID)));
    assert_eq!(judged, (Verdict::DROP, vec![Reason::InTagMismatch]));
    let judged = stage.judged(|stage| stage.come_in(&Frame::udp(REMOTE[0], "10.0.0.50", 10)));
    assert_eq!(judged, (Verdict::CONTINUE, vec![Reason::InUntagged]));
}

#[test]
fn an_eni_that_is_no_trunk_is_left_alone() {
    let mut stage = Stage::with(Eni::default());
    stage.endpoint(
        POD,
        Endpoint {
            vlan: VID,
            ..Endpoint::default()
        },
    );
    for frame in [Frame::udp(REMOTE[0], POD[0], 10), Frame::udp(REMOTE[0], POD[0], 10).tag(5)] {
        assert_eq!(stage.judged(|stage| stage.come_in(&frame)), (Verdict::CONTINUE, vec![]));
    }
    assert!(stage.programs.maps.enis.remove(&ENI).unwrap());
    assert_eq!(
        stage.judged(|stage| stage.come_in(&Frame::udp(REMOTE[0], POD[0], 10).tag(5))),
        (Verdict::CONTINUE, vec![])
    );
}

use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const ENI: Mac = Mac([0, 0x16, 0x3e, 1, 2, 3]);

fn solicitation() -> Solicitation {
    Solicitation {
        source_mac: ENI,
        source: "fd00::5".parse().unwrap(),
        target: "fd00::fffd".parse().unwrap(),
    }
}

fn request() -> Arp {
    Arp::request(ENI, Ipv4Addr::new(10, 0, 0, 5), Ipv4Addr::new(10, 0, 0, 253))
}

#[test]
fn a_request_and_its_reply() {
    let frame = request().to_frame(Mac::BROADCAST, ENI);
    assert_eq!(frame.len(), 42);
    let parsed = Arp::parse(&frame).unwrap();
    assert_eq!(parsed, request());
    let reply = Arp::parse(&parsed.reply(Mac::VPC).to_frame(ENI, Mac::VPC)).unwrap();
    assert_eq!(
        (reply.operation, reply.sender_mac, reply.sender),
        (Operation::Reply, Mac::VPC, Ipv4Addr::new(10, 0, 0, 253))
    );
    assert_eq!((reply.target_mac, reply.target), (ENI, Ipv4Addr::new(10, 0, 0, 5)));
}

#[test]
fn a_solicitation_and_its_advertisement() {
    let frame = solicitation().to_frame();
    assert_eq!(frame.get(..6), Some(&[0x33, 0x33, 0xff, 0, 0xff, 0xfd][..]));
    assert_eq!(Solicitation::parse(&frame), Some(solicitation()));
    let answer = advertisement(&solicitation(), Mac::VPC);
    assert_eq!(answer.get(..12), Some(&[ENI.0, Mac::VPC.0].concat()[..]));
    assert_eq!(parse_advertisement(&answer), Some((solicitation().target, Mac::VPC)));
    assert_eq!(Solicitation::parse(&answer), None);
}

/// The example of RFC 1071, section 3.
#[test]
fn the_checksum_of_the_rfc() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(checksum(&[&bytes]), !0xddf2);
    assert_eq!(checksum(&[&bytes[..2], &bytes[2..]]), !0xddf2);
    assert_eq!(checksum(&[&[0x12]]), !0x1200, "an odd byte counts as the high half");
}

#[test]
fn duplicate_address_detection_has_no_source() {
    let probe = Solicitation {
        source: Ipv6Addr::UNSPECIFIED,
        ..solicitation()
    };
    let frame = probe.to_frame();
    assert_eq!(frame.len(), 14 + 40 + 24, "no option, as RFC 4861 4.3 wants");
    assert_eq!(Solicitation::parse(&frame), Some(probe));
}

#[test]
fn truncated_frames_are_nothing() {
    let (arp, ns) = (request().to_frame(Mac::BROADCAST, ENI), solicitation().to_frame());
    for length in 0..arp.len() {
        assert_eq!(Arp::parse(&arp[..length]), None, "{length}");
    }
    for length in 0..ns.len() {
        assert_eq!(Solicitation::parse(&ns[..length]), None, "{length}");
    }
    // Ethernet pads short frames, and that is not part of the message.
    assert_eq!(Arp::parse(&[arp, vec![0; 18]].concat()), Some(request()));
    assert_eq!(Solicitation::parse(&[ns, vec![0; 18]].concat()), Some(solicitation()));
}

#[test]
fn malformed_frames_are_nothing() {
    let (arp, ns) = (request().to_frame(Mac::BROADCAST, ENI), solicitation().to_frame());
    for at in [12, 13, 14, 15, 16, 17, 18, 19, 20] {
        let mut frame = arp.clone();
        frame[at] ^= 0x80;
        assert_eq!(Arp::parse(&frame), None, "byte {at}");
    }
    // Every byte from the type on is under the checksum, or one of the fixed fields of the header. Not so: priority, flow label.
    for at in (12..ns.len()).filter(|at| !(15..18).contains(at)) {
        let mut frame = ns.clone();
        frame[at] ^= 0x10;
        assert_eq!(Solicitation::parse(&frame), None, "byte {at}");
    }
    let group = Solicitation {
        target: "ff02::1".parse().unwrap(),
        ..solicitation()
    };
    assert_eq!(Solicitation::parse(&group.to_frame()), None);
}

#[test]
fn udp_frames_carry_right_checksums() {
    let v4 = udp(
        (ENI, Mac::VPC),
        "10.0.0.5:1000".parse().unwrap(),
        "10.0.0.6:2000".parse().unwrap(),
        b"odd",
    )
    .unwrap();
    assert_eq!(checksum(&[&v4[14..34]]), 0);
    assert_eq!(checksum(&[&v4[26..34], &[0, 17, 0, 11], &v4[34..]]), 0);
    let v6 = udp(
        (ENI, Mac::VPC),
        "[fd00::5]:1".parse().unwrap(),
        "[fd00::6]:2".parse().unwrap(),
        b"even",
    )
    .unwrap();
    assert_eq!(checksum(&[&v6[22..54], &[0, 17, 0, 12], &v6[54..]]), 0);
    assert!(udp((ENI, ENI), "10.0.0.5:1".parse().unwrap(), "[fd00::6]:2".parse().unwrap(), b"").is_err());
}

#[test]
fn hardware_addresses() {
    assert_eq!("ee:ff:ff:ff:ff:ff".parse(), Ok(Mac::VPC));
    assert_eq!(Mac::VPC.to_string(), "ee:ff:ff:ff:ff:ff");
    for bad in ["", "ee:ff", "ee:ff:ff:ff:ff:ff:00", "gg:ff:ff:ff:ff:ff"] {
        assert!(bad.parse::<Mac>().is_err(), "{bad}");
    }
}

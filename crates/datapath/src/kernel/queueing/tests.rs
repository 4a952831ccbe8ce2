use netlink_packet_core::Emitable;

use super::*;
use crate::object::QDISC_HANDLE;

/// What we send, read as if the kernel had said it. The kernel tells a burst as ticks in the field that we leave empty.
fn there_and_back(discipline: Discipline) -> Qdisc {
    let qdisc = Qdisc {
        device: Device::Index(7),
        attach: Attach::Root,
        handle: QDISC_HANDLE,
        discipline,
    };
    let RouteNetlinkMessage::NewQueueDiscipline(message) = put(7, &qdisc) else {
        panic!("not a qdisc")
    };
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    decode(&bytes).unwrap()
}

#[test]
fn what_is_written_can_be_read() {
    for rate in [1_250_000, 125_000_000, 5_000_000_000] {
        let seen = there_and_back(Discipline::Tbf {
            rate,
            burst: 12_500,
            limit: 325_000,
        });
        assert_eq!(
            (seen.device, seen.attach, seen.handle),
            (Device::Index(7), Attach::Root, QDISC_HANDLE)
        );
        let Discipline::Tbf {
            rate: seen_rate, limit, ..
        } = seen.discipline
        else {
            panic!("{seen:?}")
        };
        assert_eq!((seen_rate, limit), (rate, 325_000));
    }
}

#[test]
fn a_burst_that_was_rounded_is_the_same_burst() {
    let tbf = |burst| Discipline::Tbf {
        rate: 125_000_000,
        burst,
        limit: 1,
    };
    assert!(tbf(125_000).is_met_by(&tbf(124_992)));
    assert!(!tbf(125_000).is_met_by(&tbf(124_000)));
}

#[test]
fn damaged_messages_are_nothing() {
    for length in 0..16 {
        assert_eq!(decode(&vec![0; length]), None);
    }
    let short = Attributes::default().with(TCA_TBF_PARMS, &[0; 30]);
    assert_eq!(tbf(&short.into_bytes()), None);
}

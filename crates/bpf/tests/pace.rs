//! Departure times of a limited pod, by test run: their distance is the rate.

use support::packet::{Frame, ecn_of};
use support::stage::{POD, REMOTE, Stage};
use terway_bpf::{Endpoint, EndpointFlags, Eni, ProgramName, Reason, SkBuff, Verdict};

mod support;

const SECOND: u64 = 1_000_000_000;

fn limited(bytes_per_second: u64, flags: u32) -> Stage {
    let mut stage = Stage::with(Eni::default());
    stage.endpoint(
        POD,
        Endpoint {
            id: 9,
            egress_rate: bytes_per_second,
            flags,
            ..Endpoint::default()
        },
    );
    stage
}

/// Frames of 1500 bytes, by turns of either family.
fn frame(turn: usize) -> Vec<u8> {
    let headers = if turn.is_multiple_of(2) { 14 + 20 + 8 } else { 14 + 40 + 8 };
    Frame::udp(POD[turn % 2], REMOTE[turn % 2], 1500 - headers).bytes()
}

/// Sends until `count` packets were given a time, and returns the times.
fn departures(stage: &Stage, skb: &SkBuff, count: usize) -> Vec<u64> {
    (0..)
        .map(|turn| stage.run(ProgramName::EniOut, &frame(turn), skb))
        .inspect(|run| assert_eq!(run.verdict, Verdict::CONTINUE))
        .map(|run| run.skb.tstamp)
        .filter(|time| *time != 0)
        .take(count)
        .collect()
}

/// Never faster than the rate, and by the median within 5 % of it: a machine that stalls lets the clock fall behind, which is no fault.
fn assert_distance(times: &[u64], expected: u64) {
    let mut distances: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    distances.sort_unstable();
    let (least, median) = (distances[0], distances[distances.len() / 2]);
    assert!(least >= expected - expected / 20, "{least} ns apart, less than {expected}");
    assert!(
        median.abs_diff(expected) <= expected / 20,
        "{median} ns apart, not {expected}"
    );
}

#[test]
fn packets_of_both_families_share_the_rate() {
    // 1 Mbit/s: an emulated processor too is faster than 12 ms a packet.
    let rate = 125_000;
    let stage = limited(rate, 0);
    assert_distance(&departures(&stage, &SkBuff::default(), 60), 1500 * SECOND / rate);
    assert_eq!(stage.packets(Reason::OutHorizon), 0);
}

#[test]
fn a_large_segment_counts_as_its_packets_on_the_wire() {
    // 10 and 100 Mbit/s.
    for (rate, segments) in [(1_250_000, 10_u32), (12_500_000, 42)] {
        // What the kernel makes of a segment: each of its packets carries its headers.
        let wire_len = segments * (1448 + 66);
        let skb = SkBuff {
            wire_len,
            gso_segs: segments,
            gso_size: 1448,
            ..SkBuff::default()
        };
        let stage = limited(rate, 0);
        assert_distance(&departures(&stage, &skb, 60), u64::from(wire_len) * SECOND / rate);
    }
}

#[test]
fn what_would_wait_longer_than_two_seconds_is_dropped() {
    // 1.5 s a packet.
    let stage = limited(1000, 0);
    let verdicts = [0, 1, 2, 3].map(|turn| stage.run(ProgramName::EniOut, &frame(turn), &SkBuff::default()).verdict);
    assert_eq!(verdicts, [Verdict::CONTINUE, Verdict::CONTINUE, Verdict::DROP, Verdict::DROP]);
    assert_eq!(stage.packets(Reason::OutHorizon), 2);
    assert_eq!(stage.packets(Reason::OutPaced), 1);
}

#[test]
fn a_dropped_packet_costs_no_time() {
    let stage = limited(1000, 0);
    let first = departures(&stage, &SkBuff::default(), 1);
    for turn in 0..20 {
        assert_eq!(
            stage.run(ProgramName::EniOut, &frame(turn), &SkBuff::default()).verdict,
            Verdict::DROP
        );
    }
    // A small packet still fits before the horizon.
    let small = Frame::udp(POD[0], REMOTE[0], 8).bytes();
    let run = stage.run(ProgramName::EniOut, &small, &SkBuff::default());
    assert_eq!(run.verdict, Verdict::CONTINUE);
    assert_eq!(run.skb.tstamp - first[0], 50 * SECOND / 1000);
}

#[test]
fn two_pods_do_not_share() {
    let mut stage = limited(1000, 0);
    stage.endpoint(
        ["10.0.0.8", "fd00::8"],
        Endpoint {
            id: 10,
            egress_rate: 1000,
            ..Endpoint::default()
        },
    );
    for turn in 0..3 {
        stage.run(ProgramName::EniOut, &frame(turn), &SkBuff::default());
    }
    let other = Frame::udp("10.0.0.8", REMOTE[0], 1000).bytes();
    let run = stage.run(ProgramName::EniOut, &other, &SkBuff::default());
    assert_eq!(
        (run.verdict, run.skb.tstamp),
        (Verdict::CONTINUE, 0),
        "the first packet leaves at once"
    );
}

#[test]
fn an_unlimited_pod_keeps_its_senders_time() {
    let stage = limited(0, 0);
    let skb = SkBuff {
        tstamp: 12_345,
        ..SkBuff::default()
    };
    assert_eq!(stage.run(ProgramName::EniOut, &frame(0), &skb).skb.tstamp, 12_345);
}

#[test]
fn a_time_in_another_clock_does_not_stop_the_pod() {
    let stage = limited(125_000, 0);
    // A time of arrival, in ns since 1970.
    let skb = SkBuff {
        tstamp: 1_790_000_000 * SECOND,
        ..SkBuff::default()
    };
    let runs = [0, 1, 2].map(|turn| stage.run(ProgramName::EniOut, &frame(turn), &skb));
    assert!(runs.iter().all(|run| run.verdict == Verdict::CONTINUE), "{runs:?}");
}

#[test]
fn who_speaks_ecn_is_told_of_a_long_queue() {
    // 12 ms a packet: the fifth waits longer than 50 ms.
    let stage = limited(125_000, EndpointFlags::ECN);
    for family in 0..2 {
        let packet = |bits| Frame::udp(POD[family], REMOTE[family], 1458 - 20 * family).ecn(bits).bytes();
        for _ in 0..10 {
            stage.run(ProgramName::EniOut, &packet(0), &SkBuff::default());
        }
        let marked = stage.packets(Reason::OutMarked);
        let run = stage.run(ProgramName::EniOut, &packet(1), &SkBuff::default());
        assert_eq!((run.verdict, ecn_of(&run.frame)), (Verdict::CONTINUE, 3));
        let deaf = stage.run(ProgramName::EniOut, &packet(0), &SkBuff::default());
        assert_eq!(ecn_of(&deaf.frame), 0, "a sender without ECN is not marked");
        assert_eq!(stage.packets(Reason::OutMarked), marked + 1);
    }
    // Without the flag nobody is.
    let stage = limited(125_000, 0);
    for turn in 0..10 {
        stage.run(ProgramName::EniOut, &frame(turn), &SkBuff::default());
    }
    let run = stage.run(
        ProgramName::EniOut,
        &Frame::udp(POD[0], REMOTE[0], 100).ecn(1).bytes(),
        &SkBuff::default(),
    );
    assert_eq!(ecn_of(&run.frame), 1);
}

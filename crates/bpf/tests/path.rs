//! The fast path on hand-built packets: what goes past the stack, what must not, and what a packet looks like afterwards. The ENI is the loopback, to which
//! a route leads.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::process::Command;

use support::ip::{ACK, FIN, Ip, SYN, TCP, UDP};
use support::pods::{NOTHING, OTHER_ID, POD_ID, Pods, key, pod};
use support::stage::{ENI, OTHER, POD, REMOTE};
use terway_bpf::{Endpoint, Eni, EniFlags, Pod, ProgramName, Reason, Verdict};

mod support;

/// Hardware addresses of the pod's pair, the pod's first.
const MACS: [u8; 12] = [2, 0, 0, 0, 9, 1, 2, 0, 0, 0, 9, 2];

fn system(command: &str) {
    let outcome = Command::new("sh").args(["-ec", command]).output().unwrap();
    assert!(
        outcome.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&outcome.stderr)
    );
}

/// Pods whose links may be gone past, with routes to each other and to REMOTE.
fn forwarding() -> Pods {
    let mut pods = Pods::new();
    // What a test run hands to a program is for the device if the frame bears its address.
    system(&format!(
        "ip link set lo up
         ip link set pod address 02:00:00:00:00:01 up
         ip link set other address 02:00:00:00:00:01 up
         echo 1 > /proc/sys/net/ipv4/conf/all/forwarding
         echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
         ip route add {}/32 dev lo
         ip -6 route add {}/128 dev lo
         ip route add {}/32 dev pod
         ip -6 route add {}/128 dev pod
         ip route add {}/32 dev other
         ip -6 route add {}/128 dev other",
        REMOTE[0], REMOTE[1], POD[0], POD[1], OTHER[0], OTHER[1],
    ));
    let eni = Eni {
        flags: EniFlags::FORWARDS,
        ..Eni::default()
    };
    pods.programs.maps.enis.put(&ENI, &eni).unwrap();
    for (id, pair) in [(POD_ID, POD), (OTHER_ID, OTHER)] {
        let record = Endpoint {
            id,
            eni: ENI,
            link: id,
            mtu: 1500,
            macs: MACS,
            ..Endpoint::default()
        };
        for address in pair {
            pods.programs.maps.endpoints.put(&key(address), &record).unwrap();
        }
    }
    pods
}

/// The frame as it comes to the loopback.
fn incoming(packet: &Ip) -> Vec<u8> {
    let mut frame = packet.frame();
    frame[..6].fill(0);
    frame
}

fn sends(pods: &Pods, packet: &Ip) -> (Verdict, Vec<Reason>) {
    pods.judged(ProgramName::FromPod, POD_ID, &packet.frame())
}

fn comes_in(pods: &Pods, packet: &Ip) -> (Verdict, Vec<Reason>) {
    pods.judged(ProgramName::EniIn, ENI, &incoming(packet))
}

fn past(reason: Reason) -> (Verdict, Vec<Reason>) {
    (Verdict::REDIRECT, vec![reason])
}

const BY_STACK: (Verdict, Vec<Reason>) = (Verdict::CONTINUE, Vec::new());

/// The sum over an IPv4 header is right.
fn is_sound(frame: &[u8]) -> bool {
    let words = frame[14..34]
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    (sum & 0xffff) + (sum >> 16) == 0xffff
}

#[test]
fn out_and_in_from_the_first_packet() {
    let pods = forwarding();
    for family in 0..2 {
        let (client, server) = ((POD[family], 4000), (REMOTE[family], 80));
        assert_eq!(sends(&pods, &Ip::tcp(client, server, SYN)), past(Reason::ForwardedOut));
        assert_eq!(
            comes_in(&pods, &Ip::tcp(server, client, SYN | ACK)),
            past(Reason::ForwardedIn)
        );
        assert_eq!(sends(&pods, &Ip::tcp(client, server, ACK)), past(Reason::ForwardedOut));
        let (client, server) = ((REMOTE[family], 4000), (POD[family], 80));
        for protocol in [TCP, UDP] {
            assert_eq!(
                comes_in(&pods, &Ip::opening(protocol, client, server)),
                past(Reason::ForwardedIn)
            );
        }
        assert_eq!(sends(&pods, &Ip::tcp(server, client, SYN | ACK)), past(Reason::ForwardedOut));
        let (one, other) = ((POD[family], 4000), (OTHER[family], 80));
        assert_eq!(sends(&pods, &Ip::tcp(one, other, SYN)), past(Reason::ForwardedPod));
        let answer = Ip::tcp(other, one, SYN | ACK).frame();
        assert_eq!(
            pods.judged(ProgramName::FromPod, OTHER_ID, &answer),
            past(Reason::ForwardedPod)
        );
    }
}

#[test]
fn one_hop_is_taken_and_the_frame_is_the_pairs() {
    let pods = forwarding();
    for family in 0..2 {
        let hop = if family == 0 { 22 } else { 21 };
        let (client, server) = ((REMOTE[family], 4000), (POD[family], 80));
        for hops in [64, 2] {
            let mut frame = incoming(&Ip::udp(client, server).hops(hops));
            if family == 0 {
                // The builder leaves the sum to whoever cares.
                let sum: u32 = frame[14..34]
                    .chunks(2)
                    .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
                    .sum();
                let folded = (sum & 0xffff) + (sum >> 16);
                frame[24..26].copy_from_slice(&(!(folded as u16)).to_be_bytes());
                assert!(is_sound(&frame));
            }
            let run = pods.run(ProgramName::EniIn, ENI, &frame);
            assert_eq!(run.verdict, Verdict::REDIRECT);
            assert_eq!(run.frame[..12], MACS);
            assert_eq!(run.frame[hop], hops - 1);
            assert!(family == 1 || is_sound(&run.frame));
        }
        assert_eq!(
            comes_in(&pods, &Ip::udp(client, server).hops(1)),
            BY_STACK,
            "the stack answers"
        );
        assert_eq!(sends(&pods, &Ip::udp(server, client).hops(1)), BY_STACK);
        assert_eq!(
            sends(&pods, &Ip::udp(server, client)),
            past(Reason::ForwardedOut),
            "the flow's path stays"
        );
    }
}

#[test]
fn what_only_the_stack_understands() {
    let mut pods = forwarding();
    pods.programs.maps.host_stack.set(REMOTE[0].parse().unwrap(), 24, 0).unwrap();
    assert_eq!(sends(&pods, &Ip::udp((POD[0], 1), (REMOTE[0], 53))), BY_STACK, "a Service");
    pods.programs.maps.host_stack.remove(REMOTE[0].parse().unwrap(), 24).unwrap();
    for family in 0..2 {
        let (client, server) = ((POD[family], 4000), (REMOTE[family], 80));
        assert_eq!(sends(&pods, &Ip::tcp(client, server, ACK)), BY_STACK, "met in its middle");
        assert_eq!(
            comes_in(&pods, &Ip::tcp(server, (POD[family], 4001), SYN | ACK)),
            BY_STACK,
            "an answer to nothing"
        );
        let [first, later] = Ip::udp((POD[family], 5), (REMOTE[family], 6)).cut(8);
        for fragment in [first, later] {
            assert_eq!(sends(&pods, &fragment), BY_STACK, "a fragment");
        }
        let mut odd = Ip::udp((POD[family], 7), (REMOTE[family], 8));
        match family {
            0 => odd.options = vec![1; 4],
            _ => odd = odd.header(60),
        }
        assert_eq!(sends(&pods, &odd), BY_STACK, "options");
        let mut large = Ip::udp((REMOTE[family], 9), (POD[family], 10));
        large.payload.resize(1500, 0);
        assert_eq!(comes_in(&pods, &large), BY_STACK, "too large for the pod's link");
    }
}

#[test]
fn the_stack_wins() {
    let mut pods = forwarding();
    for family in 0..2 {
        let (client, server) = ((POD[family], 4000), (REMOTE[family], 80));
        assert_eq!(sends(&pods, &Ip::udp(client, server)), past(Reason::ForwardedOut));
        // The answer was seen behind the stack.
        assert_eq!(
            pods.gets(&Ip::udp(server, client)),
            (Verdict::CONTINUE, vec![Reason::PathLost])
        );
        assert_eq!(sends(&pods, &Ip::udp(client, server)), BY_STACK);
        assert_eq!(comes_in(&pods, &Ip::udp(server, client)), BY_STACK);
        // What leaves by the stack has its answers there; as a Service's that the node has translated.
        let client = (POD[family], 4001);
        assert_eq!(
            pods.leaves(&Ip::udp(client, server)),
            (Verdict::CONTINUE, vec![Reason::OutPassed])
        );
        assert_eq!(comes_in(&pods, &Ip::udp(server, client)), BY_STACK);
        // A route that leads elsewhere counts a second later.
        let client = (POD[family], 4002);
        assert_eq!(sends(&pods, &Ip::tcp(client, server, SYN)), past(Reason::ForwardedOut));
        system(&format!("ip route replace blackhole {}", REMOTE[family]));
        pods.age(POD_ID, TCP, client, server, 2);
        assert_eq!(
            sends(&pods, &Ip::tcp(client, server, ACK)),
            (Verdict::CONTINUE, vec![Reason::PathLost])
        );
    }
}

#[test]
fn the_receivers_rules_count_where_it_is_handed_over() {
    let mut pods = forwarding();
    pods.programs.maps.policy.put_set(NOTHING, &[]).unwrap();
    pods.put(Pod {
        id: OTHER_ID,
        ingress_set: NOTHING,
        ..Pod::default()
    });
    for family in 0..2 {
        let denied = (Verdict::DROP, vec![Reason::DeniedIngress, Reason::Unclassified]);
        let (verdict, mut reasons) = sends(&pods, &Ip::udp((POD[family], 1), (OTHER[family], 2)));
        reasons.sort();
        assert_eq!((verdict, reasons), denied);
        let (verdict, mut reasons) = comes_in(&pods, &Ip::udp((REMOTE[family], 1), (OTHER[family], 2)));
        reasons.sort();
        assert_eq!((verdict, reasons), denied);
    }
    pods.put(Pod {
        egress_set: NOTHING,
        ..pod()
    });
    let (verdict, _) = sends(&pods, &Ip::udp((POD[0], 3), (REMOTE[0], 4)));
    assert_eq!(verdict, Verdict::DROP);
}

#[test]
fn errors_follow_what_they_quote() {
    let pods = forwarding();
    for family in 0..2 {
        let (client, server) = ((POD[family], 4000), (REMOTE[family], 80));
        let asked = Ip::udp(client, server);
        let error = Ip::error(server.0, client.0, &asked, 48);
        assert_eq!(comes_in(&pods, &error), BY_STACK, "about nothing that is known");
        assert_eq!(sends(&pods, &asked), past(Reason::ForwardedOut));
        assert_eq!(comes_in(&pods, &error), past(Reason::ForwardedIn));
        let told = Ip::error(client.0, server.0, &Ip::udp(server, client), 48);
        assert_eq!(sends(&pods, &told), past(Reason::ForwardedOut));
        // Its end does not end the path for what comes late.
        assert_eq!(sends(&pods, &Ip::tcp(client, server, SYN)), past(Reason::ForwardedOut));
        assert_eq!(sends(&pods, &Ip::tcp(client, server, FIN | ACK)), past(Reason::ForwardedOut));
    }
}

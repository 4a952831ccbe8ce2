//! Conntrack: who opened a flow, how long it is one, and what a change of the rules does to it.

use support::ip::{ACK, FIN, ICMP, Ip, RST, SCTP, SYN, TCP, UDP};
use support::pods::{CLASS, NOTHING, OTHER_ID, PASSED, POD_ID, Pods, SET, dropped, entry, everything, pod, server};
use support::stage::{OTHER, POD, REMOTE};
use terway_bpf::{Direction, FlowFlags, FlowState, Pod, PodFlags, ProgramName, Reason};

mod support;

/// Client and server as one family's ends.
fn ends(family: usize) -> ((&'static str, u16), (&'static str, u16)) {
    ((REMOTE[family], 4000), (POD[family], 80))
}

#[test]
fn answers_pass_without_a_rule_of_their_own() {
    let pods = server();
    for family in 0..2 {
        let (client, server) = ends(family);
        let denied = dropped(&[Reason::DeniedEgress]);
        for answer in [
            Ip::tcp(server, client, SYN | ACK),
            Ip::udp(server, client),
            Ip::sctp(server, client, 2),
        ] {
            assert_eq!(pods.sends(&answer), denied, "nobody asked");
        }
        for protocol in [TCP, UDP, SCTP] {
            assert_eq!(pods.gets(&Ip::opening(protocol, client, server)), PASSED);
        }
        for answer in [
            Ip::tcp(server, client, SYN | ACK),
            Ip::udp(server, client),
            Ip::sctp(server, client, 2),
        ] {
            assert_eq!(pods.sends(&answer), PASSED);
        }
        // The same ports the other way round are another flow.
        assert_eq!(pods.sends(&Ip::udp((POD[family], 4000), (REMOTE[family], 80))), denied);
        assert_eq!(pods.sends(&Ip::udp((POD[family], 80), (REMOTE[family], 4001))), denied);
    }
}

#[test]
fn a_connection_goes_through_its_states() {
    let pods = server();
    for family in 0..2 {
        let (client, server) = ends(family);
        let state = || pods.flow(POD_ID, TCP, server, client).unwrap().state;
        assert_eq!(pods.gets(&Ip::tcp(client, server, SYN)), PASSED);
        assert_eq!(state(), FlowState::SYN);
        assert_eq!(pods.sends(&Ip::tcp(server, client, SYN | ACK)), PASSED);
        assert_eq!(state(), FlowState::SYN | FlowState::REPLIED);
        assert_eq!(pods.gets(&Ip::tcp(client, server, ACK)), PASSED);
        assert_eq!(pods.gets(&Ip::tcp(client, server, FIN | ACK)), PASSED);
        assert!(!FlowState::is_closing(state()));
        // Half closed, the other half goes on.
        assert_eq!(pods.sends(&Ip::tcp(server, client, ACK)), PASSED);
        assert_eq!(pods.sends(&Ip::tcp(server, client, FIN | ACK)), PASSED);
        assert!(FlowState::is_closing(state()));
        assert_eq!(pods.gets(&Ip::tcp(client, server, ACK)), PASSED, "the last one");
        // The same ports again.
        assert_eq!(pods.gets(&Ip::tcp(client, server, SYN)), PASSED);
        assert_eq!(state(), FlowState::SYN);
        assert_eq!(pods.sends(&Ip::tcp(server, client, RST | ACK)), PASSED);
        assert!(FlowState::is_closing(state()));
        // A forged RST: the connection goes on.
        assert_eq!(pods.gets(&Ip::tcp(client, server, ACK)), PASSED);
        assert!(!FlowState::is_closing(state()));
    }
}

#[test]
fn an_association_goes_through_its_states() {
    let [init, init_ack, abort, shutdown, complete, data] = [1, 2, 6, 7, 14, 0];
    let pods = server();
    for family in 0..2 {
        let (client, server) = ends(family);
        let state = || pods.flow(POD_ID, SCTP, server, client).unwrap().state;
        assert_eq!(pods.gets(&Ip::sctp(client, server, init)), PASSED);
        assert_eq!(state(), FlowState::SYN);
        assert_eq!(pods.sends(&Ip::sctp(server, client, init_ack)), PASSED);
        assert_eq!(pods.gets(&Ip::sctp(client, server, data)), PASSED);
        assert_eq!(state(), FlowState::SYN | FlowState::REPLIED);
        assert_eq!(pods.gets(&Ip::sctp(client, server, shutdown)), PASSED);
        assert_eq!(pods.sends(&Ip::sctp(server, client, shutdown + 1)), PASSED);
        assert!(FlowState::is_closing(state()));
        assert_eq!(pods.gets(&Ip::sctp(client, server, complete)), PASSED);
        assert_eq!(
            pods.sends(&Ip::sctp(server, client, init)),
            dropped(&[Reason::DeniedEgress]),
            "the server opens none"
        );
        assert_eq!(pods.gets(&Ip::sctp(client, server, init)), PASSED);
        assert_eq!(pods.sends(&Ip::sctp(server, client, abort)), PASSED);
        assert!(FlowState::is_closing(state()));
    }
}

#[test]
fn a_syn_against_its_direction_opens_a_flow_of_its_own() {
    let pods = server();
    for family in 0..2 {
        let (client, server) = ends(family);
        assert_eq!(pods.gets(&Ip::tcp(client, server, SYN)), PASSED);
        assert_eq!(pods.sends(&Ip::tcp(server, client, SYN | ACK)), PASSED);
        let before = pods.flow(POD_ID, TCP, server, client).unwrap();
        assert_eq!(pods.sends(&Ip::tcp(server, client, SYN)), dropped(&[Reason::DeniedEgress]));
        let after = pods.flow(POD_ID, TCP, server, client).unwrap();
        assert_eq!(
            (after.opened, after.state),
            (before.opened, before.state),
            "the connection stays"
        );
        assert_eq!(pods.gets(&Ip::tcp(client, server, ACK)), PASSED);
    }
    // Where it is allowed, it is the new connection's verdict that counts.
    let pods = Pods::new();
    let (client, server) = ends(0);
    assert_eq!(pods.gets(&Ip::tcp(client, server, SYN)), PASSED);
    assert_eq!(pods.sends(&Ip::tcp(server, client, SYN)), PASSED);
    assert_eq!(
        pods.flow(POD_ID, TCP, server, client).unwrap().opened,
        Direction::Egress as u8
    );
}

#[test]
fn a_port_is_used_again_by_the_other_side() {
    let mut pods = server();
    let (client, server) = ends(0);
    assert_eq!(pods.gets(&Ip::tcp(client, server, SYN)), PASSED);
    assert_eq!(pods.sends(&Ip::tcp(server, client, RST)), PASSED);
    // Nobody may open from the pod on an entry that is closing.
    assert_eq!(pods.sends(&Ip::tcp(server, client, SYN)), dropped(&[Reason::DeniedEgress]));
    // Nor does the client on it, once the rules are others.
    pods.put(Pod {
        ingress_set: NOTHING,
        egress_set: NOTHING,
        ..pod()
    });
    assert_eq!(pods.gets(&Ip::tcp(client, server, SYN)), dropped(&[Reason::DeniedIngress]));
}

#[test]
fn flows_end_with_their_time() {
    let mut pods = server();
    let (client, server) = ends(0);
    let open = |pods: &Pods, protocol| {
        assert_eq!(pods.gets(&Ip::opening(protocol, client, server)), PASSED);
    };
    let answer = |pods: &Pods, protocol| {
        let packet = match protocol {
            TCP => Ip::tcp(server, client, ACK),
            UDP => Ip::udp(server, client),
            _ => Ip::sctp(server, client, 0),
        };
        pods.sends(&packet)
    };
    let denied = dropped(&[Reason::DeniedEgress]);
    for (protocol, one_way, both_ways) in [(TCP, 60, 8000), (SCTP, 60, 8000), (UDP, 60, 180)] {
        open(&pods, protocol);
        pods.age(POD_ID, protocol, server, client, one_way + 1);
        assert_eq!(answer(&pods, protocol), denied, "{protocol} one way");
        open(&pods, protocol);
        pods.age(POD_ID, protocol, server, client, one_way - 2);
        assert_eq!(answer(&pods, protocol), PASSED);
        pods.age(POD_ID, protocol, server, client, both_ways - 2);
        assert_eq!(answer(&pods, protocol), PASSED, "{protocol} both ways");
        pods.age(POD_ID, protocol, server, client, both_ways + 1);
        assert_eq!(answer(&pods, protocol), denied, "{protocol} both ways");
    }
    open(&pods, TCP);
    assert_eq!(pods.sends(&Ip::tcp(server, client, RST)), PASSED);
    pods.age(POD_ID, TCP, server, client, 11);
    assert_eq!(answer(&pods, TCP), denied, "closing");
}

#[test]
fn a_flow_in_use_is_marked_at_most_once_a_second() {
    let mut pods = server();
    let (client, server) = ends(0);
    assert_eq!(pods.gets(&Ip::udp(client, server)), PASSED);
    assert_eq!(pods.sends(&Ip::udp(server, client)), PASSED);
    let seen = |pods: &Pods| pods.flow(POD_ID, UDP, server, client).unwrap().last_seen;
    pods.age(POD_ID, UDP, server, client, 0);
    let first = seen(&pods);
    pods.age(POD_ID, UDP, server, client, 5);
    assert_eq!(pods.gets(&Ip::udp(client, server)), PASSED);
    let second = seen(&pods);
    assert!(second >= first, "five seconds later it is");
    assert_eq!(pods.gets(&Ip::udp(client, server)), PASSED);
    assert!(
        seen(&pods) == second || seen(&pods) - second >= 1_000_000_000,
        "a moment later it is not"
    );
}

#[test]
fn echoes_are_flows_by_their_identifier() {
    let mut pods = Pods::isolated(&[]);
    pods.programs.maps.policy.put_set(SET + 1, &[everything(CLASS)]).unwrap();
    pods.put(Pod {
        ingress_set: SET,
        egress_set: SET + 1,
        ..pod()
    });
    for family in 0..2 {
        pods.peer(REMOTE[family], CLASS);
        assert_eq!(pods.sends(&Ip::echo(POD[family], REMOTE[family], 7, true)), PASSED);
        assert_eq!(pods.gets(&Ip::echo(REMOTE[family], POD[family], 7, false)), PASSED);
        assert_eq!(
            pods.gets(&Ip::echo(REMOTE[family], POD[family], 8, false)),
            dropped(&[Reason::DeniedIngress])
        );
        assert_eq!(
            pods.gets(&Ip::echo(REMOTE[family], POD[family], 8, true)),
            dropped(&[Reason::DeniedIngress])
        );
    }
}

#[test]
fn a_connection_without_a_flow_is_judged_the_way_its_packet_goes() {
    let pods = server();
    let (client, server) = ends(0);
    assert_eq!(pods.gets(&Ip::tcp(client, server, ACK)), PASSED);
    assert_eq!(pods.sends(&Ip::tcp(server, client, ACK)), PASSED, "which makes it one");
    let other = (POD[0], 81);
    assert_eq!(pods.gets(&Ip::tcp(client, other, ACK)), dropped(&[Reason::DeniedIngress]));
    assert_eq!(pods.sends(&Ip::tcp(other, client, ACK)), dropped(&[Reason::DeniedEgress]));
}

#[test]
fn a_new_epoch_keeps_what_is_allowed_and_cuts_what_is_not() {
    let mut pods = server();
    for family in 0..2 {
        let (client, server) = ends(family);
        for protocol in [TCP, UDP, SCTP] {
            assert_eq!(pods.gets(&Ip::opening(protocol, client, server)), PASSED);
        }
        assert_eq!(pods.sends(&Ip::tcp(server, client, SYN | ACK)), PASSED);
    }
    let cut = dropped(&[Reason::DeniedIngress, Reason::Revoked]);
    // Nothing has changed but the number.
    pods.bump();
    for family in 0..2 {
        let (client, server) = ends(family);
        let epoch = pods.programs.maps.policy.epoch().unwrap();
        assert_eq!(pods.gets(&Ip::tcp(client, server, ACK)), PASSED);
        let flow = pods.flow(POD_ID, TCP, server, client).unwrap();
        assert_eq!((flow.epoch, flow.state), (epoch, FlowState::SYN | FlowState::REPLIED));
    }
    // The peer has another class now; the rules forbid it. Until the epoch goes up, flows go on.
    for (family, remote) in REMOTE.into_iter().enumerate() {
        pods.peer(remote, CLASS + 1);
        let (client, server) = ends(family);
        assert_eq!(pods.gets(&Ip::tcp(client, server, ACK)), PASSED);
    }
    pods.bump();
    for family in 0..2 {
        let (client, server) = ends(family);
        // By whichever packet comes first.
        assert_eq!(pods.sends(&Ip::tcp(server, client, ACK)), cut);
        assert_eq!(pods.sends(&Ip::tcp(server, client, ACK)), dropped(&[Reason::DeniedIngress]));
        assert_eq!(pods.gets(&Ip::udp(client, server)), cut);
        assert_eq!(pods.gets(&Ip::udp(client, server)), dropped(&[Reason::DeniedIngress]));
        assert_eq!(pods.gets(&Ip::sctp(client, server, 0)), cut);
    }
}

#[test]
fn what_is_revoked_begins_anew_in_no_direction_until_it_is_allowed() {
    let mut pods = Pods::new();
    let (client, server) = ends(0);
    let (own, far) = ((POD[0], 5000), (REMOTE[0], 443));
    assert_eq!(pods.gets(&Ip::tcp(client, server, SYN)), PASSED);
    assert_eq!(pods.sends(&Ip::tcp(server, client, SYN | ACK)), PASSED);
    assert_eq!(pods.gets(&Ip::udp(far, own)), PASSED);
    pods.programs.maps.policy.put_set(NOTHING, &[]).unwrap();
    let open = pod();
    // What the pod sends by itself stays open.
    pods.put(Pod {
        ingress_set: NOTHING,
        egress_set: 0,
        ..open
    });
    pods.bump();
    let again = dropped(&[Reason::DeniedIngress]);
    let cut = dropped(&[Reason::DeniedIngress, Reason::Revoked]);
    for packets in [cut, again.clone(), again.clone()] {
        assert_eq!(pods.gets(&Ip::tcp(client, server, ACK)), packets);
        // The server repeats what nobody has acknowledged.
        assert_eq!(pods.sends(&Ip::tcp(server, client, ACK)), again);
    }
    assert_eq!(
        pods.sends(&Ip::udp(own, far)),
        dropped(&[Reason::DeniedIngress, Reason::Revoked])
    );
    assert_eq!(pods.gets(&Ip::udp(far, own)), again);
    // A connection of the pod's own between the same ports is another one.
    assert_eq!(pods.sends(&Ip::tcp(server, client, SYN)), PASSED);
    pods.put(open);
    pods.bump();
    assert_eq!(pods.gets(&Ip::udp(far, own)), PASSED);
}

#[test]
fn a_pod_that_is_held_again_keeps_its_flows_for_later() {
    let mut pods = server();
    let (client, server) = ends(0);
    assert_eq!(pods.gets(&Ip::tcp(client, server, SYN)), PASSED);
    let released = pods.programs.maps.policy.pod(POD_ID).unwrap().unwrap();
    pods.put(Pod {
        flags: PodFlags::HELD,
        ..released
    });
    pods.bump();
    assert_eq!(pods.sends(&Ip::tcp(server, client, SYN | ACK)), dropped(&[Reason::Held]));
    pods.put(released);
    pods.bump();
    assert_eq!(pods.sends(&Ip::tcp(server, client, SYN | ACK)), PASSED);
}

#[test]
fn isolation_that_comes_late_knows_who_opened() {
    let mut pods = Pods::new();
    let (client, server) = ends(0);
    let (own, far) = ((POD[0], 5000), (REMOTE[0], 443));
    assert_eq!(pods.gets(&Ip::tcp(client, server, SYN)), PASSED);
    assert_eq!(pods.sends(&Ip::tcp(own, far, SYN)), PASSED);
    // Only ingress is isolated: what the pod opened goes on, answers included.
    pods.programs.maps.policy.put_set(NOTHING, &[]).unwrap();
    pods.put(Pod {
        ingress_set: NOTHING,
        ..pod()
    });
    pods.bump();
    assert_eq!(pods.gets(&Ip::tcp(far, own, SYN | ACK)), PASSED);
    assert_eq!(pods.sends(&Ip::tcp(own, far, ACK)), PASSED);
    let cut = dropped(&[Reason::DeniedIngress, Reason::Revoked]);
    assert_eq!(pods.sends(&Ip::tcp(server, client, SYN | ACK)), cut);
}

#[test]
fn while_learning_everything_passes_and_flows_keep_what_is_known() {
    let mut pods = server();
    let learning = Pod {
        flags: PodFlags::TRACK_ONLY,
        ingress_set: NOTHING,
        egress_set: NOTHING,
        ..pod()
    };
    pods.put(learning);
    let local = |port| (POD[0], port);
    let remote = |port| (REMOTE[0], port);
    let passes = |pods: &Pods| {
        // One that was there before, one opened by each side, one whose answer is the first that is seen.
        assert_eq!(pods.gets(&Ip::tcp(remote(1), local(80), ACK)), PASSED);
        assert_eq!(pods.gets(&Ip::tcp(remote(2), local(80), SYN)), PASSED);
        assert_eq!(pods.sends(&Ip::tcp(local(3), remote(80), SYN)), PASSED);
        assert_eq!(pods.sends(&Ip::tcp(local(80), remote(4), SYN | ACK)), PASSED);
        assert_eq!(pods.sends(&Ip::udp(local(5), remote(80))), PASSED);
        assert_eq!(pods.sends(&Ip::udp((OTHER[0], 5), remote(80))), PASSED, "a foreign source");
        assert_eq!(
            pods.sends(&Ip::echo(POD[0], REMOTE[0], 6, false)),
            PASSED,
            "an answer to a question from before"
        );
    };
    passes(&pods);
    let opened = |pods: &Pods, protocol, ports: (u16, u16)| {
        let flow = pods.flow(POD_ID, protocol, local(ports.0), remote(ports.1)).unwrap();
        (flow.opened, flow.flags)
    };
    assert_eq!(opened(&pods, TCP, (80, 1)), (0, FlowFlags::LEARNED));
    assert_eq!(opened(&pods, TCP, (80, 2)), (Direction::Ingress as u8, 0));
    assert_eq!(opened(&pods, TCP, (3, 80)), (Direction::Egress as u8, 0));
    assert_eq!(opened(&pods, TCP, (80, 4)), (Direction::Ingress as u8, 0));
    assert_eq!(opened(&pods, UDP, (5, 80)), (0, FlowFlags::LEARNED));
    assert_eq!(opened(&pods, ICMP, (6, 0)), (Direction::Ingress as u8, 0));
    assert_eq!(pods.programs.maps.policy.flows.list().unwrap().len(), 6);
    // An epoch that comes while nothing is enforced changes nothing.
    pods.bump();
    passes(&pods);
    // Ingress to port 80 is allowed, egress is not.
    pods.put(Pod {
        ingress_set: SET,
        egress_set: NOTHING,
        ..pod()
    });
    pods.bump();
    let cut = dropped(&[Reason::DeniedEgress, Reason::Revoked]);
    for port in [1, 2, 4] {
        assert_eq!(pods.sends(&Ip::tcp(local(80), remote(port), ACK)), PASSED, "{port}");
    }
    assert_eq!(pods.sends(&Ip::tcp(local(3), remote(80), ACK)), cut);
    assert_eq!(pods.gets(&Ip::udp(remote(80), local(5))), cut, "neither direction allows it");
}

#[test]
fn flows_to_services_are_judged_where_they_arrive_also_after_a_change() {
    let mut pods = Pods::isolated(&[entry(CLASS, TCP, 8080, 8080)]);
    let cluster = ("172.16.0.10", 80);
    let local = (POD[0], 4000);
    pods.programs
        .maps
        .policy
        .services
        .put("172.16.0.0".parse().unwrap(), 16)
        .unwrap();
    pods.peer(OTHER[0], CLASS);
    let at_other = |pods: &Pods, flags| {
        let frame = Ip::tcp(local, (OTHER[0], 8080), flags).frame();
        pods.judged(ProgramName::ToPod, OTHER_ID, &frame)
    };
    assert_eq!(pods.sends(&Ip::tcp(local, cluster, SYN)), PASSED);
    assert_eq!(at_other(&pods, SYN), PASSED);
    pods.bump();
    assert_eq!(pods.sends(&Ip::tcp(local, cluster, ACK)), PASSED);
    assert_eq!(at_other(&pods, ACK), PASSED);
    assert_eq!(pods.gets(&Ip::tcp(cluster, local, ACK)), PASSED);
    // The backend is no peer any more.
    pods.peer(OTHER[0], CLASS + 1);
    pods.bump();
    assert_eq!(
        pods.sends(&Ip::tcp(local, cluster, ACK)),
        PASSED,
        "it is not known here whom it is for"
    );
    assert_eq!(at_other(&pods, ACK), dropped(&[Reason::DeniedEgress]));
    // The Service is none any more: then it is an address like others.
    assert!(
        pods.programs
            .maps
            .policy
            .services
            .remove("172.16.0.0".parse().unwrap(), 16)
            .unwrap()
    );
    pods.bump();
    assert_eq!(
        pods.sends(&Ip::tcp(local, cluster, ACK)),
        dropped(&[Reason::DeniedEgress, Reason::Revoked])
    );
}

#[test]
fn a_backends_answers_need_no_rule_where_they_leave() {
    let mut pods = server();
    let (client, server) = ends(0);
    assert_eq!(pods.gets(&Ip::tcp(client, server, SYN)), PASSED);
    let passed = (terway_bpf::Verdict::CONTINUE, vec![Reason::OutPassed]);
    assert_eq!(pods.leaves(&Ip::tcp(server, client, SYN | ACK)), passed);
    // Also between two changes, when `from_pod` has judged and the ENI not yet.
    pods.bump();
    assert_eq!(pods.leaves(&Ip::tcp(server, client, ACK)), passed);
    assert_eq!(
        pods.leaves(&Ip::tcp(server, ("10.9.9.10", 1), ACK)),
        dropped(&[Reason::DeniedEgress])
    );
}

#[test]
fn both_ends_on_one_node_are_judged_by_their_own_sets() {
    let mut pods = server();
    // OTHER may reach POD's port 80 as POD sees it; OTHER itself may send nothing.
    pods.peer(OTHER[0], CLASS);
    let (client, server) = ((OTHER[0], 4000), (POD[0], 80));
    pods.put(Pod {
        id: OTHER_ID,
        egress_set: NOTHING,
        ..Pod::default()
    });
    let syn = Ip::tcp(client, server, SYN).frame();
    let denied = dropped(&[Reason::DeniedEgress, Reason::Unclassified]);
    assert_eq!(pods.judged(ProgramName::FromPod, OTHER_ID, &syn), denied);
    // As if it came by a Service.
    assert_eq!(
        pods.judged(ProgramName::ToPod, POD_ID, &syn),
        dropped(&[Reason::DeniedEgress])
    );
    assert_eq!(
        pods.flow(POD_ID, TCP, server, client),
        None,
        "no entry of the receiver for what the sender may not"
    );
    pods.put(Pod {
        id: OTHER_ID,
        ..Pod::default()
    });
    assert_eq!(pods.judged(ProgramName::FromPod, OTHER_ID, &syn), PASSED);
    assert_eq!(pods.judged(ProgramName::ToPod, POD_ID, &syn), PASSED);
    // Both have an entry; each is cut by its own end's rules.
    assert!(pods.flow(POD_ID, TCP, server, client).is_some());
    assert!(pods.flow(OTHER_ID, TCP, client, server).is_some());
}

#[test]
fn a_pods_flows_are_forgotten_with_it() {
    let mut pods = Pods::new();
    for port in 1..=20 {
        assert_eq!(pods.gets(&Ip::udp((REMOTE[0], port), (POD[0], 80))), PASSED);
        let frame = Ip::udp((REMOTE[0], port), (OTHER[0], 80)).frame();
        assert_eq!(pods.judged(ProgramName::ToPod, OTHER_ID, &frame), PASSED);
    }
    assert_eq!(pods.programs.maps.policy.remove_flows(POD_ID).unwrap(), 20);
    let left = pods.programs.maps.policy.flows.list().unwrap();
    assert_eq!(left.len(), 20);
    assert!(left.iter().all(|(key, _)| key.endpoint == OTHER_ID));
}

//! The rules and routes by source that lead pods' packets to their ENIs, seen by a VPC that drops what comes from the wrong one.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::net::{IpAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use support::calls::{Open, until};
use support::lab::{self, GATEWAY_V4, GATEWAY_V6, HOST_V4, Lab, Stack};
use support::namespace::Namespace;
use support::probe::{Echo, ask};
use support::vpc::{move_pods, nft, on_eni, two_enis};
use terway_datapath::attachment::{Attachment, RuleForm};

const FORMS: [RuleForm; 2] = [RuleForm::Compact, RuleForm::PerPod];

/// The pod reaches far addresses with its own ones.
fn reaches_far(pod: &Namespace, attachment: &Attachment) -> Result<(), String> {
    for address in attachment.addresses() {
        let far = lab::far().into_iter().find(|far| far.is_ipv4() == address.is_ipv4()).unwrap();
        match ask(pod, far) {
            Ok(seen) if seen == address => {}
            other => return Err(format!("{address} to {far}: {other:?}")),
        }
    }
    Ok(())
}

#[test]
fn policy_route_dual_pods_leave_through_their_own_enis() {
    if support::skip("policy_route_dual_pods_leave_through_their_own_enis") {
        return;
    }
    for form in FORMS {
        let lab = two_enis();
        let _far = Echo::new(&lab.vpc, lab::far());
        let datapath = Open::new(&lab.host);
        // In one /27, in another one, and in other /22s that share a bucket with it (10.1.H.L is 10.1.0.0/16 here).
        let numbers: [u16; 8] = [1, 2, 3, 40, 300, 1500, 0x8001, 0x8002];
        let pods: Vec<(Namespace, Attachment)> = numbers
            .iter()
            .enumerate()
            .map(|(place, number)| {
                let (pod, attachment) = lab.pod(*number, Stack::Dual);
                (pod, on_eni(attachment, 1 + (place % 2) as u8, form))
            })
            .collect();
        move_pods(
            &lab,
            pods.iter()
                .enumerate()
                .map(|(place, (_, attachment))| (attachment, 1 + (place % 2) as u8)),
        );
        for (_, attachment) in &pods {
            datapath.attach(attachment);
        }
        lab.settle(1);
        lab.settle(2);
        for (pod, attachment) in &pods {
            assert_eq!(reaches_far(pod, attachment), Ok(()), "{form:?}");
            assert_eq!(datapath.check(attachment), [], "{form:?}");
        }
        let echoes: Vec<Echo> = pods
            .iter()
            .map(|(pod, attachment)| Echo::new(pod, attachment.addresses()))
            .collect();
        for (_, other) in pods.iter().skip(1) {
            for address in other.addresses() {
                assert!(ask(&pods[0].0, address).is_ok(), "{form:?}: pod to pod {address}");
                assert!(ask(&lab.host, address).is_ok(), "{form:?}: node to pod {address}");
            }
        }
        drop(echoes);
    }
}

/// Each route to a gateway needs the kernel's leave for a moment, and asks for it beside others that need it for another ENI.
#[test]
fn policy_route_dual_pods_of_the_nodes_own_vswitch_begin_together() {
    if support::skip("policy_route_dual_pods_of_the_nodes_own_vswitch_begin_together") {
        return;
    }
    let lab = two_enis();
    // The node's own interface is in the vSwitch of the pods.
    lab.host.ip("-6 route add 2001:db8:1::/64 dev eth0");
    let datapath = Open::new(&lab.host);
    let pods: Vec<(Namespace, Attachment)> = (1..=48)
        .map(|number| {
            let (pod, attachment) = lab.pod(number, Stack::Dual);
            (pod, on_eni(attachment, 1 + (number % 2) as u8, RuleForm::Compact))
        })
        .collect();
    std::thread::scope(|scope| {
        for some in pods.chunks(2) {
            let attach = || some.iter().map(|(_, attachment)| datapath.attach(attachment)).for_each(drop);
            scope.spawn(attach);
        }
    });
    let admitted = lab.host.ip(&format!("-6 route show table main {GATEWAY_V6}"));
    assert_eq!(admitted, "", "what was needed for a moment is still there");
}

#[test]
fn policy_route_dual_an_address_comes_back_on_another_eni() {
    if support::skip("policy_route_dual_an_address_comes_back_on_another_eni") {
        return;
    }
    for form in FORMS {
        let lab = two_enis();
        let _far = Echo::new(&lab.vpc, lab::far());
        let datapath = Open::new(&lab.host);
        let (first_pod, first) = lab.pod(23, Stack::Dual);
        let first = on_eni(first, 1, form);
        move_pods(&lab, [(&first, 1)]);
        datapath.attach(&first);
        lab.settle(1);
        assert_eq!(reaches_far(&first_pod, &first), Ok(()), "{form:?}");
        // The second time nobody has told us that the first one is gone.
        for (sandbox, told) in [(2u64, true), (3, false)] {
            let eni = 1 + (sandbox % 2 == 0) as u8;
            if told {
                datapath.detach(&first);
            }
            let pod = Namespace::new();
            let mut again = on_eni(lab::attachment(23, Stack::Dual, &pod.path()), eni, form);
            again.id = format!("again{sandbox}/eth0");
            again.generation = 100 + sandbox;
            move_pods(&lab, [(&again, eni)]);
            datapath.attach(&again);
            lab.settle(eni);
            assert_eq!(reaches_far(&pod, &again), Ok(()), "{form:?} {sandbox}");
            assert_eq!(datapath.check(&again), [], "{form:?} {sandbox}");
        }
    }
}

/// What the release before this one made of a compact attachment: a shared rule 512 and one rule 2048 for each address.
fn as_the_last_release(lab: &Lab, attachment: &Attachment, table: u32) {
    for (address, family, suppress) in attachment
        .addresses()
        .zip(["-4", "-6"])
        .map(|(address, family)| (address, family, if family == "-4" { 31 } else { 127 }))
    {
        let shared = format!("{family} rule add pref 512 lookup main suppress_prefixlength {suppress} proto 116");
        drop(lab.host.try_ip(&shared));
        lab.host.ip(&format!("{family} rule del pref 512 to {address}"));
        assert!(
            lab.host
                .ip(&format!("{family} rule show pref 2048"))
                .contains(&format!("from {address} lookup {table}"))
        );
    }
    drop(lab.host.try_ip(&format!("-6 route del {GATEWAY_V6}/128 dev eth1")));
}

/// What a release with a tree of two levels made: heads for /22s, buckets of /27s.
fn as_two_levels(lab: &Lab, attachment: &Attachment, table: u32) {
    as_the_last_release(lab, attachment, table);
    let address = attachment.ipv4.unwrap().address;
    for rule in [
        "pref 2242 nop".to_owned(),
        "pref 2049 goto 2242".to_owned(),
        "pref 2131 goto 2242".to_owned(),
        format!("pref 2130 from {address} lookup {table}"),
        "pref 2051 goto 2242".to_owned(),
        "pref 2050 from 10.0.1.0/27 goto 2130".to_owned(),
        "pref 2048 from 10.0.0.0/22 goto 2050".to_owned(),
    ] {
        // Pods share all but their own.
        drop(lab.host.try_ip(&format!("rule add {rule} proto 116")));
    }
    lab.host.ip(&format!("rule del pref 2048 from {address}"));
    let own = lab.host.ip("rule show pref 2130");
    assert!(own.contains(&format!("from {address} lookup {table}")), "{own}");
    assert!(lab.host.ip("rule show pref 2242").contains("nop"));
}

fn upgrade(form: RuleForm, before: fn(&Lab, &Attachment, u32), after: RuleForm) {
    // Who drops what leaves through the wrong interface.
    let lab = two_enis();
    let (_far, _node) = (Echo::new(&lab.vpc, lab::far()), Echo::new(&lab.host, lab::node()));
    let earlier = Open::new(&lab.host);
    let pods: Vec<(Namespace, Attachment)> = [23, 24].map(|number| lab.pod(number, Stack::Dual)).into();
    let table = 1000
        + lab
            .host
            .ip("-o link show eth1")
            .split(':')
            .next()
            .unwrap()
            .parse::<u32>()
            .unwrap();
    move_pods(&lab, pods.iter().map(|(_, attachment)| (attachment, 1)));
    for (_, attachment) in &pods {
        earlier.attach(&on_eni(attachment.clone(), 1, form));
        before(&lab, attachment, table);
    }
    drop(earlier);
    lab.settle(1);
    let echo = Echo::new(&pods[1].0, pods[1].1.addresses());

    // Datagrams on every path of the first pod, all the while.
    let stop = Arc::new(AtomicBool::new(false));
    let paths: Vec<_> = lab::far().into_iter().chain(pods[1].1.addresses()).collect();
    let senders: Vec<_> = paths
        .into_iter()
        .map(|to| {
            let (pod, stopped) = (pods[0].0.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                let (mut sent, mut lost) = (0u32, Vec::new());
                // On a machine that others use the node may converge before much was sent.
                while !stopped.load(Ordering::Relaxed) || sent <= 20 {
                    sent += 1;
                    lost.extend(ask(&pod, to).err().map(|error| format!("{to}: {error}")));
                    std::thread::sleep(Duration::from_millis(1));
                }
                (sent, lost)
            })
        })
        .collect();

    let datapath = Open::new(&lab.host);
    let wanted: Vec<Attachment> = pods
        .iter()
        .map(|(_, attachment)| on_eni(attachment.clone(), 1, after))
        .collect();
    datapath.adopt(&wanted.iter().collect::<Vec<_>>());
    // As a starting daemon does, before anything has been repaired.
    assert_eq!(datapath.collect().failures, []);
    datapath.0.start_repair(Duration::from_millis(100), true, |_| {}).unwrap();
    let mut drifts = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        drifts = wanted.iter().flat_map(|attachment| datapath.check(attachment)).collect();
        if drifts.is_empty() {
            break;
        }
    }
    assert_eq!(drifts, [], "the node has not converged:\n{}", lab.host.ip("rule show"));
    until("nothing of another tree is left", Duration::from_secs(10), || {
        let rules = lab.host.ip("rule show");
        let tree = after == RuleForm::Compact || !rules.contains("goto");
        tree && !rules.contains("goto 2242") && !rules.contains("2242:") && !rules.contains("2130:")
    });
    let further = Instant::now() + Duration::from_millis(100);
    until("some more packets", Duration::from_secs(1), || Instant::now() > further);
    stop.store(true, Ordering::Relaxed);
    for sender in senders {
        let (sent, lost) = sender.join().unwrap();
        assert_eq!(lost, [""; 0], "of {sent}");
        assert!(sent > 20, "only {sent} datagrams");
    }
    drop(echo);
    for family in ["-4", "-6"] {
        let rules = lab.host.ip(&format!("{family} rule show pref 2048"));
        let per_pod = rules
            .lines()
            .filter(|line| line.contains("lookup") && !line.contains("from all"))
            .count();
        assert_eq!(per_pod, if after == RuleForm::PerPod { 2 } else { 0 }, "{rules}");
    }
    // Nothing that belongs to the other form stays.
    datapath.collect();
    for attachment in &wanted {
        assert_eq!(datapath.check(attachment), []);
        datapath.detach(attachment);
    }
    datapath.collect();
    datapath.settle_deletes();
    assert_eq!(lab.own_objects(), [""; 0]);
}

#[test]
fn policy_route_dual_upgrade_from_terways_rules_loses_no_packet() {
    if support::skip("policy_route_dual_upgrade_from_terways_rules_loses_no_packet") {
        return;
    }
    upgrade(RuleForm::PerPod, |_, _, _| {}, RuleForm::Compact);
}

#[test]
fn policy_route_dual_upgrade_from_the_last_release_loses_no_packet() {
    if support::skip("policy_route_dual_upgrade_from_the_last_release_loses_no_packet") {
        return;
    }
    upgrade(RuleForm::PerPod, as_the_last_release, RuleForm::Compact);
    upgrade(RuleForm::PerPod, as_the_last_release, RuleForm::PerPod);
}

#[test]
fn policy_route_dual_upgrade_from_two_levels_loses_no_packet() {
    if support::skip("policy_route_dual_upgrade_from_two_levels_loses_no_packet") {
        return;
    }
    upgrade(RuleForm::PerPod, as_two_levels, RuleForm::Compact);
}

#[test]
fn policy_route_dual_change_to_terways_rules_loses_no_packet() {
    if support::skip("policy_route_dual_change_to_terways_rules_loses_no_packet") {
        return;
    }
    upgrade(RuleForm::Compact, |_, _, _| {}, RuleForm::PerPod);
}

/// What cannot have rules of its own yet keeps those that refuse its packets.
#[test]
fn policy_route_dual_change_to_terways_rules_waits_for_a_lost_eni() {
    if support::skip("policy_route_dual_change_to_terways_rules_waits_for_a_lost_eni") {
        return;
    }
    let lab = two_enis();
    let _far = Echo::new(&lab.vpc, lab::far());
    let pods: Vec<(Namespace, Attachment)> = [23, 24].map(|number| lab.pod(number, Stack::Dual)).into();
    move_pods(&lab, pods.iter().zip([1, 2]).map(|((_, attachment), eni)| (attachment, eni)));
    let attachments = |form| {
        let on_enis = pods.iter().zip([1, 2]);
        on_enis.map(move |((_, attachment), eni)| on_eni(attachment.clone(), eni, form))
    };
    let earlier = Open::new(&lab.host);
    for attachment in attachments(RuleForm::Compact) {
        earlier.attach(&attachment);
    }
    drop(earlier);
    lab.settle(2);
    lab.host.ip("link del eth1");
    lab.vpc.ip(&format!("addr add {GATEWAY_V4}/32 dev vpc2"));
    let datapath = Open::new(&lab.host);
    let wanted: Vec<Attachment> = attachments(RuleForm::PerPod).collect();
    datapath.adopt(&wanted.iter().collect::<Vec<_>>());
    assert_eq!(datapath.collect().failures, []);
    let rules = lab.host.ip("rule show");
    assert!(rules.contains("2358:") && rules.contains("goto"), "{rules}");
    assert_eq!(reaches_far(&pods[1].0, &wanted[1]), Ok(()), "the ENI beside it is there");
    assert!(lab::far().into_iter().all(|far| ask(&pods[0].0, far).is_err()));
    datapath.detach(&wanted[0]);
    assert_eq!(datapath.collect().failures, []);
    let rules = lab.host.ip("rule show");
    assert!(!rules.contains("goto"), "{rules}");
    assert_eq!(reaches_far(&pods[1].0, &wanted[1]), Ok(()));
    assert_eq!(datapath.check(&wanted[1]), []);
}

/// systemd-networkd removes rules that it did not make whenever it starts, on nodes where nobody told it not to.
#[test]
fn policy_route_dual_rules_come_back_after_a_flush() {
    if support::skip("policy_route_dual_rules_come_back_after_a_flush") {
        return;
    }
    for form in FORMS {
        let lab = two_enis();
        let _far = Echo::new(&lab.vpc, lab::far());
        let datapath = Open::new(&lab.host);
        let pods: Vec<(Namespace, Attachment)> = (1..=4u8)
            .map(|number| {
                let (pod, attachment) = lab.pod(u16::from(number) * 50, Stack::Dual);
                (pod, on_eni(attachment, 1 + number % 2, form))
            })
            .collect();
        move_pods(
            &lab,
            pods.iter()
                .zip(1..=4u8)
                .map(|((_, attachment), number)| (attachment, 1 + number % 2)),
        );
        for (_, attachment) in &pods {
            datapath.attach(attachment);
        }
        datapath.0.start_repair(Duration::from_secs(3600), true, |_| {}).unwrap();
        for family in ["-4", "-6"] {
            lab.host
                .ip(&format!("{family} rule add pref 2100 from all fwmark 0x777 lookup 4711"));
            let own = lab.host.ip(&format!("{family} -d rule show"));
            let own = own.lines().filter(|line| line.contains("proto 116"));
            let priorities: Vec<&str> = own.filter_map(|line| line.split(':').next()).collect();
            for priority in priorities {
                lab.host.ip(&format!("{family} rule del pref {priority} proto 116"));
            }
        }
        until("the rules are back", Duration::from_secs(2), || {
            pods.iter().all(|(_, attachment)| datapath.check(attachment).is_empty())
        });
        for (pod, attachment) in &pods {
            assert_eq!(reaches_far(pod, attachment), Ok(()), "{form:?}");
        }
        for family in ["-4", "-6"] {
            assert!(
                lab.host.ip(&format!("{family} rule show pref 2100")).contains("fwmark 0x777"),
                "a foreign rule went"
            );
        }
    }
}

#[test]
fn policy_route_dual_nothing_leaks_while_the_eni_is_away() {
    if support::skip("policy_route_dual_nothing_leaks_while_the_eni_is_away") {
        return;
    }
    for form in FORMS {
        let lab = two_enis();
        let datapath = Open::new(&lab.host);
        let (pod, attachment) = lab.pod(23, Stack::Dual);
        datapath.attach(&on_eni(attachment.clone(), 1, form));
        for address in attachment.addresses() {
            let family = if address.is_ipv4() { "ip" } else { "ip6" };
            nft(
                &lab.vpc,
                &format!("add rule inet vpc spoofed {family} saddr {address} counter"),
            );
        }
        lab.host.ip("link del eth1");
        for far in lab::far() {
            assert!(ask(&pod, far).is_err());
        }
        let seen = lab.vpc.run(|| {
            Command::new("nft")
                .args(["list", "chain", "inet", "vpc", "spoofed"])
                .output()
                .unwrap()
        });
        let seen = String::from_utf8_lossy(&seen.stdout).into_owned();
        assert_eq!(seen.matches("packets 0 ").count(), 2, "{form:?}: {seen}");
    }
}

#[test]
fn collection_keeps_what_others_share() {
    if support::skip("collection_keeps_what_others_share") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let pods: Vec<(Namespace, Attachment)> = [22, 23, 200].map(|number| lab.pod(number, Stack::Dual)).into();
    for (_, attachment) in &pods {
        datapath.attach(attachment);
    }
    datapath.detach(&pods[0].1);
    assert_eq!(datapath.collect().removed, [""; 0], "the bucket is shared");
    datapath.detach(&pods[2].1);
    let removed = datapath.collect().removed;
    let want = [
        "rule 2066: from 10.0.1.128/25 goto 2104",
        "rule 2104: from 10.0.1.192/27 goto 2190",
        "rule 2190: from 10.0.1.200/29 goto 2404",
        "rule 2105: from all goto 2546",
        "rule 2191: from all goto 2546",
        "rule 2405: from all goto 2546",
    ];
    assert_eq!(removed, want);
    assert_eq!(datapath.check(&pods[1].1), []);
    datapath.detach(&pods[1].1);
    datapath.collect();
    datapath.settle_deletes();
    assert_eq!(lab.own_objects(), [""; 0]);
}

/// The ENI lets the check of senders go for speed; on the pods' links the kernel still refuses the node's own addresses (IPv4 alone has the check).
#[test]
fn policy_route_v4_no_pod_speaks_with_its_nodes_address() {
    if support::skip("policy_route_v4_no_pod_speaks_with_its_nodes_address") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (liar, sender) = lab.pod(23, Stack::V4);
    let (victim, hearer) = lab.pod(24, Stack::V4);
    datapath.attach(&sender);
    datapath.attach(&hearer);
    let address = |attachment: &Attachment| attachment.addresses().next().unwrap();
    let to = victim.run(|| UdpSocket::bind((address(&hearer), 0)).unwrap());
    to.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    liar.ips(&format!("link set lo up\naddr add {HOST_V4}/32 dev lo"));
    let say = |from: IpAddr| {
        let socket = liar.run(|| UdpSocket::bind((from, 0)).unwrap());
        socket.send_to(b"it is me", to.local_addr().unwrap()).unwrap();
        to.recv_from(&mut [0; 16]).map(|(_, heard)| heard.ip())
    };
    assert_eq!(say(address(&sender)).unwrap(), address(&sender));
    assert!(say(HOST_V4.parse().unwrap()).is_err(), "the node's address passed");
}

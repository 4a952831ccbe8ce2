//! The probe says of the running kernel what `ip`, `tc` and `nft` find out on it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::process::Command;

use support::calls::{Open, wait};
use support::namespace::Namespace;
use terway_datapath::capability::{Feature, KernelCapabilities};

/// For each feature commands that need it, and the way back. `base` is a veth with two queues.
const COMMANDS: &[(Feature, &str)] = &[
    (Feature::Veth, "ip link add one type veth peer name other"),
    (Feature::Ipvlan, "ip link add slave link base type ipvlan mode l2"),
    (Feature::Vlan, "ip link add tagged link base type vlan id 7"),
    (Feature::Netkit, "ip link add kit type netkit"),
    (Feature::Clsact, "tc qdisc add dev base clsact"),
    (
        Feature::Tbf,
        "tc qdisc replace dev base root tbf rate 1mbit burst 10k latency 50ms",
    ),
    (Feature::Ifb, "ip link add queue type ifb"),
    (Feature::Fq, "tc qdisc replace dev base root fq"),
    (Feature::Prio, "tc qdisc replace dev base root prio"),
    (Feature::Mq, "tc qdisc replace dev base root mq"),
    (Feature::Ipv6, "ip -6 route add default dev base table 9"),
    (
        Feature::Ipv6SourceRoutes,
        "ip -6 route add default from 2001:db8::1 dev base table 9",
    ),
    (
        Feature::RuleSuppressPrefixLength,
        "ip rule add pref 9 lookup main suppress_prefixlength 31",
    ),
    (Feature::RuleGoto, "ip rule add pref 8 goto 9"),
    (Feature::Nftables, "nft add table ip probe"),
];

fn capabilities() -> KernelCapabilities {
    let host = Namespace::new();
    let datapath = Open::new(&host);
    let capabilities = wait(|reply| datapath.0.probe(reply)).unwrap();
    assert_eq!(
        host.ip("-o link show").lines().count(),
        1,
        "the probe works in a namespace of its own"
    );
    assert!(!host.ip("rule show").contains("10000:"));
    capabilities
}

#[test]
fn the_probe_agrees_with_the_tools() {
    if support::skip("the_probe_agrees_with_the_tools") {
        return;
    }
    let capabilities = capabilities();
    let place = Namespace::new();
    place.ip("link add base numtxqueues 2 type veth peer name peer");
    place.ip("link set base up");
    for (feature, command) in COMMANDS {
        let mut words = command.split(' ');
        let output = place.run(|| Command::new(words.next().unwrap()).args(words).output().unwrap());
        let said = capabilities.features.iter().find(|(each, _)| each == feature);
        let refused = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            capabilities.has(*feature),
            output.status.success(),
            "{command}: {refused}; the probe: {said:?}"
        );
        println!("{} {feature}: {}", capabilities.release, capabilities.has(*feature));
    }
}

#[test]
fn every_feature_has_an_answer_and_what_builds_on_another_implies_it() {
    if support::skip("every_feature_has_an_answer_and_what_builds_on_another_implies_it") {
        return;
    }
    let capabilities = capabilities();
    assert_eq!(
        capabilities.features.iter().map(|(feature, _)| *feature).collect::<Vec<_>>(),
        Feature::ALL
    );
    for (derived, ground) in [
        (Feature::NetkitScrub, Feature::Netkit),
        (Feature::ClsBpf, Feature::Clsact),
        (Feature::ClsBpf, Feature::Bpf),
        (Feature::Ipv6SourceRoutes, Feature::Ipv6),
    ] {
        assert!(
            !capabilities.has(derived) || capabilities.has(ground),
            "{derived} without {ground}"
        );
    }
    for (feature, state) in &capabilities.features {
        assert!(
            state.as_ref().err().is_none_or(|reason| !reason.is_empty()),
            "{feature} gives no reason"
        );
        // test/vm/matrix.ts reads this.
        match state {
            Ok(()) => println!("@feature {feature} available"),
            Err(reason) => println!("@feature {feature} lacking: {reason}"),
        }
    }
    println!("@release {}", capabilities.release);
}

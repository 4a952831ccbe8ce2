//! Connections that enter through the node's own interface and go on to a pod are answered there (symmetric routing).
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use support::calls::{Open, until, wait};
use support::lab::{self, Lab, Stack};
use support::probe::{Echo, ask};
use support::vpc::{nft, two_enis};
use terway_datapath::Entrance;
use terway_datapath::error::Result;
use terway_datapath::object::Family;
use terway_datapath::symmetric::{Backend, Config};

const BACKENDS: [Backend; 2] = [Backend::Nftables, Backend::Iptables];

fn configure(datapath: &Open, config: Option<Config>) -> Result<Option<Entrance>> {
    wait(|reply| datapath.0.symmetric_routing(config, reply))
}

fn with(backend: Backend) -> Config {
    Config {
        backend,
        ..Config::default()
    }
}

/// The node translates what comes in through `eth0` for its own address to the pod; the VPC drops the node's address from any other ENI.
fn port_of_the_node_leads_to(lab: &Lab, addresses: impl Iterator<Item = IpAddr>) {
    for (address, own) in addresses.map(|address| (address, own_address(address))) {
        let family = if address.is_ipv4() { "ip" } else { "ip6" };
        nft(&lab.host, &format!("add table {family} proxy"));
        nft(
            &lab.host,
            &format!("add chain {family} proxy pre {{ type nat hook prerouting priority -100; }}"),
        );
        nft(
            &lab.host,
            &format!("add rule {family} proxy pre iifname eth0 {family} daddr {own} udp dport 7007 dnat to {address}"),
        );
        // Datagrams alone: the ENI has the node's IPv6 address too, and asks for its neighbours with it when such an answer is what waits for them.
        nft(
            &lab.vpc,
            &format!("add rule inet vpc spoofed iifname != vpc0 {family} saddr {own} meta l4proto udp drop"),
        );
    }
}

fn own_address(of_family: IpAddr) -> IpAddr {
    lab::node()
        .into_iter()
        .find(|own| own.is_ipv4() == of_family.is_ipv4())
        .unwrap()
}

fn all(lab: &Lab, commands: &[&str]) -> String {
    let show = |command: &&str| {
        let mut words = command.split(' ');
        let program = words.next().unwrap();
        let output = lab.host.run(|| Command::new(program).args(words).output().unwrap());
        // An empty table may not be there at all.
        assert!(
            output.status.success() || command.contains("show table"),
            "{command}: {output:?}"
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    commands.iter().map(show).collect()
}

/// Everything that symmetric routing may leave.
fn traces(lab: &Lab) -> String {
    let rules = all(lab, &["ip rule", "ip -6 rule"]);
    let marked: String = rules.lines().filter(|line| line.contains("fwmark")).collect();
    let netfilter = all(
        lab,
        &[
            "nft list tables",
            "iptables -t mangle -S PREROUTING",
            "ip6tables -t mangle -S PREROUTING",
        ],
    );
    let ours: String = netfilter.lines().filter(|line| line.contains("symmetric")).collect();
    marked + &ours + &all(lab, &["ip route show table 100", "ip -6 route show table 100"])
}

fn answered_where_it_came_in(stack: Stack) {
    for backend in BACKENDS {
        let lab = two_enis();
        let datapath = Open::new(&lab.host);
        let (pod, attachment) = lab.pod(23, stack);
        datapath.attach(&attachment);
        lab.settle(1);
        let _pod_echo = Echo::new(&pod, attachment.addresses());
        let _far = Echo::new(&lab.vpc, lab::far());
        port_of_the_node_leads_to(&lab, attachment.addresses());
        for own in attachment.addresses().map(own_address) {
            assert!(
                ask(&lab.vpc, own).is_err(),
                "{backend:?}: {own} is answered without symmetric routing: the test proves nothing"
            );
        }
        let entrance = configure(&datapath, Some(with(backend))).unwrap().unwrap();
        assert_eq!(
            (entrance.interface.as_str(), entrance.families),
            ("eth0", vec![Family::V4, Family::V6])
        );
        for address in attachment.addresses() {
            for (way, from, to) in [
                ("by the node's port", &lab.vpc, own_address(address)),
                ("directly", &lab.vpc, address),
                ("from the node", &lab.host, address),
            ] {
                let answer = ask(from, to);
                assert!(
                    answer.is_ok(),
                    "{backend:?}: {address} {way}: {answer:?}\n{}",
                    all(&lab, &["ip -6 neigh", "ip neigh"])
                );
            }
        }
        // What the pod asks by itself leaves through its ENI: the VPC would not take it from eth0.
        for (far, own) in lab::far()
            .into_iter()
            .flat_map(|far| attachment.addresses().map(move |own| (far, own)))
        {
            if far.is_ipv4() == own.is_ipv4() {
                nft(
                    &lab.vpc,
                    &format!(
                        "add rule inet vpc spoofed iifname vpc0 {} saddr {own} drop",
                        if far.is_ipv4() { "ip" } else { "ip6" }
                    ),
                );
                assert_eq!(ask(&pod, far), Ok(own), "{backend:?}");
            }
        }
        assert_eq!(configure(&datapath, None), Ok(None));
        assert_eq!(traces(&lab), "", "{backend:?}");
    }
}

#[test]
fn policy_route_v4_symmetric_routing() {
    if !support::skip("policy_route_v4_symmetric_routing") {
        answered_where_it_came_in(Stack::V4);
    }
}

#[test]
fn policy_route_v6_symmetric_routing() {
    if !support::skip("policy_route_v6_symmetric_routing") {
        answered_where_it_came_in(Stack::V6);
    }
}

#[test]
fn policy_route_dual_symmetric_routing() {
    if !support::skip("policy_route_dual_symmetric_routing") {
        answered_where_it_came_in(Stack::Dual);
    }
}

#[test]
fn a_changed_configuration_leaves_nothing_of_the_old_one() {
    if support::skip("a_changed_configuration_leaves_nothing_of_the_old_one") {
        return;
    }
    let lab = Lab::new();
    let first = Open::new(&lab.host);
    let odd = Config {
        mark: 0x200,
        mask: 0xf00,
        table: 77,
        priority: 700,
        comment: "our own words".into(),
        ..with(Backend::Iptables)
    };
    configure(&first, Some(odd)).unwrap();
    let seen = all(
        &lab,
        &["ip rule", "ip route show table 77", "iptables -t mangle -S PREROUTING"],
    );
    for part in [
        "700:",
        "fwmark 0x200/0xf00 lookup 77",
        "default via 10.0.0.253 dev eth0",
        "our own words",
    ] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    drop(first);
    // Another process, another back end, all defaults.
    let second = Open::new(&lab.host);
    configure(&second, Some(with(Backend::Nftables))).unwrap();
    let seen = all(
        &lab,
        &[
            "ip rule",
            "ip -6 rule",
            "ip route show table 77",
            "iptables -t mangle -S PREROUTING",
            "ip6tables -t mangle -S PREROUTING",
        ],
    );
    assert!(
        !seen.contains("0x200") && !seen.contains("dev eth0") && !seen.contains("our own words"),
        "{seen}"
    );
    assert_eq!(seen.matches("fwmark 0x10/0x10 lookup 100").count(), 2, "{seen}");
    // Collection leaves it alone, a third process switches it off.
    second.collect();
    assert!(all(&lab, &["ip route show table 100"]).contains("default via 10.0.0.253 dev eth0"));
    drop(second);
    let third = Open::new(&lab.host);
    configure(&third, None).unwrap();
    assert_eq!(traces(&lab), "");
}

#[test]
fn foreign_edits_of_symmetric_routing_are_repaired() {
    if support::skip("foreign_edits_of_symmetric_routing_are_repaired") {
        return;
    }
    for backend in BACKENDS {
        let lab = Lab::new();
        let datapath = Open::new(&lab.host);
        all(
            &lab,
            &[
                "iptables -t mangle -A PREROUTING -s 192.0.2.1 -j ACCEPT",
                "ip rule add pref 650 fwmark 0x700 lookup 4711",
            ],
        );
        configure(&datapath, Some(with(backend))).unwrap();
        let everything = [
            "ip rule",
            "ip -6 rule",
            "ip route show table 100",
            "ip -6 route show table 100",
            "nft list ruleset",
        ];
        // A table that is made anew is the last one of the list.
        let state = || {
            let mut lines: Vec<String> = all(&lab, &everything).lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let before = state();
        datapath.0.start_repair(Duration::from_millis(200), true, |_| {}).unwrap();
        let netfilter = match backend {
            Backend::Nftables => [
                "nft flush chain ip terway_symmetric prerouting",
                "nft delete table ip6 terway_symmetric",
            ],
            Backend::Iptables => ["iptables -t mangle -D PREROUTING 2", "ip6tables -t mangle -F PREROUTING"],
        };
        let routing = [
            "ip rule del pref 600",
            "ip -6 rule del pref 600",
            "ip route flush table 100",
            "ip -6 route flush table 100",
        ];
        for edit in routing.into_iter().chain(netfilter) {
            all(&lab, &[edit]);
            until(edit, Duration::from_secs(3), || state() == before);
        }
        configure(&datapath, None).unwrap();
        let kept = all(&lab, &["iptables -t mangle -S PREROUTING", "ip rule"]);
        assert!(
            kept.contains("-s 192.0.2.1/32 -j ACCEPT") && kept.contains("fwmark 0x700"),
            "{kept}"
        );
    }
}

#[test]
fn a_node_without_a_gateway_is_told_so() {
    if support::skip("a_node_without_a_gateway_is_told_so") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let named = |name: &str| {
        let config = Config {
            interface: Some(name.into()),
            ..Config::default()
        };
        configure(&datapath, Some(config)).unwrap_err().message
    };
    assert!(named("eth1").contains("eth1 has no default gateway"), "{}", named("eth1"));
    assert!(named("eth9").contains("no interface eth9"), "{}", named("eth9"));
}

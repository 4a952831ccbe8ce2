//! An IPvlan pod reaches a Service through the host's stack, in both families, although its frames are addressed to the VPC's gateway.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use support::Bpffs;
use support::filter::{attach, mac};
use support::namespace::Namespace;
use support::stage::record_for;
use support::talk::talks;
use terway_bpf::{Endpoint, EndpointFlags, Eni, Programs, Reason};

mod support;

const ENI: u32 = 1001;

#[test]
fn services_are_reached_through_the_hosts_slave() {
    let (node, vpc, pod) = (Namespace::new(), Namespace::new(), Namespace::new());
    node.ip(&format!("link add eni0 index {ENI} type veth peer name vpc0"));
    if let Err(error) = node.try_ip("link add link eni0 name ipvl type ipvlan mode l2") {
        assert!(
            error.contains("Unknown device type") || error.contains("not supported"),
            "{error}"
        );
        println!("SKIP services_are_reached_through_the_hosts_slave: this kernel has no IPvlan");
        return;
    }
    node.ip(&format!("link set vpc0 netns {}", vpc.path()));
    vpc.ips("link set vpc0 up\naddress add 10.0.0.1/24 dev vpc0\n-6 address add fd00::1/64 dev vpc0 nodad");
    // Going up takes the flag away again (ipvlan_open).
    node.ips("link set eni0 up\nlink set ipvl up\nlink set ipvl arp off\naddress add 10.0.0.2/32 dev ipvl\n-6 address add fd00::2/128 dev ipvl nodad");
    node.ips("route add 10.0.0.7/32 dev ipvl\n-6 route add fd00::7/128 dev ipvl\naddress add 172.16.0.10/32 dev lo\n-6 address add fd16::10/128 dev lo nodad");
    node.ip("link add link eni0 name slave type ipvlan mode l2");
    node.ip(&format!("link set slave netns {} name eth0", pod.path()));
    pod.ips("link set eth0 up\naddress add 10.0.0.7/24 dev eth0\n-6 address add fd00::7/64 dev eth0 nodad");
    pod.ips("route add default via 10.0.0.1\n-6 route add default via fd00::1");

    let bpffs = Bpffs::mount();
    let mut programs = Programs::open(bpffs.path()).unwrap();
    let mac: Vec<u8> = mac(&node, "eni0")
        .split(':')
        .map(|part| u8::from_str_radix(part, 16).unwrap())
        .collect();
    let host_slave = index(&node, "ipvl");
    let eni = Eni {
        host_slave,
        mac: mac.try_into().unwrap(),
        ..Eni::default()
    };
    programs.maps.enis.put(&ENI, &eni).unwrap();
    for address in ["10.0.0.7", "fd00::7"] {
        let record = Endpoint {
            eni: ENI,
            flags: EndpointFlags::IPVLAN,
            ..Endpoint::default()
        };
        record_for(&mut programs, address, record);
    }
    programs.maps.host_stack.put("172.16.0.0".parse().unwrap(), 16).unwrap();
    programs.maps.host_stack.put("fd16::".parse().unwrap(), 112).unwrap();
    attach(&bpffs, &node, "eni0");

    for service in ["172.16.0.10", "fd16::10"] {
        let before = programs.maps.counters.get(Reason::OutRedirected).unwrap().packets;
        talks(&pod, &node, service).unwrap();
        assert!(
            programs.maps.counters.get(Reason::OutRedirected).unwrap().packets > before,
            "{service}"
        );
    }
    // What is no Service still leaves for the VPC.
    for gateway in ["10.0.0.1", "fd00::1"] {
        let before = programs.maps.counters.get(Reason::OutRedirected).unwrap().packets;
        talks(&pod, &vpc, gateway).unwrap();
        assert_eq!(programs.maps.counters.get(Reason::OutRedirected).unwrap().packets, before);
    }
}

fn index(namespace: &Namespace, interface: &str) -> u32 {
    let line = namespace.ip(&format!("-o link show {interface}"));
    line.split(':').next().unwrap().trim().parse().unwrap()
}

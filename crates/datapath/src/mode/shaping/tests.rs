use super::*;
use crate::attachment::{Shaping, Trunk};
use crate::mode::desired_state;
use crate::mode::example::{example, facts};

/// The traffic control that limits ask for, one object a line, in the pod and on the host.
fn limits(mode: Mode, ingress_queues: bool) -> Vec<String> {
    let attachment = Attachment {
        mode,
        trunk: (mode == Mode::Vlan).then_some(Trunk {
            vlan_id: 7,
            gateway_ipv4: None,
            gateway_ipv6: None,
        }),
        network_policy: true,
        shaping: Shaping {
            ingress: Some(1_250_000),
            egress: Some(2_500_000),
            ..Shaping::default()
        },
        ..example()
    };
    let facts = HostFacts {
        ingress_queues,
        ..facts()
    };
    let desired = desired_state(&attachment, &facts);
    let names = &desired.names;
    let rate = |qdisc: &Qdisc| match qdisc.discipline {
        Discipline::Tbf { rate, .. } => format!(" {rate}"),
        _ => String::new(),
    };
    let mut lines = Vec::new();
    for (place, state) in [("host", &desired.host), ("pod", &desired.pod)] {
        let shaper = state.links.iter().filter(|link| link.device == Device::Shaper);
        lines.extend(shaper.map(|link| format!("{place} {}", names.link(link.device))));
        let qdiscs = state.qdiscs.iter();
        lines.extend(qdiscs.map(|qdisc| format!("{place} {}{}", names.qdisc(qdisc), rate(qdisc))));
        lines.extend(
            state
                .redirects
                .iter()
                .map(|redirect| format!("{place} {}", names.redirect(redirect))),
        );
    }
    lines
}

#[test]
fn what_a_pod_gets_waits_on_the_node_or_beside_its_own_device() {
    let on_node = [
        "host qdisc tbf 7472: dev calic95a4947e07 root 1250000",
        "host qdisc clsact ffff: dev calic95a4947e07 parent ffff:fff1",
        "pod qdisc tbf 7472: dev eth0 root 2500000",
    ];
    assert_eq!(limits(Mode::PolicyRoute, true), on_node);
    assert_eq!(limits(Mode::Netkit, false), on_node);
    let in_pod = [
        "pod link ifb-eth0",
        "pod qdisc tbf 7472: dev eth0 root 2500000",
        "pod qdisc tbf 7472: dev ifb-eth0 root 1250000",
        "pod qdisc clsact ffff: dev eth0 parent ffff:fff1",
        "pod filter dev eth0 ingress pref 29812 bpf handle 0x1 redirect to ifb-eth0",
    ];
    assert_eq!(limits(Mode::Ipvlan, true), in_pod);
    assert_eq!(limits(Mode::Vlan, true), in_pod);
}

/// Services come and go by the pair beside the ENI; they share the queue to the pod.
#[test]
fn each_way_of_an_exclusive_pod_is_limited() {
    let both = [
        "pod link ifb-eth0",
        "pod qdisc tbf 7472: dev eth0 root 2500000",
        "pod qdisc tbf 7472: dev veth1 root 2500000",
        "pod qdisc tbf 7472: dev ifb-eth0 root 1250000",
        "pod qdisc clsact ffff: dev eth0 parent ffff:fff1",
        "pod qdisc clsact ffff: dev veth1 parent ffff:fff1",
        "pod filter dev eth0 ingress pref 29812 bpf handle 0x1 redirect to ifb-eth0",
        "pod filter dev veth1 ingress pref 29812 bpf handle 0x1 redirect to ifb-eth0",
    ];
    assert_eq!(limits(Mode::Exclusive, true), both);
}

#[test]
fn a_kernel_without_ingress_queues_limits_what_the_pod_sends() {
    let egress = "pod qdisc tbf 7472: dev eth0 root 2500000";
    let hooks = "pod qdisc clsact ffff: dev eth0 parent ffff:fff1";
    assert_eq!(limits(Mode::Ipvlan, false), [egress, hooks]);
}

fn tbf(rate: u64, mtu: u32) -> (u32, u32) {
    let Discipline::Tbf { burst, limit, .. } = bucket(Device::PodEnd, rate, mtu).discipline else {
        panic!("not a bucket")
    };
    (burst, limit)
}

#[test]
fn a_burst_is_a_tick_and_a_queue_holds_a_segment() {
    assert_eq!(tbf(1_250_000, 1500), (5_000, 70_536));
    assert_eq!(tbf(12_500_000, 1500), (50_000, 362_500));
    assert_eq!(tbf(125_000_000, 1500), (500_000, 3_625_000));
    assert_eq!(tbf(125, 8500), (10_000, 75_536));
    assert_eq!(tbf(u64::MAX, 1500), (u32::MAX, u32::MAX));
}

use super::*;
use crate::attachment::Trunk;
use crate::mode::desired_state;
use crate::mode::example::{example, facts};
use crate::object::{Attach, Place, Qdisc, Record};
use crate::programs::ProgramIds;
use crate::step::{Phase, Step};

/// Wanted filters, one a line.
fn filters(attachment: &Attachment) -> Vec<String> {
    let programs = ProgramIds {
        from_pod: 11,
        to_pod: 12,
        ..ProgramIds::default()
    };
    let desired = desired_state(attachment, &HostFacts { programs, ..facts() });
    let mut lines = Vec::new();
    for place in [Place::Host, Place::Pod] {
        for filter in desired
            .at(place)
            .filters
            .iter()
            .filter(|filter| filter.device != Device::Eni || place == Place::Pod)
        {
            let has_place = |qdisc: &Qdisc| qdisc.device == filter.device && qdisc.attach == Attach::Clsact;
            assert!(
                desired.at(place).qdiscs.iter().any(has_place),
                "{filter:?} has nowhere to hang"
            );
            assert_eq!(filter.class, 8);
            let direction = filter.direction;
            lines.push(format!("{place} {:?} {direction:?} {}", filter.device, filter.program));
        }
    }
    lines
}

fn judged(mode: Mode) -> Attachment {
    Attachment {
        mode,
        generation: 7,
        network_policy: true,
        trunk: (mode == Mode::Vlan).then_some(Trunk {
            vlan_id: 7,
            gateway_ipv4: None,
            gateway_ipv6: None,
        }),
        ..example()
    }
}

#[test]
fn the_node_holds_the_hooks_where_it_has_an_end() {
    for mode in [Mode::PolicyRoute, Mode::Netkit] {
        assert_eq!(filters(&judged(mode)), ["host HostEnd In 11", "host HostEnd Out 12"]);
    }
}

#[test]
fn elsewhere_they_are_on_each_device_of_the_pod() {
    for mode in [Mode::Ipvlan, Mode::Vlan] {
        assert_eq!(filters(&judged(mode)), ["pod PodEnd Out 11", "pod PodEnd In 12"]);
    }
    let on_eni = ["pod Eni Out 11", "pod Eni In 12"];
    let on_peer = ["pod PodEnd Out 11", "pod PodEnd In 12"];
    assert_eq!(filters(&judged(Mode::Exclusive)), [on_eni, on_peer].concat());
    let alone = Attachment {
        host_peer: false,
        ..judged(Mode::Exclusive)
    };
    assert_eq!(filters(&alone), on_eni);
}

#[test]
fn the_programs_know_each_address_of_a_judged_pod_and_of_no_other() {
    for mode in [Mode::PolicyRoute, Mode::Netkit, Mode::Ipvlan, Mode::Vlan, Mode::Exclusive] {
        let attachment = judged(mode);
        let records = |attachment: &Attachment| {
            let host = desired_state(attachment, &facts()).host;
            let endpoints = host.records.into_iter().filter_map(|record| match record {
                Record::Endpoint(address, endpoint) => Some((address, endpoint.id)),
                _ => None,
            });
            endpoints.collect::<Vec<_>>()
        };
        let expected: Vec<_> = attachment.addresses().map(|address| (address, 8)).collect();
        assert_eq!(records(&attachment), expected, "{mode:?}");
        let free = Attachment {
            network_policy: false,
            ..attachment
        };
        assert_eq!(records(&free), [], "{mode:?}");
        assert!(filters(&free).is_empty(), "{mode:?}");
    }
}

/// What is judged from the first packet on: hooks and records stand before any link of the pod comes up.
#[test]
fn hooks_and_records_come_before_the_links() {
    for mode in [Mode::PolicyRoute, Mode::Netkit, Mode::Ipvlan, Mode::Vlan, Mode::Exclusive] {
        let desired = desired_state(&judged(mode), &facts());
        let mut last = Phase::NodeSysctl;
        for place in [Place::Host, Place::Pod] {
            let state = desired.at(place);
            let filters = state.filters.iter().map(|filter| Step::PutFilter(place, filter.clone()));
            let records = state.records.iter().map(|record| Step::PutRecord(*record));
            last = filters
                .chain(records)
                .map(|step| step.phase(desired.form))
                .fold(last, Ord::max);
            for qdisc in state.qdiscs.iter().filter(|qdisc| qdisc.attach == Attach::Clsact) {
                let hung = Step::PutQdisc(place, qdisc.clone()).phase(desired.form);
                let hooked = if place == Place::Host {
                    Phase::Filter
                } else {
                    Phase::PodFilter
                };
                assert!(hung < hooked, "{mode:?}");
            }
        }
        let up = |place, device| Step::SetLink {
            place,
            device,
            name: None,
            mtu: None,
            up: true,
            alias: None,
            arp: None,
        };
        assert!(
            last < up(Place::Pod, desired.form.pod_device()).phase(desired.form),
            "{mode:?}"
        );
        assert!(last < up(Place::Host, Device::HostEnd).phase(desired.form), "{mode:?}");
    }
}

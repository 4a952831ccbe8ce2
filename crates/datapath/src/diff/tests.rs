//! A model of the kernel as plain lists: what the steps do to it must make the difference empty, from wherever it starts.

use super::*;
use crate::attachment::{Attachment, RuleForm, Shaping};
use crate::desired::HostFacts;
use crate::mode::desired_state;
use crate::mode::example::{example, facts};
use crate::object::{Family, Mtu, Qdisc, RouteKind, RuleAction, SysctlKey, SysctlScope, TABLE_MAIN};
use crate::observed::ObservedLink;

fn desired(rule_form: RuleForm) -> DesiredState {
    let attachment = Attachment {
        extra_routes: vec!["172.16.0.0/16".parse().unwrap()],
        rule_form,
        shaping: Shaping {
            ingress: Some(1_250_000),
            egress: Some(2_500_000),
            ..Shaping::default()
        },
        ..example()
    };
    let uplink = Some("eth0".to_owned());
    desired_state(
        &attachment,
        &HostFacts {
            advertised_uplink: uplink,
            ..facts()
        },
    )
}

/// Both namespaces of the model.
#[derive(Clone, Default)]
struct Kernel {
    host: Observed,
    pod: Observed,
}

fn link(index: u32, name: &str) -> ObservedLink {
    ObservedLink {
        index,
        name: name.into(),
        mtu: 1500,
        mac: Some(Mac([2, 0, 0, 0, 0, index as u8])),
        ..ObservedLink::default()
    }
}

impl Kernel {
    /// A node with its ENI and its uplink, nothing else.
    fn bare() -> Self {
        let mut kernel = Self::default();
        kernel.host.links.insert(Device::Eni, link(3, "eth1"));
        kernel.host.links.insert(Device::Uplink, link(2, "eth0"));
        kernel
    }

    fn at(&mut self, place: Place) -> &mut Observed {
        match place {
            Place::Host => &mut self.host,
            Place::Pod => &mut self.pod,
        }
    }

    fn mac(&self, device: Device) -> Mac {
        let links = if device == Device::PodEnd {
            &self.pod.links
        } else {
            &self.host.links
        };
        links[&device].mac.unwrap()
    }

    fn run(&mut self, step: &Step) {
        match step.clone() {
            Step::Create(_) => {
                let alias = Some("terway:c0ffee/eth0".to_owned());
                self.host.links.insert(
                    Device::HostEnd,
                    ObservedLink {
                        alias,
                        ..link(7, "calic95a4947e07")
                    },
                );
                self.pod.links.insert(Device::PodEnd, link(2, "eth0"));
            }
            Step::SetLink {
                place,
                device,
                name,
                mtu,
                up,
                alias,
                ..
            } => {
                let link = self.at(place).links.get_mut(&device).unwrap();
                link.name = name.unwrap_or(link.name.clone());
                link.mtu = mtu.unwrap_or(link.mtu);
                link.up |= up;
                link.alias = alias.or(link.alias.take());
            }
            Step::WriteSysctl(place, sysctl) => self.write(place, &sysctl),
            Step::AddAddress(place, address) => self.at(place).addresses.push(address),
            Step::PutRoute(place, route) => {
                let routes = &mut self.at(place).routes;
                routes.retain(|seen| !rival_routes(seen, &route));
                routes.push(route);
            }
            Step::DeleteRoute(place, route) => self.at(place).routes.retain(|seen| *seen != route),
            Step::AddRule(place, rule) => {
                let rules = &mut self.at(place).rules;
                assert!(!rules.iter().any(|seen| same_rule(seen, &rule)), "EEXIST: {rule}");
                rules.push(rule);
            }
            Step::DeleteRule(place, rule) => self.at(place).rules.retain(|seen| *seen != rule),
            Step::PutQdisc(place, qdisc) => {
                let qdiscs = &mut self.at(place).qdiscs;
                let rival = |seen: &Qdisc| (seen.device, seen.attach) == (qdisc.device, qdisc.attach);
                let kept = |seen: &Qdisc| seen.discipline.kind() == qdisc.discipline.kind();
                assert!(
                    qdiscs.iter().filter(|seen| rival(seen)).all(kept),
                    "EINVAL: the kernel changes no kinds"
                );
                qdiscs.retain(|seen| !rival(seen));
                qdiscs.push(qdisc);
            }
            Step::ReplaceQdisc(place, qdisc) => {
                let qdiscs = &mut self.at(place).qdiscs;
                qdiscs.retain(|seen| (seen.device, seen.attach) != (qdisc.device, qdisc.attach));
                qdiscs.push(qdisc);
            }
            Step::PutFilter(filter) => {
                let filters = &mut self.host.filters;
                filters.retain(|seen| (seen.device, seen.direction) != (filter.device, filter.direction));
                filters.push(filter);
            }
            Step::DeleteFilter(filter) => self.host.filters.retain(|seen| *seen != filter),
            Step::PutRecord(record) => {
                self.host.records.retain(|seen| seen.key() != record.key());
                self.host.records.push(record);
            }
            Step::DeleteRecord(key) => self.host.records.retain(|seen| seen.key() != key),
            Step::DeleteQdisc(place, qdisc) => self.at(place).qdiscs.retain(|seen| *seen != qdisc),
            Step::Masquerade(address) => self.host.masquerade.push(address),
            Step::PutNeighbour(place, neighbour) => {
                let LinkAddress::Of(owner) = neighbour.mac else {
                    panic!("a wanted neighbour names a device")
                };
                let mac = LinkAddress::Is(self.mac(owner));
                let neighbours = &mut self.at(place).neighbours;
                neighbours.retain(|seen| (seen.device, seen.address) != (neighbour.device, neighbour.address));
                neighbours.push(Neighbour { mac, ..neighbour });
            }
        }
    }

    fn write(&mut self, place: Place, sysctl: &Sysctl) {
        let SysctlKey { family, scope, name } = sysctl.key;
        let value = Some(sysctl.value);
        let seen = self.at(place);
        let SysctlScope::Device(device) = scope else {
            seen.sysctls.insert(sysctl.key, sysctl.value);
            return;
        };
        let conf = &mut seen.links.get_mut(&device).unwrap().sysctls;
        match (family, name) {
            (Family::V4, "forwarding") => conf.forwarding4 = value,
            (Family::V4, "rp_filter") => conf.rp_filter = value,
            (Family::V6, "forwarding") => conf.forwarding6 = value,
            (Family::V6, "accept_ra") => conf.accept_ra = value,
            (Family::V6, "disable_ipv6") => conf.disable_ipv6 = value,
            (Family::V6, "accept_dad") => conf.accept_dad = value,
            other => panic!("unknown sysctl {other:?}"),
        }
    }

    fn diff(&self, desired: &DesiredState) -> Vec<Difference> {
        diff(desired, &self.host, Some(&self.pod))
    }

    /// Attach as the verb does it: the pair first, then what is still different.
    fn converge(&mut self, desired: &DesiredState) -> usize {
        let mut steps = 0;
        for _ in 0..2 {
            let pair_missing = !self.host.links.contains_key(&Device::HostEnd);
            let limit = if pair_missing { Phase::Birth } else { Phase::Removal };
            for step in self.diff(desired).into_iter().filter_map(|difference| difference.step) {
                if step.phase(desired.form) <= limit {
                    self.run(&step);
                    steps += 1;
                }
            }
        }
        steps
    }
}

const FORMS: [RuleForm; 2] = [RuleForm::Compact, RuleForm::PerPod];

fn settled(desired: &DesiredState) -> Kernel {
    let mut kernel = Kernel::bare();
    kernel.converge(desired);
    kernel
}

#[test]
fn steps_lead_to_no_difference_and_nothing_is_done_twice() {
    for form in FORMS {
        let desired = desired(form);
        let mut kernel = settled(&desired);
        assert_eq!(kernel.diff(&desired), [], "{form:?}");
        assert_eq!(kernel.converge(&desired), 0, "{form:?}");
    }
}

/// I6: stopped after any step and run again, the end is the same.
#[test]
fn stopping_after_any_step_and_going_on_ends_the_same() {
    for form in FORMS {
        let desired = desired(form);
        let mut pair = Kernel::bare();
        pair.run(&Step::Create(Device::HostEnd));
        let all: Vec<Step> = pair
            .diff(&desired)
            .into_iter()
            .filter_map(|difference| difference.step)
            .collect();
        for stop in 0..=all.len() {
            let mut kernel = pair.clone();
            all.iter().take(stop).for_each(|step| kernel.run(step));
            let rest = kernel.converge(&desired);
            assert_eq!(kernel.diff(&desired), [], "{form:?} stopped after {stop}");
            assert_eq!(rest, all.len() - stop, "{form:?} stopped after {stop}: steps were repeated");
        }
    }
}

/// Every wanted object is missed, by name and alone, when it alone is taken away.
#[test]
fn each_missing_object_is_one_drift() {
    for form in FORMS {
        let desired = desired(form);
        let whole = settled(&desired);
        for place in [Place::Host, Place::Pod] {
            let mut cases: Vec<(String, Kernel)> = Vec::new();
            let mut take = |object: String, spoil: &dyn Fn(&mut Observed)| {
                let mut kernel = whole.clone();
                spoil(kernel.at(place));
                cases.push((object, kernel));
            };
            let state = desired.at(place);
            for route in &state.routes {
                take(desired.names.route(route), &|seen| seen.routes.retain(|other| other != route));
            }
            for rule in &state.rules {
                take(rule.to_string(), &|seen| seen.rules.retain(|other| other != rule));
            }
            for address in &state.addresses {
                take(desired.names.address(address), &|seen| {
                    seen.addresses.retain(|other| other != address)
                });
            }
            for neighbour in &state.neighbours {
                take(desired.names.neighbour(neighbour), &|seen| {
                    seen.neighbours.retain(|other| other.address != neighbour.address)
                });
            }
            for (object, kernel) in cases {
                let found = kernel.diff(&desired);
                assert_eq!(found.len(), 1, "{object}: {found:?}");
                assert_eq!((&found[0].drift.object, found[0].drift.problem), (&object, Problem::Missing));
                assert!(found[0].step.is_some());
            }
        }
    }
}

#[test]
fn changed_properties_are_named() {
    type Spoil = fn(&mut Kernel);
    let desired = desired(RuleForm::Compact);
    let cases: &[(&str, &str, Spoil)] = &[
        ("link calic95a4947e07", "mtu 1400, want 1500", |k| {
            k.host.links.get_mut(&Device::HostEnd).unwrap().mtu = 1400
        }),
        ("link calic95a4947e07", "down, want up", |k| {
            k.host.links.get_mut(&Device::HostEnd).unwrap().up = false
        }),
        ("link eth0", "down, want up", |k| {
            k.pod.links.get_mut(&Device::PodEnd).unwrap().up = false
        }),
        ("link eth1", "mtu 1400, want 1500", |k| {
            k.host.links.get_mut(&Device::Eni).unwrap().mtu = 1400
        }),
        ("link calic95a4947e07", "alias \"\", want \"terway:c0ffee/eth0\"", |k| {
            k.host.links.get_mut(&Device::HostEnd).unwrap().alias = None
        }),
        ("neighbour 10.0.1.23 dev calic95a4947e07", "not permanent", |k| {
            k.host.neighbours[0].permanent = false
        }),
        (
            "neighbour 169.254.1.1 dev eth0",
            "lladdr 02:00:00:00:00:63, want 02:00:00:00:00:07",
            |k| {
                k.pod.neighbours[0].mac = LinkAddress::Is(Mac([2, 0, 0, 0, 0, 99]));
            },
        ),
        ("sysctl net.ipv6.conf.all.forwarding", "0, want 1", |k| {
            let key = SysctlKey {
                family: Family::V6,
                scope: SysctlScope::All,
                name: "forwarding",
            };
            k.host.sysctls.insert(key, 0);
        }),
        (
            "route 10.0.1.23/32 dev calic95a4947e07",
            "found 10.0.1.23/32 dev if9 proto 3",
            |k| {
                let route = k
                    .host
                    .routes
                    .iter_mut()
                    .find(|route| route.destination.to_string() == "10.0.1.23/32")
                    .unwrap();
                (route.device, route.protocol) = (Some(Device::Index(9)), 3);
            },
        ),
    ];
    for (object, detail, spoil) in cases {
        let mut kernel = settled(&desired);
        spoil(&mut kernel);
        let found = kernel.diff(&desired);
        let drift = found
            .iter()
            .map(|difference| &difference.drift)
            .find(|drift| drift.object == *object);
        let drift = drift.unwrap_or_else(|| panic!("{object}: {found:?}"));
        assert_eq!(
            (drift.problem, drift.detail.as_deref()),
            (Problem::Different, Some(*detail)),
            "{object}"
        );
        kernel.converge(&desired);
        assert_eq!(kernel.diff(&desired), [], "{object} was not mended");
    }
}

#[test]
fn a_new_mac_of_the_host_end_reaches_the_pod() {
    let desired = desired(RuleForm::Compact);
    let mut kernel = settled(&desired);
    kernel.host.links.get_mut(&Device::HostEnd).unwrap().mac = Some(Mac([2, 2, 2, 2, 2, 2]));
    let objects: Vec<String> = kernel
        .diff(&desired)
        .into_iter()
        .map(|difference| difference.drift.object)
        .collect();
    assert_eq!(objects, ["neighbour 169.254.1.1 dev eth0", "neighbour fe80::1 dev eth0"]);
}

#[test]
fn only_our_own_surplus_is_unexpected() {
    let desired = desired(RuleForm::Compact);
    let mut kernel = settled(&desired);
    let pod = Prefix::host([10, 0, 1, 23].into());
    let stale = Rule {
        action: RuleAction::Lookup(1009),
        ..*desired.host.rules.iter().find(|rule| rule.from == Some(pod)).unwrap()
    };
    let foreign = Rule {
        protocol: 3,
        priority: 100,
        ..stale
    };
    kernel.host.rules.extend([stale, foreign]);
    let old = Route {
        destination: Prefix::host([10, 0, 1, 99].into()),
        ..desired.host.routes[2]
    };
    let old = Route {
        device: Some(Device::HostEnd),
        gateway: None,
        table: TABLE_MAIN,
        kind: RouteKind::Unicast,
        ..old
    };
    kernel.host.routes.extend([
        old,
        Route {
            protocol: 3,
            metric: 5,
            ..old
        },
    ]);
    let found: Vec<_> = kernel
        .diff(&desired)
        .into_iter()
        .map(|difference| (difference.drift.problem, difference.step))
        .collect();
    let want = [
        (Problem::Unexpected, Some(Step::DeleteRoute(Place::Host, old))),
        (Problem::Unexpected, Some(Step::DeleteRule(Place::Host, stale))),
    ];
    assert_eq!(found, want);
    assert_eq!(stale.from, Some(pod));
}

#[test]
fn an_eni_is_never_made_smaller_and_a_displaced_name_not_asked_back() {
    let desired = desired(RuleForm::Compact);
    let mut kernel = settled(&desired);
    kernel.host.links.get_mut(&Device::Eni).unwrap().mtu = 8500;
    kernel.host.links.get_mut(&Device::HostEnd).unwrap().name = "trwy7".into();
    assert_eq!(kernel.diff(&desired), []);
    assert!(Mtu::AtLeast(1500).accepts(8500) && !Mtu::Exactly(1500).accepts(8500));
}

/// The host's side alone says nothing about the pod's, and believes the neighbour it has.
#[test]
fn without_a_look_into_the_pod_nothing_is_said_about_it() {
    let desired = desired(RuleForm::Compact);
    let kernel = settled(&desired);
    assert_eq!(diff(&desired, &kernel.host, None), []);
}

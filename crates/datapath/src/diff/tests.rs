//! What the steps do to a model of the kernel must make the difference empty, from wherever it starts.

mod model;

use model::Kernel;

use super::*;
use crate::attachment::{Attachment, RuleForm, Shaping};
use crate::desired::{HostFacts, UplinkFacts};
use crate::mode::desired_state;
use crate::mode::example::{example, facts};
use crate::object::{Family, Mtu, Prefix, Route, RouteKind, Rule, RuleAction, SysctlKey, SysctlScope, TABLE_MAIN};

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
    let uplink = Some(UplinkFacts {
        name: "eth0".to_owned(),
        advertised: true,
        addressed: true,
    });
    desired_state(&attachment, &HostFacts { uplink, ..facts() })
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

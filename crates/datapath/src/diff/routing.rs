//! Routes and rules.

use std::cmp::Reverse;

use super::{Problem, Side};
use crate::desired::{DesiredState, NamespaceState};
use crate::mode::source_tree::is_leaf;
use crate::object::{Device, PROTOCOL, Place, Prefix, Route, Rule};
use crate::step::Step;

impl Side<'_> {
    pub(super) fn route(&mut self, wanted: &Route) {
        let mut rivals = self.seen.routes.iter().filter(|seen| rival_routes(seen, wanted));
        let detail = match rivals.next() {
            None => None,
            Some(first) if first == wanted || rivals.any(|seen| seen == wanted) => return,
            Some(first) => {
                let preferred = first.preferred.map(|address| format!(" src {address}")).unwrap_or_default();
                let body = self.names.route_body(first);
                Some(format!("found {body}{preferred} proto {}", first.protocol))
            }
        };
        let problem = if detail.is_some() {
            Problem::Different
        } else {
            Problem::Missing
        };
        self.report(
            "route",
            self.names.route(wanted),
            problem,
            detail,
            Some(Step::PutRoute(self.place, *wanted)),
        );
    }

    pub(super) fn rule(&mut self, wanted: &Rule) {
        if !self.seen.rules.iter().any(|seen| same_rule(seen, wanted)) {
            let step = Step::AddRule(self.place, *wanted);
            self.report("rule", wanted.to_string(), Problem::Missing, None, Some(step));
        }
    }

    fn is_of_pod(&self, prefix: Option<Prefix>, desired: &DesiredState) -> bool {
        prefix.is_some_and(|prefix| {
            desired
                .pod
                .addresses
                .iter()
                .any(|address| Prefix::host(address.prefix.address) == prefix)
        })
    }

    /// Routes of ours on the ends of the pair, those for packets from the pod alone, and those of an ENI in the pod, belong to this attachment alone. Those of an ENI of the
    /// host are shared and left to collection.
    pub(super) fn unexpected_routes(&mut self, wanted: &NamespaceState, desired: &DesiredState) {
        let place = self.place;
        let own = |route: &&Route| match route.device {
            _ if route.source.is_some() => self.is_of_pod(route.source, desired),
            Some(Device::HostEnd | Device::PodEnd) => true,
            Some(Device::Eni) => place == Place::Pod,
            _ => false,
        };
        let mut surplus: Vec<Route> = (self.seen.routes.iter().filter(own))
            .filter(|seen| seen.protocol == PROTOCOL && !wanted.routes.iter().any(|route| rival_routes(seen, route)))
            .copied()
            .collect();
        // What is unreachable goes before the route beside it: alone it would refuse what the pod sends.
        surplus.sort_by_key(|route| Reverse(route.metric));
        for route in surplus {
            let step = Step::DeleteRoute(self.place, route);
            self.report("route", self.names.route(&route), Problem::Unexpected, None, Some(step));
        }
    }

    /// Rules of ours that name one of the pod's addresses belong to this attachment alone. In a tree of other levels, or that of the compact
    /// form, they lead packets until that goes as a whole (`verb/tree.rs`, `verb/rule_form.rs`).
    pub(super) fn unexpected_rules(&mut self, wanted: &NamespaceState, desired: &DesiredState) {
        let names_pod = |prefix: Option<Prefix>| self.is_of_pod(prefix, desired);
        let binds_pod = |rule: &Rule| rule.output.is_some() && wanted.rules.iter().any(|want| want.output == rule.output);
        let surplus: Vec<Rule> = (self.seen.rules.iter())
            .filter(|seen| seen.protocol == PROTOCOL && (names_pod(seen.from) || names_pod(seen.to) || binds_pod(seen)))
            .filter(|seen| !wanted.rules.iter().any(|rule| same_rule(seen, rule)))
            .filter(|seen| {
                let same_way = |want: &Rule| want.from == seen.from && want.action == seen.action;
                !(is_leaf(seen) && wanted.rules.iter().any(same_way))
            })
            .copied()
            .collect();
        for rule in surplus {
            self.report(
                "rule",
                rule.to_string(),
                Problem::Unexpected,
                None,
                Some(Step::DeleteRule(self.place, rule)),
            );
        }
    }
}

/// A rule that does the same, whoever made it: the kernel refuses a second one (`EEXIST`).
pub(super) fn same_rule(seen: &Rule, wanted: &Rule) -> bool {
    !seen.foreign_form
        && Rule {
            protocol: wanted.protocol,
            ..*seen
        } == *wanted
}

/// True if putting `wanted` would replace `seen`: the kernel keeps one route for each table, destination and metric.
pub(super) fn rival_routes(seen: &Route, wanted: &Route) -> bool {
    let same_place = seen.table == wanted.table && seen.destination == wanted.destination && seen.source == wanted.source;
    let same_key = same_place && seen.metric == wanted.metric;
    same_key && (!wanted.stands_beside() || seen.device == wanted.device)
}

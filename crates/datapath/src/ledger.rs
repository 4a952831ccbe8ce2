//! The rules of the host namespace and its IPv6 routes by source, kept up to date by notifications. Listing them costs more with every pod; a notification is queued
//! before the request that caused it is answered, so that reading what is queued makes the ledger as exact as a list.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Result;
use crate::kernel::decode;
use crate::kernel::monitor::{Monitor, News};
use crate::kernel::netns::Netns;
use crate::kernel::observe;
use crate::kernel::socket::Socket;
use crate::kernel::uapi::{
    RTM_DELROUTE, RTM_DELRULE, RTM_NEWROUTE, RTM_NEWRULE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE,
};
use crate::object::{Family, Prefix, Route, Rule, Selectors, TABLE_SOURCES};

struct Pages {
    monitor: Monitor,
    rules: HashMap<Selectors, Vec<Rule>>,
    /// Of `TABLE_SOURCES`.
    routes: HashMap<Prefix, Vec<Route>>,
    /// False until the first list, and after notifications were lost.
    complete: bool,
}

/// See the module.
pub struct Ledger(Mutex<Pages>);

impl Ledger {
    /// Starts to listen in the host namespace; the first look lists the rules.
    pub fn open(home: &Netns) -> Result<Self> {
        let monitor = home.inside(|| Monitor::open(&[RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_IPV6_ROUTE]))?;
        Ok(Self(Mutex::new(Pages {
            monitor,
            rules: HashMap::new(),
            routes: HashMap::new(),
            complete: false,
        })))
    }

    /// The rules with one of these selectors.
    pub fn rules(&self, socket: &mut Socket, selectors: impl IntoIterator<Item = Selectors>) -> Result<Vec<Rule>> {
        let pages = self.read(socket)?;
        let found = selectors.into_iter().filter_map(|selectors| pages.rules.get(&selectors));
        Ok(found.flatten().copied().collect())
    }

    /// The routes of `TABLE_SOURCES` for packets from exactly these prefixes.
    pub fn routes(&self, socket: &mut Socket, sources: impl IntoIterator<Item = Prefix>) -> Result<Vec<Route>> {
        let pages = self.read(socket)?;
        let found = sources.into_iter().filter_map(|source| pages.routes.get(&source));
        Ok(found.flatten().copied().collect())
    }

    fn read(&self, socket: &mut Socket) -> Result<MutexGuard<'_, Pages>> {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pages.catch_up()?;
        if !pages.complete {
            pages.list(socket)?;
        }
        Ok(pages)
    }
}

impl Pages {
    fn catch_up(&mut self) -> Result<()> {
        let Self {
            monitor,
            rules,
            routes,
            complete,
        } = self;
        loop {
            let news = monitor.read(|frame| match frame.kind {
                RTM_NEWRULE | RTM_DELRULE => {
                    let Some(rule) = decode::rule(frame.payload) else { return };
                    note(rules, (rule.from, rule.to), rule, frame.kind == RTM_NEWRULE, |other| {
                        *other == rule
                    });
                }
                RTM_NEWROUTE | RTM_DELROUTE => {
                    let route = decode::route(frame.payload).filter(|route| route.table == TABLE_SOURCES);
                    let Some((route, source)) = route.and_then(|route| Some((route, route.source?))) else {
                        return;
                    };
                    // A route that replaces another says nothing of it.
                    let rival = |other: &Route| other.destination == route.destination && other.metric == route.metric;
                    note(routes, source, route, frame.kind == RTM_NEWROUTE, rival);
                }
                _ => {}
            })?;
            match news {
                News::Read => {}
                News::Lost => *complete = false,
                News::Empty => return Ok(()),
            }
        }
    }

    fn list(&mut self, socket: &mut Socket) -> Result<()> {
        self.rules.clear();
        self.routes.clear();
        for family in [Family::V4, Family::V6] {
            for rule in observe::rules(socket, family)? {
                self.rules.entry((rule.from, rule.to)).or_default().push(rule);
            }
        }
        for route in observe::routes(socket, Family::V6, Some(TABLE_SOURCES), None)? {
            if let Some(source) = route.source {
                self.routes.entry(source).or_default().push(route);
            }
        }
        self.complete = true;
        self.catch_up()
    }
}

/// Enters or strikes out one object. Listing after listening may tell of one twice.
fn note<K: Copy + Eq + Hash, V>(pages: &mut HashMap<K, Vec<V>>, key: K, value: V, there: bool, same: impl Fn(&V) -> bool) {
    let page = pages.entry(key).or_default();
    page.retain(|other| !same(other));
    if there {
        page.push(value);
    }
    if page.is_empty() {
        pages.remove(&key);
    }
}

//! The rules of the host namespace, kept up to date by notifications. Listing them costs more with every pod; a notification is queued
//! before the request that caused it is answered, so that reading what is queued makes the ledger as exact as a list.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::kernel::decode;
use crate::kernel::monitor::{Monitor, News};
use crate::kernel::netns::Netns;
use crate::kernel::observe;
use crate::kernel::socket::Socket;
use crate::kernel::uapi::{RTM_DELRULE, RTM_NEWRULE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE};
use crate::object::{Family, Prefix, Rule};

/// Source and destination of a rule.
type Selectors = (Option<Prefix>, Option<Prefix>);

struct Pages {
    monitor: Monitor,
    rules: HashMap<Selectors, Vec<Rule>>,
    /// False until the first list, and after notifications were lost.
    complete: bool,
}

/// See the module.
pub struct Ledger(Mutex<Pages>);

impl Ledger {
    /// Starts to listen in the host namespace; the first look lists the rules.
    pub fn open(home: &Netns) -> Result<Self> {
        let monitor = home.inside(|| Monitor::open(&[RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE]))?;
        Ok(Self(Mutex::new(Pages {
            monitor,
            rules: HashMap::new(),
            complete: false,
        })))
    }

    /// The rules with no selectors, and those that select exactly one of these prefixes as source or destination.
    pub fn rules(&self, socket: &mut Socket, prefixes: impl IntoIterator<Item = Prefix>) -> Result<Vec<Rule>> {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pages.catch_up()?;
        if !pages.complete {
            pages.list(socket)?;
        }
        let of_prefix = |prefix: Prefix| [(Some(prefix), None), (None, Some(prefix))];
        let keys = prefixes.into_iter().flat_map(of_prefix).chain([(None, None)]);
        Ok(keys.filter_map(|key| pages.rules.get(&key)).flatten().copied().collect())
    }
}

impl Pages {
    fn catch_up(&mut self) -> Result<()> {
        let Self {
            monitor,
            rules,
            complete,
        } = self;
        loop {
            let news = monitor.read(|frame| {
                let Some(rule) = decode::rule(frame.payload) else { return };
                let page = rules.entry((rule.from, rule.to)).or_default();
                match frame.kind {
                    // Listing after listening may tell of a rule twice.
                    RTM_NEWRULE if !page.contains(&rule) => page.push(rule),
                    RTM_DELRULE => page.retain(|other| *other != rule),
                    _ => {}
                }
                if page.is_empty() {
                    rules.remove(&(rule.from, rule.to));
                }
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
        for family in [Family::V4, Family::V6] {
            for rule in observe::rules(socket, family)? {
                self.rules.entry((rule.from, rule.to)).or_default().push(rule);
            }
        }
        self.complete = true;
        self.catch_up()
    }
}

//! The tree of rules that an earlier version of this program has left. Its heads serve all pods, so it goes as a whole, once every pod has its
//! way in the tree of today: first what jumps, so that packets take the new way, then what was jumped to.

use super::detach::{Removal, remove_all, remove_rule};
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::kernel::observe;
use crate::mode::source_tree::{blocks, is_of_another_tree};
use crate::object::{Family, PROTOCOL, Rule};
use crate::shared::Context;

/// What of it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// What the kernel takes for a rule of today's, because it does not compare where rules jump to, and refuses that one (`EEXIST`).
    WhatBlocks,
    /// All of it. All attachments have what they want.
    All,
}

/// Removes it.
pub fn sweep(context: &mut Context<'_>, what: Sweep) -> Result<Vec<Error>> {
    let rules = observe::rules(&mut context.worker.socket, Family::V4)?.into_iter();
    let left: Vec<Rule> = rules
        .filter(|rule| rule.protocol == PROTOCOL && is_of_another_tree(rule))
        .filter(|rule| what == Sweep::All || blocks(rule))
        .collect();
    let jumps = |rule: &&Rule| rule.from.is_some() && rule.action.table().is_none();
    let (first, then): (Vec<&Rule>, Vec<&Rule>) = left.iter().partition(jumps);
    let removals: Vec<Removal> = first.into_iter().chain(then).map(remove_rule).collect();
    let mut failures = Vec::new();
    if !removals.is_empty() {
        remove_all(context, removals, &mut failures, &mut Failpoint::default())?;
    }
    Ok(failures)
}

//! The tree of rules that an earlier version of this program has left. Its heads serve all pods, so it goes as a whole, once every pod has its
//! way in the tree of today: first what jumps, so that packets take the new way, then what was jumped to.

use super::detach::{Removal, remove_all, remove_rule};
use crate::error::Result;
use crate::failpoint::Failpoint;
use crate::kernel::observe;
use crate::mode::source_tree::{blocks, is_of_another_tree};
use crate::object::{Family, PROTOCOL, Rule};
use crate::shared::Context;

/// What is left of it.
#[derive(Debug, Default)]
pub struct Remains {
    /// What the kernel takes for a rule of today's, because it does not compare where rules jump to, and refuses that one (`EEXIST`).
    pub blocking: Vec<Rule>,
    /// The others: they may go when all attachments have what they want.
    pub others: Vec<Rule>,
}

/// Looks for it.
pub fn find(context: &mut Context<'_>) -> Result<Remains> {
    let rules = observe::rules(&mut context.worker.socket, Family::V4)?.into_iter();
    let (blocking, others) = rules
        .filter(|rule| rule.protocol == PROTOCOL && is_of_another_tree(rule))
        .partition(blocks);
    Ok(Remains { blocking, others })
}

/// Removes these rules of it.
pub fn remove(context: &mut Context<'_>, rules: &[Rule]) -> Result<()> {
    if rules.is_empty() {
        return Ok(());
    }
    let jumps = |rule: &&Rule| rule.from.is_some() && rule.action.table().is_none();
    let (first, then): (Vec<&Rule>, Vec<&Rule>) = rules.iter().partition(jumps);
    let removals: Vec<Removal> = first.into_iter().chain(then).map(remove_rule).collect();
    remove_all(context, removals, &mut Vec::new(), &mut Failpoint::default())
}

//! A node that changes from the compact form to a rule for each pod. What pods share in the compact form leads all of them, and a rule for a
//! pod that stands behind its heads is jumped over; so it goes as a whole, once each pod has rules of its own.

use std::collections::HashSet;
use std::sync::Arc;

use super::repair::repair;
use crate::attachment::{Attachment, RuleForm};
use crate::error::Result;
use crate::kernel::observe;
use crate::mode::policy_route;
use crate::mode::source_tree::is_leaf;
use crate::object::{Family, PROTOCOL, Rule};
use crate::registry::Registry;
use crate::shared::Context;

/// Gives those pods the rules of their form that are still led by compact ones. Returns the compact rules that must stay all the same, because
/// a pod's ENI is away for instance. Runs while nobody makes anything.
pub fn leave_compact(context: &mut Context<'_>) -> Result<HashSet<Rule>> {
    let by_rules = |attachment: &Attachment| attachment.rule_form == RuleForm::PerPod && !attachment.own_groups;
    let per_pod: Vec<Arc<Attachment>> = (context.shared.registry().all())
        .filter(|guarded| guarded.settled && by_rules(&guarded.attachment))
        .map(|guarded| Arc::clone(&guarded.attachment))
        .collect();
    let in_form = |form| {
        per_pod
            .iter()
            .flat_map(move |attachment| policy_route::shared_rules(attachment, form, None))
    };
    let wanted: HashSet<Rule> = in_form(RuleForm::PerPod).collect();
    let shared: HashSet<Rule> = in_form(RuleForm::Compact).filter(|rule| !wanted.contains(rule)).collect();
    if shared.is_empty() {
        return Ok(shared);
    }
    let mut left = HashSet::new();
    for family in [Family::V4, Family::V6] {
        let rules = observe::rules(&mut context.worker.socket, family)?.into_iter();
        left.extend(rules.filter(|rule| rule.protocol == PROTOCOL && (shared.contains(rule) || is_leaf(rule))));
    }
    if left.is_empty() {
        return Ok(left);
    }
    let links = observe::links(&mut context.worker.socket)?;
    // A pod without its link sends nothing.
    let linked = |attachment: &&Arc<Attachment>| links.iter().any(|link| link.alias == Some(attachment.alias()));
    let mut ready = true;
    for attachment in per_pod.iter().filter(linked) {
        ready &= repair(context, attachment, false).failures.is_empty();
    }
    Ok(if ready { HashSet::new() } else { left })
}

/// True for a pod's leaf in the compact tree that has a rule of its own before that.
pub fn is_left_leaf(rule: &Rule, registry: &Registry) -> bool {
    let owner = rule.from.and_then(|from| registry.owner(&from.address));
    let guarded = owner.and_then(|id| registry.get(id));
    is_leaf(rule) && guarded.is_some_and(|guarded| guarded.attachment.rule_form == RuleForm::PerPod)
}

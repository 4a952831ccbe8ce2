//! Policy rules.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::rule::{RuleAction as KernelAction, RuleAttribute, RuleMessage};

use super::family::address_family;
use crate::object::{Family, Mark, Rule, RuleAction};

/// `RTM_GETRULE` of all rules of a family.
pub fn list_rules(family: Family) -> RouteNetlinkMessage {
    let mut message = RuleMessage::default();
    message.header.family = address_family(family);
    RouteNetlinkMessage::GetRule(message)
}

/// The body of `RTM_NEWRULE` and `RTM_DELRULE`.
pub fn rule(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = address_family(rule.family);
    message.header.action = match rule.action {
        RuleAction::Lookup(_) => KernelAction::ToTable,
        RuleAction::Goto(_) => KernelAction::Goto,
        RuleAction::Nop => KernelAction::Nop,
    };
    let attributes = &mut message.attributes;
    if let Some(from) = rule.from {
        message.header.src_len = from.length;
        attributes.push(RuleAttribute::Source(from.address));
    }
    if let Some(to) = rule.to {
        message.header.dst_len = to.length;
        attributes.push(RuleAttribute::Destination(to.address));
    }
    attributes.extend(rule.input.map(|input| RuleAttribute::Iifname(input.to_string())));
    attributes.extend(rule.output.map(|output| RuleAttribute::Oifname(output.to_string())));
    if let Some(Mark { value, mask }) = rule.mark {
        attributes.extend([RuleAttribute::FwMark(value), RuleAttribute::FwMask(mask)]);
    }
    attributes.push(RuleAttribute::Priority(rule.priority));
    attributes.extend(match rule.action {
        RuleAction::Lookup(table) => Some(RuleAttribute::Table(table)),
        RuleAction::Goto(priority) => Some(RuleAttribute::Goto(priority)),
        RuleAction::Nop => None,
    });
    attributes.push(RuleAttribute::Protocol(rule.protocol.into()));
    attributes.extend(rule.suppress_prefix_length.map(RuleAttribute::SuppressPrefixLen));
    message
}

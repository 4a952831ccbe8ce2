//! Policy rules.

use terway_bpf::NODE_MARK;

use super::address::{Family, Prefix};
use super::name::IfName;
use super::route::PROTOCOL;

/// Priority of the rules towards pods.
pub const PRIORITY_TO_POD: u32 = 512;
/// Priority of the rule for packets that a pod sent to its node, wherever the node sends them on.
pub const PRIORITY_BY_NODE: u32 = 500;
/// Priority of the rules from pods.
pub const PRIORITY_FROM_POD: u32 = 2048;

/// What a rule does with a packet that it selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RuleAction {
    /// Look a table up; what is not found there goes on to the next rule.
    Lookup(u32),
    /// Go on at the first rule of this priority.
    Goto(u32),
    /// Go on; a place to jump to.
    Nop,
}

impl RuleAction {
    /// The table it looks up, if it does.
    pub fn table(self) -> Option<u32> {
        match self {
            Self::Lookup(table) => Some(table),
            Self::Goto(_) | Self::Nop => None,
        }
    }
}

/// Source and destination of a rule.
pub type Selectors = (Option<Prefix>, Option<Prefix>);

/// Of a packet's mark, the bits of the mask have this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Within the mask.
    pub value: u32,
    /// Not 0.
    pub mask: u32,
}

impl Mark {
    /// What `from_pod` puts on a packet for an address of the node.
    pub const NODE: Self = Self {
        value: NODE_MARK,
        mask: NODE_MARK,
    };
}

/// One policy rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Address family.
    pub family: Family,
    /// Priority.
    pub priority: u32,
    /// Source selector.
    pub from: Option<Prefix>,
    /// Destination selector.
    pub to: Option<Prefix>,
    /// Packets that come in through this device (`iif`).
    pub input: Option<IfName>,
    /// Packets of the namespace itself that are bound to this device (`oif`).
    pub output: Option<IfName>,
    /// Only packets with this mark.
    pub mark: Option<Mark>,
    /// What it does.
    pub action: RuleAction,
    /// Answers of this prefix length or shorter do not count.
    pub suppress_prefix_length: Option<u32>,
    /// Who made it.
    pub protocol: u8,
    /// Seen only: it has selectors or actions that none of ours has.
    pub foreign_form: bool,
}

impl Rule {
    /// Ours, and by the mark of a connection: such a rule belongs to no attachment.
    pub fn is_of_symmetric_routing(&self) -> bool {
        self.protocol == PROTOCOL && self.mark.is_some_and(|mark| mark != Mark::NODE)
    }
}

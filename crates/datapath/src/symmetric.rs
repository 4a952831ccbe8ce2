//! Symmetric routing: a connection that came in through the node's own interface and was translated to a pod (a `NodePort` with local
//! policy, a host port) is answered through that interface, and not through the pod's ENI, where nobody would know it.
//!
//! netfilter remembers on the connection that it came in there, and marks what comes back from the pod; a rule between 512 (to pods) and 2048 (from pods)
//! leads marked packets to a table with the interface's own gateway. Only connections that *enter* are marked, only packets from elsewhere get
//! the mark back, and of both marks only the bits of the mask change (Terway's nftables form overwrites all of them).

use terway_bpf::NODE_MARK;

use crate::error::{Error, ErrorCode, Result};
use crate::object::{Family, PRIORITY_FROM_POD, PRIORITY_TO_POD};

/// Table of nftables, one for each family (`ip`, `ip6`).
pub const NFT_TABLE: &str = "terway_symmetric";
/// Stands in the comment of every rule of iptables, so that an earlier process's are known.
pub const COMMENT: &str = "terway-symmetric";
const TABLE_MAX: u32 = 999;
const COMMENT_MAX: usize = 200;

/// Who marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `iptables` and `ip6tables`, chain `PREROUTING` of `mangle`.
    Iptables,
    /// A table of its own.
    Nftables,
}

/// What is configured; checked by [`Config::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// None: the interface with the node's default route.
    pub interface: Option<String>,
    /// Mark of connections and packets.
    pub mark: u32,
    /// Its bits.
    pub mask: u32,
    /// Routing table with the interface's gateway.
    pub table: u32,
    /// Priority of the rule.
    pub priority: u32,
    /// Comment of the netfilter rules.
    pub comment: String,
    /// Who marks.
    pub backend: Backend,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interface: None,
            mark: 0x10,
            mask: 0x10,
            table: 100,
            priority: 600,
            comment: COMMENT.to_owned(),
            backend: Backend::Iptables,
        }
    }
}

/// What the datapath remembers of symmetric routing.
#[derive(Debug, Default)]
pub struct Symmetric {
    /// What is configured, if anything.
    pub config: Option<Config>,
    /// How netfilter showed our rules of each family right after they were made; whatever differs later is a foreign edit.
    pub shown: Vec<(Family, String)>,
}

impl Config {
    /// Refuses what could not work, with the field named.
    pub fn check(&self) -> Result<()> {
        let bad = |field: &str, why: String| {
            Err(Error {
                object: Some(field.to_owned()),
                ..Error::new(ErrorCode::InvalidAttachment, format!("symmetric routing: {field} {why}"))
            })
        };
        if self.mark == 0 || self.mark & !self.mask != 0 {
            return bad(
                "mark",
                format!("{:#x} must have bits, all of them in mask {:#x}", self.mark, self.mask),
            );
        }
        if self.mark & NODE_MARK != 0 {
            return bad(
                "mark",
                format!("{:#x} must leave bit {NODE_MARK:#x} to NetworkPolicy", self.mark),
            );
        }
        if !(1..=TABLE_MAX).contains(&self.table) || (253..=255).contains(&self.table) {
            return bad(
                "table_id",
                format!("{} must be 1 to {TABLE_MAX}, and not 253 to 255", self.table),
            );
        }
        if self.priority <= PRIORITY_TO_POD || self.priority >= PRIORITY_FROM_POD {
            return bad(
                "rule_priority",
                format!(
                    "{} must be between {PRIORITY_TO_POD} (to pods) and {PRIORITY_FROM_POD} (from pods)",
                    self.priority
                ),
            );
        }
        let plain = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\' || c == ' ';
        if self.comment.len() > COMMENT_MAX || !self.comment.chars().all(plain) {
            return bad(
                "comment",
                format!("{:?} must have at most {COMMENT_MAX} plain characters", self.comment),
            );
        }
        if self
            .interface
            .as_deref()
            .is_some_and(|name| crate::object::IfName::new(name).is_none() || !name.chars().all(|c| c != ' ' && plain(c)))
        {
            return bad("interface", format!("{:?} is no name of an interface", self.interface));
        }
        Ok(())
    }

    /// The comment that is written: it always has ours in it.
    fn full_comment(&self) -> String {
        if self.comment.contains(COMMENT) {
            self.comment.clone()
        } else {
            format!("{} {COMMENT}", self.comment).trim().to_owned()
        }
    }

    /// One transaction for `nft -f`: the table as it must be, whatever it was.
    pub fn nft_script(&self, family: Family, interface: &str) -> String {
        let family = nft_family(family);
        let (mark, mask, rest, comment) = (self.mark, self.mask, !self.mask, self.full_comment());
        format!(
            "add table {family} {NFT_TABLE}
delete table {family} {NFT_TABLE}
table {family} {NFT_TABLE} {{
  chain prerouting {{
    type filter hook prerouting priority -150; policy accept;
    iifname \"{interface}\" ct direction original ct mark set ct mark and {rest:#x} xor {mark:#x} comment \"{comment}\"
    iifname != \"{interface}\" ct mark and {mask:#x} == {mark:#x} meta mark set meta mark and {rest:#x} xor {mark:#x} comment \"{comment}\"
  }}
}}
"
        )
    }

    /// The rules of iptables, without the leading `-A`.
    pub fn iptables_rules(&self, interface: &str) -> [String; 2] {
        let (mark, mask, comment) = (self.mark, self.mask, self.full_comment());
        [
            format!(
                "PREROUTING -i {interface} -m conntrack --ctdir ORIGINAL -m comment --comment \"{comment}\" -j CONNMARK --set-xmark {mark:#x}/{mask:#x}"
            ),
            format!(
                "PREROUTING ! -i {interface} -m comment --comment \"{comment}\" -j CONNMARK --restore-mark --nfmask {mask:#x} --ctmask {mask:#x}"
            ),
        ]
    }
}

/// Input of `iptables-restore --noflush`, one transaction: these lines of `iptables -S` away, these rules there.
pub fn restore_script(away: &[String], there: &[String]) -> String {
    let away = away
        .iter()
        .filter_map(|line| line.strip_prefix("-A "))
        .map(|rule| format!("-D {rule}\n"));
    let there = there.iter().map(|rule| format!("-A {rule}\n"));
    let lines: String = away.chain(there).collect();
    format!("*mangle\n{lines}COMMIT\n")
}

/// The lines of `iptables -S PREROUTING` that are ours.
pub fn own_lines(listing: &str) -> Vec<String> {
    let ours = |line: &&str| line.starts_with("-A ") && line.contains(COMMENT) && line.contains("-j CONNMARK");
    listing.lines().filter(ours).map(str::to_owned).collect()
}

/// `ip` or `ip6`.
pub fn nft_family(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_work_is_refused_by_field() {
        let object = |config: Config| config.check().unwrap_err().object.unwrap();
        let config = Config::default;
        assert_eq!(config().check(), Ok(()));
        assert_eq!(object(Config { mark: 0x30, ..config() }), "mark");
        assert_eq!(
            object(Config {
                mark: NODE_MARK,
                mask: NODE_MARK,
                ..config()
            }),
            "mark"
        );
        assert_eq!(
            object(Config {
                mark: 0,
                mask: 0,
                ..config()
            }),
            "mark"
        );
        for table in [0, 254, 1003] {
            assert_eq!(object(Config { table, ..config() }), "table_id");
        }
        for priority in [512, 2048, 40_000] {
            assert_eq!(object(Config { priority, ..config() }), "rule_priority");
        }
        for comment in ["a\"b", "a\nb"] {
            assert_eq!(
                object(Config {
                    comment: comment.into(),
                    ..config()
                }),
                "comment"
            );
        }
        assert_eq!(
            object(Config {
                interface: Some("eth0 x".into()),
                ..config()
            }),
            "interface"
        );
    }

    #[test]
    fn only_our_lines_are_replaced() {
        let listing = "-P PREROUTING ACCEPT\n-A PREROUTING -j KUBE\n-A PREROUTING -i eth0 -m comment --comment terway-symmetric -j CONNMARK --set-xmark 0x10/0x10\n";
        let own = own_lines(listing);
        assert_eq!(own.len(), 1);
        assert_eq!(
            restore_script(&own, &["PREROUTING x".to_owned()]),
            "*mangle\n-D PREROUTING -i eth0 -m comment --comment terway-symmetric -j CONNMARK --set-xmark 0x10/0x10\n-A PREROUTING x\nCOMMIT\n"
        );
    }
}

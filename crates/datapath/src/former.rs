//! What an ENI was before it moved into a pod, remembered on the ENI itself: alternative names travel with a link through namespaces, also
//! when a dying namespace throws it back, and outlive this process. They name the ENI's own MAC, so that no two links want the same one.
//!
//! `terway.<mac>.was.<node>.<mtu>.<name>` is always there, where `<node>` is the inode of the node's namespace, because one machine may
//! have several nodes in tests; `terway.<mac>.alias<n>.<part>` holds a foreign alias in parts, and
//! `terway.<mac>.also.<name>` an alternative name that had to go because the pod had it already.

use crate::object::Mac;
use crate::observed::ObservedLink;

/// Start of every mark.
const PREFIX: &str = "terway.";
/// Longest alternative name (ALTIFNAMSIZ less the final zero).
const LONGEST: usize = 127;
/// Room for one part: the longest name less `terway.001122334455.alias9.`
const PART: usize = LONGEST - 27;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Former {
    /// The namespace it came from, by inode.
    pub home: u64,
    /// Its name.
    pub name: String,
    /// Its MTU.
    pub mtu: u32,
    /// Its alias; empty for none.
    pub alias: String,
    /// Alternative names that were taken from it.
    pub alternative_names: Vec<String>,
}

impl Former {
    /// As the link is now, in the namespace with inode `home`, before anything of it is changed.
    pub fn of(link: &ObservedLink, home: u64) -> Self {
        Self {
            home,
            name: link.name.clone(),
            mtu: link.mtu,
            alias: link.alias.clone().unwrap_or_default(),
            alternative_names: Vec::new(),
        }
    }

    /// The alternative names that say so.
    pub fn marks(&self, mac: Mac) -> Vec<String> {
        let mut marks = vec![self.was(mac)];
        let mut rest = self.alias.as_str();
        let mut number = 0;
        while !rest.is_empty() {
            let (part, later) = rest.split_at(rest.floor_char_boundary(PART));
            marks.push(format!("{}alias{number}.{part}", prefix(mac)));
            rest = later;
            number += 1;
        }
        marks.extend(self.alternative_names.iter().filter_map(|name| removed_name(mac, name)));
        marks
    }

    /// The one that is always there.
    pub fn was(&self, mac: Mac) -> String {
        format!("{}was.{}.{}.{}", prefix(mac), self.home, self.mtu, self.name)
    }

    /// What the marks on a link say, and of which ENI: a pod may have changed the MAC that the link has now.
    pub fn read(link: &ObservedLink) -> Option<(Mac, Self)> {
        let (mac, was) = link.alternative_names.iter().find_map(|mark| parse(mark, "was."))?;
        let (home, rest) = was.split_once('.')?;
        let (mtu, name) = rest.split_once('.')?;
        let own = |kind: &str| {
            let kind = kind.to_owned();
            move |mark: &String| {
                parse(mark, &kind)
                    .filter(|(of, _)| *of == mac)
                    .map(|(_, value)| value.to_owned())
            }
        };
        let parts = (0..3).map_while(|number| link.alternative_names.iter().find_map(own(&format!("alias{number}."))));
        Some((
            mac,
            Self {
                home: home.parse().ok()?,
                name: name.to_owned(),
                mtu: mtu.parse().ok()?,
                alias: parts.collect(),
                alternative_names: link.alternative_names.iter().filter_map(own("also.")).collect(),
            },
        ))
    }
}

/// The mark for an alternative name that is taken away; nothing if it is too long to be kept.
pub fn removed_name(mac: Mac, name: &str) -> Option<String> {
    (name.len() <= PART).then(|| format!("{}also.{name}", prefix(mac)))
}

/// True for an alternative name of our making.
pub fn is_mark(name: &str) -> bool {
    parse(name, "").is_some()
}

fn prefix(mac: Mac) -> String {
    let digits: String = mac.0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{PREFIX}{digits}.")
}

/// The MAC and the value of a mark of this kind.
fn parse<'a>(mark: &'a str, kind: &str) -> Option<(Mac, &'a str)> {
    let (digits, rest) = mark.strip_prefix(PREFIX)?.split_at_checked(12)?;
    let mut mac = [0; 6];
    for (place, byte) in mac.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(place * 2..place * 2 + 2)?, 16).ok()?;
    }
    Some((Mac(mac), rest.strip_prefix('.')?.strip_prefix(kind)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0, 0x16, 0x3e, 0, 0, 0xff]);

    fn marked(former: &Former) -> ObservedLink {
        ObservedLink {
            alternative_names: former.marks(MAC).into_iter().chain(["enp0s5".to_owned()]).collect(),
            ..ObservedLink::default()
        }
    }

    #[test]
    fn what_is_marked_is_read_again() {
        for alias in [String::new(), "rack 4".to_owned(), "ä".repeat(127)] {
            let former = Former {
                home: u64::from(u32::MAX),
                name: "ens5.x-1".into(),
                mtu: 8500,
                alias,
                alternative_names: vec!["enp0s5".into(), "a.b".into()],
            };
            assert_eq!(Former::read(&marked(&former)), Some((MAC, former.clone())));
            assert!(former.marks(MAC).iter().all(|mark| mark.len() <= LONGEST && is_mark(mark)));
        }
    }

    #[test]
    fn foreign_names_are_no_marks() {
        for name in [
            "",
            "terway.",
            "terway.0011",
            "terway.00163e0000zz.was.1.1.a",
            "eth1",
            "terway.00163e0000ff.was.1.x.eth1",
        ] {
            let link = ObservedLink {
                alternative_names: vec![name.to_owned()],
                ..ObservedLink::default()
            };
            assert_eq!(Former::read(&link), None, "{name}");
        }
    }
}

//! Whose a link is, by what we have written on it: its alias, its name, and the alternative names of a moved ENI (`former.rs`).

use crate::attachment::ALIAS_PREFIX;
use crate::former::Former;
use crate::object::{DISPLACED_PREFIX, GROUP_RETIRED, Mac};
use crate::observed::ObservedLink;

/// Start of the name of the host's slave of an ENI; the ENI's index follows.
const HOST_SLAVE_PREFIX: &str = "ipvl_";
/// Start of the name of what shapes the traffic to a pod's own device; the device's name follows.
const SHAPER_PREFIX: &str = "ifb-";
/// Longest interface name (IFNAMSIZ less the final zero).
const NAME_MAX: usize = 15;
/// Start of the alias of what all pods of an ENI share; the ENI's MAC follows.
const ENI_ALIAS_PREFIX: &str = "terway-eni:";

/// The name of the host's slave of an ENI.
pub fn host_slave_name(eni_index: u32) -> String {
    format!("{HOST_SLAVE_PREFIX}{eni_index}")
}

/// The name of what shapes the traffic to a pod's own device `if_name`, beside it in the pod: at most 15 characters, like any.
pub fn shaper_name(if_name: &str) -> String {
    let kept = if_name.len().saturating_sub(NAME_MAX - SHAPER_PREFIX.len());
    format!("{SHAPER_PREFIX}{}", if_name.get(kept..).unwrap_or(if_name))
}

/// True if the link shapes the traffic to some pod's own device.
pub fn is_shaper(link: &ObservedLink) -> bool {
    link.kind.as_deref() == Some("ifb") && owner(link).is_some()
}

/// The alias that marks what all pods of an ENI share.
pub fn eni_alias(mac: Mac) -> String {
    format!("{ENI_ALIAS_PREFIX}{mac}")
}

/// The name under which the link of attachment `alias` is born, until it has its own: the same in every process.
pub fn birth_name(alias: &str) -> String {
    // FNV-1a, 64 bits.
    let hash = alias.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{DISPLACED_PREFIX}{:011x}", hash >> 20)
}

/// The id of the attachment that the link's alias names.
pub fn owner(link: &ObservedLink) -> Option<&str> {
    link.alias.as_deref()?.strip_prefix(ALIAS_PREFIX)
}

/// True if the link carries the mark of what all pods of an ENI share.
pub fn is_shared(link: &ObservedLink) -> bool {
    link.alias.as_deref().is_some_and(|alias| alias.starts_with(ENI_ALIAS_PREFIX))
}

/// True if the link may be set up by us as the ENI with this MAC: no loopback, none of our own pairs, no port's copy of its MAC above it.
/// What an ENI has been marked with counts more than its MAC, which a pod may have changed.
pub fn is_eni(link: &ObservedLink, mac: Mac) -> bool {
    if let Some((of, _)) = Former::read(link) {
        return of == mac;
    }
    let ours = owner(link).is_some() && !is_moved_eni(link);
    let stacked = matches!(
        link.kind.as_deref(),
        Some("vlan" | "macvlan" | "macvtap" | "ipvlan" | "bridge" | "bond" | "vrf" | "team")
    );
    link.mac == Some(mac) && !link.loopback && !ours && !stacked
}

/// True if the link is an ENI that an attachment has moved: it has the alias as well, but must never be deleted. A pod may have taken its
/// marks off; hardware is still no end of a pair.
pub fn is_moved_eni(link: &ObservedLink) -> bool {
    Former::read(link).is_some() || owner(link).is_some() && link.kind.is_none()
}

/// True if the link is the living host end of attachment `alias`.
pub fn is_host_end(link: &ObservedLink, alias: &str) -> bool {
    link.alias.as_deref() == Some(alias) && link.group != GROUP_RETIRED && !is_moved_eni(link)
}

/// True if the link is, or was until somebody changed its alias, the host's slave of an ENI.
pub fn is_host_slave(link: &ObservedLink) -> bool {
    link.kind.as_deref() == Some("ipvlan") && (is_shared(link) || link.name.starts_with(HOST_SLAVE_PREFIX))
}

/// True if the link carries our mark, or still its name of birth, and hangs on one of another namespace.
pub fn is_hanging(link: &ObservedLink) -> bool {
    (owner(link).is_some() || link.alias.is_none() && link.name.starts_with(DISPLACED_PREFIX))
        && link.peer_elsewhere
        && matches!(link.kind.as_deref(), Some("ipvlan" | "vlan"))
}

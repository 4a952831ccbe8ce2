//! Links, the addresses on them and the neighbours behind them.

use std::net::IpAddr;

use super::address::{Mac, Prefix};
use super::device::Device;

/// Start of the name of a host end that had to give its own name away; its index in hexadecimal follows.
pub const DISPLACED_PREFIX: &str = "trwy";
/// Group of host ends that wait to be deleted (`trwy` in ASCII); one request deletes them all.
pub const GROUP_RETIRED: u32 = 0x7472_7779;

/// How the MTU of a link is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mtu {
    /// This and no other.
    Exactly(u32),
    /// ENIs are shared by attachments that may differ: never lowered.
    AtLeast(u32),
}

impl Mtu {
    /// The number itself.
    pub fn value(self) -> u32 {
        match self {
            Self::Exactly(mtu) | Self::AtLeast(mtu) => mtu,
        }
    }

    /// True if a link with `mtu` is good enough.
    pub fn accepts(self, mtu: u32) -> bool {
        match self {
            Self::Exactly(want) => want == mtu,
            Self::AtLeast(want) => mtu >= want,
        }
    }
}

/// A link that must exist and be up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which one.
    pub device: Device,
    /// Its name, if it is ours to set.
    pub name: Option<String>,
    /// Its MTU.
    pub mtu: Mtu,
    /// Its interface alias, if it is ours to set.
    pub alias: Option<String>,
    /// Whether it asks for MACs (`IFF_NOARP` is off), if that is ours to set.
    pub arp: Option<bool>,
}

/// An address on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Where.
    pub device: Device,
    /// Address and prefix length as they stand on the link.
    pub prefix: Prefix,
}

/// Where the MAC of a neighbour comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkAddress {
    /// Whatever this device has now.
    Of(Device),
    /// This one.
    Is(Mac),
}

/// One permanent neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Neighbour {
    /// Where.
    pub device: Device,
    /// Whom.
    pub address: IpAddr,
    /// At which MAC.
    pub mac: LinkAddress,
    /// Seen only (wanted ones always are).
    pub permanent: bool,
}

/// The name of a host end that gave its own away: its index makes it unique.
pub fn displaced_name(ifindex: u32) -> String {
    format!("{DISPLACED_PREFIX}{ifindex:x}")
}

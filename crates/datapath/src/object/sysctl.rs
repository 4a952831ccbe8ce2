//! Sysctls of devices.

use super::address::Family;
use super::device::Device;

/// What a sysctl of `net.ipv4.conf` or `net.ipv6.conf` speaks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SysctlScope {
    /// `all`
    All,
    /// `default`
    Default,
    /// One device.
    Device(Device),
}

/// One sysctl under `net.ipvX.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SysctlKey {
    /// `ipv4` or `ipv6`.
    pub family: Family,
    /// Which directory.
    pub scope: SysctlScope,
    /// File name.
    pub name: &'static str,
}

/// A sysctl and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sysctl {
    /// Which.
    pub key: SysctlKey,
    /// Value.
    pub value: i32,
}

//! The node's own addresses.

use std::net::IpAddr;

use crate::error::{Error, ErrorCode, Result};
use crate::kernel::observe;
use crate::object::{Device, Family, Route, RouteKind, TABLE_MAIN};
use crate::shared::Context;

/// The interface with the default route and its primary addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAddresses {
    /// First global IPv4 address.
    pub ipv4: Option<IpAddr>,
    /// First global IPv6 address.
    pub ipv6: Option<IpAddr>,
    /// MTU of the interface.
    pub mtu: u32,
    /// Its name.
    pub if_name: String,
}

/// Reads them. The IPv4 default route decides; a node without one is judged by IPv6.
pub fn host_addresses(context: &mut Context<'_>) -> Result<HostAddresses> {
    let socket = &mut context.worker.socket;
    let mut index = None;
    for family in [Family::V4, Family::V6] {
        let is_default = |route: &Route| route.destination.is_default() && route.kind == RouteKind::Unicast;
        let defaults = observe::routes(socket, family, Some(TABLE_MAIN), None)?
            .into_iter()
            .filter(is_default);
        if let Some(Device::Index(found)) = defaults.min_by_key(|route| route.metric).and_then(|route| route.device) {
            index.get_or_insert(found);
        }
    }
    let index = index.ok_or_else(|| Error::new(ErrorCode::Kernel, "the node has no default route").about("route default"))?;
    let link = observe::link_by_index(socket, index)?
        .ok_or_else(|| Error::new(ErrorCode::Kernel, "the link of the default route vanished").about("route default"))?;
    let mut first = |family| -> Result<Option<IpAddr>> {
        let addresses = observe::addresses(socket, family, index)?;
        Ok(addresses.into_iter().map(|address| address.prefix.address).find(is_global))
    };
    Ok(HostAddresses {
        ipv4: first(Family::V4)?,
        ipv6: first(Family::V6)?,
        mtu: link.mtu,
        if_name: link.name,
    })
}

pub(super) fn is_global(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_loopback(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_loopback(),
    }
}

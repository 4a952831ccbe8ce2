//! Survey: which attachments the kernel itself bears witness of. Changes nothing.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::attachment::ALIAS_PREFIX;
use crate::error::Result;
use crate::kernel::observe;
use crate::object::{Device, Family, GROUP_RETIRED, PROTOCOL, TABLE_MAIN};
use crate::shared::Context;

/// A living host end with our mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedLink {
    /// Id of its attachment.
    pub id: String,
    /// Name of the link.
    pub host_if_name: String,
    /// Addresses routed to it.
    pub addresses: Vec<IpAddr>,
}

/// All of them.
pub fn survey(context: &mut Context<'_>) -> Result<Vec<SurveyedLink>> {
    let socket = &mut context.worker.socket;
    let mut routed: HashMap<u32, Vec<IpAddr>> = HashMap::new();
    for family in [Family::V4, Family::V6] {
        for route in observe::own_routes(socket, family)? {
            debug_assert_eq!(route.protocol, PROTOCOL);
            if let Some(Device::Index(index)) = route.device
                && route.table == TABLE_MAIN
                && route.destination.is_host()
            {
                routed.entry(index).or_default().push(route.destination.address);
            }
        }
    }
    let living = observe::links(socket)?.into_iter().filter(|link| link.group != GROUP_RETIRED);
    let marked = living.filter_map(|link| {
        let id = link.alias.as_deref()?.strip_prefix(ALIAS_PREFIX)?.to_owned();
        let addresses = routed.remove(&link.index).unwrap_or_default();
        Some(SurveyedLink {
            id,
            host_if_name: link.name,
            addresses,
        })
    });
    Ok(marked.collect())
}

//! Survey: which attachments the kernel itself bears witness of. Changes nothing.

use std::collections::HashMap;
use std::net::IpAddr;

use super::host::is_global;
use crate::attachment::ALIAS_PREFIX;
use crate::error::Result;
use crate::kernel::execute::Pod;
use crate::kernel::observe;
use crate::link::moved;
use crate::link::pair::is_moved_eni;
use crate::object::{Device, Family, GROUP_RETIRED, PROTOCOL, TABLE_MAIN};
use crate::shared::Context;

/// A living host end with our mark, or an ENI with our marks in a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedLink {
    /// Id of its attachment.
    pub id: String,
    /// Name of the link; empty for an ENI in a pod that has no link on the host.
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
    let living = observe::links(socket)?
        .into_iter()
        .filter(|link| link.group != GROUP_RETIRED && !is_moved_eni(link));
    let mut found: Vec<SurveyedLink> = living
        .filter_map(|link| {
            let id = link.alias.as_deref()?.strip_prefix(ALIAS_PREFIX)?.to_owned();
            let addresses = routed.remove(&link.index).unwrap_or_default();
            Some(SurveyedLink {
                id,
                host_if_name: link.name,
                addresses,
            })
        })
        .collect();
    // An ENI in a pod may have nothing on the host that speaks for it.
    for mut stray in moved::strays(context) {
        if found.iter().all(|link| link.id != stray.id) {
            found.push(SurveyedLink {
                id: stray.id,
                host_if_name: String::new(),
                addresses: addresses_of(&mut stray.pod, stray.link.index)?,
            });
        }
    }
    Ok(found)
}

fn addresses_of(pod: &mut Pod, index: u32) -> Result<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for family in [Family::V4, Family::V6] {
        let all = observe::addresses(&mut pod.socket, family, index)?;
        addresses.extend(all.into_iter().map(|address| address.prefix.address).filter(is_global));
    }
    Ok(addresses)
}

//! Survey: which attachments the kernel itself bears witness of. Changes nothing.

use std::collections::HashMap;
use std::net::IpAddr;

use super::host::is_global;
use crate::error::Result;
use crate::kernel::observe;
use crate::kernel::pod::Pod;
use crate::link::moved;
use crate::mark::{host_slave_name, is_moved_eni, owner};
use crate::object::{Device, Family, GROUP_RETIRED, PROTOCOL, TABLE_MAIN, TABLE_OWN_GROUPS};
use crate::shared::Context;

/// A living link with our mark: a host end, a pod's link that hangs on an ENI, or an ENI in a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedLink {
    /// Id of its attachment.
    pub id: String,
    /// Name of the link of the host namespace that an attach would name; empty for an ENI in a pod that has none there.
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
                && matches!(route.table, TABLE_MAIN | TABLE_OWN_GROUPS)
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
            let id = owner(&link)?.to_owned();
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
    found.extend(hanging(context)?);
    Ok(found)
}

/// Pods' links that hang on an ENI of this namespace. A pod may put more addresses on its link; those of a slave that nothing is routed to
/// are not believed.
fn hanging(context: &mut Context<'_>) -> Result<Vec<SurveyedLink>> {
    let socket = &mut context.worker.socket;
    let mut found = Vec::new();
    for (netns, link) in observe::hanging_links(socket)? {
        let lower = link
            .peer_index
            .map(|index| observe::link_by_index(socket, index))
            .transpose()?
            .flatten();
        let (Some(id), Some(eni)) = (owner(&link), lower) else {
            continue;
        };
        let held = observe::addresses_in(socket, netns, link.index)?
            .into_iter()
            .map(|held| held.prefix.address);
        let mut addresses: Vec<IpAddr> = held.filter(is_global).collect();
        let is_slave = link.kind.as_deref() == Some("ipvlan");
        let host_if_name = if is_slave { host_slave_name(eni.index) } else { eni.name };
        if is_slave {
            let slave = observe::link_by_name(socket, &host_if_name)?;
            let device = slave.map(|slave| Device::Index(slave.index));
            let mut routed = Vec::new();
            for address in addresses {
                let route = observe::matching_route(socket, address)?;
                routed.extend(
                    route
                        .filter(|route| route.device == device && route.destination.is_host())
                        .map(|_| address),
                );
            }
            addresses = routed;
        }
        found.push(SurveyedLink {
            id: id.to_owned(),
            host_if_name,
            addresses,
        });
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

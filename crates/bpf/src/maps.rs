use terway_abi::{Address, Endpoint, Eni, VlanLink, VlanLinkKey, map};

use crate::pin::Pins;
use crate::{Counters, Error, PolicyTables, Prefixes, Table};

/// The maps that user space writes and reads.
#[derive(Debug)]
pub struct Maps {
    /// Pods' addresses. Write the record before the first packet may flow: without it a trunk drops what comes in for it.
    pub endpoints: Table<Address, Endpoint>,
    /// The node's ENIs by ifindex; the programs leave others alone. Remove the record with the interface: an ifindex may come back.
    pub enis: Table<u32, Eni>,
    /// VLAN links of pods on trunks.
    pub vlan_links: Table<VlanLinkKey, VlanLink>,
    /// What IPvlan pods reach through the host: Service addresses and whatever the operator lists.
    pub host_stack: Prefixes<u32>,
    /// Packets by what happened to them.
    pub counters: Counters,
    /// NetworkPolicy.
    pub policy: PolicyTables,
}

impl Maps {
    pub(crate) fn open(pins: &Pins) -> Result<Self, Error> {
        Ok(Self {
            endpoints: Table::new(pins.map(map::ENDPOINTS)?, map::ENDPOINTS)?,
            enis: Table::new(pins.map(map::ENIS)?, map::ENIS)?,
            vlan_links: Table::new(pins.map(map::VLAN_LINKS)?, map::VLAN_LINKS)?,
            host_stack: Prefixes::new(pins.map(map::HOST_STACK)?, map::HOST_STACK)?,
            counters: Counters::new(pins.map(map::COUNTERS)?)?,
            policy: PolicyTables::open(pins)?,
        })
    }
}

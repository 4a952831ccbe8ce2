//! What the kernel needs of an attachment's devices: indices and MACs.

use std::collections::HashMap;

use crate::error::{Error, ErrorCode, Result};
use crate::object::{Device, LinkAddress, Mac};
use crate::observed::ObservedLink;

/// Index and MAC of the devices behind the parts of an attachment, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct Parts(HashMap<Device, (u32, Mac)>);

impl Parts {
    /// Of the links seen.
    pub fn of(links: &HashMap<Device, ObservedLink>) -> Self {
        let mut parts = Self::default();
        parts.learn(links);
        parts
    }

    /// Adds those of more links.
    pub fn learn(&mut self, links: &HashMap<Device, ObservedLink>) {
        let ends = links.iter().map(|(device, link)| (*device, end_of(link)));
        self.0.extend(ends);
    }

    /// Adds one.
    pub fn put(&mut self, device: Device, end: (u32, Mac)) {
        self.0.insert(device, end);
    }

    /// Index and MAC of a device.
    pub fn end(&self, device: Device) -> Option<(u32, Mac)> {
        self.0.get(&device).copied()
    }

    /// Its index; an error if it is not there.
    pub fn index(&self, device: Device) -> Result<u32> {
        let index = match device {
            Device::Index(index) => Some(index),
            part => self.end(part).map(|(index, _)| index),
        };
        index.ok_or_else(|| Error::new(ErrorCode::Kernel, format!("{device:?} does not exist")))
    }

    /// The MAC itself; an error if its device is not there.
    pub fn mac(&self, mac: LinkAddress) -> Result<Mac> {
        let found = match mac {
            LinkAddress::Is(mac) => Some(mac),
            LinkAddress::Of(device) => self.end(device).map(|(_, mac)| mac),
        };
        found.ok_or_else(|| Error::new(ErrorCode::Kernel, format!("no MAC for {mac:?}")))
    }
}

/// Index and MAC of a link; zero where it has no Ethernet address.
pub fn end_of(link: &ObservedLink) -> (u32, Mac) {
    (link.index, link.mac.unwrap_or(Mac([0; 6])))
}

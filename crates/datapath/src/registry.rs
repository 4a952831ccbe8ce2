//! The attachments this process answers for. Who is newer is decided here, before anything changes in the kernel (I7).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::attachment::Attachment;
use crate::eni_use::{EniUse, vlan_link};
use crate::error::{Error, ErrorCode, Result};
use crate::object::Mac;

/// One guarded attachment.
#[derive(Clone, Debug)]
pub struct Guarded {
    /// What it must be.
    pub attachment: Arc<Attachment>,
    /// Index and MAC of its host end, if known.
    pub host_end: Option<(u32, Mac)>,
    /// Its attach has succeeded once: repair may touch it.
    pub settled: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Registry {
    guarded: HashMap<String, Guarded>,
    addresses: HashMap<IpAddr, String>,
    host_names: HashMap<String, String>,
}

impl Registry {
    /// Lets an attachment in, or refuses it because a newer sandbox is there. Returns what it replaces, to be put back if it fails.
    ///
    /// An older attachment that holds one of its addresses loses its guard: the address has one live sandbox (I1).
    pub fn admit(&mut self, attachment: &Arc<Attachment>) -> Result<Option<Guarded>> {
        let id = &attachment.id;
        let newer = |other: &String| other != id && self.is_newer(other, attachment.generation);
        if let Some(own) = self.generation(id).filter(|own| *own > attachment.generation) {
            return Err(stale(
                "generation",
                format!("generation {} of {id} is older than {own}", attachment.generation),
            ));
        }
        // One that is guarded already has its link, under another name if a newer sandbox has displaced it.
        let known = self.guards(attachment);
        if let Some(other) = self
            .host_names
            .get(&attachment.host_if_name)
            .filter(|other| !known && newer(other))
        {
            let message = format!(
                "hostIfName {} belongs to the newer attachment {other}",
                attachment.host_if_name
            );
            return Err(Error {
                object: Some(format!("link {}", attachment.host_if_name)),
                ..Error::new(ErrorCode::InterfaceExists, message)
            });
        }
        if let Some(other) = self.all().find(|other| shares_default_route(&other.attachment, attachment)) {
            let Attachment { id: other, if_name, .. } = &*other.attachment;
            return Err(stale(
                "defaultRoute",
                format!(
                    "defaultRoute is set for {id} and for {other}, its interface {if_name} in the same pod; one of them has it"
                ),
            ));
        }
        for address in attachment.addresses() {
            if let Some(other) = self.addresses.get(&address).filter(|other| newer(other)) {
                return Err(stale(
                    "address",
                    format!("address {address} belongs to the newer attachment {other}"),
                ));
            }
        }
        let superseded: Vec<String> = attachment
            .addresses()
            .filter_map(|address| self.addresses.get(&address))
            .filter(|other| *other != id)
            .cloned()
            .collect();
        for other in superseded {
            self.withdraw(&other);
        }
        let previous = self.withdraw(id);
        let known = previous.as_ref().and_then(|guarded| guarded.host_end);
        let settled = previous.as_ref().is_some_and(|guarded| guarded.settled);
        self.insert(Guarded {
            attachment: Arc::clone(attachment),
            host_end: known,
            settled,
        });
        Ok(previous)
    }

    /// Takes an attachment in as it is, unless a newer one is there.
    pub fn adopt(&mut self, attachment: &Arc<Attachment>, host_end: Option<(u32, Mac)>) -> bool {
        if self.admit(attachment).is_err() {
            return false;
        }
        self.settle(attachment, host_end);
        true
    }

    /// Takes a failed attachment out again, or puts back what it had replaced if that had ever been made.
    pub fn retract(&mut self, attachment: &Attachment, previous: Option<Guarded>) {
        if self.guards(attachment) {
            self.withdraw(&attachment.id);
            if let Some(previous) = previous.filter(|previous| previous.settled) {
                self.insert(previous);
            }
        }
    }

    /// From now on repair may touch it.
    pub fn settle(&mut self, attachment: &Attachment, host_end: Option<(u32, Mac)>) {
        if let Some(guarded) = self
            .guarded
            .get_mut(&attachment.id)
            .filter(|guarded| guarded.attachment.generation == attachment.generation)
        {
            guarded.host_end = host_end;
            guarded.settled = true;
        }
    }

    /// Stops guarding.
    pub fn withdraw(&mut self, id: &str) -> Option<Guarded> {
        let guarded = self.guarded.remove(id)?;
        for address in guarded.attachment.addresses() {
            if self.owner(&address) == Some(id) {
                self.addresses.remove(&address);
            }
        }
        // An older owner of the name, displaced by this one, may still be guarded; it gets nothing back: its link has another name.
        if self
            .host_names
            .get(&guarded.attachment.host_if_name)
            .is_some_and(|owner| owner == id)
        {
            self.host_names.remove(&guarded.attachment.host_if_name);
        }
        Some(guarded)
    }

    /// True if this very attachment is guarded.
    pub fn guards(&self, attachment: &Attachment) -> bool {
        self.generation(&attachment.id) == Some(attachment.generation)
    }

    /// The guarded attachment of this id.
    pub fn get(&self, id: &str) -> Option<&Guarded> {
        self.guarded.get(id)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Guarded> {
        self.guarded.values()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.guarded.len()
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.guarded.is_empty()
    }

    /// The id of the attachment that holds an address.
    pub fn owner(&self, address: &IpAddr) -> Option<&str> {
        self.addresses.get(address).map(String::as_str)
    }

    /// What all attachments of an ENI need of it.
    pub fn eni_use(&self, mac: Mac) -> EniUse {
        let of_eni = self.all().filter(|guarded| guarded.attachment.eni_mac == mac);
        of_eni.fold(EniUse::default(), |needs, guarded| needs.and(EniUse::of(&guarded.attachment)))
    }

    /// VLAN ids of the 802.1Q links that attachments have on an ENI.
    pub fn vlan_links(&self, mac: Mac) -> Vec<u16> {
        let of_eni = self.all().filter(|guarded| guarded.attachment.eni_mac == mac);
        of_eni.filter_map(|guarded| vlan_link(&guarded.attachment)).collect()
    }

    /// True if attachment `id` is guarded and newer than `generation`.
    pub fn is_newer(&self, id: &str, generation: u64) -> bool {
        self.generation(id) > Some(generation)
    }

    fn generation(&self, id: &str) -> Option<u64> {
        self.guarded.get(id).map(|guarded| guarded.attachment.generation)
    }

    fn insert(&mut self, guarded: Guarded) {
        let id = guarded.attachment.id.clone();
        for address in guarded.attachment.addresses() {
            self.addresses.insert(address, id.clone());
        }
        let name = &guarded.attachment.host_if_name;
        if !self
            .host_names
            .get(name)
            .is_some_and(|other| self.is_newer(other, guarded.attachment.generation))
        {
            self.host_names.insert(name.clone(), id.clone());
        }
        self.guarded.insert(id, guarded);
    }
}

/// True if both want a default route of one family in one pod, for different interfaces.
fn shares_default_route(one: &Attachment, other: &Attachment) -> bool {
    let family = one.ipv4.is_some() && other.ipv4.is_some() || one.ipv6.is_some() && other.ipv6.is_some();
    one.default_route && other.default_route && family && one.netns == other.netns && one.if_name != other.if_name
}

fn stale(field: &str, message: String) -> Error {
    Error {
        object: Some(field.to_owned()),
        ..Error::new(ErrorCode::InvalidAttachment, message)
    }
}

//! What the kernel must hold for one attachment, as data.

use std::net::IpAddr;

use crate::eni_use::EniUse;
use crate::form::Form;
use crate::object::{Address, Filter, Link, Names, Neighbour, Place, Qdisc, Record, Redirect, Route, Rule, Sysctl};
use crate::programs::ProgramIds;

/// The wanted objects of one network namespace, each list in the order in which it is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceState {
    /// Links that must exist and be up.
    pub links: Vec<Link>,
    /// Addresses.
    pub addresses: Vec<Address>,
    /// Routes.
    pub routes: Vec<Route>,
    /// Policy rules.
    pub rules: Vec<Rule>,
    /// Permanent neighbours.
    pub neighbours: Vec<Neighbour>,
    /// Sysctls.
    pub sysctls: Vec<Sysctl>,
    /// Qdiscs; what hangs under another stands behind it.
    pub qdiscs: Vec<Qdisc>,
    /// Sources that leave the namespace with its own address (the host's alone).
    pub masquerade: Vec<IpAddr>,
    /// Filters with kernel programs.
    pub filters: Vec<Filter>,
    /// What is received through another device's queue.
    pub redirects: Vec<Redirect>,
    /// What the programs read.
    pub records: Vec<Record>,
}

/// The wanted state of one attachment in both namespaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredState {
    /// How its links come to be.
    pub form: Form,
    /// Names behind the devices.
    pub names: Names,
    /// The attachment's alias; marks the host end from birth.
    pub alias: String,
    /// MTU of the pair.
    pub mtu: u32,
    /// The node's namespace.
    pub host: NamespaceState,
    /// The pod's namespace.
    pub pod: NamespaceState,
}

impl DesiredState {
    /// The wanted objects of one place.
    pub fn at(&self, place: Place) -> &NamespaceState {
        match place {
            Place::Host => &self.host,
            Place::Pod => &self.pod,
        }
    }
}

/// The device of the node's IPv6 default route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UplinkFacts {
    /// Its name.
    pub name: String,
    /// The route came from a router advertisement, and the device listens to more of them.
    pub advertised: bool,
    /// It has a global IPv6 address.
    pub addressed: bool,
}

/// What a mode has to know of the node beyond the attachment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Index of the ENI, in the host namespace or, if the mode moves it, in the pod.
    pub eni_index: u32,
    /// Its name.
    pub eni_name: String,
    /// How many queues it sends through.
    pub eni_queues: u32,
    /// What all attachments of the ENI need of it; nothing if this one needs nothing.
    pub eni_use: EniUse,
    /// VLAN ids of the 802.1Q links that pods have on the ENI; none if this attachment needs nothing of it and has none.
    pub vlan_links: Vec<u16>,
    /// The kernel's numbers of the programs; zero where nobody needs them.
    pub programs: ProgramIds,
    /// The device of the node's IPv6 default route, if there is one.
    pub uplink: Option<UplinkFacts>,
    /// The name of the host end, if it had to give its own away.
    pub displaced_host_end: Option<String>,
    /// The kernel can let wait what a pod's own device receives.
    pub ingress_queues: bool,
    /// The kernel has IPv6 routes by source.
    pub source_routes: bool,
}

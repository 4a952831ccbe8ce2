//! The changes of the kernel, and the order in which they run.

use std::net::IpAddr;

use crate::form::Form;
use crate::object::{
    Address, Device, Filter, Names, Neighbour, Place, Qdisc, Record, RecordKey, Redirect, Route, Rule, Sysctl, SysctlScope,
};

/// One change of the kernel. Devices are parts of the attachment, resolved when the step runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a link of the attachment's form, marked from birth; with the host end of a pair comes its pod end.
    Create(Device),
    /// Change properties of a link; what is none stays.
    SetLink {
        /// Where.
        place: Place,
        /// Which.
        device: Device,
        /// New name.
        name: Option<String>,
        /// New MTU.
        mtu: Option<u32>,
        /// Set it up.
        up: bool,
        /// New alias.
        alias: Option<String>,
        /// Ask for MACs or not.
        arp: Option<bool>,
    },
    /// Write a sysctl.
    WriteSysctl(Place, Sysctl),
    /// Add an address.
    AddAddress(Place, Address),
    /// Add a route or replace the one of the same destination and metric.
    PutRoute(Place, Route),
    /// Remove a route of ours.
    DeleteRoute(Place, Route),
    /// Add a rule.
    AddRule(Place, Rule),
    /// Remove a rule of ours.
    DeleteRule(Place, Rule),
    /// Add or replace a permanent neighbour.
    PutNeighbour(Place, Neighbour),
    /// Make a qdisc, or change the options of ours.
    PutQdisc(Place, Qdisc),
    /// Put a qdisc in the place of another one of ours.
    ReplaceQdisc(Place, Qdisc),
    /// Remove a qdisc of ours.
    DeleteQdisc(Place, Qdisc),
    /// Let what comes from this address leave the node with the node's.
    Masquerade(IpAddr),
    /// Make a filter, or give ours another program.
    PutFilter(Place, Filter),
    /// Remove a filter of ours.
    DeleteFilter(Place, Filter),
    /// Make a redirect, or lead ours to another device.
    PutRedirect(Place, Redirect),
    /// Remove a redirect of ours.
    DeleteRedirect(Place, Redirect),
    /// Remove a link that serves nobody any more.
    DeleteLink(Place, Device),
    /// Write a record of the programs.
    PutRecord(Record),
    /// Remove a record of the programs.
    DeleteRecord(RecordKey),
}

impl Step {
    /// Where the step acts.
    pub fn place(&self) -> Place {
        match self {
            Self::Create(_) | Self::Masquerade(_) => Place::Host,
            Self::PutRecord(_) | Self::DeleteRecord(_) => Place::Host,
            Self::SetLink { place, .. }
            | Self::WriteSysctl(place, _)
            | Self::AddAddress(place, _)
            | Self::PutRoute(place, _)
            | Self::DeleteRoute(place, _)
            | Self::AddRule(place, _)
            | Self::DeleteRule(place, _)
            | Self::PutNeighbour(place, _)
            | Self::PutQdisc(place, _)
            | Self::ReplaceQdisc(place, _)
            | Self::DeleteQdisc(place, _)
            | Self::PutFilter(place, _)
            | Self::DeleteFilter(place, _)
            | Self::PutRedirect(place, _)
            | Self::DeleteRedirect(place, _)
            | Self::DeleteLink(place, _) => *place,
        }
    }

    /// Steps run in this order: sysctls of the node; the pair; sysctls of its ends and their qdiscs before they come up (on a device that
    /// is up the kernel waits for packets on their way) and the filters that judge its packets; the pod; the ENI and its table; the rules; and last what lets packets flow, the
    /// host end and the route to the pod. What tags, delays and classifies on the ENI is there before a pod can send anything: its qdiscs,
    /// the records, and then the programs that read them.
    ///
    /// A link that hangs on the ENI cannot be made, or not come up, before the ENI is as it must be.
    pub(crate) fn phase(&self, form: Form) -> Phase {
        match self {
            Self::SetLink { device: Device::Eni, .. } if form.hangs_on_eni() => Phase::EniBefore,
            Self::WriteSysctl(Place::Host, sysctl) => match sysctl.key.scope {
                SysctlScope::Device(Device::Eni | Device::HostEnd | Device::HostSlave) => Phase::LinkSysctl,
                _ => Phase::NodeSysctl,
            },
            Self::Create(_) => Phase::Birth,
            Self::WriteSysctl(Place::Pod, _) => Phase::PodSysctl,
            Self::PutQdisc(place, qdisc) | Self::ReplaceQdisc(place, qdisc) | Self::DeleteQdisc(place, qdisc) => {
                match (place, qdisc.device) {
                    (Place::Pod, _) => Phase::PodQdisc,
                    (Place::Host, Device::Eni) => Phase::EniQdisc,
                    (Place::Host, _) => Phase::HostQdisc,
                }
            }
            Self::PutRecord(_) => Phase::Record,
            Self::PutFilter(Place::Host, _) => Phase::Filter,
            Self::PutFilter(Place::Pod, _) | Self::PutRedirect(..) => Phase::PodFilter,
            Self::DeleteFilter(..) | Self::DeleteRedirect(..) => Phase::FilterRemoval,
            Self::DeleteRecord(_) | Self::DeleteLink(..) => Phase::Removal,
            // What is redirected to a link that is down is dropped.
            Self::SetLink {
                device: Device::Shaper, ..
            } => Phase::PodShaper,
            Self::SetLink { place: Place::Pod, .. } => Phase::PodLink,
            Self::AddAddress(Place::Pod, _) => Phase::PodAddress,
            Self::PutNeighbour(Place::Pod, _) => Phase::PodNeighbour,
            Self::PutRoute(Place::Pod, _) => Phase::PodRoute,
            Self::SetLink { device: Device::Eni, .. } => Phase::EniLink,
            Self::AddAddress(Place::Host, _) => Phase::EniAddress,
            Self::PutRoute(Place::Host, route) if !matches!(route.device, Some(Device::HostEnd | Device::HostSlave)) => {
                Phase::EniRoute
            }
            Self::AddRule(Place::Pod, _) => Phase::PodRule,
            Self::AddRule(Place::Host, _) => Phase::Rule,
            Self::Masquerade(_) => Phase::Rule,
            Self::SetLink { .. } => Phase::HostLink,
            Self::PutNeighbour(Place::Host, _) => Phase::HostNeighbour,
            Self::PutRoute(Place::Host, _) => Phase::HostRoute,
            Self::DeleteRoute(..) | Self::DeleteRule(..) => Phase::Removal,
        }
    }

    /// The object in words.
    pub fn object(&self, names: &Names) -> String {
        match self {
            Self::Create(device) => names.link(*device),
            Self::SetLink { device, .. } => names.link(*device),
            Self::WriteSysctl(_, sysctl) => names.sysctl(&sysctl.key),
            Self::AddAddress(_, address) => names.address(address),
            Self::PutRoute(_, route) | Self::DeleteRoute(_, route) => names.route(route),
            Self::AddRule(_, rule) | Self::DeleteRule(_, rule) => rule.to_string(),
            Self::PutNeighbour(_, neighbour) => names.neighbour(neighbour),
            Self::PutQdisc(_, qdisc) | Self::ReplaceQdisc(_, qdisc) | Self::DeleteQdisc(_, qdisc) => names.qdisc(qdisc),
            Self::PutFilter(_, filter) | Self::DeleteFilter(_, filter) => names.filter(filter),
            Self::PutRedirect(_, redirect) | Self::DeleteRedirect(_, redirect) => names.redirect(redirect),
            Self::DeleteLink(_, device) => names.link(*device),
            Self::PutRecord(record) => names.record(record.key()),
            Self::DeleteRecord(key) => names.record(*key),
            Self::Masquerade(address) => format!("masquerade {address}"),
        }
    }
}

/// See [`Step::phase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    NodeSysctl,
    EniBefore,
    Birth,
    EniQdisc,
    HostQdisc,
    Record,
    Filter,
    LinkSysctl,
    PodSysctl,
    PodQdisc,
    PodShaper,
    PodFilter,
    PodLink,
    PodAddress,
    PodNeighbour,
    PodRoute,
    PodRule,
    EniLink,
    EniAddress,
    EniRoute,
    Rule,
    HostLink,
    HostNeighbour,
    HostRoute,
    FilterRemoval,
    Removal,
}

//! A model of the kernel as plain lists.

use crate::desired::DesiredState;
use crate::diff::routing::{rival_routes, same_rule};
use crate::diff::{Difference, diff};
use crate::object::{Device, Family, LinkAddress, Mac, Neighbour, Place, Qdisc, Sysctl, SysctlKey, SysctlScope};
use crate::observed::{Observed, ObservedLink};
use crate::step::{Phase, Step};

/// Both namespaces of the model.
#[derive(Clone, Default)]
pub struct Kernel {
    pub host: Observed,
    pub pod: Observed,
}

fn link(index: u32, name: &str) -> ObservedLink {
    ObservedLink {
        index,
        name: name.into(),
        mtu: 1500,
        mac: Some(Mac([2, 0, 0, 0, 0, index as u8])),
        ..ObservedLink::default()
    }
}

impl Kernel {
    /// A node with its ENI and its uplink, nothing else.
    pub fn bare() -> Self {
        let mut kernel = Self::default();
        kernel.host.links.insert(Device::Eni, link(3, "eth1"));
        kernel.host.links.insert(Device::Uplink, link(2, "eth0"));
        kernel
    }

    pub fn at(&mut self, place: Place) -> &mut Observed {
        match place {
            Place::Host => &mut self.host,
            Place::Pod => &mut self.pod,
        }
    }

    fn mac(&self, device: Device) -> Mac {
        let links = if device == Device::PodEnd {
            &self.pod.links
        } else {
            &self.host.links
        };
        links[&device].mac.unwrap()
    }

    pub fn run(&mut self, step: &Step) {
        match step.clone() {
            Step::Create(Device::Shaper) => drop(self.pod.links.insert(Device::Shaper, link(9, "ifb-eth0"))),
            Step::Create(_) => {
                let alias = Some("terway:c0ffee/eth0".to_owned());
                self.host.links.insert(
                    Device::HostEnd,
                    ObservedLink {
                        alias,
                        ..link(7, "calic95a4947e07")
                    },
                );
                self.pod.links.insert(Device::PodEnd, link(2, "eth0"));
            }
            Step::SetLink {
                place,
                device,
                name,
                mtu,
                up,
                alias,
                ..
            } => {
                let link = self.at(place).links.get_mut(&device).unwrap();
                link.name = name.unwrap_or(link.name.clone());
                link.mtu = mtu.unwrap_or(link.mtu);
                link.up |= up;
                link.alias = alias.or(link.alias.take());
            }
            Step::WriteSysctl(place, sysctl) => self.write(place, &sysctl),
            Step::AddAddress(place, address) => self.at(place).addresses.push(address),
            Step::PutRoute(place, route) => {
                let routes = &mut self.at(place).routes;
                routes.retain(|seen| !rival_routes(seen, &route));
                routes.push(route);
            }
            Step::DeleteRoute(place, route) => self.at(place).routes.retain(|seen| *seen != route),
            Step::AddRule(place, rule) => {
                let rules = &mut self.at(place).rules;
                assert!(!rules.iter().any(|seen| same_rule(seen, &rule)), "EEXIST: {rule}");
                rules.push(rule);
            }
            Step::DeleteRule(place, rule) => self.at(place).rules.retain(|seen| *seen != rule),
            Step::PutQdisc(place, qdisc) => {
                let qdiscs = &mut self.at(place).qdiscs;
                let rival = |seen: &Qdisc| (seen.device, seen.attach) == (qdisc.device, qdisc.attach);
                let kept = |seen: &Qdisc| seen.discipline.kind() == qdisc.discipline.kind();
                assert!(
                    qdiscs.iter().filter(|seen| rival(seen)).all(kept),
                    "EINVAL: the kernel changes no kinds"
                );
                qdiscs.retain(|seen| !rival(seen));
                qdiscs.push(qdisc);
            }
            Step::ReplaceQdisc(place, qdisc) => {
                let qdiscs = &mut self.at(place).qdiscs;
                qdiscs.retain(|seen| (seen.device, seen.attach) != (qdisc.device, qdisc.attach));
                qdiscs.push(qdisc);
            }
            Step::PutFilter(place, filter) => {
                let filters = &mut self.at(place).filters;
                filters.retain(|seen| (seen.device, seen.direction) != (filter.device, filter.direction));
                filters.push(filter);
            }
            Step::DeleteFilter(place, filter) => self.at(place).filters.retain(|seen| *seen != filter),
            Step::PutRedirect(place, redirect) => {
                let redirects = &mut self.at(place).redirects;
                redirects.retain(|seen| seen.device != redirect.device);
                redirects.push(redirect);
            }
            Step::DeleteRedirect(place, redirect) => self.at(place).redirects.retain(|seen| *seen != redirect),
            Step::DeleteLink(place, device) => drop(self.at(place).links.remove(&device)),
            Step::PutRecord(record) => {
                self.host.records.retain(|seen| seen.key() != record.key());
                self.host.records.push(record);
            }
            Step::DeleteRecord(key) => self.host.records.retain(|seen| seen.key() != key),
            Step::DeleteQdisc(place, qdisc) => self.at(place).qdiscs.retain(|seen| *seen != qdisc),
            Step::Masquerade(address) => self.host.masquerade.push(address),
            Step::PutNeighbour(place, neighbour) => {
                let LinkAddress::Of(owner) = neighbour.mac else {
                    panic!("a wanted neighbour names a device")
                };
                let mac = LinkAddress::Is(self.mac(owner));
                let neighbours = &mut self.at(place).neighbours;
                neighbours.retain(|seen| (seen.device, seen.address) != (neighbour.device, neighbour.address));
                neighbours.push(Neighbour { mac, ..neighbour });
            }
        }
    }

    fn write(&mut self, place: Place, sysctl: &Sysctl) {
        let SysctlKey { family, scope, name } = sysctl.key;
        let value = Some(sysctl.value);
        let seen = self.at(place);
        let SysctlScope::Device(device) = scope else {
            seen.sysctls.insert(sysctl.key, sysctl.value);
            return;
        };
        let conf = &mut seen.links.get_mut(&device).unwrap().sysctls;
        match (family, name) {
            (Family::V4, "forwarding") => conf.forwarding4 = value,
            (Family::V4, "rp_filter") => conf.rp_filter = value,
            (Family::V4, "accept_local") => conf.accept_local = value,
            (Family::V6, "forwarding") => conf.forwarding6 = value,
            (Family::V6, "accept_ra") => conf.accept_ra = value,
            (Family::V6, "disable_ipv6") => conf.disable_ipv6 = value,
            (Family::V6, "accept_dad") => conf.accept_dad = value,
            (Family::V6, "use_oif_addrs_only") => conf.use_oif_addrs_only = value,
            other => panic!("unknown sysctl {other:?}"),
        }
    }

    pub fn diff(&self, desired: &DesiredState) -> Vec<Difference> {
        diff(desired, &self.host, Some(&self.pod))
    }

    /// Attach as the verb does it: the pair first, then what is still different.
    pub fn converge(&mut self, desired: &DesiredState) -> usize {
        let mut steps = 0;
        for _ in 0..2 {
            let pair_missing = !self.host.links.contains_key(&Device::HostEnd);
            let limit = if pair_missing { Phase::Birth } else { Phase::Removal };
            for step in self.diff(desired).into_iter().filter_map(|difference| difference.step) {
                if step.phase(desired.form) <= limit {
                    self.run(&step);
                    steps += 1;
                }
            }
        }
        steps
    }
}

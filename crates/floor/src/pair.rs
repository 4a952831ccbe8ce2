//! The kernel objects of one pod: a veth pair, its addresses, neighbours, routes and rules.

use std::fs::File;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::family::Family;
use crate::message::{address_message, end_attributes, link_message, neighbour_message, route_message, rule_message};
use crate::netlink::{Batch, CHANGE, CREATE, Message, Socket};
use crate::sys;

/// Links of this group are only waiting to be deleted.
pub const DYING_GROUP: u32 = 7_700_001;

const VETH_INFO_PEER: u16 = 1;
const FROM_POD: u32 = 2048;

/// One pod's interface.
#[derive(Debug, Default)]
pub struct Pair {
    netns: String,
    if_name: String,
    host_if: String,
    mtu: u32,
    /// Name of the ENI.
    pub eni: String,
    /// One or two.
    pub families: Vec<Family>,
}

impl Pair {
    /// Reads the options of `add` and `del`.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut pair = Self {
            mtu: 1500,
            ..Self::default()
        };
        let (mut addresses, mut gateways) = ([None; 2], [None; 2]);
        let address = |value: &str| value.parse::<IpAddr>().map(Some).map_err(|error| format!("{value}: {error}"));
        crate::options(words, |key, value| {
            match key {
                "netns" => pair.netns = value.to_owned(),
                "ifname" => pair.if_name = value.to_owned(),
                "host-if" => pair.host_if = value.to_owned(),
                "eni" => pair.eni = value.to_owned(),
                "mtu" => pair.mtu = value.parse().map_err(|error| format!("--mtu {value}: {error}"))?,
                "ipv4" => addresses[0] = address(value)?,
                "gw4" => gateways[0] = address(value)?,
                "ipv6" => addresses[1] = address(value)?,
                "gw6" => gateways[1] = address(value)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        for (name, value) in [
            ("netns", &pair.netns),
            ("ifname", &pair.if_name),
            ("host-if", &pair.host_if),
            ("eni", &pair.eni),
        ] {
            if value.is_empty() {
                return Err(format!("--{name} is missing"));
            }
        }
        for (v6, both) in addresses.into_iter().zip(gateways).enumerate() {
            match both {
                (Some(address), Some(gateway)) if [address, gateway].iter().all(|ip| ip.is_ipv6() == (v6 == 1)) => {
                    pair.families.push(Family { address, gateway });
                }
                (None, None) => {}
                _ => return Err("an address and its gateway go together and are of their option's family".into()),
            }
        }
        if pair.families.is_empty() {
            Err("--ipv4 or --ipv6 is missing".into())
        } else {
            Ok(pair)
        }
    }

    /// Makes everything.
    ///
    /// # Errors
    /// The request that the kernel refused; the pair is removed again then.
    pub fn add(&self, host: &mut Socket, table: u32) -> Result<(), String> {
        let netns = File::open(&self.netns).map_err(|error| format!("{}: {error}", self.netns))?;
        let (host_mac, pod_mac) = (new_mac(), new_mac());
        let mut batch = Batch::default();
        batch.push("veth pair", libc::RTM_NEWLINK, CREATE, |message| {
            link_message(message, 0, None);
            end_attributes(message, &self.host_if, self.mtu, host_mac);
            message.nested(libc::IFLA_LINKINFO, |message| {
                message.string(libc::IFLA_INFO_KIND, "veth");
                message.nested(libc::IFLA_INFO_DATA, |message| {
                    message.nested(VETH_INFO_PEER, |message| {
                        link_message(message, 0, None);
                        end_attributes(message, &self.if_name, self.mtu, pod_mac);
                        message.number(libc::IFLA_NET_NS_FD, netns.as_raw_fd().cast_unsigned());
                    });
                });
            });
        });
        host.send(&batch, &[])?;
        let made = self
            .pod_side(&netns, host_mac)
            .and_then(|()| self.host_side(host, pod_mac, table));
        if made.is_err() {
            let mut batch = Batch::default();
            batch.push("removal", libc::RTM_DELLINK, CHANGE, |message| {
                link_message(message, 0, None);
                message.string(libc::IFLA_IFNAME, &self.host_if);
            });
            drop(host.send(&batch, &[]));
        }
        made
    }

    fn pod_side(&self, netns: &File, host_mac: [u8; 6]) -> Result<(), String> {
        let v6 = self.families.iter().any(|family| family.address.is_ipv6());
        let (mut socket, index) = sys::inside(netns, || {
            if v6 {
                sys::set_sysctl(&format!("ipv6/conf/{}/accept_ra", self.if_name), "0")?;
            }
            Ok((Socket::open()?, sys::interface_index(&self.if_name)?))
        })
        .map_err(|error| format!("{} in {}: {error}", self.if_name, self.netns))?;
        let mut batch = Batch::default();
        for family in &self.families {
            batch.push("pod address", libc::RTM_NEWADDR, CREATE, |message| {
                address_message(message, *family, index)
            });
        }
        batch.push("pod end up", libc::RTM_NEWLINK, CHANGE, |message| {
            link_message(message, index, Some(true))
        });
        for family in &self.families {
            batch.push("pod neighbour", libc::RTM_NEWNEIGH, CREATE, |message| {
                neighbour_message(message, family.next_hop(), index, host_mac);
            });
            batch.push("pod default route", libc::RTM_NEWROUTE, CREATE, |message| {
                route_message(
                    message,
                    libc::RT_TABLE_MAIN.into(),
                    (family.unspecified(), 0),
                    Some(family.next_hop()),
                    index,
                );
            });
        }
        socket.send(&batch, &[])
    }

    fn host_side(&self, host: &mut Socket, pod_mac: [u8; 6], table: u32) -> Result<(), String> {
        let index = sys::interface_index(&self.host_if).map_err(|error| format!("{}: {error}", self.host_if))?;
        let mut batch = Batch::default();
        batch.push("host end up", libc::RTM_NEWLINK, CHANGE, |message| {
            link_message(message, index, Some(true))
        });
        for family in &self.families {
            batch.push("host neighbour", libc::RTM_NEWNEIGH, CREATE, |message| {
                neighbour_message(message, family.address, index, pod_mac);
            });
            batch.push("host route", libc::RTM_NEWROUTE, CREATE, |message| {
                host_route(message, family, index);
            });
            batch.push("rule from the pod", libc::RTM_NEWRULE, CREATE, |message| {
                rule_message(message, FROM_POD, Some(*family), family.address.is_ipv6(), table);
            });
        }
        host.send(&batch, &[])
    }

    /// Takes rules and routes away, the host end down, out of its name and into the group that the collector deletes.
    ///
    /// # Errors
    /// The request that the kernel refused.
    pub fn del(&self, host: &mut Socket, table: u32) -> Result<(), String> {
        let index = sys::interface_index(&self.host_if).map_err(|error| format!("{}: {error}", self.host_if))?;
        let mut batch = Batch::default();
        for family in &self.families {
            batch.push("rule from the pod", libc::RTM_DELRULE, CHANGE, |message| {
                rule_message(message, FROM_POD, Some(*family), family.address.is_ipv6(), table);
            });
            batch.push("host route", libc::RTM_DELROUTE, CHANGE, |message| {
                host_route(message, family, index);
            });
        }
        batch.push("host end down", libc::RTM_NEWLINK, CHANGE, |message| {
            link_message(message, index, Some(false))
        });
        batch.push("new name and group", libc::RTM_NEWLINK, CHANGE, |message| {
            link_message(message, index, None);
            message
                .string(libc::IFLA_IFNAME, &format!("gone{index}"))
                .number(libc::IFLA_GROUP, DYING_GROUP);
        });
        host.send(&batch, &[])
    }
}

/// The node's route to the pod, through the host end.
fn host_route(message: &mut Message<'_>, family: &Family, index: u32) {
    route_message(
        message,
        libc::RT_TABLE_MAIN.into(),
        (family.address, family.bits()),
        None,
        index,
    );
}

/// A locally administered unicast address of its own; given at birth, it need not be read back.
fn new_mac() -> [u8; 6] {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let [a, b, c, d] = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    [0x02, 0xf1, a, b, c, d]
}

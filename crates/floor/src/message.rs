//! The kernel's structures and attributes for the objects of a pod (`linux/rtnetlink.h`, `linux/fib_rules.h`, `linux/neighbour.h`).

use std::net::IpAddr;

use crate::family::Family;
use crate::netlink::Message;

/// `RTNH_F_ONLINK`: the gateway needs no route to it.
const ONLINK: u32 = 4;
const FR_ACT_TO_TBL: u8 = 1;
const FRA_SRC: u16 = 2;
const FRA_PRIORITY: u16 = 6;
/// A route found by the rule counts only if its prefix is longer than this.
pub const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
const FRA_TABLE: u16 = 15;
const FRA_PROTOCOL: u16 = 21;

/// Name, MTU and hardware address of one end of a pair at its birth.
pub fn end_attributes(message: &mut Message<'_>, name: &str, mtu: u32, mac: [u8; 6]) {
    message
        .string(libc::IFLA_IFNAME, name)
        .number(libc::IFLA_MTU, mtu)
        .attribute(libc::IFLA_ADDRESS, &mac);
}

/// `struct ifinfomsg`; `up` sets or clears IFF_UP and leaves every other flag.
pub fn link_message(message: &mut Message<'_>, index: u32, up: Option<bool>) {
    let flag = (libc::IFF_UP as u32).to_ne_bytes();
    let none = [0; 4];
    message.raw(&[0; 4]).raw(&index.to_ne_bytes());
    message
        .raw(if up == Some(true) { &flag } else { &none })
        .raw(if up.is_some() { &flag } else { &none });
}

/// `struct rtmsg` and its attributes: to `destination`, through a gateway (onlink) or on the link.
pub fn route_message(message: &mut Message<'_>, table: u32, destination: (IpAddr, u8), gateway: Option<IpAddr>, index: u32) {
    let scope = if gateway.is_none() && destination.0.is_ipv4() {
        libc::RT_SCOPE_LINK
    } else {
        libc::RT_SCOPE_UNIVERSE
    };
    message.raw(&[
        family_of(destination.0),
        destination.1,
        0,
        0,
        0,
        libc::RTPROT_STATIC,
        scope,
        libc::RTN_UNICAST,
    ]);
    message.raw(&(if gateway.is_some() { ONLINK } else { 0 }).to_ne_bytes());
    if destination.1 > 0 {
        address_attribute(message, libc::RTA_DST, destination.0);
    }
    if let Some(gateway) = gateway {
        address_attribute(message, libc::RTA_GATEWAY, gateway);
    }
    message.number(libc::RTA_OIF, index).number(libc::RTA_TABLE, table);
}

/// `struct fib_rule_hdr` and its attributes: from the pod, or from all.
pub fn rule_message(message: &mut Message<'_>, priority: u32, from: Option<Family>, v6: bool, table: u32) {
    let family = if v6 { libc::AF_INET6 } else { libc::AF_INET } as u8;
    message.raw(&[family, 0, from.map_or(0, Family::bits), 0, 0, 0, 0, FR_ACT_TO_TBL, 0, 0, 0, 0]);
    if let Some(from) = from {
        address_attribute(message, FRA_SRC, from.address);
    }
    message.number(FRA_PRIORITY, priority).number(FRA_TABLE, table);
    message.attribute(FRA_PROTOCOL, &[libc::RTPROT_STATIC]);
}

/// `struct ndmsg` and its attributes, permanent.
pub fn neighbour_message(message: &mut Message<'_>, address: IpAddr, index: u32, mac: [u8; 6]) {
    message
        .raw(&[family_of(address), 0, 0, 0])
        .raw(&index.to_ne_bytes())
        .raw(&libc::NUD_PERMANENT.to_ne_bytes())
        .raw(&[0, 0]);
    address_attribute(message, libc::NDA_DST, address);
    message.attribute(libc::NDA_LLADDR, &mac);
}

/// `struct ifaddrmsg` and its attributes; without duplicate detection, so that it can be used at once.
pub fn address_message(message: &mut Message<'_>, family: Family, index: u32) {
    message
        .raw(&[family_of(family.address), family.bits(), 0, libc::RT_SCOPE_UNIVERSE])
        .raw(&index.to_ne_bytes());
    address_attribute(message, libc::IFA_LOCAL, family.address);
    address_attribute(message, libc::IFA_ADDRESS, family.address);
    if family.address.is_ipv6() {
        message.number(libc::IFA_FLAGS, libc::IFA_F_NODAD);
    }
}

fn address_attribute(message: &mut Message<'_>, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(address) => message.attribute(kind, &address.octets()),
        IpAddr::V6(address) => message.attribute(kind, &address.octets()),
    };
}

const fn family_of(address: IpAddr) -> u8 {
    if address.is_ipv4() {
        libc::AF_INET as u8
    } else {
        libc::AF_INET6 as u8
    }
}

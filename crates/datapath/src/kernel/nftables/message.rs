//! Attributes of nf_tables messages, and those that our table is made of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::kernel::wire::attributes;
use crate::object::Family;

/// Our table, of family `inet`; `nft list table inet terway_exclusive` shows it.
pub const TABLE: &str = "terway_exclusive";
const CHAIN: &str = "postrouting";
const HOOK_POSTROUTING: u32 = 4;
/// `NF_IP_PRI_NAT_SRC`, where every other source translation stands as well; whoever comes first decides.
const PRIORITY_NAT_SRC: u32 = 100;
const REGISTER: u32 = 1;
const META_OUTPUT: u32 = 5;
const META_PROTOCOL: u32 = 15;
const COMPARE_EQUAL: u32 = 0;
const COMPARE_UNEQUAL: u32 = 1;
const NETWORK_HEADER: u32 = 1;
/// The loopback device is the first of every namespace.
const LOOPBACK_INDEX: u32 = 1;
/// In nested attributes.
const LIST_ELEMENT: u16 = 1;
const DATA_VALUE: u16 = 1;
const NESTED: u16 = 0x8000;

/// What of a family stands in messages.
struct Kind {
    set: &'static str,
    id: u32,
    /// `NFPROTO_*`
    protocol: u8,
    /// nft's number for the type of addresses, so that it can print them.
    type_number: u32,
    length: u32,
    /// Of the source address in the header.
    offset: u32,
}

fn kind(family: Family) -> Kind {
    match family {
        Family::V4 => Kind {
            set: "pods4",
            id: 1,
            protocol: 2,
            type_number: 7,
            length: 4,
            offset: 12,
        },
        Family::V6 => Kind {
            set: "pods6",
            id: 2,
            protocol: 10,
            type_number: 8,
            length: 16,
            offset: 8,
        },
    }
}

/// Attributes under construction.
#[derive(Default)]
pub struct Body(pub Vec<u8>);

impl Body {
    fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        self.0.extend((4 + value.len() as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(crate::kernel::wire::align(self.0.len()), 0);
        self
    }

    pub fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    fn nested(self, kind: u16, value: Self) -> Self {
        self.bytes(kind | NESTED, &value.0)
    }

    fn expression(self, name: &str, data: Self) -> Self {
        self.nested(LIST_ELEMENT, Self::default().text(1, name).nested(2, data))
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

pub fn in_table() -> Body {
    Body::default().text(1, TABLE)
}

pub fn in_chain() -> Body {
    in_table().text(2, CHAIN)
}

pub fn in_set(family: Family) -> Body {
    in_table().text(2, kind(family).set)
}

pub fn set(family: Family) -> Body {
    let Kind {
        set,
        id,
        type_number,
        length,
        ..
    } = kind(family);
    // Name, flags, type and length of the key, id within the batch.
    in_table()
        .text(2, set)
        .number(3, 0)
        .number(4, type_number)
        .number(5, length)
        .number(10, id)
}

/// `ip saddr @pods4 oif != "lo" masquerade`
pub fn rule(family: Family) -> Body {
    let Kind {
        set,
        id,
        protocol,
        length,
        offset,
        ..
    } = kind(family);
    let meta = |key: u32| Body::default().number(1, REGISTER).number(2, key);
    let compare = |how: u32, value: &[u8]| {
        let data = Body::default().bytes(DATA_VALUE, value);
        Body::default().number(1, REGISTER).number(2, how).nested(3, data)
    };
    let source = Body::default()
        .number(1, REGISTER)
        .number(2, NETWORK_HEADER)
        .number(3, offset)
        .number(4, length);
    let lookup = Body::default().text(1, set).number(2, REGISTER).number(4, id);
    let expressions = Body::default()
        .expression("meta", meta(META_PROTOCOL))
        .expression("cmp", compare(COMPARE_EQUAL, &[protocol]))
        .expression("payload", source)
        .expression("lookup", lookup)
        .expression("meta", meta(META_OUTPUT))
        .expression("cmp", compare(COMPARE_UNEQUAL, &LOOPBACK_INDEX.to_ne_bytes()))
        .expression("masq", Body::default());
    in_chain().nested(4, expressions)
}

pub fn chain() -> Body {
    let hook = Body::default().number(1, HOOK_POSTROUTING).number(2, PRIORITY_NAT_SRC);
    in_table().text(3, CHAIN).nested(4, hook).text(7, "nat")
}

pub fn elements(family: Family, addresses: &[IpAddr]) -> Body {
    let list = addresses.iter().fold(Body::default(), |list, address| {
        let key = Body::default().bytes(DATA_VALUE, &octets(*address));
        list.nested(LIST_ELEMENT, Body::default().nested(1, key))
    });
    in_set(family).nested(3, list)
}

pub const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

pub fn by_family(addresses: &[IpAddr]) -> impl Iterator<Item = (Family, Vec<IpAddr>)> {
    FAMILIES.into_iter().filter_map(|family| {
        let own: Vec<IpAddr> = addresses
            .iter()
            .copied()
            .filter(|address| Family::of(*address) == family)
            .collect();
        (!own.is_empty()).then_some((family, own))
    })
}

/// The keys of an `NFT_MSG_NEWSETELEM`.
pub fn keys(payload: &[u8]) -> Vec<IpAddr> {
    let of = |data: &[u8], wanted: u16, skip: usize| -> Vec<Vec<u8>> {
        attributes(data, skip)
            .filter(|(kind, _)| *kind == wanted)
            .map(|(_, value)| value.to_vec())
            .collect()
    };
    let mut found = Vec::new();
    for list in of(payload, 3, 4) {
        for element in of(&list, LIST_ELEMENT, 0) {
            for key in of(&element, 1, 0).iter().flat_map(|key| of(key, DATA_VALUE, 0)) {
                let v4 = <[u8; 4]>::try_from(key.as_slice()).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
                let v6 = <[u8; 16]>::try_from(key.as_slice()).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
                found.extend(v4.or(v6));
            }
        }
    }
    found
}

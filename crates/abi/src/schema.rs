//! The layouts described by themselves: which field stands where. A build leaves this text beside its maps, so that one with another layout,
//! newer or older, takes over what it knows by name. A name keeps its meaning for ever: what means something else is called otherwise.

use core::fmt;
use core::mem::offset_of;

use crate::{
    Address, Endpoint, Eni, Flow, FlowKey, Fragment, FragmentKey, Pod, PolicyKey, Prefix, Set, Settings, VlanLink, VlanLinkKey,
    map,
};

/// A field of a key or value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// As in the type.
    pub name: &'static str,
    /// In bytes.
    pub offset: usize,
    /// In bytes.
    pub size: usize,
}

/// What stands in a map whose records outlive a change of layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its name.
    pub map: &'static str,
    /// Of its keys.
    pub key: &'static [Field],
    /// Of its values.
    pub value: &'static [Field],
}

/// A number, or a type that no layout takes apart.
const fn whole<T>() -> [Field; 1] {
    [Field {
        name: "whole",
        offset: 0,
        size: size_of::<T>(),
    }]
}

const fn size<T, F>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

/// All fields by name, apart from those that hold nothing yet. `moved`: with one ahead of them in the other layout.
macro_rules! fields {
    (moved $type:ident { $($name:ident),* } $({ $($unused:ident),* })?) => {{
        // Does not compile when a field has no name here.
        const _: fn($type) = |$type { #[cfg(feature = "other-layout")] ahead: _, $($name: _,)* $($($unused: _,)*)? }| {};
        fields!(= $type { $($name),* })
    }};
    ($type:ident { $($name:ident),* } $({ $($unused:ident),* })?) => {{
        const _: fn($type) = |$type { $($name: _,)* $($($unused: _,)*)? }| {};
        fields!(= $type { $($name),* })
    }};
    (= $type:ident { $($name:ident),* }) => {
        &[$(Field { name: stringify!($name), offset: offset_of!($type, $name), size: size(|value: &$type| &value.$name) }),*]
    };
}

/// Key of a map of prefixes: its length in bits stands before the data.
const PREFIX: &[Field] = &[
    Field {
        name: "length",
        offset: 0,
        size: 4,
    },
    Field {
        name: "data",
        offset: 4,
        size: size_of::<Prefix>(),
    },
];
const NUMBER: &[Field] = &whole::<u32>();
const HASH: &[Field] = &whole::<u64>();
const ADDRESS: &[Field] = &whole::<Address>();

/// The maps whose records are taken over. The others hold what is found anew, or counts.
pub const SCHEMAS: [Schema; 14] = {
    const fn schema(map: &'static str, key: &'static [Field], value: &'static [Field]) -> Schema {
        Schema { map, key, value }
    }
    [
        schema(
            map::ENDPOINTS,
            ADDRESS,
            fields!(moved Endpoint { id, eni, vlan, class, flags, egress_rate, link, mtu, macs, gateway } { reserved, reserved_too }),
        ),
        schema(map::ENIS, NUMBER, fields!(Eni { host_slave, flags, mac } { reserved, spare })),
        schema(
            map::VLAN_LINKS,
            fields!(VlanLinkKey { eni, vlan } { reserved }),
            fields!(VlanLink {} { spare }),
        ),
        schema(map::HOST_STACK, PREFIX, NUMBER),
        schema(
            map::PODS,
            NUMBER,
            fields!(moved Pod { id, flags, ingress_set, egress_set } { spare }),
        ),
        schema(map::SETS, HASH, fields!(moved Set { port_lengths, flags } { spare })),
        schema(
            map::POLICY,
            fields!(moved PolicyKey { set, class, port, protocol, prefix_length } { reserved }),
            NUMBER,
        ),
        schema(map::PEERS, ADDRESS, HASH),
        schema(map::BLOCKS, PREFIX, HASH),
        schema(map::HOST_ADDRS, ADDRESS, NUMBER),
        schema(map::SERVICES, PREFIX, NUMBER),
        schema(
            map::FLOWS,
            fields!(moved FlowKey { endpoint, local, remote, local_port, remote_port, protocol } { reserved }),
            fields!(moved Flow { last_seen, epoch, path_index, opened, state, flags, path, rule, next_hop } {}),
        ),
        schema(
            map::FRAGMENTS,
            fields!(FragmentKey { source, destination, id, protocol } { reserved }),
            fields!(Fragment { source_port, destination_port, protocol } { reserved }),
        ),
        schema(map::SETTINGS, NUMBER, fields!(moved Settings { epoch, flags } { spare })),
    ]
};

/// `FLOWS endpoint:0:4,local:4:16,… last_seen:0:8,…`
impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.map)?;
        for fields in [self.key, self.value] {
            f.write_str(" ")?;
            for (place, Field { name, offset, size }) in fields.iter().enumerate() {
                let separator = if place == 0 { "" } else { "," };
                write!(f, "{separator}{name}:{offset}:{size}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_says_where_each_field_stands() {
        let text = |map| SCHEMAS.iter().find(|schema| schema.map == map).map(ToString::to_string);
        assert_eq!(text("PEERS").as_deref(), Some("PEERS whole:0:16 whole:0:8"));
        assert_eq!(text("VLAN_LINKS").as_deref(), Some("VLAN_LINKS eni:0:4,vlan:4:2 "));
        let expected = format!("SETTINGS whole:0:4 epoch:{0}:4,flags:{1}:4", crate::AHEAD, crate::AHEAD + 4);
        assert_eq!(text("SETTINGS"), Some(expected));
    }
}

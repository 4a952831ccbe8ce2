//! Routes.

use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteMessage, RouteScope, RouteType};

use super::family::address_family;
use crate::object::{Family, Prefix, Route, RouteKind, Scope};

/// `RTM_GETROUTE` of a list, filtered by the kernel.
pub fn list_routes(family: Family, table: Option<u32>, device: Option<u32>) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(family);
    message.attributes.extend(table.map(RouteAttribute::Table));
    message.attributes.extend(device.map(RouteAttribute::Oif));
    RouteNetlinkMessage::GetRoute(message)
}

/// `RTM_GETROUTE` of the routes that `protocol` made, in all tables.
pub fn list_routes_of(family: Family, protocol: u8) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(family);
    message.header.protocol = protocol.into();
    RouteNetlinkMessage::GetRoute(message)
}

/// `RTM_GETROUTE` of the entry that a packet from the node to `destination` would use.
pub fn match_route(destination: IpAddr) -> RouteNetlinkMessage {
    let prefix = Prefix::host(destination);
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(prefix.family());
    message.header.destination_prefix_length = prefix.length;
    message.header.flags = RouteFlags::FibMatch;
    message.attributes.push(RouteAttribute::Destination(destination.into()));
    RouteNetlinkMessage::GetRoute(message)
}

/// The body of `RTM_NEWROUTE` and `RTM_DELROUTE`.
pub fn route(route: &Route, device: Option<u32>) -> RouteMessage {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = address_family(route.destination.family());
    header.destination_prefix_length = route.destination.length;
    header.protocol = route.protocol.into();
    header.kind = match route.kind {
        RouteKind::Unicast => RouteType::Unicast,
        RouteKind::Unreachable => RouteType::Unreachable,
        RouteKind::Other(kind) => RouteType::Other(kind),
    };
    header.scope = match route.scope {
        Scope::Universe => RouteScope::Universe,
        Scope::Link => RouteScope::Link,
        Scope::Other(scope) => RouteScope::from(scope),
    };
    if route.onlink {
        header.flags = RouteFlags::Onlink;
    }
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Table(route.table));
    if !route.destination.is_default() {
        attributes.push(RouteAttribute::Destination(route.destination.address.into()));
    }
    if let Some(source) = route.source {
        header.source_prefix_length = source.length;
        attributes.push(RouteAttribute::Source(source.address.into()));
    }
    attributes.extend(route.gateway.map(|gateway| RouteAttribute::Gateway(gateway.into())));
    attributes.extend(device.map(RouteAttribute::Oif));
    attributes.extend(route.preferred.map(|address| RouteAttribute::PrefSource(address.into())));
    if route.metric != 0 {
        attributes.push(RouteAttribute::Priority(route.metric));
    }
    message
}

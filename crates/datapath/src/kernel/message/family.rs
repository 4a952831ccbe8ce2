//! Address families in netlink's words.

use netlink_packet_route::AddressFamily;

use crate::object::Family;

/// `AF_INET` or `AF_INET6`.
pub fn address_family(family: Family) -> AddressFamily {
    match family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    }
}

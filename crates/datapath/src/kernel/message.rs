//! Objects to netlink requests. Devices are indices by now.

mod address;
mod family;
mod link;
mod namespace;
mod neighbour;
mod new_link;
mod route;
mod rule;

pub use address::{add_address, list_addresses, list_addresses_in};
pub use link::{
    LinkChange, alternative_names, delete_group, delete_link, detach_xdp, get_link_by_index, get_link_by_name, list_links,
    list_links_in, mark, mark_by_name, move_link, set_link, set_mac,
};
pub use namespace::{get_netns_id, list_netns_ids, name_netns};
pub use neighbour::{get_neighbour, list_all_neighbours, list_neighbours, put_neighbour};
pub use new_link::{Hanging, Pair, create_hanging, create_pair, create_shaper};
pub use route::{list_routes, list_routes_of, match_route, route};
pub use rule::{list_rules, rule};

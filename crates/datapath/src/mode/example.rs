//! The pod of the reference's worked examples, and a mode's wanted state as text, for tests.

use crate::attachment::{Attachment, FamilyAddress, Mode, RuleForm, Shaping};
use crate::desired::HostFacts;
use crate::object::{Mac, Mtu, Place, Scope};

pub fn example() -> Attachment {
    Attachment {
        id: "c0ffee/eth0".into(),
        generation: 1,
        mode: Mode::PolicyRoute,
        netns: "/var/run/netns/pod".into(),
        if_name: "eth0".into(),
        host_if_name: "calic95a4947e07".into(),
        mtu: 1500,
        ipv4: Some(FamilyAddress {
            address: "10.0.1.23".parse().unwrap(),
            prefix_length: 24,
            gateway: "10.0.1.253".parse().unwrap(),
        }),
        ipv6: Some(FamilyAddress {
            address: "2001:db8:1::23".parse().unwrap(),
            prefix_length: 64,
            gateway: "2001:db8:1:0:ffff:ffff:ffff:fffd".parse().unwrap(),
        }),
        eni_mac: Mac([0, 0x16, 0x3e, 0, 0, 1]),
        host_ipv4: Some("10.0.0.10".parse().unwrap()),
        host_ipv6: Some("2001:db8::10".parse().unwrap()),
        default_route: true,
        extra_routes: Vec::new(),
        rule_form: RuleForm::Compact,
        trunk: None,
        own_groups: false,
        multi_network: false,
        host_stack: Vec::new(),
        host_peer: true,
        shaping: Shaping::default(),
        network_policy: false,
        fast_path: false,
    }
}

pub fn facts() -> HostFacts {
    HostFacts {
        eni_index: 3,
        eni_name: "eth1".into(),
        source_routes: true,
        ..HostFacts::default()
    }
}

/// One object a line, in the order in which it is made; sysctls are looked at apart.
pub fn render(attachment: &Attachment) -> String {
    let desired = super::desired_state(attachment, &facts());
    let names = &desired.names;
    let mut lines = Vec::new();
    for place in [Place::Host, Place::Pod] {
        let state = desired.at(place);
        let mut line = |text: String| lines.push(format!("{place} {text}"));
        for link in &state.links {
            let mtu = match link.mtu {
                Mtu::Exactly(mtu) => format!("mtu {mtu}"),
                Mtu::AtLeast(mtu) => format!("mtu >= {mtu}"),
            };
            let alias = link.alias.as_ref().map_or(String::new(), |alias| format!(" alias {alias}"));
            let arp = if link.arp == Some(false) { " noarp" } else { "" };
            line(format!("{} {mtu}{alias}{arp}", names.link(link.device)));
        }
        state.addresses.iter().for_each(|address| line(names.address(address)));
        for neighbour in &state.neighbours {
            let mac = names.link_address(neighbour.mac);
            line(format!("{} lladdr {mac}", names.neighbour(neighbour)));
        }
        state.rules.iter().for_each(|rule| line(rule.to_string()));
        for route in &state.routes {
            let scope = if route.scope == Scope::Link { " scope link" } else { "" };
            line(format!("{}{scope}", names.route(route)));
        }
        state.masquerade.iter().for_each(|pod| line(format!("masquerade {pod}")));
    }
    lines.join("\n")
}

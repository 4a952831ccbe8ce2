//! Pods with an ENI of their own, Services on the node, and what an ENI was before.

use std::process::Command;

use terway_datapath::attachment::{Attachment, Mode};

use super::lab::{FAR_V4, FAR_V6, Lab, Stack, eni_mac};
use super::namespace::Namespace;

pub const SERVICE_V4: &str = "172.16.0.10";
pub const SERVICE_V6: &str = "2001:db8:5::10";

/// A node whose ENI `eth1` is for one pod.
pub struct Node {
    pub lab: Lab,
}

impl Node {
    pub fn new() -> Self {
        Self { lab: Lab::new() }
    }

    /// The fabric brings `eth1` back, with the gateways behind it.
    pub fn plug_again(&self) {
        self.lab.plug(1);
        self.lab.raise_gateways();
    }

    /// Our nf_tables table as nft prints it; empty if there is none.
    pub fn masquerading(&self) -> String {
        let list = || {
            Command::new("nft")
                .args(["list", "table", "inet", "terway_exclusive"])
                .output()
                .unwrap()
        };
        String::from_utf8_lossy(&self.lab.host.run(list).stdout).into_owned()
    }
}

/// A pod and its attachment in mode `exclusive` on `eth1`.
pub fn exclusive(lab: &Lab, number: u16, stack: Stack) -> (Namespace, Attachment) {
    let (pod, attachment) = lab.pod(number, stack);
    let cidrs = ["172.16.0.0/16", "2001:db8:5::/108"].map(|text| text.parse().unwrap());
    let host_stack = cidrs
        .into_iter()
        .zip([stack.v4(), stack.v6()])
        .filter(|(_, has)| *has)
        .map(|(cidr, _)| cidr);
    let attachment = Attachment {
        mode: Mode::Exclusive,
        host_stack: host_stack.collect(),
        ..attachment
    };
    (pod, attachment)
}

/// What kube-proxy does for a Service whose only backend is elsewhere.
pub fn far_behind_services(host: &Namespace) {
    let rules = format!(
        "add table ip services
         add chain ip services pre {{ type nat hook prerouting priority dstnat; }}
         add rule ip services pre ip daddr {SERVICE_V4} dnat to {FAR_V4}
         add table ip6 services
         add chain ip6 services pre {{ type nat hook prerouting priority dstnat; }}
         add rule ip6 services pre ip6 daddr {SERVICE_V6} dnat to {FAR_V6}"
    );
    let output = host.run(|| Command::new("nft").arg(&rules).output().unwrap());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// All that must be again as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Former {
    pub name: String,
    pub mtu: String,
    pub up: bool,
    pub alias: String,
    pub alternative_names: Vec<String>,
    pub group: String,
}

impl Former {
    /// Of ENI `number`, wherever it stands in `namespace`.
    pub fn of(namespace: &Namespace, number: u8) -> Self {
        let mac = eni_mac(number).to_string();
        let links = namespace.ip("-d -o link");
        // A list that changes while it is read may show a link twice.
        let mut found = links.lines().filter(|line| line.contains(&format!("link/ether {mac}")));
        let line = found.next_back().unwrap_or_else(|| panic!("no link has {mac}:\n{links}"));
        let after = |key: &str| {
            let mut words = line.split_whitespace().skip_while(|word| *word != key);
            words.nth(1).unwrap_or("").to_owned()
        };
        let name = line.split(' ').nth(1).unwrap().trim_end_matches(':');
        let parts: Vec<&str> = line.split('\\').map(str::trim).collect();
        let mut alternative_names: Vec<String> = parts
            .iter()
            .filter_map(|part| part.strip_prefix("altname "))
            .map(str::to_owned)
            .collect();
        alternative_names.sort_unstable();
        Self {
            name: name.split('@').next().unwrap().to_owned(),
            mtu: after("mtu"),
            up: line.split(['<', '>']).nth(1).unwrap().split(',').any(|flag| flag == "UP"),
            alias: parts
                .iter()
                .find_map(|part| part.strip_prefix("alias "))
                .unwrap_or("")
                .to_owned(),
            alternative_names,
            group: after("group"),
        }
    }

    /// An ENI comes back down, whatever it was.
    pub fn down(self) -> Self {
        Self { up: false, ..self }
    }
}

/// Whether the kernel knows a link by its alternative names also in the namespace that it moved to (Linux 6.6, and 6.1 as Debian has it).
pub fn alternative_names_travel(home: &Namespace) -> bool {
    let away = Namespace::new();
    home.ips("link add probe type veth peer name probe2\nlink property add dev probe altname travels");
    home.ip(&format!("link set probe netns {}", away.path()));
    let travels = away.try_ip("link show travels").is_ok();
    away.ip("link del probe");
    travels
}

//! A node with its own interface and ENIs, and the VPC they are plugged into. Addresses are those of the golden examples.
//!
//! The VPC owns the MAC of every gateway and knows which ENI has which pod, as a real one does; it drops what comes from the wrong ENI
//! only where a test asks for that.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use terway_datapath::attachment::{Attachment, FamilyAddress, Mode, RuleForm, Shaping};
use terway_datapath::object::Mac;

use super::namespace::Namespace;

/// An address elsewhere, behind the gateways.
pub const FAR_V4: &str = "198.51.100.1";
pub const FAR_V6: &str = "2001:db8:ffff::1";
pub const HOST_V4: &str = "10.0.0.10";
pub const HOST_V6: &str = "2001:db8::10";
pub const GATEWAY_V4: &str = "10.0.1.253";
pub const GATEWAY_V6: &str = "2001:db8:1:0:ffff:ffff:ffff:fffd";

/// Whether the ENIs of new attachments carry security groups of their own; a test program sets it for all its tests.
pub static OWN_GROUPS: AtomicBool = AtomicBool::new(false);

/// Whether new attachments are forwarded past the stack; a test program sets it for all its tests.
pub static FAST_PATH: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stack {
    V4,
    V6,
    Dual,
}

impl Stack {
    pub const ALL: [Self; 3] = [Self::V4, Self::V6, Self::Dual];

    pub fn v4(self) -> bool {
        self != Self::V6
    }

    pub fn v6(self) -> bool {
        self != Self::V4
    }
}

pub struct Lab {
    pub host: Namespace,
    pub vpc: Namespace,
}

/// The MAC of ENI `number` (`eth1` is 1).
pub fn eni_mac(number: u8) -> Mac {
    Mac([0x00, 0x16, 0x3e, 0, 0, number])
}

/// The ENIs go first. When the kernel itself clears away the namespaces of a node and of its pods at once, Linux before 5.18 waits for an ENI
/// before it frees the VLAN link on it in a pod, which holds the ENI: for ever, and soon nobody can make a namespace any more. An ENI that is
/// unplugged takes the links on it along in the right order. (Mended by "net: allow out-of-order netdev unregistration".)
impl Drop for Lab {
    fn drop(&mut self) {
        let links = self.vpc.try_ip("-o link show type veth").unwrap_or_default();
        let names = links.lines().filter_map(|line| line.split([' ', '@']).nth(1));
        for name in names {
            drop(self.vpc.try_ip(&format!("link del {name}")));
        }
    }
}

impl Lab {
    /// A node with `eth0` and the ENI `eth1`.
    pub fn new() -> Self {
        let lab = Self::bare(Namespace::new());
        lab.plug(1);
        lab.raise_gateways();
        lab
    }

    /// The gateways' addresses on the VPC's end of `eth1`.
    pub fn raise_gateways(&self) {
        self.vpc.ips(&format!(
            "addr add {GATEWAY_V4}/24 dev vpc1\naddr add {GATEWAY_V6}/64 dev vpc1 nodad"
        ));
    }

    /// A node in this namespace that has `eth0` alone.
    pub fn bare(host: Namespace) -> Self {
        if FAST_PATH.load(Ordering::Relaxed) {
            host.mount_bpffs();
        }
        let lab = Self {
            host,
            vpc: Namespace::new(),
        };
        lab.vpc
            .ips(&format!("addr add {FAR_V4}/32 dev lo\naddr add {FAR_V6}/128 dev lo nodad"));
        lab.vpc.set_sysctl("ipv4/conf/all/forwarding", "1");
        lab.vpc.set_sysctl("ipv6/conf/all/forwarding", "1");
        lab.plug(0);
        lab.vpc
            .ips("addr add 10.0.0.253/24 dev vpc0\naddr add 2001:db8::fffd/64 dev vpc0 nodad");
        // As long as its link-local address is in doubt, an end asks for no neighbour: neither the node nor the VPC is new in real life.
        lab.host.set_sysctl("ipv6/conf/eth0/accept_dad", "0");
        lab.host.ips(&format!(
            "link set eth0 up
             addr add {HOST_V4}/24 dev eth0
             addr add {HOST_V6}/64 dev eth0 nodad
             route add default via 10.0.0.253 dev eth0
             -6 route add default via 2001:db8::fffd dev eth0"
        ));
        lab
    }

    /// Makes `eth<number>` appear in the node, as a hot-plugged ENI: down, without addresses.
    pub fn plug(&self, number: u8) {
        let mac = eni_mac(number);
        self.vpc
            .ip(&format!("link add vpc{number} type veth peer name tmp{number} address {mac}"));
        self.vpc.set_sysctl(&format!("ipv6/conf/vpc{number}/accept_dad"), "0");
        self.vpc.ip(&format!("link set vpc{number} up"));
        // It arrives under its name: the datapath may set it up at once, and before 6.2 a device that is up cannot be renamed.
        self.vpc
            .ip(&format!("link set tmp{number} netns {} name eth{number}", self.host.path()));
    }

    /// Waits until the VPC's end of an ENI has noticed that the node set its end up. A real ENI has no such end: the queue of a veth
    /// is activated by a work item, and until then the VPC's answers to ARP are dropped. Members' links on that end come up after it,
    /// and whoever still looks for duplicates of its address asks for no neighbour.
    pub fn settle(&self, number: u8) {
        let (end, on_end) = (format!(" vpc{number}@"), format!("@vpc{number}:"));
        let up = || {
            let links = self.vpc.ip("-o link show");
            let mut of_eni = links.lines().filter(|line| line.contains(&end) || line.contains(&on_end));
            of_eni.all(|line| line.contains("state UP")) && self.vpc.ip("-6 addr show tentative").is_empty()
        };
        super::calls::until("the VPC's end is up", std::time::Duration::from_secs(5), up);
    }

    /// Tells the VPC that a pod's addresses are on ENI `number`.
    pub fn assign(&self, attachment: &Attachment, number: u8) {
        for address in attachment.addresses() {
            self.vpc.ip(&format!(
                "neigh replace {address} lladdr {} nud permanent dev vpc{number}",
                eni_mac(number)
            ));
        }
    }

    /// A pod: its namespace and its attachment on `eth1`, known to the VPC.
    pub fn pod(&self, number: u16, stack: Stack) -> (Namespace, Attachment) {
        let pod = Namespace::new();
        let attachment = attachment(number, stack, &pod.path());
        self.assign(&attachment, 1);
        (pod, attachment)
    }

    /// Everything of the node that our marks stand on.
    pub fn own_objects(&self) -> Vec<String> {
        let mut found = Vec::new();
        for family in ["-4", "-6"] {
            found.extend(lines(&self.host.ip(&format!("{family} route show table all proto 116"))));
            let rules = lines(&self.host.ip(&format!("-d {family} rule show")));
            found.extend(rules.into_iter().filter(|line| line.contains("proto 116")));
        }
        found.extend(
            lines(&self.host.ip("-o link show type veth"))
                .into_iter()
                .filter(|line| line.contains("alias terway:")),
        );
        found
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// Attachment `number` (1 to 65,000) with its own id, names and addresses.
pub fn attachment(number: u16, stack: Stack, netns: &str) -> Attachment {
    let [high, low] = number.to_be_bytes();
    Attachment {
        id: format!("sandbox{number}/eth0"),
        generation: u64::from(number),
        mode: Mode::PolicyRoute,
        netns: netns.to_owned(),
        if_name: "eth0".into(),
        host_if_name: format!("cali{number:011x}"),
        mtu: 1500,
        ipv4: stack.v4().then(|| FamilyAddress {
            // 10.0.1.0/24 for the first ones, as in the examples; the rest of 10.1.0.0/16 for the many.
            address: if high == 0 {
                [10, 0, 1, low].into()
            } else {
                [10, 1, high, low].into()
            },
            prefix_length: 24,
            gateway: GATEWAY_V4.parse().unwrap(),
        }),
        ipv6: stack.v6().then(|| FamilyAddress {
            address: format!("2001:db8:1::{number:x}").parse().unwrap(),
            prefix_length: 64,
            gateway: GATEWAY_V6.parse().unwrap(),
        }),
        eni_mac: eni_mac(1),
        host_ipv4: Some(HOST_V4.parse().unwrap()),
        host_ipv6: Some(HOST_V6.parse().unwrap()),
        default_route: true,
        extra_routes: Vec::new(),
        rule_form: RuleForm::Compact,
        trunk: None,
        own_groups: OWN_GROUPS.load(Ordering::Relaxed),
        multi_network: false,
        network_policy: false,
        fast_path: FAST_PATH.load(Ordering::Relaxed),
        host_stack: Vec::new(),
        host_peer: true,
        shaping: Shaping::default(),
    }
}

/// The addresses elsewhere.
pub fn far() -> [IpAddr; 2] {
    [FAR_V4, FAR_V6].map(|address| address.parse().unwrap())
}

/// The node's own addresses.
pub fn node() -> [IpAddr; 2] {
    [HOST_V4, HOST_V6].map(|address| address.parse().unwrap())
}

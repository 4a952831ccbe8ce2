//! The VPC's end of a trunk: what it sends from an address carries that address's tag, and what it takes must carry it too.
//!
//! The same programs stand there as on the node's end, in a set of their own; `nft` says independently of them which tags were on the wire.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use terway_bpf::{Address, Endpoint, Eni, EniFlags, Programs};

use super::namespace::Namespace;

pub struct TrunkPort {
    programs: Programs,
    index: u32,
}

impl TrunkPort {
    /// Makes `vpc1` a trunk port.
    pub fn new(vpc: &Namespace) -> Self {
        vpc.mount_bpffs();
        let mut programs = Programs::open(vpc.bpffs()).unwrap();
        let index = vpc.ip("-o link show vpc1").split(':').next().unwrap().parse().unwrap();
        let trunk = Eni {
            flags: EniFlags::TRUNK,
            ..Eni::default()
        };
        programs.maps.enis.put(&index, &trunk).unwrap();
        let pins = pinned_programs(vpc.bpffs());
        vpc.tc("qdisc add dev vpc1 clsact");
        for (hook, name) in [("ingress", "eni_in"), ("egress", "eni_out")] {
            let pin = pins.join(name);
            vpc.tc(&format!(
                "filter add dev vpc1 {hook} bpf direct-action object-pinned {}",
                pin.display()
            ));
        }
        Self { programs, index }
    }

    /// From now on `address` of the VPC is in the network of this member.
    pub fn put(&mut self, address: IpAddr, vlan: u16) {
        let endpoint = Endpoint {
            eni: self.index,
            vlan,
            ..Endpoint::default()
        };
        self.programs.maps.endpoints.put(&Address::from(address), &endpoint).unwrap();
    }
}

/// Packets from `address` with this tag that come in on `vpc1` while `work` runs, as the packet filter sees them. Only before the port is a
/// trunk port: its program takes the tag away first.
pub fn tagged(vpc: &Namespace, address: IpAddr, vlan: u16, work: impl FnOnce()) -> u64 {
    let protocol = if address.is_ipv4() { "ip" } else { "ip6" };
    nft(vpc, "add table netdev watch");
    nft(
        vpc,
        "add chain netdev watch wire { type filter hook ingress device vpc1 priority 0 ; }",
    );
    let matches = format!("vlan id {vlan} {protocol} saddr {address}");
    nft(vpc, &format!("add rule netdev watch wire {matches} counter"));
    work();
    let rules = nft(vpc, "list table netdev watch");
    nft(vpc, "delete table netdev watch");
    let (_, counted) = rules.split_once("counter packets ").unwrap();
    counted.split(' ').next().unwrap().parse().unwrap()
}

/// A foreign edit of what the node's programs read: `del endpoint ADDRESS`, `vlan ADDRESS ID`, `del eni`, `plain eni`.
pub fn edit_record(node: &Namespace, command: &str) {
    let mut maps = Programs::open(node.bpffs()).unwrap().maps;
    let key = |address: &str| Address::from(address.parse::<IpAddr>().unwrap());
    let (eni, record) = maps.enis.list().unwrap().remove(0);
    match command.split(' ').collect::<Vec<_>>()[..] {
        ["del", "endpoint", address] => drop(maps.endpoints.remove(&key(address)).unwrap()),
        ["vlan", address, vlan] => {
            let endpoint = maps.endpoints.get(&key(address)).unwrap().unwrap();
            let vlan = vlan.parse().unwrap();
            maps.endpoints.put(&key(address), &Endpoint { vlan, ..endpoint }).unwrap();
        }
        ["del", "eni"] => drop(maps.enis.remove(&eni).unwrap()),
        ["plain", "eni"] => maps.enis.put(&eni, &Eni { flags: 0, ..record }).unwrap(),
        _ => panic!("record {command}"),
    }
}

fn nft(vpc: &Namespace, arguments: &str) -> String {
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let output = vpc.run(|| Command::new("nft").args(words).output().unwrap());
    assert!(
        output.status.success(),
        "nft {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn pinned_programs(bpffs: &Path) -> PathBuf {
    let layout = std::fs::read_dir(bpffs.join("terway"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mut entries = std::fs::read_dir(layout).unwrap().map(|entry| entry.unwrap().path());
    let is_programs = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("programs-");
    entries.find(is_programs).unwrap()
}

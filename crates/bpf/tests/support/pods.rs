//! Two pods on a node, and the policy programs as they stand on their links. A test run has no filter, and takes the interface's index for the
//! pod's slot: so each pod has an interface with the index of its id, in a namespace that the test's thread moves into.

use std::fs::File;
use std::net::IpAddr;
use std::os::fd::AsFd;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use terway_bpf::{
    Address, Endpoint, Eni, Flow, FlowKey, Pod, PolicyEntry, ProgramName, Programs, Reason, Run, Sample, SkBuff, Verdict,
    VerdictKey,
};

use super::Bpffs;
use super::ip::{Ip, SCTP, TCP, UDP};
use super::namespace::Namespace;
use super::stage::{ENI, NODE, OTHER, POD, REMOTE};

/// Ids, slots and interface indices.
pub const POD_ID: u32 = 11;
pub const OTHER_ID: u32 = 12;

/// Sets and classes of the tests.
pub const SET: u64 = 0xfeed_0000_0000_0001;
pub const OTHER_SET: u64 = 0xfeed_0000_0000_0002;
pub const CLASS: u64 = 0xc1a5_5000_0000_0007;

/// A set that allows nothing.
pub const NOTHING: u64 = SET + 100;

pub struct Pods {
    pub programs: Programs,
    bpffs: Bpffs,
    _namespace: Namespace,
}

impl Pods {
    /// Nothing isolates; the node's addresses are known.
    pub fn new() -> Self {
        let namespace = Namespace::new();
        namespace.ip(&format!(
            "link add name pod index {POD_ID} type veth peer name other index {OTHER_ID}"
        ));
        let file = File::open(namespace.path()).unwrap();
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        let bpffs = Bpffs::mount();
        let mut programs = Programs::open(bpffs.path()).unwrap();
        programs.maps.enis.put(&ENI, &Eni::default()).unwrap();
        for (id, pair) in [(POD_ID, POD), (OTHER_ID, OTHER)] {
            let record = Endpoint {
                id,
                eni: ENI,
                ..Endpoint::default()
            };
            for address in pair {
                programs.maps.endpoints.put(&key(address), &record).unwrap();
            }
            let pod = Pod { id, ..Pod::default() };
            programs.maps.policy.put_pod(&pod).unwrap();
        }
        for address in NODE {
            programs.maps.policy.host_addresses.put(&key(address), &0).unwrap();
        }
        Self {
            programs,
            bpffs,
            _namespace: namespace,
        }
    }

    /// Both directions of POD are isolated by [`SET`], in which these entries are.
    pub fn isolated(entries: &[PolicyEntry]) -> Self {
        let mut pods = Self::new();
        pods.programs.maps.policy.put_set(SET, entries).unwrap();
        pods.put(Pod {
            ingress_set: SET,
            egress_set: SET,
            ..pod()
        });
        pods
    }

    pub fn bpffs(&self) -> &std::path::Path {
        self.bpffs.path()
    }

    pub fn put(&mut self, pod: Pod) {
        self.programs.maps.policy.put_pod(&pod).unwrap();
    }

    pub fn bump(&mut self) {
        self.programs.maps.policy.bump_epoch().unwrap();
    }

    /// The pod's address is of a class.
    pub fn peer(&mut self, address: &str, class: u64) {
        self.programs.maps.policy.peers.put(&key(address), &class).unwrap();
    }

    /// POD sends.
    pub fn sends(&self, packet: &Ip) -> (Verdict, Vec<Reason>) {
        self.judged(ProgramName::FromPod, POD_ID, &packet.frame())
    }

    /// POD is sent.
    pub fn gets(&self, packet: &Ip) -> (Verdict, Vec<Reason>) {
        self.judged(ProgramName::ToPod, POD_ID, &packet.frame())
    }

    /// A packet leaves by the ENI.
    pub fn leaves(&self, packet: &Ip) -> (Verdict, Vec<Reason>) {
        self.judged(ProgramName::EniOut, ENI, &packet.frame())
    }

    /// A run, and what it counted.
    pub fn judged(&self, name: ProgramName, index: u32, frame: &[u8]) -> (Verdict, Vec<Reason>) {
        let before = Reason::ALL.map(|reason| self.packets(reason));
        let run = self.run(name, index, frame);
        let counted = Reason::ALL
            .into_iter()
            .zip(before)
            .filter(|(reason, before)| self.packets(*reason) > *before);
        (run.verdict, counted.map(|(reason, _)| reason).collect())
    }

    pub fn run(&self, name: ProgramName, index: u32, frame: &[u8]) -> Run {
        let skb = SkBuff {
            ifindex: index,
            ..SkBuff::default()
        };
        self.programs.program(name).run(frame, &skb, 1).unwrap()
    }

    pub fn packets(&self, reason: Reason) -> u64 {
        self.programs.maps.counters.get(reason).unwrap().packets
    }

    pub fn flow(&self, endpoint: u32, protocol: u8, local: (&str, u16), remote: (&str, u16)) -> Option<Flow> {
        self.programs
            .maps
            .policy
            .flows
            .get(&flow_key(endpoint, protocol, local, remote))
            .unwrap()
    }

    /// As if the flow's last packet had been so many seconds earlier.
    pub fn age(&mut self, endpoint: u32, protocol: u8, local: (&str, u16), remote: (&str, u16), seconds: u64) {
        let key = flow_key(endpoint, protocol, local, remote);
        let flows = &mut self.programs.maps.policy.flows;
        let mut flow = flows.get(&key).unwrap().unwrap();
        // Also before the machine was started: guests run the tests in their first minutes.
        flow.last_seen = flow.last_seen.wrapping_sub(seconds * 1_000_000_000);
        flows.put(&key, &flow).unwrap();
    }

    pub fn verdicts(&self) -> Vec<(VerdictKey, u64)> {
        let mut all: Vec<_> = self
            .programs
            .maps
            .policy
            .verdicts
            .list()
            .unwrap()
            .into_iter()
            .map(|(key, count)| (key, count.packets))
            .collect();
        all.sort();
        all
    }

    pub fn samples(&mut self) -> Vec<Sample> {
        self.programs.maps.policy.samples.drain()
    }
}

/// REMOTE may open to POD's port 80; POD may open nothing.
pub fn server() -> Pods {
    let mut pods = Pods::isolated(&[TCP, UDP, SCTP].map(|protocol| entry(CLASS, protocol, 80, 80)));
    for remote in REMOTE {
        pods.peer(remote, CLASS);
    }
    pods.programs.maps.policy.put_set(NOTHING, &[]).unwrap();
    pods.put(Pod {
        ingress_set: SET,
        egress_set: NOTHING,
        ..pod()
    });
    pods
}

pub const PASSED: (Verdict, Vec<Reason>) = (Verdict::CONTINUE, Vec::new());

/// Dropped, counted as this.
pub fn dropped(reasons: &[Reason]) -> (Verdict, Vec<Reason>) {
    (Verdict::DROP, reasons.to_vec())
}

pub fn key(address: &str) -> Address {
    Address::from(address.parse::<IpAddr>().unwrap())
}

pub fn flow_key(endpoint: u32, protocol: u8, local: (&str, u16), remote: (&str, u16)) -> FlowKey {
    FlowKey {
        endpoint,
        local: key(local.0),
        remote: key(remote.0),
        local_port: local.1,
        remote_port: remote.1,
        protocol,
        reserved: [0; 3],
    }
}

/// POD's record.
pub fn pod() -> Pod {
    Pod {
        id: POD_ID,
        ..Pod::default()
    }
}

/// An entry for a class, by protocol and ports.
pub fn entry(class: u64, protocol: u8, from: u16, to: u16) -> PolicyEntry {
    PolicyEntry {
        class,
        protocol,
        from,
        to,
        rule: 41,
    }
}

/// Every protocol and port.
pub fn everything(class: u64) -> PolicyEntry {
    entry(class, 0, 0, u16::MAX)
}

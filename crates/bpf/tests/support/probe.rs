//! One packet against a [`World`]: what it should become, and what becomes of it.

use std::net::IpAddr;

use terway_bpf::{ProgramName, Verdict};

use super::ip::{ACK, ICMP, ICMPV6, Ip, SCTP, TCP, UDP};
use super::model::{Chance, World, port};
use super::pods::{POD_ID, Pods, flow_key, key, pod};
use super::stage::POD;

/// A set's number; 0 is none.
pub fn number(set: usize) -> u64 {
    set as u64 + 1
}

/// Writes the world into the maps.
pub fn fill(pods: &mut Pods, world: &World) {
    let policy = &mut pods.programs.maps.policy;
    let tables = world.tables();
    for (set, entries) in tables.sets.iter().enumerate() {
        policy.put_set(number(set), entries).unwrap();
    }
    policy.blocks.set_all(&tables.blocks).unwrap();
    let peers: Vec<_> = tables
        .peers
        .iter()
        .map(|(address, class)| (key(&address.to_string()), *class))
        .collect();
    policy.peers.set_all(&peers).unwrap();
}

/// One packet's end.
#[derive(Clone, Debug)]
pub struct Probe {
    egress: bool,
    remote: IpAddr,
    pub protocol: u8,
    server_port: u16,
    client_port: u16,
}

impl Probe {
    pub fn of(chance: &mut Chance, world: &World, client_port: u16) -> Self {
        let remote = world.remote(chance);
        let icmp = if remote.is_ipv4() { ICMP } else { ICMPV6 };
        Self {
            egress: chance.below(2) == 0,
            remote,
            protocol: *chance.pick(&[TCP, TCP, UDP, SCTP, icmp, 47]),
            server_port: port(chance),
            client_port,
        }
    }

    fn ends(&self) -> (String, String) {
        let own = if self.remote.is_ipv4() { POD[0] } else { POD[1] };
        (own.to_owned(), self.remote.to_string())
    }

    /// The packet that opens, or one that goes on.
    fn packet(&self, opens: bool) -> Ip {
        let (own, remote) = self.ends();
        let (client, server) = if self.egress { (&own, &remote) } else { (&remote, &own) };
        let (from, to) = ((client.as_str(), self.client_port), (server.as_str(), self.server_port));
        match self.protocol {
            ICMP | ICMPV6 => Ip::echo(client, server, self.client_port, true),
            TCP if !opens => Ip::tcp(from, to, ACK),
            SCTP if !opens => Ip::sctp(from, to, 0),
            protocol => Ip::opening(protocol, from, to),
        }
    }

    pub fn run(&self, pods: &Pods, opens: bool) -> bool {
        let program = if self.egress {
            ProgramName::FromPod
        } else {
            ProgramName::ToPod
        };
        // Without a look at the counters: there are thousands of these.
        pods.run(program, POD_ID, &self.packet(opens).frame()).verdict == Verdict::CONTINUE
    }

    pub fn forget(&self, pods: &mut Pods) {
        let (own, remote) = self.ends();
        let (local_port, remote_port) = match self.protocol {
            TCP | UDP | SCTP if self.egress => (self.client_port, self.server_port),
            TCP | UDP | SCTP => (self.server_port, self.client_port),
            ICMP | ICMPV6 => (self.client_port, 0),
            _ => (0, 0),
        };
        let key = flow_key(pod().id, self.protocol, (&own, local_port), (&remote, remote_port));
        pods.programs.maps.policy.flows.remove(&key).unwrap();
    }

    pub fn expected(&self, world: &World, ingress: usize, egress: usize) -> bool {
        let set = if self.egress { egress } else { ingress };
        world.allows(set, self.remote, self.protocol, self.server_port)
    }
}

//! What a round trip of one datagram costs in each mode that the kernel has, as root: one line `path MODE FAMILY PATH NANOSECONDS` each.
//!
//! One thread sends and receives on both sides, so that nothing is measured but the packet's way through the kernel. In a guest whose clock counts
//! instructions (QEMU's `-icount`) a nanosecond is an instruction.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement, run by hand"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use support::calls::Open;
use support::lab::{self, Lab, Stack};
use support::modes::{MEMBER, lacks};
use support::namespace::Namespace;
use terway_datapath::attachment::{Attachment, Mode};

const WARM_UP: u32 = 100;
const ROUND_TRIPS: u32 = 1000;

fn main() {
    for kind in [
        Kind::Of(Mode::PolicyRoute),
        Kind::TagFilter,
        Kind::Of(Mode::Ipvlan),
        Kind::Of(Mode::Vlan),
        Kind::Of(Mode::Exclusive),
        Kind::Of(Mode::Netkit),
    ] {
        if !lacks(kind.name(), kind.needs()) {
            for stack in [Stack::V4, Stack::V6] {
                measure(kind, stack);
            }
        }
    }
}

/// A way to connect a pod.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A mode by itself.
    Of(Mode),
    /// Policy routing for a trunk's member, whose tag the kernel programs push and pop.
    TagFilter,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Of(mode) => mode.as_str(),
            Self::TagFilter => "tag_filter",
        }
    }

    /// The lab's fabric has 802.1Q links at its end of a trunk.
    fn needs(self) -> Mode {
        match self {
            Self::Of(mode) => mode,
            Self::TagFilter => Mode::Vlan,
        }
    }

    fn pod(self, lab: &Lab, number: u16, stack: Stack) -> (Namespace, Attachment) {
        let Self::Of(mode) = self else {
            let (pod, mut attachment) = lab.pod_of(Mode::Vlan, number, stack);
            attachment.mode = Mode::PolicyRoute;
            // The VPC knows where its addresses are; nobody on the node answers for a member.
            for address in attachment.addresses() {
                let to = format!("{address} lladdr {} nud permanent", lab::eni_mac(1));
                lab.vpc.ip(&format!("neigh replace {to} dev vpcm{}", MEMBER + number));
            }
            return (pod, attachment);
        };
        lab.pod_of(mode, number, stack)
    }
}

/// Between a pod and elsewhere, a second pod of its ENI, its node.
fn measure(kind: Kind, stack: Stack) {
    let lab = Lab::new();
    lab.host.mount_bpffs();
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = kind.pod(&lab, 23, stack);
    datapath.attach(&attachment);
    lab.settle(1);
    let own: IpAddr = attachment.addresses().next().expect("an address");
    let same_family = |addresses: [IpAddr; 2]| {
        addresses
            .into_iter()
            .find(|address| address.is_ipv4() == own.is_ipv4())
            .unwrap()
    };
    let family = if own.is_ipv4() { "ipv4" } else { "ipv6" };
    let report = |path: &str, ns: u128| println!("path {} {family} {path} {ns}", kind.name());
    report("elsewhere", round_trip((&pod, own), (&lab.vpc, same_family(lab::far()))));
    report("node", round_trip((&pod, own), (&lab.host, same_family(lab::node()))));
    // An exclusive ENI has one pod.
    if kind != Kind::Of(Mode::Exclusive) {
        let (other, second) = kind.pod(&lab, 24, stack);
        datapath.attach(&second);
        report(
            "pod",
            round_trip((&pod, own), (&other, second.addresses().next().expect("an address"))),
        );
    }
    if kind == Kind::Of(Mode::PolicyRoute) {
        let host = same_family(lab::node());
        println!(
            "path host {family} elsewhere {}",
            round_trip((&lab.host, host), (&lab.vpc, same_family(lab::far())))
        );
    }
}

fn round_trip(from: (&Namespace, IpAddr), to: (&Namespace, IpAddr)) -> u128 {
    let open = |(place, address): (&Namespace, IpAddr)| {
        let socket = place.run(|| UdpSocket::bind((address, 0)).unwrap());
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket
    };
    let (near, far) = (open(from), open(to));
    near.connect(far.local_addr().unwrap()).unwrap();
    let mut buffer = [0; 8];
    let mut exchange = || {
        near.send(b"question").unwrap();
        let (_, asker) = far.recv_from(&mut buffer).unwrap();
        far.send_to(b"answer", asker).unwrap();
        near.recv(&mut buffer).unwrap();
    };
    (0..WARM_UP).for_each(|_| exchange());
    let started = Instant::now();
    (0..ROUND_TRIPS).for_each(|_| exchange());
    started.elapsed().as_nanos() / u128::from(ROUND_TRIPS)
}

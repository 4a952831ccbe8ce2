//! What the rules cost at a number of pods: `rule_cost [--smoke]`, as root; one JSON object a line. `npm run bench -- rules` runs it.
//!
//! Three nodes in namespaces of their own: *floor* forwards the same hops with no rule of ours, *per_pod* has Terway's rules, *compact* the
//! default. Microseconds of processor time, of the thread that does the work (a packet over veth is forwarded by whoever sends it): one
//! datagram from the pod that came last to beyond the VPC's gateway, and one `socket`, `connect`, `close` of the node itself, to beyond the
//! gateway and to that pod.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement, run by hand and by the bench"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::net::{IpAddr, SocketAddr, UdpSocket};

use support::calls::Open;
use support::lab::{GATEWAY_V4, GATEWAY_V6, Lab, Stack, attachment, far};
use support::namespace::Namespace;
use terway_datapath::attachment::{Attachment, RuleForm};

const PORT: u16 = 7009;

struct Scale {
    counts: &'static [u16],
    rounds: u32,
    calls: u32,
}

const FULL: Scale = Scale {
    counts: &[10, 110, 250, 1000],
    rounds: 30,
    calls: 400,
};
const SMOKE: Scale = Scale {
    counts: &[2, 4],
    rounds: 3,
    calls: 20,
};

/// A node with one pod that is measured and a crowd.
struct Node {
    name: &'static str,
    lab: Lab,
    form: Option<(Open, RuleForm)>,
    crowd: Namespace,
    present: u16,
    pod: Namespace,
    measured: Attachment,
    _sinks: Vec<UdpSocket>,
}

impl Node {
    fn new(name: &'static str, form: Option<RuleForm>) -> Self {
        let lab = Lab::new();
        let (crowd, pod) = (Namespace::new(), Namespace::new());
        let measured = attachment(60_000, Stack::Dual, &pod.path());
        lab.assign(&measured, 1);
        // Nobody reads: what arrives is dropped when the buffer is full, without an answer.
        let sinks = far()
            .map(|address| lab.vpc.run(|| UdpSocket::bind((address, PORT)).unwrap()))
            .into();
        let form = form.map(|form| (Open::new(&lab.host), form));
        Self {
            name,
            lab,
            form,
            crowd,
            present: 0,
            pod,
            measured,
            _sinks: sinks,
        }
    }

    /// As many pods as that, the measured one made last.
    fn populate(&mut self, count: u16) {
        let Some((datapath, form)) = &self.form else {
            if self.present == 0 {
                self.bare();
                self.present = count;
            }
            return;
        };
        datapath.detach(&self.measured);
        datapath.settle_deletes();
        while self.present + 1 < count {
            self.present += 1;
            let one = Attachment {
                if_name: format!("e{}", self.present),
                rule_form: *form,
                // They share a namespace, which has one default route at most.
                default_route: false,
                ..attachment(self.present, Stack::Dual, &self.crowd.path())
            };
            datapath.attach(&one);
        }
        datapath.attach(&Attachment {
            rule_form: *form,
            ..self.measured.clone()
        });
        self.lab.settle(1);
    }

    /// The same hops by the main table alone.
    fn bare(&self) {
        let host = &self.lab.host;
        host.ip(&format!("link add cali0 type veth peer name eth0 netns {}", self.pod.path()));
        host.ips("link set cali0 up\nlink set eth1 up");
        host.set_sysctl("ipv4/conf/all/forwarding", "1");
        host.set_sysctl("ipv6/conf/all/forwarding", "1");
        host.ips(&format!(
            "route replace default via {GATEWAY_V4} dev eth1 onlink
             -6 route add {GATEWAY_V6}/128 dev eth1
             -6 route replace default via {GATEWAY_V6} dev eth1 onlink
             addr add 169.254.1.1/32 dev cali0
             -6 addr add fe80::1/64 dev cali0 nodad"
        ));
        self.pod.ip("link set eth0 up");
        for (address, hop) in self.measured.addresses().zip(["169.254.1.1", "fe80::1"]) {
            host.ip(&format!("route add {address} dev cali0"));
            self.pod.ip(&format!(
                "addr add {address} dev eth0 {}",
                if address.is_ipv6() { "nodad" } else { "" }
            ));
            self.pod.ip(&format!("route add default via {hop} dev eth0 onlink"));
        }
        self.lab.settle(1);
    }
}

fn main() {
    let scale = if std::env::args().any(|argument| argument == "--smoke") {
        SMOKE
    } else {
        FULL
    };
    let mut nodes = [
        Node::new("floor", None),
        Node::new("per_pod", Some(RuleForm::PerPod)),
        Node::new("compact", Some(RuleForm::Compact)),
    ];
    for count in scale.counts {
        for node in &mut nodes {
            node.populate(*count);
        }
        for round in 0..=scale.rounds {
            for to in far() {
                for node in &nodes {
                    let family = if to.is_ipv4() { "ipv4" } else { "ipv6" };
                    let forward = node.pod.run(|| send(to, scale.calls));
                    let outward = node.lab.host.run(|| connect(to, scale.calls));
                    let mut own = node.measured.addresses();
                    let pod = own.find(|own| own.is_ipv4() == to.is_ipv4()).unwrap();
                    let inward = node.lab.host.run(|| connect(pod, scale.calls));
                    // The first round warms caches and neighbours up.
                    if round > 0 {
                        for (what, us) in [("forward", forward), ("connect", outward), ("connect_pod", inward)] {
                            let form = node.name;
                            println!(
                                r#"{{"what":"{what}","family":"{family}","form":"{form}","pods":{count},"round":{round},"us":{us:.4}}}"#
                            );
                        }
                    }
                }
            }
        }
    }
}

fn any(of_family: IpAddr) -> SocketAddr {
    if of_family.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    }
}

fn send(to: IpAddr, calls: u32) -> f64 {
    let socket = UdpSocket::bind(any(to)).unwrap();
    socket.connect((to, PORT)).unwrap();
    per_call(calls, || {
        drop(socket.send(b"x"));
    })
}

fn connect(to: IpAddr, calls: u32) -> f64 {
    per_call(calls, || {
        let socket = UdpSocket::bind(any(to)).unwrap();
        socket.connect((to, PORT)).unwrap();
    })
}

/// Microseconds of this thread's processor time.
fn per_call(calls: u32, mut work: impl FnMut()) -> f64 {
    let now = || {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        now.tv_sec as f64 * 1e6 + now.tv_nsec as f64 / 1e3
    };
    let started = now();
    for _ in 0..calls {
        work();
    }
    (now() - started) / f64::from(calls)
}

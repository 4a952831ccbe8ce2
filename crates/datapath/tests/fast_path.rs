//! Packets that go past the node's stack, and those that must not. The node's firewall drops what its conntrack takes for invalid, as kube-proxy's does: whatever
//! the stack sees one direction of only is lost there.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::Ordering;
use std::time::Duration;

use support::calls::{Open, until, wait};
use support::lab::{self, FAST_PATH, Lab, Stack};
use support::modes::lacks;
use support::namespace::Namespace;
use support::probe::{Echo, ask};
use support::scenario;
use support::vpc::{move_pods, nft, on_eni, two_enis};
use terway_bpf::{Programs, Reason};
use terway_datapath::attachment::{Attachment, Mode, RuleForm, Shaping};
use terway_datapath::object::Prefix;
use terway_datapath::policy::{self, PodRecord, PodState, PolicyEntry, PolicyStep, SetPart};

/// Service addresses, one of each family.
const SERVICE: [&str; 2] = ["172.16.0.9", "fd00:96::9"];
const FAMILIES: [&str; 2] = ["ip", "ip6"];

/// Packets that went past the stack: out by the ENI, in from it, between pods; and flows that lost their path.
type Forwarded = [u64; 4];

struct Scene {
    lab: Lab,
    datapath: Open,
    pods: Vec<(Namespace, Attachment)>,
}

impl Scene {
    fn new(mode: Mode) -> Self {
        Self::with(Lab::new(), mode, &[1, 1], |attachment| attachment)
    }

    /// A pod on each of these ENIs.
    fn with(lab: Lab, mode: Mode, enis: &[u8], change: impl Fn(Attachment) -> Attachment) -> Self {
        let datapath = Open::new(&lab.host);
        datapath.0.judge().unwrap();
        let pods: Vec<(Namespace, Attachment)> = (23u16..)
            .zip(enis)
            .map(|(number, eni)| {
                let (pod, attachment) = lab.pod_of(mode, number, Stack::Dual);
                let services = ["172.16.0.0/16", "fd00:96::/112"].map(|cidr| cidr.parse::<Prefix>().unwrap());
                let attachment = Attachment {
                    host_stack: services.into(),
                    ..on_eni(attachment, *eni, RuleForm::Compact)
                };
                (pod, change(attachment))
            })
            .collect();
        for (_, attachment) in &pods {
            datapath.attach(attachment);
            assert_eq!(datapath.check(attachment), []);
            assert_eq!(datapath.attach(attachment).steps, 0);
        }
        for family in FAMILIES {
            for line in [
                format!("add table {family} fw"),
                format!("add chain {family} fw forward {{ type filter hook forward priority 0; }}"),
                format!("add rule {family} fw forward ct state invalid counter drop"),
                format!("add chain {family} fw pre {{ type nat hook prerouting priority -100; }}"),
                format!("add chain {family} fw post {{ type nat hook postrouting priority 100; }}"),
            ] {
                nft(&lab.host, &line);
            }
        }
        let mut enis = enis.to_vec();
        enis.dedup();
        enis.into_iter().for_each(|eni| lab.settle(eni));
        Self { lab, datapath, pods }
    }

    fn programs(&self) -> Programs {
        Programs::open(self.lab.host.bpffs()).unwrap()
    }

    /// What the work made go past the stack.
    fn forwarded<T>(&self, work: impl FnOnce() -> T) -> (T, Forwarded) {
        let programs = self.programs();
        let count = || {
            [
                Reason::ForwardedOut,
                Reason::ForwardedIn,
                Reason::ForwardedPod,
                Reason::PathLost,
            ]
            .map(|reason| programs.maps.counters.get(reason).unwrap().packets)
        };
        let before = count();
        let answer = work();
        let after = count();
        (answer, std::array::from_fn(|index| after[index] - before[index]))
    }

    fn address(&self, pod: usize, family: usize) -> IpAddr {
        self.pods[pod].1.addresses().nth(family).unwrap()
    }

    /// As kube-proxy translates a Service: nothing but the destination.
    fn translate(&self, from: &str, to: IpAddr) {
        let family = FAMILIES[usize::from(to.is_ipv6())];
        let to = if to.is_ipv4() { to.to_string() } else { format!("[{to}]") };
        for protocol in ["tcp", "udp"] {
            nft(
                &self.lab.host,
                &format!("add rule {family} fw pre {family} daddr {from} {protocol} dport 7007 dnat to {to}:7007"),
            );
        }
    }
}

/// One connection with some exchanges; the answer is what the server saw as its client.
fn converse(from: &Namespace, into: &Namespace, listen: IpAddr, to: IpAddr) -> Result<IpAddr, String> {
    let listener = into.run(|| TcpListener::bind((listen, 7007)).unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, from) = listener.accept().unwrap();
        let mut byte = [0u8; 1];
        while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
        from.ip()
    });
    let connect = || TcpStream::connect_timeout(&SocketAddr::from((to, 7007)), Duration::from_millis(700));
    let outcome = from.run(|| -> std::io::Result<()> {
        let mut stream = connect()?;
        stream.set_read_timeout(Some(Duration::from_millis(700)))?;
        for _ in 0..5 {
            stream.write_all(b"x")?;
            stream.read_exact(&mut [0u8; 1])?;
        }
        Ok(())
    });
    if let Err(error) = outcome {
        // Whoever still waits gets a visitor, so that the thread ends.
        into.run(|| drop(TcpStream::connect((listen, 7007))));
        drop(server.join());
        return Err(error.to_string());
    }
    Ok(server.join().unwrap())
}

fn fast(test: &str, mode: Mode) -> bool {
    FAST_PATH.store(true, Ordering::Relaxed);
    !lacks(test, mode)
}

/// Out, in and between pods, with the first packet; what is the node's goes by the stack.
fn forwards(mode: Mode) {
    let scene = Scene::new(mode);
    let (_far, _node) = (Echo::new(&scene.lab.vpc, lab::far()), Echo::new(&scene.lab.host, lab::node()));
    let (pod, other) = (&scene.pods[0].0, &scene.pods[1].0);
    for family in 0..2 {
        let (own, second) = (scene.address(0, family), scene.address(1, family));
        let far = lab::far()[family];
        let _echo = Echo::new(other, [second]);
        assert_eq!(scene.forwarded(|| ask(pod, far)), (Ok(own), [1, 1, 0, 0]), "to elsewhere");
        let (seen, counts) = scene.forwarded(|| ask(&scene.lab.vpc, second));
        assert!(seen.is_ok());
        assert_eq!(counts, [1, 1, 0, 0], "from elsewhere");
        assert_eq!(scene.forwarded(|| ask(pod, second)), (Ok(own), [0, 0, 2, 0]), "to a pod");
        let node = lab::node()[family];
        assert_eq!(scene.forwarded(|| ask(pod, node)), (Ok(own), [0; 4]), "to the node");
        assert_eq!(
            scene.forwarded(|| ask(&scene.lab.host, second)),
            (Ok(node), [0; 4]),
            "from the node"
        );

        let (seen, [out, into, between, lost]) = scene.forwarded(|| converse(pod, &scene.lab.vpc, far, far));
        assert_eq!(seen, Ok(own));
        assert!(
            out > 8 && into > 6 && between == 0 && lost == 0,
            "a connection: {out} {into} {between} {lost}"
        );
        let (seen, [out, into, between, lost]) = scene.forwarded(|| converse(pod, other, second, second));
        assert_eq!(seen, Ok(own));
        assert!(
            between > 14 && out == 0 && into == 0 && lost == 0,
            "a connection: {out} {into} {between} {lost}"
        );
    }
}

/// What the stack translates takes the stack in both directions, at this node's pod and elsewhere; also what reaches a pod by the node's own port.
fn services(mode: Mode) {
    let scene = Scene::new(mode);
    let _far = Echo::new(&scene.lab.vpc, lab::far());
    let (pod, other) = (&scene.pods[0].0, &scene.pods[1].0);
    for family in 0..2 {
        let (own, second) = (scene.address(0, family), scene.address(1, family));
        let (far, node) = (lab::far()[family], lab::node()[family]);
        let service: IpAddr = SERVICE[family].parse().unwrap();
        scene.translate(SERVICE[family], far);
        for _ in 0..2 {
            assert_eq!(scene.forwarded(|| ask(pod, service)), (Ok(own), [0; 4]), "backend elsewhere");
        }
        let tcp = scene.forwarded(|| converse(pod, &scene.lab.vpc, far, service));
        assert_eq!(tcp, (Ok(own), [0; 4]), "backend elsewhere, a connection");
        let _echo = Echo::new(other, [second]);
        nft(&scene.lab.host, &format!("flush chain {} fw pre", FAMILIES[family]));
        scene.translate(SERVICE[family], second);
        for _ in 0..2 {
            assert_eq!(
                scene.forwarded(|| ask(pod, service)),
                (Ok(own), [0; 4]),
                "backend on the node"
            );
        }
        let tcp = scene.forwarded(|| converse(pod, other, second, service));
        assert_eq!(tcp, (Ok(own), [0; 4]), "backend on the node, a connection");
        // Beside it, the same backend by its own address.
        assert_eq!(scene.forwarded(|| ask(pod, second)), (Ok(own), [0, 0, 2, 0]));

        scene.translate(&node.to_string(), second);
        let (seen, counts) = scene.forwarded(|| ask(&scene.lab.vpc, node));
        assert!(seen.is_ok(), "a port of the node leads to the pod: {seen:?}");
        assert_eq!(counts, [0; 4]);
        let (seen, counts) = scene.forwarded(|| converse(&scene.lab.vpc, other, second, node));
        assert!(seen.is_ok(), "a connection to a port of the node: {seen:?}");
        assert_eq!(counts, [0; 4]);
    }
}

/// The kernel's routes stay the authority: what they say of a flow later counts a second later at most.
fn routes_rule(mode: Mode) {
    let scene = Scene::new(mode);
    let _far = Echo::new(&scene.lab.vpc, lab::far());
    let pod = &scene.pods[0].0;
    for (family, flag) in ["-4", "-6"].into_iter().enumerate() {
        let (own, far) = (scene.address(0, family), lab::far()[family]);
        let socket = pod.run(|| UdpSocket::bind((own, 4000)).unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        socket.connect((far, 7007)).unwrap();
        let exchange = || socket.send(b"?").is_ok() && socket.recv(&mut [0u8; 64]).is_ok();
        assert_eq!(scene.forwarded(exchange), (true, [1, 1, 0, 0]));
        // Another router than the node's own: for IPv6 a rule that leads where main does anyway is not to be told from main.
        let through = if own.is_ipv4() { "10.0.0.252" } else { "2001:db8::fffc" };
        let length = if own.is_ipv4() { "24" } else { "64 nodad" };
        scene.lab.vpc.ip(&format!("addr add {through}/{length} dev vpc0"));
        scene
            .lab
            .host
            .ip(&format!("{flag} route add default via {through} dev eth0 table 77"));
        scene.lab.host.ip(&format!("{flag} rule add pref 400 from {own} lookup 77"));
        std::thread::sleep(Duration::from_millis(1100));
        let (answered, [out, ..]) = scene.forwarded(exchange);
        assert!(answered, "by the other interface");
        assert_eq!(out, 0, "the flow takes the route that was added");
        scene.lab.host.ip(&format!("{flag} rule add pref 399 from {own} unreachable"));
        assert!(ask(pod, far).is_err(), "a new flow is refused by the routes at once");
        scene.lab.host.ip(&format!("{flag} rule del pref 399"));
        scene.lab.host.ip(&format!("{flag} rule del pref 400"));
        assert_eq!(scene.forwarded(|| ask(pod, far)), (Ok(own), [1, 1, 0, 0]), "and as before");
    }
}

/// Large datagrams in fragments, hops, and the news that a packet was too large for a link further on.
fn odd_packets(mode: Mode) {
    let scene = Scene::new(mode);
    let (pod, vpc) = (&scene.pods[0].0, &scene.lab.vpc);
    for (family, name) in FAMILIES.into_iter().enumerate() {
        let (own, far) = (scene.address(0, family), lab::far()[family]);
        let receiver = vpc.run(|| UdpSocket::bind((far, 7010)).unwrap());
        receiver.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        let socket = pod.run(|| UdpSocket::bind((own, 4100)).unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
        socket.connect((far, 7010)).unwrap();
        let mut buffer = vec![0u8; 8000];
        // The small one first: the flow goes past the stack; then one in fragments, there and back.
        for size in [10, 5000, 10] {
            socket.send(&vec![7; size]).unwrap();
            let (length, from) = receiver.recv_from(&mut buffer).unwrap();
            assert_eq!(length, size, "out");
            receiver.send_to(&vec![7; size], from).unwrap();
            assert_eq!(socket.recv(&mut buffer).unwrap(), size, "in");
        }
        let field = if own.is_ipv4() { "ip ttl" } else { "ip6 hoplimit" };
        nft(vpc, &format!("add table {name} seen"));
        nft(
            vpc,
            &format!("add chain {name} seen pre {{ type filter hook prerouting priority 0; }}"),
        );
        nft(vpc, &format!("add rule {name} seen pre udp dport 7010 {field} != 63 drop"));
        socket.send(b"?").unwrap();
        assert!(receiver.recv(&mut buffer).is_ok(), "one hop was taken");

        // Behind the VPC's router a link is narrower than the pod's.
        let narrow = if own.is_ipv4() { "203.0.113.7" } else { "2001:db8:fffe::7" };
        let device = format!("narrow{family}");
        vpc.ip(&format!("link add {device} mtu 1300 type veth peer name behind{family}"));
        vpc.ip(&format!("link set {device} up"));
        vpc.ip(&format!("link set behind{family} up"));
        vpc.ip(&format!("route add {narrow} dev {device}"));
        let narrow: IpAddr = narrow.parse().unwrap();
        let sender = pod.run(|| UdpSocket::bind((own, 4200)).unwrap());
        sender.connect((narrow, 7011)).unwrap();
        let flag = if own.is_ipv4() { "-4" } else { "-6" };
        sender.send(&[7; 1400]).unwrap();
        until("the pod has learned of the narrow link", Duration::from_secs(3), || {
            sender.send(&[7; 1400]).is_err() || pod.ip(&format!("{flag} route get {narrow}")).contains("mtu 1300")
        });
        vpc.ip(&format!("link del {device}"));
    }
}

/// A token bucket in front of the pod holds.
fn limits(mode: Mode) {
    let limit = |attachment: Attachment| Attachment {
        shaping: Shaping {
            ingress: Some(1_000_000),
            ..Shaping::default()
        },
        ..attachment
    };
    let scene = Scene::with(Lab::new(), mode, &[1, 1], |attachment| match attachment.generation {
        23 => limit(attachment),
        _ => attachment,
    });
    let _far = Echo::new(&scene.lab.vpc, lab::far());
    for family in 0..2 {
        let (own, second) = (scene.address(0, family), scene.address(1, family));
        let _echo = Echo::new(&scene.pods[0].0, [own]);
        let far = lab::far()[family];
        assert_eq!(scene.forwarded(|| ask(&scene.pods[0].0, far)), (Ok(own), [0; 4]));
        assert_eq!(scene.forwarded(|| ask(&scene.pods[1].0, own)), (Ok(second), [0; 4]));
        assert_eq!(scene.forwarded(|| ask(&scene.pods[1].0, far)), (Ok(second), [1, 1, 0, 0]));
    }
}

/// The rules decide past the stack as they do on it, and a change cuts what flows.
fn judged(mode: Mode) {
    const DENY: u64 = 11;
    const ALLOW: u64 = 12;
    let scene = Scene::with(Lab::new(), mode, &[1, 1], |attachment| Attachment {
        network_policy: true,
        ..attachment
    });
    let everything = PolicyEntry {
        class: 0,
        protocol: 0,
        from: 0,
        to: 65_535,
        rule: 1,
    };
    let apply =
        |step: PolicyStep| wait(|reply| scene.datapath.0.policy(move |programs| policy::apply(programs, &step), reply)).unwrap();
    apply(PolicyStep {
        sets: [(DENY, Vec::new()), (ALLOW, vec![everything])]
            .map(|(set, entries)| SetPart { set, entries })
            .into(),
        ..PolicyStep::default()
    });
    let judge = |sets: [(u64, u64); 2]| {
        let record = |((ingress, egress), (_, attachment)): ((u64, u64), &(Namespace, Attachment))| PodRecord {
            endpoint: attachment.endpoint(),
            ingress,
            egress,
            state: PodState::Enforced,
        };
        apply(PolicyStep {
            pods: sets.into_iter().zip(&scene.pods).map(record).collect(),
            bump: true,
            ..PolicyStep::default()
        });
    };
    let _far = Echo::new(&scene.lab.vpc, lab::far());
    let (pod, other) = (&scene.pods[0].0, &scene.pods[1].0);
    for family in 0..2 {
        let (own, second, far) = (scene.address(0, family), scene.address(1, family), lab::far()[family]);
        let _echo = Echo::new(other, [second]);
        let all = || {
            [
                ask(pod, far).is_ok(),
                ask(pod, second).is_ok(),
                ask(&scene.lab.vpc, second).is_ok(),
            ]
        };
        judge([(0, 0), (0, 0)]);
        assert_eq!(all(), [true, true, true]);
        judge([(0, DENY), (0, 0)]);
        assert_eq!(all(), [false, false, true], "the sender may not");
        judge([(0, 0), (DENY, 0)]);
        assert_eq!(all(), [true, false, false], "the receiver may not be asked");
        judge([(DENY, ALLOW), (ALLOW, DENY)]);
        let (outcome, counts) = scene.forwarded(all);
        assert_eq!((outcome, counts), ([true; 3], [2, 2, 2, 0]), "answers need no rule");
        // A flow that lives.
        let socket = pod.run(|| UdpSocket::bind((own, 4300)).unwrap());
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        for to in [far, second] {
            socket.connect((to, 7007)).unwrap();
            let exchange = || socket.send(b"?").is_ok() && socket.recv(&mut [0u8; 64]).is_ok();
            assert!(exchange());
            judge([(DENY, DENY), (ALLOW, DENY)]);
            assert!(!exchange(), "revoked");
            judge([(DENY, ALLOW), (ALLOW, DENY)]);
            assert!(exchange(), "allowed again");
        }
    }
}

/// Pods of ENIs with groups of their own meet in the VPC, past the node's stack too.
fn groups(mode: Mode) {
    let lab = two_enis();
    let scene = Scene::with(lab, mode, &[1, 2], |attachment| Attachment {
        own_groups: attachment.generation == 24,
        ..attachment
    });
    move_pods(
        &scene.lab,
        scene.pods.iter().zip([1, 2]).map(|((_, attachment), eni)| (attachment, eni)),
    );
    for family in 0..2 {
        let (own, second) = (scene.address(0, family), scene.address(1, family));
        let _echo = Echo::new(&scene.pods[1].0, [second]);
        assert_eq!(
            scene.forwarded(|| ask(&scene.pods[0].0, second)),
            (Ok(own), [2, 2, 0, 0]),
            "by both ENIs"
        );
    }
}

/// Nothing of it stays.
fn goes(mode: Mode) {
    let scene = Scene::new(mode);
    for (_, attachment) in &scene.pods {
        assert_eq!(scene.datapath.detach(attachment).failures, []);
    }
    assert_eq!(scene.datapath.collect().failures, []);
    let programs = scene.programs();
    assert_eq!(programs.maps.endpoints.list().unwrap(), []);
    assert_eq!(programs.maps.policy.pods().unwrap(), []);
    assert_eq!(programs.maps.host_stack.list().unwrap(), []);
    assert_eq!(programs.maps.enis.list().unwrap(), []);
}

macro_rules! fast_paths {
    ($($name:ident: $scenario:ident($mode:ident);)*) => {$(
        #[test]
        fn $name() {
            if fast(stringify!($name), Mode::$mode) {
                $scenario(Mode::$mode);
            }
        }
    )*};
}

fast_paths! {
    policy_route_dual_fast_path_forwards: forwards(PolicyRoute);
    policy_route_dual_fast_path_services: services(PolicyRoute);
    policy_route_dual_fast_path_routes: routes_rule(PolicyRoute);
    policy_route_dual_fast_path_odd_packets: odd_packets(PolicyRoute);
    policy_route_dual_fast_path_limits: limits(PolicyRoute);
    policy_route_dual_fast_path_judged: judged(PolicyRoute);
    policy_route_dual_fast_path_groups: groups(PolicyRoute);
    policy_route_dual_fast_path_goes: goes(PolicyRoute);
    netkit_dual_fast_path_forwards: forwards(Netkit);
    netkit_dual_fast_path_services: services(Netkit);
    netkit_dual_fast_path_routes: routes_rule(Netkit);
    netkit_dual_fast_path_odd_packets: odd_packets(Netkit);
    netkit_dual_fast_path_judged: judged(Netkit);
}

#[test]
fn policy_route_dual_fast_path_traffic() {
    if fast("policy_route_dual_fast_path_traffic", Mode::PolicyRoute) {
        for stack in Stack::ALL {
            scenario::traffic(Mode::PolicyRoute, stack);
        }
    }
}

#[test]
fn policy_route_dual_fast_path_lifecycle() {
    if fast("policy_route_dual_fast_path_lifecycle", Mode::PolicyRoute) {
        for stack in Stack::ALL {
            scenario::lifecycle(Mode::PolicyRoute, stack);
        }
        scenario::crashes(Mode::PolicyRoute, Stack::Dual);
    }
}

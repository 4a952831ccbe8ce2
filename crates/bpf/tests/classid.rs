//! A filter's class id names the pod, and reaches the program with 16 bits.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use support::Bpffs;
use support::filter::pin;
use support::namespace::Namespace;
use support::pods::key;
use terway_bpf::{Direction, Endpoint, Pod, ProgramName, Programs, Reason, slot};

mod support;

/// A pod's id that needs more bits than a class id has.
const ID: u32 = 3 * 65_535 + 0x2345;

const HOST: &str = "10.0.0.1";
const POD: &str = "10.0.0.7";

#[test]
fn filters_on_a_real_link_name_the_pod_by_class_id() {
    let bpffs = Bpffs::mount();
    let mut programs = Programs::open(bpffs.path()).unwrap();
    let (node, pod) = (Namespace::new(), Namespace::new());
    // An interface index that is no pod's slot.
    node.ip(&format!(
        "link add name host0 index 4242 type veth peer name eth0 netns {}",
        pod.path()
    ));
    node.ips(&format!("addr add {HOST}/24 dev host0\nlink set host0 up"));
    pod.ips(&format!("addr add {POD}/24 dev eth0\nlink set eth0 up"));
    node.tc("qdisc add dev host0 clsact");
    for (hook, name) in [("ingress", ProgramName::FromPod), ("egress", ProgramName::ToPod)] {
        // tc writes class ids as two halves of hexadecimal digits; the whole id goes in.
        let class = format!("{:x}:{:x}", slot(ID) >> 16, slot(ID) & 0xffff);
        node.tc(&format!(
            "filter add dev host0 {hook} pref 7 handle 1 bpf direct-action classid {class} object-pinned {}",
            pin(&bpffs, name).display()
        ));
    }
    let record = Endpoint {
        id: ID,
        ..Endpoint::default()
    };
    programs.maps.endpoints.put(&key(POD), &record).unwrap();
    let policy = &mut programs.maps.policy;
    policy.put_set(5, &[]).unwrap();
    policy
        .put_pod(&Pod {
            id: ID,
            ingress_set: 5,
            ..Pod::default()
        })
        .unwrap();
    let server = pod.run(|| UdpSocket::bind(SocketAddr::new(POD.parse().unwrap(), 9)).unwrap());
    server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let client = node.run(|| UdpSocket::bind(SocketAddr::new(HOST.parse().unwrap(), 0)).unwrap());
    let to = SocketAddr::new(POD.parse().unwrap(), 9);
    node.run(|| client.send_to(b"denied", to).unwrap());
    assert_eq!(
        programs.maps.counters.get(Reason::DeniedIngress).unwrap().packets,
        1,
        "it is this pod's set that decides"
    );
    let verdicts = programs.maps.policy.verdicts.list().unwrap();
    assert_eq!(
        (verdicts[0].0.endpoint, verdicts[0].0.direction),
        (ID, Direction::Ingress as u8)
    );
    // The node's own address, then.
    programs.maps.policy.host_addresses.put(&key(HOST), &0).unwrap();
    node.run(|| client.send_to(b"allowed", to).unwrap());
    let mut buffer = [0; 16];
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"allowed", "the first one has not come");
    pod.run(|| server.send_to(b"answer", from).unwrap());
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let (length, _) = client.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"answer");
    assert_eq!(programs.maps.counters.get(Reason::Spoofed).unwrap().packets, 0);
}

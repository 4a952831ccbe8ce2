//! The way around for kernels before 6.2, on whatever kernel this is.

use std::process::Command;
use std::thread;

use super::*;

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_link_renamed_while_down_keeps_its_routes_and_neighbours() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIP a_link_renamed_while_down_keeps_its_routes_and_neighbours: needs root");
        return;
    }
    let inside = || {
        #[expect(unsafe_code, reason = "unshare")]
        // SAFETY: only the network namespace of this short-lived thread is changed; no files are unshared.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.unwrap();
        for command in [
            "link add old type veth peer name other",
            "link set other up",
            "link set old up",
            "route add 10.0.1.23/32 dev old scope link proto 116",
            "-6 route add 2001:db8:1::23/128 dev old proto 116",
            "neigh add 10.0.1.23 dev old lladdr 02:00:00:00:00:01 nud permanent",
            "neigh add 2001:db8:1::23 dev old lladdr 02:00:00:00:00:01 nud permanent",
        ] {
            ip(command);
        }
        let mut socket = Socket::open().unwrap();
        let link = observe::link_by_name(&mut socket, "old").unwrap().unwrap();
        let rename = LinkChange {
            name: Some("new".into()),
            ..LinkChange::default()
        };
        rename_while_down(&mut socket, &link, rename).unwrap();
        assert!(ip("-o link show new").contains("UP"));
        assert!(ip("route show dev new").contains("10.0.1.23 proto 116 scope link"));
        assert!(ip("-6 route show dev new").contains("2001:db8:1::23 proto 116"));
        assert_eq!(ip("neigh show dev new nud permanent").matches("02:00:00:00:00:01").count(), 2);
    };
    thread::spawn(inside).join().unwrap();
}

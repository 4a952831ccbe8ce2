use super::*;
use rustix::thread::UnshareFlags;

/// A thread with a network namespace of its own.
fn alone(work: impl FnOnce(&Netns) + Send + 'static) {
    let run = || {
        #[expect(unsafe_code, reason = "unshare")]
        // SAFETY: only the network namespace of this short-lived thread is changed; no files are unshared.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }.unwrap();
        work(&Netns::current().unwrap());
    };
    std::thread::spawn(run).join().unwrap();
}

#[test]
fn the_table_lives_as_long_as_an_address_is_in_it() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIP the_table_lives_as_long_as_an_address_is_in_it: needs root for network namespaces");
        return;
    }
    alone(|home| {
        let masquerade = Masquerade::default();
        let [v4, other, v6]: [IpAddr; 3] = ["10.0.1.23", "10.0.1.24", "2001:db8:1::23"].map(|text| text.parse().unwrap());
        assert_eq!(masquerade.addresses(home), Ok(vec![]));
        masquerade.add(home, &[v4, v6]).unwrap();
        masquerade.add(home, &[v4, other]).unwrap();
        let mut seen = masquerade.addresses(home).unwrap();
        seen.sort_unstable();
        assert_eq!(seen, [v4, other, v6]);
        assert_eq!(masquerade.remove(home, |address| *address == other), Ok(vec![other]));
        assert_eq!(masquerade.remove(home, |address| *address == other), Ok(vec![]));
        assert_eq!(masquerade.remove(home, |address| address.is_ipv4()), Ok(vec![v4]));
        assert_eq!(masquerade.addresses(home), Ok(vec![v6]));
        masquerade.remove(home, |_| true).unwrap();
        let list = std::process::Command::new("nft").args(["list", "tables"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&list.stdout), "");
    });
}

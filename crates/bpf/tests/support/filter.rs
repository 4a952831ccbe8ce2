//! Pinned programs on a hook, by `tc`.

use std::path::PathBuf;

use terway_bpf::{LAYOUT, ProgramName, Programs};

use super::Bpffs;
use super::namespace::Namespace;

/// Puts the ENI's programs on both hooks of an interface.
pub fn attach(bpffs: &Bpffs, namespace: &Namespace, interface: &str) {
    namespace.tc(&format!("qdisc add dev {interface} clsact"));
    for (hook, name) in [("ingress", ProgramName::EniIn), ("egress", ProgramName::EniOut)] {
        let pin = pin(bpffs, name);
        namespace.tc(&format!(
            "filter add dev {interface} {hook} pref 7 handle 1 bpf direct-action object-pinned {}",
            pin.display()
        ));
    }
}

/// Where a program is pinned.
pub fn pin(bpffs: &Bpffs, name: ProgramName) -> PathBuf {
    let directory = format!("terway/v{LAYOUT}/programs-{}", Programs::build());
    bpffs.path().join(directory).join(name.as_str())
}

/// Hardware address of an interface, as text.
pub fn mac(namespace: &Namespace, interface: &str) -> String {
    let line = namespace.ip(&format!("-o link show {interface}"));
    let mut words = line.split_whitespace().skip_while(|word| *word != "link/ether");
    words.nth(1).unwrap().to_owned()
}

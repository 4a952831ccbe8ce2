//! A VPC that drops what comes from the wrong ENI.

use std::process::Command;

use terway_datapath::attachment::{Attachment, RuleForm};

use super::lab::{GATEWAY_V6, Lab, eni_mac};
use super::namespace::Namespace;

/// A node with two ENIs of one vSwitch. Anti-spoofing as in a VPC: a packet from a pod's address passes on its own ENI alone.
pub fn two_enis() -> Lab {
    let lab = Lab::new();
    lab.plug(2);
    lab.vpc.ip(&format!("addr add {GATEWAY_V6}/128 dev vpc2 nodad"));
    nft(&lab.vpc, "add table inet vpc");
    nft(
        &lab.vpc,
        "add chain inet vpc spoofed { type filter hook prerouting priority -300; }",
    );
    lab
}

pub fn nft(place: &Namespace, command: &str) {
    let output = place.run(|| Command::new("nft").arg(command).output().unwrap());
    assert!(
        output.status.success(),
        "nft {command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The VPC learns that these pods are on the ENI with this number; what it knew before is forgotten.
pub fn move_pods<'a>(lab: &Lab, places: impl IntoIterator<Item = (&'a Attachment, u8)>) {
    nft(&lab.vpc, "flush chain inet vpc spoofed");
    for (attachment, eni) in places {
        lab.assign(attachment, eni);
        for address in attachment.addresses() {
            let family = if address.is_ipv4() { "ip" } else { "ip6" };
            nft(
                &lab.vpc,
                &format!("add rule inet vpc spoofed iifname != vpc{eni} {family} saddr {address} drop"),
            );
            lab.vpc.ip(&format!("route replace {address} dev vpc{eni}"));
        }
    }
}

pub fn on_eni(mut attachment: Attachment, eni: u8, form: RuleForm) -> Attachment {
    attachment.eni_mac = eni_mac(eni);
    attachment.rule_form = form;
    attachment
}

//! Objects in the words of iproute2, for people.

mod traffic;

use super::address::{Family, Prefix};
use super::device::{Device, Place};
use super::link::{Address, LinkAddress, Neighbour};
use super::route::{Route, RouteKind, TABLE_MAIN};
use super::rule::{Mark, Rule, RuleAction};
use super::sysctl::{SysctlKey, SysctlScope};

/// The names behind the devices of one attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Name of the host end or of the host's slave; of the ENI where there is neither.
    pub host_end: String,
    /// Name of the pod end.
    pub pod_end: String,
    /// Name of the ENI.
    pub eni: String,
    /// Name of what shapes the traffic to the pod, where it is a device of its own.
    pub shaper: String,
    /// Name of the device with the default route, if it matters.
    pub uplink: Option<String>,
}

impl Names {
    /// The name of a device.
    pub fn device(&self, device: Device) -> String {
        match device {
            Device::HostEnd | Device::HostSlave => self.host_end.clone(),
            Device::PodEnd => self.pod_end.clone(),
            Device::Shaper => self.shaper.clone(),
            Device::Eni => self.eni.clone(),
            Device::Uplink => self.uplink.clone().unwrap_or_else(|| "(no uplink)".to_owned()),
            Device::Index(index) => format!("if{index}"),
        }
    }

    /// `link eth0`
    pub fn link(&self, device: Device) -> String {
        format!("link {}", self.device(device))
    }

    /// `address 10.0.1.23/32 dev eth0`
    pub fn address(&self, address: &Address) -> String {
        format!("address {} dev {}", address.prefix, self.device(address.device))
    }

    /// `route 10.0.1.23/32 dev calic95a4947e07`, `route default via 10.0.1.253 dev eth1 onlink table 1003`
    pub fn route(&self, route: &Route) -> String {
        format!("route {}", self.route_body(route))
    }

    /// The route as `ip route` would print it, without the leading word of [`Names::route`].
    pub fn route_body(&self, route: &Route) -> String {
        let mut text = String::new();
        match route.kind {
            RouteKind::Unicast => {}
            RouteKind::Unreachable => text.push_str("unreachable "),
            RouteKind::Other(kind) => text.push_str(&format!("type {kind} ")),
        }
        text.push_str(&destination(&route.destination));
        if let Some(source) = route.source {
            text.push_str(&format!(" from {source}"));
        }
        if let Some(gateway) = route.gateway {
            text.push_str(&format!(" via {gateway}"));
        }
        if let Some(device) = route.device {
            text.push_str(&format!(" dev {}", self.device(device)));
        }
        if route.onlink {
            text.push_str(" onlink");
        }
        if route.table != TABLE_MAIN {
            text.push_str(&format!(" table {}", route.table));
        }
        text
    }

    /// `rule 2048: from 10.0.1.23/32 lookup 1003`
    pub fn rule(&self, rule: &Rule) -> String {
        rule.to_string()
    }

    /// `neighbour 169.254.1.1 dev eth0`
    pub fn neighbour(&self, neighbour: &Neighbour) -> String {
        format!("neighbour {} dev {}", neighbour.address, self.device(neighbour.device))
    }

    /// The MAC behind a wanted neighbour, for messages.
    pub fn link_address(&self, mac: LinkAddress) -> String {
        match mac {
            LinkAddress::Of(device) => format!("the MAC of {}", self.device(device)),
            LinkAddress::Is(mac) => mac.to_string(),
        }
    }

    /// `sysctl net.ipv4.conf.all.forwarding`
    pub fn sysctl(&self, key: &SysctlKey) -> String {
        format!(
            "sysctl net.{}.conf.{}.{}",
            key.family.name(),
            self.sysctl_scope(key.scope),
            key.name
        )
    }

    /// The directory name of a sysctl scope.
    pub fn sysctl_scope(&self, scope: SysctlScope) -> String {
        match scope {
            SysctlScope::All => "all".to_owned(),
            SysctlScope::Default => "default".to_owned(),
            SysctlScope::Device(device) => self.device(device),
        }
    }
}

fn destination(prefix: &Prefix) -> String {
    if prefix.is_default() {
        "default".to_owned()
    } else {
        prefix.to_string()
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rule {}: from ", self.priority)?;
        match &self.from {
            Some(from) => write!(f, "{from}")?,
            None => write!(f, "all")?,
        }
        if let Some(to) = &self.to {
            write!(f, " to {to}")?;
        }
        if let Some(input) = &self.input {
            write!(f, " iif {input}")?;
        }
        if let Some(output) = &self.output {
            write!(f, " oif {output}")?;
        }
        if let Some(Mark { value, mask }) = self.mark {
            write!(f, " fwmark {value:#x}/{mask:#x}")?;
        }
        match self.action {
            RuleAction::Lookup(TABLE_MAIN) => write!(f, " lookup main")?,
            RuleAction::Lookup(table) => write!(f, " lookup {table}")?,
            RuleAction::Goto(priority) => write!(f, " goto {priority}")?,
            RuleAction::Nop => write!(f, " nop")?,
        }
        if let Some(length) = self.suppress_prefix_length {
            write!(f, " suppress_prefixlength {length}")?;
        }
        if self.from.is_none() && self.to.is_none() && self.family == Family::V6 {
            write!(f, " (ipv6)")?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Host => "host",
            Self::Pod => "pod",
        })
    }
}

//! Traffic control in the words of `tc`.

use super::Names;
use crate::object::record::RecordKey;
use crate::object::traffic::{
    Attach, Direction, Discipline, FILTER_HANDLE, FILTER_PRIORITY, Filter, Qdisc, REDIRECT_PRIORITY, Redirect,
};

impl Names {
    /// `qdisc tbf 7472: dev eth0 root`
    pub fn qdisc(&self, qdisc: &Qdisc) -> String {
        let place = match qdisc.attach {
            Attach::Root => "root".to_owned(),
            Attach::Clsact => "parent ffff:fff1".to_owned(),
            Attach::Under(class) => format!("parent {:x}:{:x}", class >> 16, class & 0xffff),
        };
        let kind = qdisc.discipline.kind();
        format!(
            "qdisc {kind} {:x}: dev {} {place}",
            qdisc.handle >> 16,
            self.device(qdisc.device)
        )
    }

    /// The same with its options: `qdisc tbf 7472: dev eth0 root rate 1250000Bps burst 3000b limit 34250b`
    pub fn qdisc_with_options(&self, qdisc: &Qdisc) -> String {
        let object = self.qdisc(qdisc);
        match &qdisc.discipline {
            Discipline::Tbf { rate, burst, limit } => format!("{object} rate {rate}Bps burst {burst}b limit {limit}b"),
            Discipline::Fq { flow_limit } => format!("{object} flow_limit {flow_limit}p"),
            Discipline::Prio | Discipline::Mq | Discipline::Clsact | Discipline::Other(_) => object,
        }
    }

    /// `record endpoint 10.0.1.23`, `record eni eth1`, `record vlan link eth1 1001`
    pub fn record(&self, key: RecordKey) -> String {
        match key {
            RecordKey::Endpoint(address) => format!("record endpoint {address}"),
            RecordKey::Eni(_) => format!("record eni {}", self.eni),
            RecordKey::VlanLink(link) => format!("record vlan link {} {}", self.eni, link.vlan),
            RecordKey::HostStack(prefix) => format!("record host stack {prefix}"),
            RecordKey::Tracked(endpoint) => format!("record pod {endpoint}"),
        }
    }

    /// `filter dev eth1 egress pref 29810 bpf handle 0x1 terway_eni_out`
    pub fn filter(&self, filter: &Filter) -> String {
        let direction = match filter.direction {
            Direction::In => "ingress",
            Direction::Out => "egress",
        };
        let device = self.device(filter.device);
        format!(
            "filter dev {device} {direction} pref {FILTER_PRIORITY} bpf handle {FILTER_HANDLE:#x} {}",
            filter.name
        )
    }

    /// `filter dev eth0 ingress pref 29812 bpf handle 0x1 redirect to ifb-eth0`
    pub fn redirect(&self, redirect: &Redirect) -> String {
        let (device, to) = (self.device(redirect.device), self.device(redirect.to));
        format!("filter dev {device} ingress pref {REDIRECT_PRIORITY} bpf handle {FILTER_HANDLE:#x} redirect to {to}")
    }
}

//! Traffic control in the words of `tc`.

use super::Names;
use crate::object::{Attach, Discipline, Qdisc};

impl Names {
    /// `qdisc tbf 7472: dev eth0 root`
    pub fn qdisc(&self, qdisc: &Qdisc) -> String {
        let place = match qdisc.attach {
            Attach::Root => "root".to_owned(),
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
            Discipline::Other(_) => object,
        }
    }
}

//! The traffic control part of the difference. What somebody else has put in the place of a qdisc of ours is said and left alone.

use super::{Problem, Side, Step};
use crate::desired::NamespaceState;
use crate::object::{Device, Qdisc};

impl Side<'_> {
    pub(super) fn traffic(&mut self, wanted: &NamespaceState) {
        for qdisc in &wanted.qdiscs {
            self.qdisc(qdisc);
        }
        self.unexpected_qdiscs(wanted);
    }

    fn qdisc(&mut self, wanted: &Qdisc) {
        let in_place = |seen: &&Qdisc| seen.device == wanted.device && seen.attach == wanted.attach && seen.handle != 0;
        let object = self.names.qdisc(wanted);
        let put = Step::PutQdisc(self.place, wanted.clone());
        let Some(seen) = self.seen.qdiscs.iter().find(in_place) else {
            return self.report("qdisc", object, Problem::Missing, None, Some(put));
        };
        let found = format!("found {}", self.names.qdisc_with_options(seen));
        if seen.is_foreign() {
            let detail = format!("{found}, which somebody else made and which stays; ours is not in force");
            return self.report("qdisc", object, Problem::Different, Some(detail), None);
        }
        if wanted.discipline.is_met_by(&seen.discipline) {
            return;
        }
        let detail = format!("{found}, want {}", self.names.qdisc_with_options(wanted));
        if wanted.discipline.kind() != seen.discipline.kind() {
            // The kernel changes options, not kinds.
            let delete = Step::DeleteQdisc(self.place, seen.clone());
            let object = self.names.qdisc(seen);
            self.report("qdisc", object, Problem::Unexpected, None, Some(delete));
        }
        self.report("qdisc", object, Problem::Different, Some(detail), Some(put));
    }

    /// Qdiscs of ours on the ends of the pair belong to this attachment alone. Those of the ENI are shared and left to collection.
    fn unexpected_qdiscs(&mut self, wanted: &NamespaceState) {
        let on_pair = |seen: &&Qdisc| matches!(seen.device, Device::HostEnd | Device::PodEnd) && seen.is_ours();
        let surplus: Vec<Qdisc> = (self.seen.qdiscs.iter().filter(on_pair))
            .filter(|seen| {
                let same_place = |qdisc: &Qdisc| qdisc.device == seen.device && qdisc.attach == seen.attach;
                !wanted.qdiscs.iter().any(same_place)
            })
            .cloned()
            .collect();
        for qdisc in surplus {
            let object = self.names.qdisc(&qdisc);
            let step = Step::DeleteQdisc(self.place, qdisc);
            self.report("qdisc", object, Problem::Unexpected, None, Some(step));
        }
    }
}

//! The traffic control part of the difference. What somebody else has put in the place of a qdisc of ours is said and left alone.

use terway_bpf::Endpoint;

use super::{Problem, Side};
use crate::desired::NamespaceState;
use crate::object::{Device, Filter, LinkAddress, Mac, Place, Qdisc, Record, Redirect};
use crate::step::Step;

impl Side<'_> {
    pub(super) fn traffic(&mut self, wanted: &NamespaceState) {
        for qdisc in &wanted.qdiscs {
            self.qdisc(qdisc);
        }
        self.unexpected_qdiscs(wanted);
        for filter in &wanted.filters {
            self.filter(filter);
        }
        for redirect in &wanted.redirects {
            self.redirect(redirect);
        }
        let unwanted = |seen: &&Redirect| !seen.foreign && wanted.redirects.iter().all(|wanted| wanted.device != seen.device);
        for seen in self.seen.redirects.iter().filter(unwanted) {
            let step = Step::DeleteRedirect(self.place, *seen);
            self.report("filter", self.names.redirect(seen), Problem::Unexpected, None, Some(step));
        }
        for record in &wanted.records {
            self.record(record);
        }
    }

    fn redirect(&mut self, wanted: &Redirect) {
        let object = self.names.redirect(wanted);
        let put = Some(Step::PutRedirect(self.place, *wanted));
        match self.seen.redirects.iter().find(|seen| seen.device == wanted.device) {
            None => self.report("filter", object, Problem::Missing, None, put),
            Some(seen) if seen == wanted => {}
            Some(seen) if seen.foreign => {
                let detail = "found a filter that somebody else made and which stays; ours is not in force".to_owned();
                self.report("filter", object, Problem::Different, Some(detail), None);
            }
            Some(seen) => {
                let detail = format!("leads to {}", self.names.device(seen.to));
                self.report("filter", object, Problem::Different, Some(detail), put);
            }
        }
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
        let same_kind = wanted.discipline.kind() == seen.discipline.kind();
        if !same_kind && wanted.handle != seen.handle {
            let replace = Step::ReplaceQdisc(self.place, wanted.clone());
            return self.report("qdisc", object, Problem::Different, Some(detail), Some(replace));
        }
        if !same_kind {
            // The kernel changes options, not kinds.
            let delete = Step::DeleteQdisc(self.place, seen.clone());
            let object = self.names.qdisc(seen);
            self.report("qdisc", object, Problem::Unexpected, None, Some(delete));
        }
        self.report("qdisc", object, Problem::Different, Some(detail), Some(put));
    }

    fn filter(&mut self, wanted: &Filter) {
        let in_place = |seen: &&Filter| seen.device == wanted.device && seen.direction == wanted.direction;
        let object = self.names.filter(wanted);
        let put = Some(Step::PutFilter(self.place, wanted.clone()));
        match self.seen.filters.iter().find(in_place) {
            None => self.report("filter", object, Problem::Missing, None, put),
            Some(seen) if seen == wanted => {}
            Some(seen) if seen.is_ours() => {
                let runs = |filter: &Filter| format!("program {} with class {:#x}", filter.program, filter.class);
                let detail = format!("runs {}, want {}", runs(seen), runs(wanted));
                self.report("filter", object, Problem::Different, Some(detail), put);
            }
            Some(seen) => {
                let detail = format!(
                    "found {}, which somebody else made and which stays; ours is not in force",
                    self.names.filter(seen)
                );
                self.report("filter", object, Problem::Different, Some(detail), None);
            }
        }
    }

    fn record(&mut self, wanted: &Record) {
        let seen = self.seen.records.iter().find(|seen| seen.key() == wanted.key()).copied();
        let wanted = &self.with_links(*wanted, seen);
        let (problem, detail) = match seen {
            Some(seen) if seen == *wanted => return,
            Some(seen) => (Problem::Different, Some(format!("{seen:?}, want {wanted:?}"))),
            None => (Problem::Missing, None),
        };
        let object = self.names.record(wanted.key());
        self.report("record", object, problem, detail, Some(Step::PutRecord(*wanted)));
    }

    /// The record of a pod that packets go to past the stack names its link. Without a look into the pod its hardware address is unknown: what the record has
    /// is believed.
    fn with_links(&self, wanted: Record, seen: Option<Record>) -> Record {
        let Record::Endpoint(address, endpoint) = wanted else {
            return wanted;
        };
        let Some(link) = self.seen.links.get(&Device::HostEnd).filter(|_| endpoint.mtu != 0) else {
            return wanted;
        };
        let known = match seen {
            Some(Record::Endpoint(_, endpoint)) => endpoint.macs.first_chunk::<6>().map(|mac| Mac(*mac)),
            _ => None,
        };
        let pod = self.macs.resolve(LinkAddress::Of(Device::PodEnd)).or(known);
        let ends = [pod, link.mac].map(|mac| mac.unwrap_or(Mac([0; 6])).0);
        let mut macs = [0; 12];
        for (to, from) in macs.iter_mut().zip(ends.iter().flatten()) {
            *to = *from;
        }
        let endpoint = Endpoint {
            link: link.index,
            macs,
            ..endpoint
        };
        Record::Endpoint(address, endpoint)
    }

    /// Qdiscs of ours on the ends of the pair, and on an ENI in the pod, belong to this attachment alone. Those of an ENI on the node are
    /// shared and left to collection.
    fn unexpected_qdiscs(&mut self, wanted: &NamespaceState) {
        let place = self.place;
        let own = |seen: &&Qdisc| match seen.device {
            Device::HostEnd | Device::PodEnd => seen.is_ours(),
            Device::Eni => place == Place::Pod && seen.is_ours(),
            _ => false,
        };
        let surplus: Vec<Qdisc> = (self.seen.qdiscs.iter().filter(own))
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

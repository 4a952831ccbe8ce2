//! What an ENI keeps when one of its attachments is gone: what the others need, and without any of them nothing. `clsact` stays; it is
//! everybody's, and without filters it does nothing.

use crate::desired::{DesiredState, HostFacts, NamespaceState};
use crate::diff::{diff, steps_where};
use crate::eni_use::{EniUse, needs_programs, vlan_link};
use crate::error::{Error, Result};
use crate::failpoint::Failpoint;
use crate::form::{Form, PairKind};
use crate::kernel::execute::Executor;
use crate::kernel::parts::Parts;
use crate::kernel::{filter, queueing, side, traffic};
use crate::mark::owner;
use crate::mode::eni;
use crate::object::{Attach, Device, GROUP_RETIRED, Mac, Names, Place, Record, RecordKey};
use crate::observed::{Observed, ObservedLink};
use crate::registry::Guarded;
use crate::shared::{Context, pick_eni};
use crate::step::Step;

/// After a detach: takes from the ENI what only the attachment that is gone needed. Waits until nobody makes anything, because whoever
/// does may count on what is there.
pub fn relieve(context: &mut Context<'_>, gone: &Guarded, failpoint: &mut Failpoint) -> Result<Vec<Error>> {
    let has_link = vlan_link(&gone.attachment).is_some() && context.shared.programs.are_used();
    if !EniUse::of(&gone.attachment).any() && !has_link {
        return Ok(Vec::new());
    }
    let _alone = context.shared.alone();
    let mac = gone.attachment.eni_mac;
    let needs = context.shared.registry().eni_use(mac);
    match context.shared.find_eni(&mut context.worker.socket, mac)? {
        Some(link) => reduce(context, &link, mac, needs, failpoint).map(|(_, failures)| failures),
        None => Ok(Vec::new()),
    }
}

/// For a collection: every link and every record that nobody needs any more; what was removed, in words.
pub fn collect(context: &mut Context<'_>, links: &[ObservedLink], failures: &mut Vec<Error>) -> Vec<String> {
    let mut removed = Vec::new();
    let mut failpoint = Failpoint::OFF;
    let macs: Vec<Mac> = context
        .shared
        .registry()
        .all()
        .map(|guarded| guarded.attachment.eni_mac)
        .collect();
    let enis: Vec<(Mac, u32)> = macs
        .into_iter()
        .filter_map(|mac| pick_eni(links, mac).map(|link| (mac, link.index)))
        .collect();
    for link in links.iter().filter(|link| !link.loopback && !is_pod_link(link)) {
        let mac = enis.iter().find(|(_, index)| *index == link.index).map(|(mac, _)| *mac);
        let needs = mac.map(|mac| context.shared.registry().eni_use(mac)).unwrap_or_default();
        match reduce(context, link, link.mac.unwrap_or(Mac([0; 6])), needs, &mut failpoint) {
            Ok((objects, mut failed)) => {
                removed.extend(objects);
                failures.append(&mut failed);
            }
            Err(error) => failures.push(error),
        }
    }
    match stray_records(context, links) {
        Ok(keys) => {
            for key in keys {
                match context.shared.programs.remove(key) {
                    Ok(_) => removed.push(match key {
                        RecordKey::Endpoint(address) => format!("record endpoint {address}"),
                        RecordKey::Eni(index) => format!("record eni if{index}"),
                        RecordKey::VlanLink(link) => format!("record vlan link if{} {}", link.eni, link.vlan),
                        RecordKey::HostStack(prefix) => format!("record host stack {prefix}"),
                        RecordKey::Tracked(endpoint) => format!("record pod {endpoint}"),
                    }),
                    Err(error) => failures.push(error),
                }
            }
        }
        Err(error) => failures.push(error),
    }
    removed
}

/// Links of pods have no hooks of ours, and there are many of them.
fn is_pod_link(link: &ObservedLink) -> bool {
    owner(link).is_some() || link.group == GROUP_RETIRED
}

/// Records of addresses that nobody has, and of interfaces that are gone.
fn stray_records(context: &Context<'_>, links: &[ObservedLink]) -> Result<Vec<RecordKey>> {
    let all = context.shared.programs.list()?;
    let registry = context.shared.registry();
    let needed = |record: &Record| match record {
        Record::Endpoint(address, _) => registry
            .owner(address)
            .and_then(|id| registry.get(id))
            .is_some_and(|guarded| needs_programs(&guarded.attachment)),
        Record::Eni(index, _) => links.iter().any(|link| link.index == *index),
        // Those of an ENI that is there went with what it does not need.
        Record::VlanLink(key, _) => links.iter().any(|link| link.index == key.eni),
        Record::HostStack(prefix) => registry
            .all()
            .any(|guarded| guarded.attachment.forwards() && guarded.attachment.host_stack.contains(prefix)),
        Record::Tracked(_) => true,
    };
    Ok(all.iter().filter(|record| !needed(record)).map(Record::key).collect())
}

/// Makes the ENI what `needs` asks for; objects changed or removed, and failures.
fn reduce(
    context: &mut Context<'_>,
    link: &ObservedLink,
    mac: Mac,
    needs: EniUse,
    failpoint: &mut Failpoint,
) -> Result<(Vec<String>, Vec<Error>)> {
    let facts = HostFacts {
        eni_index: link.index,
        eni_name: link.name.clone(),
        eni_queues: link.queues,
        eni_use: needs,
        vlan_links: context.shared.registry().vlan_links(mac),
        programs: context.shared.program_ids(needs.any()),
        ..HostFacts::default()
    };
    let mut host = NamespaceState::default();
    eni::prepare(&mut host, mac.0, &facts);
    let mut seen = Observed::default();
    seen.links.insert(Device::Eni, link.clone());
    traffic::observe(&mut context.worker.socket, &host, &mut seen)?;
    let mut steps = surplus(context, &host, link)?;
    side::name_devices(&mut seen);
    seen.records = context.shared.see_records(&host.records);
    let desired = DesiredState {
        names: Names {
            host_end: String::new(),
            pod_end: String::new(),
            eni: link.name.clone(),
            shaper: String::new(),
            uplink: None,
        },
        alias: String::new(),
        mtu: 0,
        form: Form::Pair(PairKind::Veth),
        host,
        pod: NamespaceState::default(),
    };
    let changes = diff(&desired, &seen, None);
    steps.extend(steps_where(&changes, desired.form, |_| true));
    let objects = steps.iter().map(|step| step.object(&desired.names)).collect();
    let mut executor = Executor {
        host: &mut context.worker.socket,
        sysctls: &context.worker.sysctls,
        procfs: &mut context.worker.procfs,
        home: &context.worker.home,
        pod: None,
        desired: &desired,
        parts: Parts::of(&seen.links),
        programs: &context.shared.programs,
        masquerade: &context.shared.masquerade,
        failpoint: *failpoint,
        go_on: true,
        done: 0,
        failures: Vec::new(),
    };
    let result = executor.run(&steps);
    *failpoint = executor.failpoint;
    let failures = executor.failures;
    result.map(|()| (objects, failures))
}

/// What is ours on the ENI and wanted no more. The programs go before their records: without a record they let everything pass.
fn surplus(context: &mut Context<'_>, wanted: &NamespaceState, link: &ObservedLink) -> Result<Vec<Step>> {
    let index = link.index;
    let mut steps = Vec::new();
    for mut filter in filter::observe(&mut context.worker.socket, index)? {
        let needed = wanted.filters.iter().any(|wanted| wanted.direction == filter.direction);
        if filter.is_ours() && !needed {
            filter.device = Device::Eni;
            steps.push(Step::DeleteFilter(Place::Host, filter));
        }
    }
    let key = RecordKey::Eni(index);
    if wanted.records.is_empty() && context.shared.programs.has(key)? {
        steps.push(Step::DeleteRecord(key));
    }
    for link in context.shared.programs.vlan_links(index)? {
        let key = RecordKey::VlanLink(link);
        if !wanted.records.iter().any(|record| record.key() == key) {
            steps.push(Step::DeleteRecord(key));
        }
    }
    // The rest of the tree goes with its root, and the kernel puts its default back.
    let root = queueing::observe(&mut context.worker.socket, index, [Attach::Root])?.pop();
    let wants_root = wanted.qdiscs.iter().any(|qdisc| qdisc.attach == Attach::Root);
    if let Some(mut root) = root.filter(|root| root.is_ours() && !wants_root) {
        root.device = Device::Eni;
        steps.push(Step::DeleteQdisc(Place::Host, root));
    }
    if wants_root {
        // Bands that need no departure times any more get the kernel's default back.
        let wanted_at = |attach: Attach| wanted.qdiscs.iter().any(|qdisc| qdisc.attach == attach);
        let most = eni::queues(EniUse::MOST, link.queues);
        let places: Vec<Attach> = most
            .into_iter()
            .map(|qdisc| qdisc.attach)
            .filter(|attach| !wanted_at(*attach))
            .collect();
        for mut child in queueing::observe(&mut context.worker.socket, index, places)? {
            if child.is_ours() {
                child.device = Device::Eni;
                steps.push(Step::DeleteQdisc(Place::Host, child));
            }
        }
    }
    Ok(steps)
}

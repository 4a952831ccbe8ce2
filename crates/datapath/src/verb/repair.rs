//! Repair: the difference of one guarded attachment, executed. Like attach, but it goes on after a failure and never waits.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::attach::{self, Outcome};
use super::release;
use super::view::{self, RuleSource};
use crate::attachment::Attachment;
use crate::desired::DesiredState;
use crate::diff::{Difference, Drift, diff, steps_where};
use crate::error::{Error, ErrorCode, Result};
use crate::failpoint::Failpoint;
use crate::form::Form;
use crate::kernel::execute::Executor;
use crate::kernel::parts::Parts;
use crate::kernel::pod::Pod;
use crate::link;
use crate::object::{Device, Link, Place};
use crate::observed::{Observed, ObservedLink};
use crate::shared::Context;

/// What one repair found and could not mend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Differences found.
    pub drifts: Vec<Drift>,
    /// What went wrong while mending them.
    pub failures: Vec<Error>,
}

/// Mends one attachment; with `pods`, its pod's side too.
pub fn repair(context: &mut Context<'_>, attachment: &Arc<Attachment>, pods: bool) -> Repaired {
    let mut repaired = Repaired::default();
    if let Err(error) = mend(context, attachment, pods, &mut repaired) {
        repaired.failures.push(error);
    }
    repaired
}

fn mend(context: &mut Context<'_>, attachment: &Arc<Attachment>, pods: bool, repaired: &mut Repaired) -> Result<()> {
    let mut pod = match pods.then(|| view::open_pod(context, &attachment.netns)).transpose() {
        // The sandbox is being torn down: what is left in the pod goes with it.
        Err(error) if error.code == ErrorCode::NetnsGone => None,
        other => other?,
    };
    // What it had in the host namespace goes with its detach; an ENI that it has thrown back needs nobody's leave to be cleaned.
    if pods && pod.is_none() && Form::of(attachment) == Form::Moved {
        release::undo(context, attachment);
        return Ok(());
    }
    let mut found = link::find(context, attachment, pod.as_mut(), true)?;
    if !found.host.contains_key(&Device::HostEnd) && pods && pod.is_none() {
        return Ok(());
    }
    let uplink = view::uplink(context, attachment, false)?;
    found.host.extend(uplink.map(|link| (Device::Uplink, link)));
    let Some(desired) = view::desired(context.shared, attachment, &found) else {
        let drift = view::missing_eni(attachment);
        let object = drift.object.clone();
        repaired.drifts.push(drift);
        // It may be back in the host namespace, or plugged in again.
        if Form::of(attachment) == Form::Moved
            && let Outcome::Done(_) = attach::attach(context, attachment, Instant::now(), Failpoint::OFF)?
        {
            return Ok(());
        }
        return Err(Error::new(ErrorCode::EniNotFound, "the ENI is gone from the node").about(object));
    };
    // The slave that pods share is made without a look into any of them.
    let there = |wanted: &[Link], links: &HashMap<Device, ObservedLink>| {
        let mut own = wanted.iter().filter(|link| link.device != Device::HostSlave);
        own.all(|link| links.contains_key(&link.device))
    };
    let whole = there(&desired.host.links, &found.host) && (pod.is_none() || there(&desired.pod.links, &found.pod));
    let host = view::see_host(context, &desired, found.host, RuleSource::Ledger)?;
    let seen_pod = pod.as_mut().map(|pod| view::see_pod(&desired, pod, found.pod)).transpose()?;
    let differences = diff(&desired, &host, seen_pod.as_ref());
    repaired
        .drifts
        .extend(differences.iter().map(|difference| difference.drift.clone()));
    repaired
        .failures
        .extend(differences.iter().filter_map(Difference::left_alone));
    if differences.is_empty() {
        return Ok(());
    }
    if whole {
        execute(
            context,
            &desired,
            &host,
            (pod.as_mut(), seen_pod.as_ref()),
            &differences,
            repaired,
        )
    } else if pod.is_some() {
        // The link itself is gone, or a pair torn apart: it is made anew.
        attach::attach(context, attachment, Instant::now(), Failpoint::OFF).map(|_| ())
    } else {
        Err(Error::new(
            ErrorCode::Unsupported,
            "the link is gone; making it anew needs a look into the pod, which is switched off",
        ))
    }
}

/// True if the pod's side is as wanted; the host's is not looked at beyond the links. For the scan, which lists the host's side once.
pub fn pod_agrees(context: &mut Context<'_>, attachment: &Attachment) -> Result<bool> {
    let mut pod = match view::open_pod(context, &attachment.netns) {
        // The sandbox is being torn down.
        Err(error) if error.code == ErrorCode::NetnsGone => return Ok(true),
        other => other?,
    };
    let found = link::find(context, attachment, Some(&mut pod), false)?;
    let Some(desired) = view::desired(context.shared, attachment, &found) else {
        return Ok(false);
    };
    let seen_pod = view::see_pod(&desired, &mut pod, found.pod)?;
    let host = Observed {
        links: found.host,
        ..Observed::default()
    };
    Ok(diff(&desired, &host, Some(&seen_pod))
        .iter()
        .all(|difference| difference.drift.place == Place::Host))
}

fn execute(
    context: &mut Context<'_>,
    desired: &DesiredState,
    host: &Observed,
    (pod, seen_pod): (Option<&mut Pod>, Option<&Observed>),
    differences: &[Difference],
    repaired: &mut Repaired,
) -> Result<()> {
    let mut parts = Parts::of(&host.links);
    if let Some(seen) = seen_pod {
        parts.learn(&seen.links);
    }
    let with_pod = pod.is_some();
    // Without a look into the pod its MAC is unknown; the neighbour's old one is all there is to go by.
    let possible = |step: &crate::step::Step| with_pod || !needs_pod(step);
    let steps: Vec<_> = steps_where(differences, desired.form, |_| true)
        .into_iter()
        .filter(possible)
        .collect();
    let mut executor = Executor {
        masquerade: &context.shared.masquerade,
        host: &mut context.worker.socket,
        sysctls: &context.worker.sysctls,
        procfs: &mut context.worker.procfs,
        home: &context.worker.home,
        pod,
        desired,
        parts,
        programs: &context.shared.programs,
        failpoint: Failpoint::OFF,
        go_on: true,
        done: 0,
        failures: Vec::new(),
    };
    executor.run(&steps)?;
    repaired.failures.append(&mut executor.failures);
    Ok(())
}

fn needs_pod(step: &crate::step::Step) -> bool {
    use crate::step::Step;
    match step {
        Step::PutNeighbour(_, neighbour) => neighbour.mac == crate::object::LinkAddress::Of(Device::PodEnd),
        other => other.place() == Place::Pod,
    }
}

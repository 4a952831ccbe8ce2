//! Repair: the difference of one guarded attachment, executed. Like attach, but it goes on after a failure and never waits.

use std::sync::Arc;
use std::time::Instant;

use super::attach::{self, steps_where};
use super::view::{self, RuleSource};
use crate::attachment::Attachment;
use crate::desired::DesiredState;
use crate::diff::{Difference, Drift, Problem, diff};
use crate::error::{Error, ErrorCode, Result};
use crate::kernel::execute::{Executor, Failpoint, Pod, parts_of};
use crate::object::{Device, Place};
use crate::observed::Observed;
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
    let host_end = view::host_end(context, &attachment.id, Some(&attachment.host_if_name), true)?;
    if host_end.is_none() && pods && pod.is_none() {
        return Ok(());
    }
    let Some(eni) = context.shared.find_eni(&mut context.worker.socket, attachment.eni_mac)? else {
        let object = format!("link {}", attachment.eni_mac);
        let detail = Some("no link has this MAC".to_owned());
        repaired.drifts.push(Drift {
            place: Place::Host,
            kind: "link",
            object: object.clone(),
            problem: Problem::Missing,
            detail,
        });
        return Err(Error::new(ErrorCode::EniNotFound, "the ENI is gone from the node").about(object));
    };
    let pod_end = match (&mut pod, &host_end) {
        (Some(pod), Some(host_end)) => view::pod_end(pod, host_end)?,
        _ => None,
    };
    let whole = host_end.is_some() && (pod.is_none() || pod_end.is_some());
    let uplink = view::advertised_uplink(context, attachment, false)?;
    let desired = view::desired(attachment, &eni, uplink.as_ref(), host_end.as_ref());
    let host = view::see_host(context, &desired, eni, uplink, host_end, RuleSource::Ledger)?;
    let seen_pod = pod.as_mut().map(|pod| view::see_pod(&desired, pod, pod_end)).transpose()?;
    let differences = diff(&desired, &host, seen_pod.as_ref());
    repaired
        .drifts
        .extend(differences.iter().map(|difference| difference.drift.clone()));
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
        // The pair itself is gone or torn apart: it is made anew.
        attach::attach(context, attachment, Instant::now(), Failpoint::OFF).map(|_| ())
    } else {
        Err(Error::new(
            ErrorCode::Unsupported,
            "the pair is gone; making it anew needs a look into the pod, which is switched off",
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
    let host_end = view::host_end(context, &attachment.id, Some(&attachment.host_if_name), false)?;
    let eni = context.shared.find_eni(&mut context.worker.socket, attachment.eni_mac)?;
    let (Some(host_end), Some(eni)) = (host_end, eni) else {
        return Ok(false);
    };
    let pod_end = view::pod_end(&mut pod, &host_end)?;
    let desired = view::desired(attachment, &eni, None, Some(&host_end));
    let seen_pod = view::see_pod(&desired, &mut pod, pod_end)?;
    let mut host = Observed::default();
    host.links.insert(Device::HostEnd, host_end);
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
    let mut parts = parts_of(&host.links);
    parts.pod_end = seen_pod.and_then(|seen| parts_of(&seen.links).pod_end);
    let with_pod = pod.is_some();
    // Without a look into the pod its MAC is unknown; the neighbour's old one is all there is to go by.
    let possible = |step: &crate::diff::Step| with_pod || !needs_pod(step);
    let steps: Vec<_> = steps_where(differences, |_| true).into_iter().filter(possible).collect();
    let mut executor = Executor {
        host: &mut context.worker.socket,
        sysctls: &context.worker.sysctls,
        procfs: &mut context.worker.procfs,
        home: &context.worker.home,
        pod,
        desired,
        parts,
        failpoint: Failpoint::OFF,
        go_on: true,
        done: 0,
        failures: Vec::new(),
    };
    executor.run(&steps)?;
    repaired.failures.append(&mut executor.failures);
    Ok(())
}

fn needs_pod(step: &crate::diff::Step) -> bool {
    use crate::diff::Step;
    match step {
        Step::PutNeighbour(_, neighbour) => neighbour.mac == crate::object::LinkAddress::Of(Device::PodEnd),
        other => other.place() == Place::Pod,
    }
}

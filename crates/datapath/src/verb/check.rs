//! Check: the difference must be empty. Changes nothing.

use super::view::{self, RuleSource};
use crate::attachment::Attachment;
use crate::diff::{Drift, Problem, diff};
use crate::error::{ErrorCode, Result};
use crate::link;
use crate::object::{Device, Place};
use crate::shared::Context;

/// Every difference between the attachment and the kernel.
pub fn check(context: &mut Context<'_>, attachment: &Attachment) -> Result<Vec<Drift>> {
    let mut drifts = Vec::new();
    let mut pod = match view::open_pod(context, &attachment.netns) {
        Ok(pod) => Some(pod),
        Err(error) if error.code == ErrorCode::NetnsGone => {
            drifts.push(Drift {
                place: Place::Pod,
                kind: "netns",
                object: format!("netns {}", attachment.netns),
                problem: Problem::Missing,
                detail: Some(error.message),
            });
            None
        }
        Err(error) => return Err(error),
    };
    let mut found = link::find(context, attachment, pod.as_mut(), true)?;
    let uplink = view::uplink(context, attachment, true)?;
    found.host.extend(uplink.map(|link| (Device::Uplink, link)));
    let Some(desired) = view::desired(context.shared, attachment, &found) else {
        drifts.push(view::missing_eni(attachment));
        return Ok(drifts);
    };
    let host = view::see_host(context, &desired, found.host, RuleSource::Kernel)?;
    let pod = pod.as_mut().map(|pod| view::see_pod(&desired, pod, found.pod)).transpose()?;
    drifts.extend(
        diff(&desired, &host, pod.as_ref())
            .into_iter()
            .map(|difference| difference.drift),
    );
    Ok(drifts)
}

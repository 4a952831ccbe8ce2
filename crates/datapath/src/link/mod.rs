//! How the links of an attachment come to be and are found again: a small closed set, chosen by the mode. All the rest of an attachment,
//! addresses, routes, rules, does not care.
//!
//! Each form says four things: what its steps make (`kernel/create.rs`, [`Form::makes`]), how its links are found (`find`), what an
//! attach clears out of its way first (`prepare`), and which of its links the answer of an attach names ([`Form::host_device`]).

mod found;
pub mod hanging;
pub mod moved;
pub mod pair;
pub mod shaper;

pub use found::{Found, Progress};

use crate::attachment::Attachment;
use crate::error::{Error, ErrorCode, Result};
use crate::form::Form;
use crate::kernel::pod::Pod;
use crate::object::Device;
use crate::shared::Context;

/// Finds the links of an attachment; changes nothing. `search` among all links where a look by name and index finds none.
pub fn find(context: &mut Context<'_>, attachment: &Attachment, mut pod: Option<&mut Pod>, search: bool) -> Result<Found> {
    let mut found = find_own(context, attachment, pod.as_deref_mut(), search)?;
    if let Some(pod) = pod {
        shaper::find(attachment, pod, &mut found, search)?;
    }
    Ok(found)
}

fn find_own(context: &mut Context<'_>, attachment: &Attachment, pod: Option<&mut Pod>, search: bool) -> Result<Found> {
    if Form::of(attachment) == Form::Moved {
        return moved::find(context, attachment, pod, search);
    }
    let eni = context.shared.find_eni(&mut context.worker.socket, attachment.eni_mac)?;
    let mut found = match (Form::of(attachment), &eni) {
        (Form::Pair(kind), _) => pair::find(context, attachment, kind, pod, search)?,
        (Form::Slave | Form::Vlan(_), Some(eni)) => hanging::find(context, attachment, eni, pod, search)?,
        // The kernel takes with an ENI what hangs on it.
        (Form::Slave | Form::Vlan(_), None) => Found::default(),
        (Form::Moved, _) => return Err(unknown(attachment)),
    };
    found.host.extend(eni.map(|eni| (Device::Eni, eni)));
    Ok(found)
}

/// The same before an attach: what an earlier one has left half made is cleared away, what is not ours is an error. Nothing changes while
/// the ENI is not there.
pub fn prepare(context: &mut Context<'_>, attachment: &Attachment, pod: &mut Pod, progress: &mut Progress) -> Result<Found> {
    let mut found = prepare_own(context, attachment, pod, progress)?;
    shaper::find(attachment, pod, &mut found, true)?;
    Ok(found)
}

fn prepare_own(context: &mut Context<'_>, attachment: &Attachment, pod: &mut Pod, progress: &mut Progress) -> Result<Found> {
    if Form::of(attachment) == Form::Moved {
        return moved::prepare(context, attachment, pod, progress);
    }
    let Some(eni) = context.shared.find_eni(&mut context.worker.socket, attachment.eni_mac)? else {
        return Ok(Found::default());
    };
    let mut found = match Form::of(attachment) {
        Form::Pair(kind) => pair::prepare(context, attachment, kind, pod, progress)?,
        Form::Slave | Form::Vlan(_) => hanging::prepare(context, attachment, &eni, pod, progress)?,
        Form::Moved => return Err(unknown(attachment)),
    };
    found.host.insert(Device::Eni, eni);
    Ok(found)
}

fn unknown(attachment: &Attachment) -> Error {
    let message = format!("mode {}: this build cannot make its links", attachment.mode.as_str());
    Error::new(ErrorCode::Unsupported, message)
}

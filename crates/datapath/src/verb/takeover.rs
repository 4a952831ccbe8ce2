//! Takes over from a build with another layout of the maps, in the order that `terway_bpf` describes: for a moment the programs of both stand on
//! the hooks of every pod, so that no packet finds neither and no flow is missed.

use std::sync::Arc;

use super::repair::repair;
use super::view;
use crate::attachment::Attachment;
use crate::error::{Error, ErrorCode, Result};
use crate::kernel::filter;
use crate::kernel::parts::Parts;
use crate::kernel::uapi::NLM_F_CREATE;
use crate::link;
use crate::object::{Device, Filter, Place};
use crate::programs::program_named;
use crate::shared::Context;

/// What became of a takeover.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenOver {
    /// Hooks that had another layout's program.
    pub hooks: usize,
    /// Pods that it did not reach; their open connections are judged as new ones.
    pub failures: Vec<Error>,
}

/// Takes over, if there is anything to take over from. Nobody may attach meanwhile.
pub fn take_over(context: &mut Context<'_>) -> Result<Option<TakenOver>> {
    let programs = &context.shared.programs;
    if programs.with_existing(|programs| Ok(programs.is_taking_over()))? != Some(true) {
        return Ok(None);
    }
    let guarded = context
        .shared
        .registry()
        .all()
        .map(|guarded| Arc::clone(&guarded.attachment))
        .collect();
    let attachments: Vec<Arc<Attachment>> = guarded;
    let mut taken = TakenOver::default();
    for attachment in &attachments {
        match at_hooks(context, attachment, Second::Put) {
            Ok(hooks) => taken.hooks += hooks,
            Err(error) => taken.failures.push(error.about(attachment.id.clone())),
        }
    }
    programs_of(context).with(terway_bpf::Programs::decide)?;
    for attachment in &attachments {
        taken.failures.extend(repair(context, attachment, true).failures);
    }
    for attachment in &attachments {
        if let Err(error) = at_hooks(context, attachment, Second::Delete) {
            taken.failures.push(error.about(attachment.id.clone()));
        }
    }
    programs_of(context).with(terway_bpf::Programs::end_takeover)?;
    Ok(Some(taken))
}

fn programs_of<'a>(context: &Context<'a>) -> &'a crate::programs::ProgramStore {
    &context.shared.programs
}

/// What to do with the program behind the other's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Second {
    /// Where another layout's program stands, ours gets behind it.
    Put,
    /// It goes.
    Delete,
}

/// Works on the hooks of one pod; how many there were.
fn at_hooks(context: &mut Context<'_>, attachment: &Attachment, second: Second) -> Result<usize> {
    if !attachment.network_policy {
        return Ok(0);
    }
    let mut pod = match view::open_pod(context, &attachment.netns) {
        // The sandbox is being torn down.
        Err(error) if error.code == ErrorCode::NetnsGone => return Ok(0),
        other => other?,
    };
    let found = link::find(context, attachment, Some(&mut pod), true)?;
    let Some(desired) = view::desired(context.shared, attachment, &found) else {
        return Ok(0);
    };
    let mut hooks = 0;
    let (host, in_pod) = (Parts::of(&found.host), Parts::of(&found.pod));
    for (place, filters) in [(Place::Host, &desired.host.filters), (Place::Pod, &desired.pod.filters)] {
        let (parts, socket) = match place {
            Place::Host => (&host, &mut context.worker.socket),
            Place::Pod => (&in_pod, &mut pod.socket),
        };
        for wanted in filters.iter().filter(|filter| is_judging(filter, place)) {
            let Some((index, _)) = parts.end(wanted.device) else {
                continue;
            };
            if second == Second::Delete {
                // Gone already, or never made.
                drop(socket.request(filter::delete_behind(index, wanted.direction), 0)?);
                continue;
            }
            let seen = filter::observe(socket, index)?;
            let others = |seen: &&Filter| seen.direction == wanted.direction && seen.is_ours() && seen.program != wanted.program;
            if !seen.iter().any(|seen| others(&seen)) {
                continue;
            }
            let Some(name) = program_named(wanted.program_name()) else {
                continue;
            };
            let message = context
                .shared
                .programs
                .with(|programs| Ok(filter::put_behind(index, wanted, programs.program(name).fd()?)))?;
            let answer = socket.request(message, NLM_F_CREATE)?;
            answer.result.map_err(|refusal| refusal.error("RTM_NEWTFILTER"))?;
            hooks += 1;
        }
    }
    Ok(hooks)
}

/// What stands on an ENI of the node changes by one exchange: it pushes tags and sets departures, which must not be done twice, and judges what it
/// has no flow of by the tables.
fn is_judging(filter: &Filter, place: Place) -> bool {
    place == Place::Pod || filter.device != Device::Eni
}

//! An attach from its admission to its answer. One whose ENI is not there yet holds no thread: it waits among the arrivals.

use std::sync::Arc;
use std::time::Instant;

use crate::arrival::Wake;
use crate::attachment::Attachment;
use crate::error::{Error, ErrorCode, Result};
use crate::failpoint::Failpoint;
use crate::inner::Inner;
use crate::pool::Worker;
use crate::registry::Guarded;
use crate::reply::Reply;
use crate::verb::attach::{self, Attached, Outcome};

/// One attach on its way.
pub struct Call {
    /// What is to be made.
    pub attachment: Arc<Attachment>,
    /// When it was asked for.
    pub started: Instant,
    /// Until when it waits for its ENI.
    pub deadline: Instant,
    /// For tests.
    pub failpoint: Failpoint,
    /// What it replaces, to be put back if it fails.
    pub previous: Option<Guarded>,
    /// Who asked.
    pub reply: Reply<Result<Attached>>,
}

impl Inner {
    /// Lets the attachment in and makes it, now or when its ENI is there.
    pub fn admit_and_attach(self: &Arc<Self>, worker: &mut Worker, mut call: Call) {
        let admitted = self.shared.registry().admit(&call.attachment);
        match admitted {
            Ok(previous) => {
                call.previous = previous;
                self.attach(worker, call);
            }
            Err(error) => call.reply.send(Err(error)),
        }
    }

    fn attach(self: &Arc<Self>, worker: &mut Worker, call: Call) {
        let making = self.shared.making();
        let result = attach::attach(&mut self.context(worker), &call.attachment, call.started, call.failpoint);
        drop(making);
        match result {
            Ok(Outcome::Done(attached)) => call.reply.send(Ok(attached)),
            Ok(Outcome::EniMissing) => self.wait_for_eni(call),
            Err(error) => self.fail(call, error),
        }
    }

    /// The attachment is not guarded any more, or as it was before; what was made stays for the next attach or a detach.
    fn fail(&self, call: Call, error: Error) {
        if !self.shared.arrivals.waits(&call.attachment.id) {
            self.shared.registry().retract(&call.attachment, call.previous);
        }
        call.reply.send(Err(error));
    }

    fn wait_for_eni(self: &Arc<Self>, call: Call) {
        let (id, mac, deadline) = (call.attachment.id.clone(), call.attachment.eni_mac, call.deadline);
        let missing = move || {
            let message = format!("no link of the node has the ENI's MAC {mac}; is the ENI attached to this instance?");
            Error {
                object: Some(format!("link {mac}")),
                ..Error::new(ErrorCode::EniNotFound, message)
            }
        };
        if Instant::now() >= deadline {
            return self.fail(call, missing());
        }
        if let Err(error) = self.shared.arrivals.listen() {
            return self.fail(call, error);
        }
        let inner = Arc::clone(self);
        let go_on = move |wake| match wake {
            Wake::Arrived => {
                let lane = call.attachment.id.clone();
                inner.run(Some(&lane), move |inner, worker| inner.resume(worker, call));
            }
            Wake::Deadline => inner.fail(call, missing()),
            Wake::Cancelled => inner.fail(call, overtaken()),
        };
        self.shared.arrivals.wait(&id, mac, deadline, Box::new(go_on));
    }

    fn resume(self: &Arc<Self>, worker: &mut Worker, call: Call) {
        if self.shared.registry().guards(&call.attachment) {
            self.attach(worker, call);
        } else {
            call.reply.send(Err(overtaken()));
        }
    }
}

fn overtaken() -> Error {
    Error::new(
        ErrorCode::Deadline,
        "a detach of the same attachment, or the end of the process, came while it waited for its ENI",
    )
}

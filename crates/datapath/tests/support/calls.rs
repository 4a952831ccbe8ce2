//! Blocking calls of the datapath.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use terway_datapath::attachment::Attachment;
use terway_datapath::diff::Drift;
use terway_datapath::error::Result;
use terway_datapath::{Attached, Collected, Datapath, Detached, Failpoint, Reply, SurveyedLink, Target};

use super::namespace::Namespace;

/// A detach that removed everything.
pub const CLEAN: Detached = Detached {
    already_gone: false,
    failures: Vec::new(),
};
/// A detach that found nothing.
pub const GONE: Detached = Detached {
    already_gone: true,
    failures: Vec::new(),
};

/// The datapath of a namespace, closed at the end.
pub struct Open(pub Datapath);

impl Open {
    pub fn new(host: &Namespace) -> Self {
        Self(host.run(|| Datapath::open(host.bpffs().to_owned()).unwrap()))
    }

    pub fn try_attach(&self, attachment: &Attachment) -> Result<Attached> {
        self.attach_within(attachment, Duration::from_secs(5))
    }

    pub fn attach_within(&self, attachment: &Attachment, deadline: Duration) -> Result<Attached> {
        wait(|reply| self.0.attach(attachment.clone(), Instant::now() + deadline, reply))
    }

    pub fn attach(&self, attachment: &Attachment) -> Attached {
        self.try_attach(attachment)
            .unwrap_or_else(|error| panic!("attach {}: {error}", attachment.id))
    }

    pub fn attach_until(&self, attachment: &Attachment, steps: u32) -> Result<Attached> {
        let deadline = Instant::now() + Duration::from_secs(5);
        wait(|reply| {
            self.0
                .attach_until(attachment.clone(), deadline, Failpoint::after(steps), reply)
        })
    }

    pub fn check(&self, attachment: &Attachment) -> Vec<Drift> {
        wait(|reply| self.0.check(attachment.clone(), reply)).unwrap()
    }

    /// Detaches with all that is known.
    pub fn detach(&self, attachment: &Attachment) -> Detached {
        wait(|reply| self.0.detach(target(attachment), reply))
    }

    pub fn detach_until(&self, attachment: &Attachment, steps: u32) -> Detached {
        wait(|reply| self.0.detach_until(target(attachment), Failpoint::after(steps), reply))
    }

    pub fn detach_id(&self, id: &str) -> Detached {
        wait(|reply| {
            self.0.detach(
                Target {
                    id: id.into(),
                    ..Target::default()
                },
                reply,
            )
        })
    }

    pub fn adopt(&self, attachments: &[&Attachment]) {
        wait(|reply| {
            self.0
                .adopt(attachments.iter().map(|attachment| (*attachment).clone()).collect(), reply)
        })
        .unwrap();
    }

    pub fn collect(&self) -> Collected {
        wait(|reply| self.0.collect(reply))
    }

    pub fn survey(&self) -> Vec<SurveyedLink> {
        wait(|reply| self.0.survey(reply)).unwrap()
    }

    /// Waits until the batch deleter has nothing to do.
    pub fn settle_deletes(&self) {
        until("the delete backlog is empty", Duration::from_secs(10), || {
            self.0.status().delete_backlog == 0
        });
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close(Duration::from_secs(10));
    }
}

pub fn target(attachment: &Attachment) -> Target {
    Target {
        id: attachment.id.clone(),
        netns: Some(attachment.netns.clone()),
        host_if_name: Some(attachment.host_if_name.clone()),
        addresses: attachment.addresses().collect(),
    }
}

/// Waits for the answer to a call.
pub fn wait<T: Send + 'static>(call: impl FnOnce(Reply<T>)) -> T {
    let (send, receive) = channel();
    call(Reply::new(move |answer| send.send(answer).unwrap()));
    receive
        .recv_timeout(Duration::from_secs(30))
        .expect("no answer in 30 s")
        .expect("the call broke off")
}

/// Looks until `true`, at most `limit`.
pub fn until(what: &str, limit: Duration, mut look: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !look() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

//! The native datapath for Node: types and conversion, nothing else. Expected failures cross as values; a rejection is a bug.

mod convert;
mod input;
mod output;
mod policy;
mod promise;

use std::time::{Duration, Instant};

use napi::bindgen_prelude::{Env, Function, Object};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use terway_datapath::Datapath;
use terway_datapath::attachment;

use input::{Attachment, DetachTarget, RepairOptions, SymmetricRouting};
use output::{
    AttachOutcome, CheckOutcome, CollectResult, DatapathStatus, DetachResult, HostAddresses, KernelCapabilities, Repair,
    SurveyOutcome, SymmetricRoutingOutcome, TakeOverOutcome,
};
use policy::{
    PolicyCountsOutcome, PolicyListingOutcome, PolicyOutcome, PolicyReferences, PolicySamplesOutcome, PolicyStep,
    PolicySweepOutcome,
};
use promise::promise;
use terway_datapath::policy as tables;

/// The datapath of this process and its network namespace.
#[napi]
pub struct NativeDatapath {
    inner: std::sync::Arc<Datapath>,
}

#[napi]
impl NativeDatapath {
    /// Opens the datapath of the network namespace the process is in; kernel programs are pinned under `bpffs`. Throws if netlink is not
    /// to be had.
    #[napi(factory, catch_unwind)]
    pub fn open(bpffs: String) -> napi::Result<Self> {
        Ok(Self {
            inner: std::sync::Arc::new(Datapath::open(bpffs.into()).map_err(promise::reason)?),
        })
    }

    /// What the running kernel can do, found out by trying. Rejects if no network namespace can be made.
    #[napi(catch_unwind, ts_return_type = "Promise<KernelCapabilities>")]
    pub fn probe<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        promise(env, |reply| {
            let answer = |result: terway_datapath::error::Result<terway_datapath::capability::KernelCapabilities>| {
                result.map(KernelCapabilities::from)
            };
            self.inner.probe(reply.try_map(answer));
        })
    }

    /// Makes the kernel equal to the attachment.
    #[napi(catch_unwind, ts_return_type = "Promise<AttachOutcome>")]
    pub fn attach<'env>(&self, env: &'env Env, attachment: Attachment, deadline_ms: f64) -> napi::Result<Object<'env>> {
        promise(env, |reply| {
            let deadline = Instant::now() + milliseconds(deadline_ms);
            match attachment::Attachment::try_from(attachment::Draft::from(attachment)) {
                Ok(attachment) => self.inner.attach(attachment, deadline, reply.map(AttachOutcome::from)),
                Err(error) => reply.map(AttachOutcome::from).send(Err(error)),
            }
        })
    }

    /// Every difference between the attachment and the kernel.
    #[napi(catch_unwind, ts_return_type = "Promise<CheckOutcome>")]
    pub fn check<'env>(&self, env: &'env Env, attachment: Attachment) -> napi::Result<Object<'env>> {
        promise(env, |reply| {
            match attachment::Attachment::try_from(attachment::Draft::from(attachment)) {
                Ok(attachment) => self.inner.check(attachment, reply.map(CheckOutcome::from)),
                Err(error) => reply.map(CheckOutcome::from).send(Err(error)),
            }
        })
    }

    /// Removes whatever is left of an attachment.
    #[napi(catch_unwind, ts_return_type = "Promise<DetachResult>")]
    pub fn detach<'env>(&self, env: &'env Env, target: DetachTarget) -> napi::Result<Object<'env>> {
        promise(env, |reply| self.inner.detach(target.into(), reply.map(DetachResult::from)))
    }

    /// Guards attachments of an earlier process. Those that are invalid by now are left alone and named in the answer.
    #[napi(catch_unwind, ts_return_type = "Promise<Array<DatapathError>>")]
    pub fn adopt<'env>(&self, env: &'env Env, attachments: Vec<Attachment>) -> napi::Result<Object<'env>> {
        promise(env, |reply| {
            let (good, refused) = convert::check_all(attachments);
            let answer = move |result: terway_datapath::error::Result<()>| {
                result.map(|()| refused.into_iter().map(output::DatapathError::from).collect::<Vec<_>>())
            };
            self.inner.adopt(good, reply.try_map(answer));
        })
    }

    /// Takes over from a build with another layout of the programs' maps.
    #[napi(catch_unwind, ts_return_type = "Promise<TakeOverOutcome>")]
    pub fn take_over<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        promise(env, |reply| self.inner.take_over(reply.map(TakeOverOutcome::from)))
    }

    /// Every host end with our mark.
    #[napi(catch_unwind, ts_return_type = "Promise<SurveyOutcome>")]
    pub fn survey<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        promise(env, |reply| self.inner.survey(reply.map(SurveyOutcome::from)))
    }

    /// Removes what belongs to no guarded attachment.
    #[napi(catch_unwind, ts_return_type = "Promise<CollectResult>")]
    pub fn collect<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        promise(env, |reply| self.inner.collect(reply.map(CollectResult::from)))
    }

    /// Symmetric routing on with this configuration, or off.
    #[napi(catch_unwind, ts_return_type = "Promise<SymmetricRoutingOutcome>")]
    pub fn symmetric_routing<'env>(&self, env: &'env Env, config: Option<SymmetricRouting>) -> napi::Result<Object<'env>> {
        promise(env, |reply| {
            let reply = reply.map(SymmetricRoutingOutcome::from);
            match config.map(convert::symmetric_config).transpose() {
                Ok(config) => self.inner.symmetric_routing(config, reply),
                Err(error) => reply.send(Err(error)),
            }
        })
    }

    /// Prepares to judge pods' packets.
    #[napi(catch_unwind, ts_return_type = "Promise<PolicyOutcome>")]
    pub fn judge<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let inner = std::sync::Arc::clone(&self.inner);
        promise(env, |reply| {
            // Loading the programs blocks; the thread ends with it.
            std::thread::spawn(move || reply.map(PolicyOutcome::from).send(inner.judge()));
        })
    }

    /// Carries a change of the policy tables out.
    #[napi(catch_unwind, ts_return_type = "Promise<PolicyOutcome>")]
    pub fn apply_policy<'env>(&self, env: &'env Env, step: PolicyStep) -> napi::Result<Object<'env>> {
        promise(env, |reply| {
            let reply = reply.map(PolicyOutcome::from);
            match policy::step(step) {
                Ok(step) => self.inner.policy(move |programs| tables::apply(programs, &step), reply),
                Err(error) => reply.send(Err(error)),
            }
        })
    }

    /// What the policy tables hold.
    #[napi(catch_unwind, ts_return_type = "Promise<PolicyListingOutcome>")]
    pub fn list_policy<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        promise(env, |reply| {
            self.inner.policy(tables::list, reply.map(PolicyListingOutcome::from))
        })
    }

    /// Removes sets and classes that are not named.
    #[napi(catch_unwind, ts_return_type = "Promise<PolicySweepOutcome>")]
    pub fn sweep_policy<'env>(&self, env: &'env Env, keep: PolicyReferences) -> napi::Result<Object<'env>> {
        promise(env, |reply| {
            let reply = reply.map(PolicySweepOutcome::from);
            match (policy::numbers(&keep.sets), policy::numbers(&keep.classes)) {
                (Ok(sets), Ok(classes)) => self
                    .inner
                    .policy(move |programs| tables::sweep(programs, &sets, &classes), reply),
                (Err(error), _) | (_, Err(error)) => reply.send(Err(error)),
            }
        })
    }

    /// Makes these CIDRs the Services that the node translates.
    #[napi(catch_unwind, ts_return_type = "Promise<PolicyOutcome>")]
    pub fn set_services<'env>(&self, env: &'env Env, cidrs: Vec<String>) -> napi::Result<Object<'env>> {
        promise(env, |reply| {
            let reply = reply.map(PolicyOutcome::from);
            match policy::prefixes(&cidrs) {
                Ok(services) => self
                    .inner
                    .policy(move |programs| tables::set_services(programs, &services), reply),
                Err(error) => reply.send(Err(error)),
            }
        })
    }

    /// What the policy tables have counted.
    #[napi(catch_unwind, ts_return_type = "Promise<PolicyCountsOutcome>")]
    pub fn policy_counts<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        promise(env, |reply| {
            self.inner.policy(tables::counts, reply.map(PolicyCountsOutcome::from))
        })
    }

    /// Dropped packets since the last call; a part of them.
    #[napi(catch_unwind, ts_return_type = "Promise<PolicySamplesOutcome>")]
    pub fn policy_samples<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        promise(env, |reply| {
            self.inner.policy(tables::samples, reply.map(PolicySamplesOutcome::from))
        })
    }

    /// The node's own addresses. Rejects if the node has no default route.
    #[napi(catch_unwind, ts_return_type = "Promise<HostAddresses>")]
    pub fn host_addresses<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        promise(env, |reply| {
            let answer = |result: terway_datapath::error::Result<terway_datapath::HostAddresses>| result.map(HostAddresses::from);
            self.inner.host_addresses(reply.try_map(answer));
        })
    }

    /// Repairs on notifications and every `scanIntervalMs`. The callback does not keep the process alive. Throws if netlink is not to be had.
    #[napi(catch_unwind)]
    pub fn start_repair(
        &self,
        options: RepairOptions,
        #[napi(ts_arg_type = "(repair: Repair) => void")] on_repair: Function<'_, Repair, ()>,
    ) -> napi::Result<()> {
        let report = on_repair.build_threadsafe_function::<Repair>().weak::<true>().build()?;
        let report = move |repair: terway_datapath::Repair| {
            report.call(repair.into(), ThreadsafeFunctionCallMode::NonBlocking);
        };
        let interval = milliseconds(options.scan_interval_ms.max(SCAN_INTERVAL_MIN_MS));
        self.inner
            .start_repair(interval, options.pods, report)
            .map_err(promise::reason)
    }

    /// Numbers.
    #[napi(catch_unwind)]
    pub fn status(&self) -> DatapathStatus {
        self.inner.status().into()
    }

    /// Stops the threads; waits at most `deadline_ms` for the delete backlog.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env, deadline_ms: f64) -> napi::Result<Object<'env>> {
        let inner = std::sync::Arc::clone(&self.inner);
        promise(env, |reply| {
            // Closing blocks; the thread ends with it.
            std::thread::spawn(move || {
                inner.close(milliseconds(deadline_ms));
                reply.map(|()| ()).send(());
            });
        })
    }
}

/// A scan lists the whole namespace; more often than this it would do nothing else.
const SCAN_INTERVAL_MIN_MS: f64 = 100.0;

/// A finite, sane duration of whatever number came from JavaScript; a day at most.
fn milliseconds(number: f64) -> Duration {
    const DAY_MS: f64 = 86_400_000.0;
    Duration::from_micros((number.clamp(0.0, DAY_MS) * 1000.0) as u64)
}

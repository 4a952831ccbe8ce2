//! The limits of a pod's traffic, added to the state that its mode wants.
//!
//! `tc`: a token bucket at each end of the pair: what the pod sends waits on its own end, what it gets on the host end. Modes whose pod has
//! no host end have no place for the second; nobody polices there, and the attach says so.
//!
//! The rate is Terway's, burst and queue are larger. With its 1 ms burst a bucket loses what a busy processor comes late for (.88 of
//! 1 Gbit/s was seen), and its queue of 25 ms is shorter at 10 Mbit/s than one segment that TCP hands down whole (.91).

use crate::attachment::{Attachment, BandwidthMode, Mode};
use crate::desired::DesiredState;
use crate::form::Form;
use crate::object::{Attach, Device, Discipline, QDISC_HANDLE, Qdisc};

/// Burst as time at full rate, in milliseconds: a timer tick at 250 Hz.
const BURST_MS: u64 = 4;
/// How long a packet may wait in a token bucket, in milliseconds.
const LATENCY_MS: u64 = 25;
/// Largest segment before the kernel cuts it into packets (`GSO_LEGACY_MAX_SIZE`); a queue that cannot hold one drops its end each time.
const SEGMENT_MAX: u64 = 65_536;
/// Bytes by which a burst exceeds the MTU: a packet with its headers always fits.
const BURST_ABOVE_MTU: u32 = 1500;

/// Adds what the limits of the attachment need.
pub fn shape(desired: &mut DesiredState, attachment: &Attachment) {
    let shaping = &attachment.shaping;
    if let Some(rate) = shaping.egress.filter(|_| shaping.mode == BandwidthMode::Tc) {
        desired
            .pod
            .qdiscs
            .push(bucket(Form::of(attachment).pod_device(), rate, attachment.mtu));
    }
    if let Some(rate) = shaping.ingress.filter(|_| has_host_end(attachment.mode)) {
        desired.host.qdiscs.push(bucket(Device::HostEnd, rate, attachment.mtu));
    }
}

/// What of the attachment's limits its mode cannot keep, in words.
pub fn unenforced(attachment: &Attachment) -> Vec<String> {
    let ingress = attachment.shaping.ingress.filter(|_| !has_host_end(attachment.mode));
    let reason = |_| {
        let mode = attachment.mode.as_str();
        format!("bandwidth.ingress: mode {mode} gives the pod no end on the node where its traffic could wait; it is not limited")
    };
    ingress.map(reason).into_iter().collect()
}

/// True if the pod is the far end of a pair on which the node queues what it sends to the pod.
fn has_host_end(mode: Mode) -> bool {
    matches!(mode, Mode::PolicyRoute | Mode::Netkit)
}

/// A burst of a tick, but at least a packet; behind it a queue of 25 ms, but at least a segment.
fn bucket(device: Device, rate: u64, mtu: u32) -> Qdisc {
    let in_time = |milliseconds| rate.saturating_mul(milliseconds).div_ceil(1000);
    let burst = u32::try_from(in_time(BURST_MS))
        .unwrap_or(u32::MAX)
        .max(mtu + BURST_ABOVE_MTU);
    let waiting = in_time(LATENCY_MS).max(SEGMENT_MAX);
    Qdisc {
        device,
        attach: Attach::Root,
        handle: QDISC_HANDLE,
        discipline: Discipline::Tbf {
            rate,
            burst,
            limit: u32::try_from(waiting).unwrap_or(u32::MAX).saturating_add(burst),
        },
    }
}

#[cfg(test)]
mod tests;

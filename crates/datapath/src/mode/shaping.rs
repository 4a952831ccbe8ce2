//! The limits of a pod's traffic, added to the state that its mode wants.
//!
//! `tc`: a token bucket at each end of the pair: what the pod sends waits on its own end, what it gets on the host end. A pod that owns its
//! device has no host end. What such a device receives goes through the queue of an `ifb` beside it in the pod, and comes back to the device
//! from there; a policer would need nothing there, but TCP does not find its rate against one. Further ways into the pod share the queue.
//! A kernel without `ifb` does not limit it, and the attach says so.
//!
//! The rate is Terway's, burst and queue are larger. With its 1 ms burst a bucket loses what a busy processor comes late for (.88 of
//! 1 Gbit/s was seen), and its queue of 25 ms is shorter at 10 Mbit/s than one segment that TCP hands down whole (.91).

use super::exclusive::has_peer;
use super::objects::{end, hooks};
use crate::attachment::{Attachment, BandwidthMode, Mode};
use crate::desired::{DesiredState, HostFacts};
use crate::form::Form;
use crate::object::{Attach, Device, Discipline, QDISC_HANDLE, Qdisc, Redirect};

/// Burst as time at full rate, in milliseconds: a timer tick at 250 Hz.
const BURST_MS: u64 = 4;
/// How long a packet may wait in a token bucket, in milliseconds.
const LATENCY_MS: u64 = 25;
/// Largest segment before the kernel cuts it into packets (`GSO_LEGACY_MAX_SIZE`); a queue that cannot hold one drops its end each time.
const SEGMENT_MAX: u64 = 65_536;
/// Bytes by which a burst exceeds the MTU: a packet with its headers always fits.
const BURST_ABOVE_MTU: u32 = 1500;

/// Adds what the limits of the attachment need.
pub fn shape(desired: &mut DesiredState, attachment: &Attachment, facts: &HostFacts) {
    let shaping = &attachment.shaping;
    let bucket = |device, rate| bucket(device, rate, attachment.mtu);
    if let Some(rate) = shaping.egress.filter(|_| shaping.mode == BandwidthMode::Tc) {
        let ways = ways(attachment).map(|device| bucket(device, rate));
        desired.pod.qdiscs.extend(ways);
    }
    match shaping.ingress {
        None => {}
        Some(rate) if !shapes_in_pod(attachment.mode) => desired.host.qdiscs.push(bucket(Device::HostEnd, rate)),
        Some(rate) if facts.ingress_queues => {
            let shaper = end(Device::Shaper, &desired.names.shaper, attachment);
            desired.pod.links.push(shaper);
            desired.pod.qdiscs.push(bucket(Device::Shaper, rate));
            for device in ways(attachment) {
                hooks(&mut desired.pod, device);
                desired.pod.redirects.push(Redirect {
                    device,
                    to: Device::Shaper,
                    foreign: false,
                });
            }
        }
        Some(_) => {}
    }
}

/// The devices by which the attachment's packets leave and enter the pod.
fn ways(attachment: &Attachment) -> impl Iterator<Item = Device> + use<> {
    let peer = (attachment.mode == Mode::Exclusive && has_peer(attachment)).then_some(Device::PodEnd);
    [Form::of(attachment).pod_device()].into_iter().chain(peer)
}

/// What is said where the kernel cannot let wait what a pod's own device receives.
pub fn unenforced(reason: &str) -> String {
    format!(
        "bandwidth.ingress: this kernel cannot queue what the pod's own device receives (ifb, mirred: {reason}); it is not limited"
    )
}

/// True if what is sent to the attachment has to wait in the pod.
pub fn wants_queue_in_pod(attachment: &Attachment) -> bool {
    attachment.shaping.ingress.is_some() && shapes_in_pod(attachment.mode)
}

/// True if the node has no end of the pod's device, on which it could queue what it sends to the pod.
pub fn shapes_in_pod(mode: Mode) -> bool {
    match mode {
        Mode::PolicyRoute | Mode::Netkit => false,
        Mode::Ipvlan | Mode::Vlan | Mode::Exclusive => true,
    }
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

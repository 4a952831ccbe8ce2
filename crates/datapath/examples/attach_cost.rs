//! What attach and detach cost at a number of pods, in microseconds: `attach_cost [v4|v6|dual] [pods]... [--per-pod]`, as root.
//!
//! Runs in network namespaces of its own. One line for each number of pods: p1 (what a quiet machine gives), p50, p90 and p99 of single calls, and 100 at once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement, run by hand"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use support::calls::Open;
use support::lab::{Lab, Stack, attachment};
use support::namespace::Namespace;
use terway_datapath::attachment::{Attachment, RuleForm};

const SAMPLES: u16 = 200;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let stack = if has("v4") {
        Stack::V4
    } else if has("v6") {
        Stack::V6
    } else {
        Stack::Dual
    };
    let form = if has("--per-pod") {
        RuleForm::PerPod
    } else {
        RuleForm::Compact
    };
    let mut counts: Vec<u16> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    if counts.is_empty() {
        counts = vec![10, 250, 1000];
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let mut present: Vec<(Namespace, Attachment)> = Vec::new();
    let pod = |number: u16| {
        let pod = Namespace::new();
        let attachment = Attachment {
            rule_form: form,
            ..attachment(number, stack, &pod.path())
        };
        (pod, attachment)
    };
    println!("{stack:?} {form:?}; microseconds");
    println!(
        "{:>5} {:>30} {:>30} {:>7} {:>10} {:>12} {:>9}",
        "pods", "attach p1/p50/p90/p99", "detach p1/p50/p90/p99", "cpu p50", "again p50", "100 at once", "gone"
    );
    for count in counts {
        while present.len() < usize::from(count) {
            let next = pod(present.len() as u16 + 1);
            datapath.attach(&next.1);
            present.push(next);
        }
        let (mut attach, mut detach, mut again, mut attach_cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for number in 0..SAMPLES {
            let (_namespace, attachment) = pod(20_000 + number);
            let before = cpu();
            attach.push(time(|| datapath.attach(&attachment)));
            attach_cpu.push(cpu().saturating_sub(before));
            again.push(time(|| datapath.attach(&attachment)));
            detach.push(time(|| datapath.detach(&attachment)));
            datapath.settle_deletes();
        }
        let many: Vec<_> = (0..100).map(|number| pod(30_000 + number)).collect();
        let all = time(|| {
            std::thread::scope(|scope| {
                for (_, attachment) in &many {
                    scope.spawn(|| datapath.attach(attachment));
                }
            });
        });
        for (_, attachment) in &many {
            datapath.detach(attachment);
        }
        let gone = time(|| datapath.settle_deletes());
        println!(
            "{count:>5} {:>30} {:>30} {:>7} {:>10} {:>9} ms {:>6} ms",
            quantiles(&mut attach),
            quantiles(&mut detach),
            median(&mut attach_cpu),
            median(&mut again),
            all.as_millis(),
            gone.as_millis(),
        );
    }
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// CPU time of this process: what an attach costs however busy the machine is.
fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn quantiles(samples: &mut [Duration]) -> String {
    samples.sort_unstable();
    [1, 50, 90, 99]
        .map(|percent| samples[samples.len() * percent / 100].as_micros().to_string())
        .join(" / ")
}

fn median(samples: &mut [Duration]) -> u128 {
    samples.sort_unstable();
    samples[samples.len() / 2].as_micros()
}

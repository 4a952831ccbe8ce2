//! What the policy programs cost for a packet, by test runs, with sets of 0 to 10,000 entries: `cargo run -p terway-bpf --example cost` (root).
//! Contenders take turns; medians of 31 rounds of 50,000 runs each, and the ratio to one entry.
#![allow(dead_code, reason = "the tests' support, of which this takes a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a tool that ends where something is wrong"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use support::ip::{ACK, Ip, SYN, TCP};
use support::pods::{CLASS, POD_ID, Pods, entry, pod};
use support::stage::{POD, REMOTE};
use terway_bpf::{PolicyEntry, ProgramName, SkBuff, Verdict};

const ENTRIES: [u64; 4] = [0, 1, 1000, 10_000];
const ROUNDS: usize = 31;
const RUNS: u32 = 50_000;

struct Case {
    name: &'static str,
    program: ProgramName,
    frame: Vec<u8>,
    expected: Verdict,
}

fn main() {
    // Each moves this thread into a namespace of its own, where its pods' interfaces are: the last one's will do for all.
    let stages: Vec<Pods> = ENTRIES.into_iter().map(stage).collect();
    for (entries, pods) in ENTRIES.into_iter().zip(&stages) {
        let opened = pods.gets(&Ip::tcp((REMOTE[0], 4000), (POD[0], 80), SYN));
        assert_eq!(opened.0, Verdict::CONTINUE, "{entries}");
    }
    for case in cases() {
        let mut samples = vec![Vec::with_capacity(ROUNDS); stages.len()];
        for _ in 0..ROUNDS {
            for ((pods, samples), entries) in stages.iter().zip(&mut samples).zip(ENTRIES) {
                let skb = SkBuff {
                    ifindex: POD_ID,
                    ..SkBuff::default()
                };
                let run = pods.programs.program(case.program).run(&case.frame, &skb, RUNS).unwrap();
                assert!(run.verdict == case.expected || entries == 0, "{}", case.name);
                samples.push(run.nanoseconds);
            }
        }
        let medians: Vec<u64> = samples.iter_mut().map(|samples| median(samples)).collect();
        let one = medians.get(1).copied().unwrap_or(1).max(1);
        let cells = ENTRIES.iter().zip(&medians).map(|(entries, median)| {
            let ratio = *median as f64 / one as f64;
            format!("{entries}: {median} ns ({ratio:.2})")
        });
        println!("{:<34} {}", case.name, cells.collect::<Vec<_>>().join("  "));
    }
}

fn cases() -> Vec<Case> {
    let case = |name, program, packet: Ip, expected| Case {
        name,
        program,
        frame: packet.frame(),
        expected,
    };
    let (client, server) = ((REMOTE[0], 4000), (POD[0], 80));
    vec![
        case(
            "to_pod, a known flow",
            ProgramName::ToPod,
            Ip::tcp(client, server, ACK),
            Verdict::CONTINUE,
        ),
        case(
            "from_pod, a known flow",
            ProgramName::FromPod,
            Ip::tcp(server, client, ACK),
            Verdict::CONTINUE,
        ),
        case(
            "to_pod, a first packet, denied",
            ProgramName::ToPod,
            Ip::tcp(client, (POD[0], 81), SYN),
            Verdict::DROP,
        ),
        case(
            "to_pod, the node",
            ProgramName::ToPod,
            Ip::tcp((support::stage::NODE[0], 1), server, ACK),
            Verdict::CONTINUE,
        ),
        case(
            "to_pod, no IP",
            ProgramName::ToPod,
            Ip::tcp(client, server, ACK),
            Verdict::CONTINUE,
        )
        .without_ip(),
    ]
}

impl Case {
    /// The same frame with another ethertype: what a run costs by itself.
    fn without_ip(mut self) -> Self {
        if let Some(ethertype) = self.frame.get_mut(12..14) {
            ethertype.copy_from_slice(&[0x88, 0xcc]);
        }
        self
    }
}

/// POD, isolated by a set with so many entries; the one that allows its flow among them.
fn stage(entries: u64) -> Pods {
    let all: Vec<PolicyEntry> = (0..entries).map(|number| entry(CLASS + number, TCP, 80, 80)).collect();
    let mut pods = Pods::isolated(&all);
    pods.peer(REMOTE[0], CLASS);
    if entries == 0 {
        // Nothing isolates it.
        pods.put(pod());
    }
    pods
}

fn median(samples: &mut [u64]) -> u64 {
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

//! `probe`: many connectivity probes at once.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::arguments::Arguments;

mod attempt;
mod icmp;
mod sctp;
mod tcp;
mod udp;

use attempt::{Deadline, Probe, Protocol};

/// Probes under way at the same time.
const PARALLEL: usize = 128;

/// One probe's outcome.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    id: String,
    ok: bool,
    /// From the first packet to the answer, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_us: Option<u64>,
    /// The server's line, without its end; nothing for ICMP.
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// # Errors
/// Standard input that is no list of probes.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    arguments.only(&["lines"])?;
    let fail = |error: io::Error| format!("standard input: {error}");
    if arguments.get::<String>("lines")?.is_some() {
        return io::stdin().lock().lines().try_for_each(|line| answer(&line.map_err(fail)?));
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(fail)?;
    answer(&text)
}

/// Runs the list of probes and prints that of their outcomes, on one line.
fn answer(text: &str) -> Result<(), String> {
    let probes: Vec<Probe> = serde_json::from_str(text).map_err(|error| format!("standard input: {error}"))?;
    let outcomes = run_all(probes);
    println!("{}", serde_json::to_string(&outcomes).map_err(|error| error.to_string())?);
    Ok(())
}

/// Outcomes in the order of the probes.
fn run_all(probes: Vec<Probe>) -> Vec<Outcome> {
    let threads = PARALLEL.min(probes.len());
    let queue = Mutex::new(probes.into_iter().enumerate().collect::<VecDeque<_>>());
    let outcomes = Mutex::new(Vec::new());
    let work = || {
        loop {
            let next = queue.lock().map(|mut queue| queue.pop_front());
            let Ok(Some((index, probe))) = next else { return };
            let outcome = run_one(index, probe);
            if let Ok(mut outcomes) = outcomes.lock() {
                outcomes.push((index, outcome));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            // With fewer threads than wished the others do the work; with none, this one does.
            if thread::Builder::new()
                .stack_size(128 << 10)
                .spawn_scoped(scope, work)
                .is_err()
            {
                break;
            }
        }
        work();
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_default();
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn run_one(index: usize, probe: Probe) -> Outcome {
    let started = Instant::now();
    let deadline = Deadline::at(started + Duration::from_millis(probe.timeout_ms));
    let result = match probe.proto {
        Protocol::Tcp => tcp::probe(&probe, &deadline).map(Some),
        Protocol::Udp => udp::probe(&probe, &deadline).map(Some),
        Protocol::Sctp => sctp::probe(&probe, &deadline).map(Some),
        Protocol::Icmp => icmp::probe(index, &probe, &deadline).map(|()| None),
    };
    let rtt_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    match result {
        Ok(reply) => Outcome {
            id: probe.id,
            ok: true,
            rtt_us: Some(rtt_us),
            reply,
            error: None,
        },
        Err(error) => Outcome {
            id: probe.id,
            error: Some(describe(&error)),
            ..Outcome::default()
        },
    }
}

/// A timeout has three names, depending on the call that met it.
fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "timeout".into(),
        _ => error.to_string(),
    }
}

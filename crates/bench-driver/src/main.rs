//! Starts programs as a container runtime does — a process each, configuration on standard input, answer on standard output — and
//! measures each call from before the fork until its output is read and its exit status collected.
//!
//! A batch is one JSON line on standard input, its answer one JSON line on standard output, so that the harness keeps one driver for
//! a whole run and every contender is measured by the same code on the same threads.

mod batch;
mod call;

use std::io::{self, BufRead, Write};

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = match serde_json::from_str::<batch::Batch>(&line?) {
            Ok(batch) => serde_json::to_string(&batch.run())?,
            Err(error) => serde_json::to_string(&batch::Refusal {
                error: error.to_string(),
            })?,
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

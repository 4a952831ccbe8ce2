//! What the benches measure with. `calls`: starts programs as a container runtime does and times each from outside. `serve` and `ask`: traffic
//! between two places, client and server pinned to a processor.

mod batch;
mod call;
mod traffic;

use std::io::{self, BufRead, Write};

const USAGE: &str = "usage: bench-driver calls
       bench-driver serve --listen ADDRESS:PORT [--cpu N]
       bench-driver ask --kind rr|crr|udp --to ADDRESS:PORT --ms N [--cpu N]

  calls   a batch of calls is one JSON line on standard input, its answer one JSON line on standard output
  serve   answers `ask` over TCP and UDP until it is ended
  ask     rr: one byte and back, over one connection; crr: a connection for each; udp: 64-byte datagrams as fast as they go.
          Prints one JSON line: operations, nanoseconds, and for rr and crr the percentiles of one operation";

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("calls") => calls(),
        Some("serve") => traffic::serve(&traffic::Options::parse(arguments)?),
        Some("ask") => {
            let answer = traffic::ask(&traffic::Options::parse(arguments)?)?;
            writeln!(io::stdout(), "{}", serde_json::to_string(&answer)?)
        }
        _ => Err(io::Error::other(USAGE)),
    }
}

/// One line in, one line out, so that the harness keeps one driver for a whole run and every contender is measured on the same threads.
fn calls() -> io::Result<()> {
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

//! As process 1 of a container: ends on SIGTERM at once, and reaps what it is left with.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use support::{AGENT, await_true};

/// The agent as process 1 of a PID namespace, with an orphan that ends soon.
fn start(line: &str) -> (Child, String) {
    let script = format!("(sleep 0.1 &) ; exec {AGENT} {line}");
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--net", "--fork", "--kill-child", "sh", "-c", &script]);
    let child = unshare.stdout(Stdio::null()).spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let agent = || fs::read_to_string(&children).unwrap_or_default().trim().to_owned();
    await_true("the agent runs as process 1 (needs root)", || {
        fs::read_to_string(format!("/proc/{}/comm", agent())).is_ok_and(|name| name.trim() == "lab-agent")
    });
    let agent = agent();
    (child, agent)
}

#[test]
fn signals_end_it_and_orphans_are_reaped() {
    for line in ["pause", "serve --tcp 8080 --udp 8080"] {
        for signal in ["-TERM", "-INT"] {
            let (mut unshare, agent) = start(line);
            let children = || fs::read_to_string(format!("/proc/{agent}/task/{agent}/children")).unwrap();
            await_true("no child and no zombie is left", || children().trim().is_empty());
            let status = fs::read_to_string(format!("/proc/{agent}/status")).unwrap();
            assert!(
                status.contains("NSpid:") && status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1")),
                "{status}"
            );
            let sent = Instant::now();
            assert!(Command::new("kill").args([signal, &agent]).status().unwrap().success());
            assert_eq!(unshare.wait().unwrap().code(), Some(0), "{line} {signal}");
            assert!(sent.elapsed().as_millis() < 1_000, "{line} {signal}: {:?}", sent.elapsed());
        }
    }
}

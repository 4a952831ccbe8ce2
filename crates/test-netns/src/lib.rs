//! Throw-away network namespaces for tests of programs that run as processes of their own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A network namespace that lives as long as its holder, which ends with this process, however that ends.
pub struct Namespace {
    holder: Child,
}

impl Namespace {
    /// Waits until it is there, its loopback up.
    #[expect(clippy::new_without_default, reason = "it starts a process")]
    pub fn new() -> Self {
        let holder = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let namespace = Self { holder };
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        await_true("a network namespace of its own (needs root)", || {
            fs::read_link(namespace.path()).is_ok_and(|link| link != own)
                && fs::read_to_string(format!("/proc/{}/comm", namespace.pid())).is_ok_and(|name| name.trim() == "cat")
        });
        namespace.run("ip link set lo up");
        namespace
    }

    /// The process that holds it.
    pub fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// A path by which it can be opened.
    pub fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.pid())
    }

    /// A program inside.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).arg(program).args(arguments);
        command
    }

    /// Runs a line of words and gives its output; fails if it fails.
    pub fn run(&self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let output = self.command(words[0], &words[1..]).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

/// Asks every 2 ms; fails after 5 s.
pub fn await_true(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 5 s: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

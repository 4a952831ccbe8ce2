//! Throw-away network namespaces.
#![allow(dead_code, reason = "each test program uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

pub const AGENT: &str = env!("CARGO_BIN_EXE_lab-agent");

/// A network namespace that lives as long as its holder, which ends with this process, however that ends.
pub struct Namespace {
    holder: Child,
}

impl Namespace {
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

    pub fn pid(&self) -> u32 {
        self.holder.id()
    }

    pub fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.pid())
    }

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

    /// Runs the agent and reads its last line.
    pub fn agent(&self, line: &str) -> Value {
        let output = self.run(&format!("{AGENT} {line}"));
        serde_json::from_str(output.lines().last().unwrap()).unwrap()
    }

    pub fn spawn(&self, line: &str) -> Agent {
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut command = self.command(AGENT, &words);
        let mut child = command
            .env("POD_NAME", "web-0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Agent {
            child,
            stdin: Some(stdin),
            stdout,
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

/// A running agent, ended with its value.
pub struct Agent {
    pub child: Child,
    pub stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Agent {
    pub fn line(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    pub fn ask(&mut self, line: &str) -> Value {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
        self.line()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Links two namespaces by a pair of interfaces that are up.
pub fn link(a: (&Namespace, &str), b: (&Namespace, &str)) {
    a.0.run(&format!(
        "ip link add {} type veth peer name {} netns {}",
        a.1,
        b.1,
        b.0.pid()
    ));
    a.0.run(&format!("ip link set {} up", a.1));
    b.0.run(&format!("ip link set {} up", b.1));
}

pub fn await_true(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 5 s: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

//! Agents in throw-away network namespaces.
#![allow(dead_code, unused_imports, reason = "each test program uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader, Write};
use std::ops::Deref;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;
pub use terway_test_netns::await_true;

pub const AGENT: &str = env!("CARGO_BIN_EXE_lab-agent");

/// A network namespace in which agents run.
pub struct Namespace(terway_test_netns::Namespace);

impl Deref for Namespace {
    type Target = terway_test_netns::Namespace;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Namespace {
    pub fn new() -> Self {
        Self(terway_test_netns::Namespace::new())
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

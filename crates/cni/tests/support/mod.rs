//! A scripted daemon on a unix socket, and a way to run the real executable.
#![allow(dead_code, reason = "each test program uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A namespace that is not the executable's network namespace. The executable tells namespaces from files by their device, so
/// one of another kind serves where no privilege for a new network namespace can be asked for.
pub const NETNS: &str = "/proc/self/ns/uts";

/// A directory of its own, removed at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("terway-cni-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn socket(&self) -> PathBuf {
        self.0.join("terway.socket")
    }

    pub fn tombstones(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.0.join("tombstones")) else {
            return Vec::new();
        };
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// What the scripted daemon does with one connection.
#[derive(Clone)]
pub enum Reply {
    /// A whole answer with Content-Length.
    Answer(u16, String),
    /// These bytes after the request was read, then the end.
    Raw(Vec<u8>),
    /// Closes with the request unread in the queue: the client sees a reset.
    Reset,
    /// Reads the request, says nothing and keeps the connection.
    Hang,
}

#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub headers: String,
    pub body: Value,
    pub at: Instant,
}

/// Answers connections in order; the last reply is used for all that follow.
pub struct Daemon {
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Daemon {
    pub fn start(socket: &Path, replies: Vec<Reply>) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let reply = replies.get(index).unwrap_or_else(|| replies.last().unwrap()).clone();
                let record = Arc::clone(&record);
                let stream = stream.unwrap();
                thread::spawn(move || serve(stream, reply, &record));
            }
        });
        Self { seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(mut stream: UnixStream, reply: Reply, record: &Mutex<Vec<Seen>>) {
    if matches!(reply, Reply::Reset) {
        // One byte of the request is taken, the rest stays unread, so that closing the socket resets the connection.
        drop(stream.read(&mut [0]));
        return;
    }
    let Some(seen) = read_request(&mut stream) else { return };
    record.lock().unwrap().push(seen);
    let bytes = match reply {
        Reply::Answer(status, body) => {
            format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
        }
        Reply::Raw(bytes) => bytes,
        Reply::Reset => return,
        Reply::Hang => return thread::sleep(Duration::from_secs(30)),
    };
    drop(stream.write_all(&bytes));
}

fn read_request(stream: &mut UnixStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("Content-Length: "))
                .unwrap()
                .parse::<usize>()
                .unwrap();
            if bytes.len() >= end + 4 + length {
                let body = serde_json::from_slice(&bytes[end + 4..end + 4 + length]).expect("the request's body is JSON");
                let path = head.split(' ').nth(1).unwrap().to_owned();
                return Some(Seen {
                    path,
                    headers: head,
                    body,
                    at: Instant::now(),
                });
            }
        }
        match stream.read(&mut block) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&block[..count]),
        }
    }
}

/// One call of the executable.
#[derive(Clone)]
pub struct Call {
    pub env: BTreeMap<String, String>,
    pub stdin: Vec<u8>,
}

#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Outcome {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Call {
    /// A call with everything in order.
    pub fn new(verb: &str, socket: &Path) -> Self {
        let mut env = BTreeMap::from([
            ("CNI_COMMAND".into(), verb.into()),
            ("CNI_PATH".into(), "/opt/cni/bin".into()),
        ]);
        if matches!(verb, "ADD" | "DEL" | "CHECK") {
            env.insert("CNI_CONTAINERID".into(), "f00d".into());
            env.insert("CNI_IFNAME".into(), "eth0".into());
            env.insert("CNI_NETNS".into(), NETNS.into());
            env.insert("CNI_ARGS".into(), "IgnoreUnknown=1;K8S_POD_NAME=web-0".into());
        }
        env.insert("TERWAY_SOCKET".into(), socket.to_str().unwrap().into());
        Self {
            env,
            stdin: config(verb, "1.1.0").to_string().into_bytes(),
        }
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    pub fn spawn(&self) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_terway"));
        command
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let bytes = self.stdin.clone();
        // An executable that answers without reading closes the pipe early.
        thread::spawn(move || drop(stdin.write_all(&bytes)));
        Running { child, started }
    }

    pub fn run(&self) -> Outcome {
        self.spawn().wait()
    }
}

pub struct Running {
    pub child: Child,
    started: Instant,
}

impl Running {
    pub fn wait(self) -> Outcome {
        let output = self.child.wait_with_output().unwrap();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            took: self.started.elapsed(),
        }
    }
}

/// A configuration that the verb accepts.
pub fn config(verb: &str, version: &str) -> Value {
    let mut config = json!({"cniVersion": version, "name": "terway", "type": "terway"});
    if verb == "CHECK" {
        config["prevResult"] = json!({"cniVersion": version, "interfaces": []});
    }
    if verb == "GC" {
        config["cni.dev/valid-attachments"] = json!([{"containerID": "f00d", "ifname": "eth0"}]);
    }
    config
}

/// A configuration that is accepted but for `change`.
pub fn with(verb: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut config = config(verb, "1.1.0");
    change(&mut config);
    config.to_string().into_bytes()
}

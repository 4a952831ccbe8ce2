//! A DEL that meets no daemon leaves a tombstone (I7 needs its container id: only that sandbox may be removed later).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use support::{Call, NETNS, Scratch};

#[test]
fn the_tombstone_says_what_to_remove() {
    let scratch = Scratch::new();
    let outcome = Call::new("DEL", &scratch.socket()).run();
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""));
    let stones = scratch.tombstones();
    assert_eq!(stones.len(), 1, "{stones:?}");
    let stone: Value = serde_json::from_slice(&fs::read(&stones[0]).unwrap()).unwrap();
    let (id, written) = (stone["requestId"].as_str().unwrap(), stone["writtenAtMs"].as_u64().unwrap());
    assert_eq!(stones[0].file_name().unwrap().to_str().unwrap(), format!("{id}.json"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    assert!(u128::from(written) <= now && u128::from(written) + 60_000 > now);
    let want =
        json!({"version": 1, "requestId": id, "containerId": "f00d", "ifName": "eth0", "netns": NETNS, "writtenAtMs": written});
    assert_eq!(stone, want);
    assert_eq!(fs::metadata(&stones[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(outcome.stderr.contains(id), "the log names the file: {}", outcome.stderr);
}

#[test]
fn a_del_without_netns_leaves_none_in_it() {
    let scratch = Scratch::new();
    assert_eq!(Call::new("DEL", &scratch.socket()).env("CNI_NETNS", "").run().code, 0);
    let stone: Value = serde_json::from_slice(&fs::read(&scratch.tombstones()[0]).unwrap()).unwrap();
    assert_eq!(stone.get("netns"), None);
}

/// Written and synced under a hidden name, renamed, directory synced, and only then success: the order of the system calls.
#[test]
fn the_tombstone_is_on_disk_before_the_answer() {
    let scratch = Scratch::new();
    let call = Call::new("DEL", &scratch.socket());
    let trace = scratch.0.join("trace");
    let strace = Command::new("strace")
        .args([
            "-f",
            "-y",
            "-s",
            "256",
            "-e",
            "trace=openat,open,write,fsync,rename,renameat,renameat2,exit_group",
            "-o",
        ])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_terway"))
        .env_clear()
        .envs(&call.env)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut strace =
        strace.expect("this test needs strace (apt-get install strace): nothing else shows the order of fsync and rename");
    std::io::Write::write_all(&mut strace.stdin.take().unwrap(), &call.stdin).unwrap();
    assert!(strace.wait().unwrap().success());
    let trace = fs::read_to_string(trace).unwrap();
    let find = |what: &str, needles: &[&str]| {
        let line = trace
            .lines()
            .position(|line| needles.iter().all(|needle| line.contains(needle)));
        line.unwrap_or_else(|| panic!("no {what} in\n{trace}"))
    };
    let order = [
        find("hidden file", &["open", "O_EXCL", ".tmp"]),
        find("content", &["write(", ".tmp>", "containerId"]),
        find("sync of the file", &["fsync(", ".tmp>"]),
        find("rename", &["rename", ".tmp", ".json"]),
        find("sync of the directory", &["fsync(", "tombstones>"]),
        find("exit", &["exit_group(0"]),
    ];
    assert!(order.is_sorted(), "{order:?} in\n{trace}");
}

/// Root writes through permission bits, so the unwritable places are ones that no privilege helps with.
#[test]
fn a_del_that_cannot_leave_a_tombstone_fails_with_code_5() {
    let (file, dangling) = (Scratch::new(), Scratch::new());
    fs::write(file.0.join("tombstones"), "not a directory").unwrap();
    std::os::unix::fs::symlink("/proc/self/none", dangling.0.join("tombstones")).unwrap();
    for socket in [file.socket(), dangling.socket(), "/sys/terway-none/terway.socket".into()] {
        let outcome = Call::new("DEL", &socket).run();
        let answer = outcome.json();
        assert_eq!((outcome.code, answer["code"].as_u64()), (1, Some(5)), "{answer}");
        let directory = socket.with_file_name("tombstones");
        assert!(
            answer["msg"].as_str().unwrap().contains(directory.to_str().unwrap()),
            "{answer}"
        );
    }
}

#[test]
fn parallel_dels_leave_one_each() {
    let scratch = Scratch::new();
    let running: Vec<_> = (0..40)
        .map(|n| {
            Call::new("DEL", &scratch.socket())
                .env("CNI_CONTAINERID", &format!("c{n}"))
                .spawn()
        })
        .collect();
    for call in running {
        assert_eq!(call.wait().code, 0);
    }
    let mut ids: Vec<String> = scratch
        .tombstones()
        .iter()
        .map(|path| {
            serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap()["containerId"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    ids.sort();
    let mut want: Vec<String> = (0..40).map(|n| format!("c{n}")).collect();
    want.sort();
    assert_eq!(ids, want);
}

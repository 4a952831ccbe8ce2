//! The relay between two network namespaces.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::{AGENT, Namespace};

#[test]
fn a_loopback_port_leads_into_the_namespace_and_ends_pass_both_ways() {
    let inside = Namespace::new();
    let mut serve = inside.spawn("serve --tcp 8080");
    assert_eq!(serve.line(), json!({"listening": true, "pod": "web-0"}));
    let mut relay = Command::new(AGENT)
        .args(["relay", "--netns", &inside.path(), "--to", "127.0.0.1:8080"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(relay.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = serde_json::from_str::<Value>(&line).unwrap()["listening"].as_u64().unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
    let sent = vec![7_u8; 1 << 20];
    let mut writer = client.try_clone().unwrap();
    let bytes = sent.clone();
    let writing = std::thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    writing.join().unwrap();
    let greeting = answer.iter().position(|byte| *byte == b'\n').unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&answer[..greeting]).unwrap()["client"],
        "127.0.0.1"
    );
    assert!(answer[greeting + 1..] == sent, "everything came back, and then the end");
    drop(serve);
    let mut nobody = TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
    assert_eq!(nobody.read(&mut [0; 1]).unwrap_or(0), 0, "nobody listens any more");
    relay.kill().unwrap();
    relay.wait().unwrap();
}

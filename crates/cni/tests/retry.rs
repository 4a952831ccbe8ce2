//! What a runtime sees while the daemon stops, starts, is replaced or is gone.
//!
//! Guards the executable's part of I6 and I8: one request id per invocation, so that an ADD which the daemon carried out but
//! could not answer is recognised when it comes again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::os::unix::net::UnixListener;
use std::time::Duration;
use std::{fs, thread};

use support::{Call, Daemon, Reply, Scratch};

const RESULT: &str = r#"{"cniVersion":"1.1.0","ips":[]}"#;

fn ok() -> Reply {
    Reply::Answer(200, RESULT.into())
}

fn raw(bytes: &str) -> Reply {
    Reply::Raw(bytes.into())
}

/// Every way to lose an answer, then a good one: the same id comes again with less time left, and the call succeeds.
#[test]
fn a_lost_answer_is_asked_for_again_under_the_same_id() {
    let cases: Vec<(&str, Reply, usize)> = vec![
        ("reset with the request unread", Reply::Reset, 1),
        ("closed without an answer", raw(""), 2),
        ("half a status line", raw("HTTP/1.1 20"), 2),
        ("headers only", raw("HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n"), 2),
        (
            "short body",
            raw("HTTP/1.1 200 OK\r\nContent-Length: 31\r\n\r\n{\"cniVersion\":"),
            2,
        ),
        (
            "short chunk",
            raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1f\r\n{\"cni"),
            2,
        ),
        ("no end marked", raw(&format!("HTTP/1.1 200 OK\r\n\r\n{RESULT}")), 2),
        ("no HTTP", raw("hello\r\n\r\n"), 2),
        (
            "stopping",
            Reply::Answer(503, r#"{"cniVersion":"1.1.0","code":11,"msg":"stopping"}"#.into()),
            2,
        ),
        ("another status", Reply::Answer(500, "{}".into()), 2),
        ("not found", Reply::Answer(404, "{}".into()), 2),
        ("success without JSON", Reply::Answer(200, "oops".into()), 2),
        ("ADD without a result", Reply::Answer(200, String::new()), 2),
        ("refusal without JSON", Reply::Answer(422, String::new()), 2),
    ];
    for (what, first, requests) in cases {
        let scratch = Scratch::new();
        let daemon = Daemon::start(&scratch.socket(), vec![first, ok()]);
        let outcome = Call::new("ADD", &scratch.socket()).run();
        assert_eq!((outcome.code, outcome.stdout.trim()), (0, RESULT), "{what}: {outcome:?}");
        let seen = daemon.seen();
        assert_eq!(seen.len(), requests, "{what}");
        assert!(
            seen.iter()
                .all(|request| request.body["requestId"] == seen[0].body["requestId"]),
            "{what}"
        );
        assert!(
            seen.iter()
                .all(|request| (9_000..=10_000).contains(&request.body["deadlineMs"].as_u64().unwrap())),
            "{what}"
        );
        assert!(outcome.took < Duration::from_secs(2), "{what}: {:?}", outcome.took);
    }
}

#[test]
fn chunked_answers_are_understood() {
    let scratch = Scratch::new();
    let body = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{RESULT}\r\n0\r\n\r\n",
        RESULT.len()
    );
    let daemon = Daemon::start(&scratch.socket(), vec![raw(&body)]);
    let outcome = Call::new("ADD", &scratch.socket()).run();
    assert_eq!((outcome.code, outcome.stdout.trim()), (0, RESULT));
    assert_eq!(daemon.seen().len(), 1);
}

/// The whole way of a replaced daemon: no socket, a stale socket that refuses, a new one renamed over it.
#[test]
fn a_daemon_that_comes_back_is_found() {
    for verb in ["ADD", "DEL", "CHECK", "GC"] {
        let scratch = Scratch::new();
        let running = Call::new(verb, &scratch.socket()).spawn();
        thread::sleep(Duration::from_millis(200));
        drop(UnixListener::bind(scratch.socket()).unwrap());
        thread::sleep(Duration::from_millis(200));
        let private = scratch.0.join("private");
        let daemon = Daemon::start(&private, vec![ok()]);
        fs::rename(&private, scratch.socket()).unwrap();
        let outcome = running.wait();
        assert_eq!((outcome.code, outcome.stdout.trim()), (0, RESULT), "{verb}: {outcome:?}");
        assert_eq!(daemon.seen().len(), 1);
        assert!(scratch.tombstones().is_empty());
        assert!(
            outcome.took < Duration::from_millis(1_000),
            "{verb}: {:?} is late",
            outcome.took
        );
    }
}

#[test]
fn requests_of_different_invocations_have_different_ids() {
    let scratch = Scratch::new();
    let daemon = Daemon::start(&scratch.socket(), vec![ok()]);
    let running: Vec<_> = (0..60).map(|_| Call::new("ADD", &scratch.socket()).spawn()).collect();
    for call in running {
        assert_eq!(call.wait().code, 0);
    }
    let ids: std::collections::BTreeSet<String> = daemon
        .seen()
        .iter()
        .map(|request| request.body["requestId"].to_string())
        .collect();
    assert_eq!(ids.len(), 60);
}

/// The bounds of all verbs, measured at the same time, once with no socket at all and once with a daemon that accepts and says
/// nothing, and once with one whose queue is full, where even connecting blocks.
#[test]
fn every_verb_gives_up_in_its_time() {
    let bounds = [
        ("ADD", 10.0, Some(11)),
        ("DEL", 2.0, None),
        ("CHECK", 5.0, Some(11)),
        ("GC", 8.0, Some(11)),
        ("STATUS", 1.0, Some(50)),
    ];
    thread::scope(|scope| {
        for (verb, seconds, code) in bounds {
            for kind in ["nothing", "silent", "full"] {
                scope.spawn(move || {
                    let scratch = Scratch::new();
                    match kind {
                        "silent" => drop(Daemon::start(&scratch.socket(), vec![Reply::Hang])),
                        "full" => fill(&scratch.socket()),
                        _ => {}
                    }
                    let outcome = Call::new(verb, &scratch.socket()).run();
                    let took = outcome.took.as_secs_f64();
                    // STATUS is not asked again: with no socket its answer comes at once.
                    let at_once = verb == "STATUS" && kind == "nothing";
                    let earliest = if at_once { 0.0 } else { seconds - 0.05 };
                    assert!(
                        took >= earliest && took < if at_once { 0.5 } else { seconds + 2.0 },
                        "{verb} {kind}: {took} s"
                    );
                    match code {
                        None => assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "{verb} {kind}: {outcome:?}"),
                        Some(code) => {
                            let answer = outcome.json();
                            assert_eq!(
                                (outcome.code, answer["code"].as_u64()),
                                (1, Some(code)),
                                "{verb} {kind}: {answer}"
                            );
                            assert_eq!(answer["cniVersion"], "1.1.0");
                            let socket = scratch.socket();
                            assert!(
                                answer["details"].as_str().unwrap().contains(socket.to_str().unwrap()),
                                "{answer}"
                            );
                        }
                    }
                    assert_eq!(scratch.tombstones().len(), usize::from(verb == "DEL"), "{verb} {kind}");
                });
            }
        }
    });
}

/// A listener that never accepts, with its queue filled until connecting would block. Both ends stay open till the test ends.
fn fill(socket: &std::path::Path) {
    let listener = UnixListener::bind(socket).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let path = socket.to_owned();
    thread::spawn(move || {
        let mut open = Vec::new();
        while let Ok(stream) = std::os::unix::net::UnixStream::connect(&path) {
            open.push(stream);
            if sender.send(()).is_err() {
                break;
            }
        }
    });
    while receiver.recv_timeout(Duration::from_millis(300)).is_ok() {}
    std::mem::forget(listener);
}

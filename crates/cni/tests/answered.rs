//! What reaches the daemon and what comes back, for every verb and version, and what the executable answers with success itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::{Value, json};
use support::{Call, Daemon, NETNS, Reply, Scratch, config, with};

const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

#[test]
fn version_answers_whatever_the_input() {
    let scratch = Scratch::new();
    let inputs: [(&[u8], &str); 6] = [
        (br#"{"cniVersion":"0.4.0"}"#, "0.4.0"),
        (br#"{"cniVersion":"9.9.9","name":""}"#, "9.9.9"),
        (b"", "1.1.0"),
        (b"{}", "1.1.0"),
        (b"garbage", "1.1.0"),
        (b"\xff\xfe", "1.1.0"),
    ];
    for (stdin, echo) in inputs {
        let outcome = Call::new("VERSION", &scratch.socket()).without("CNI_PATH").stdin(stdin).run();
        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(outcome.json(), json!({"cniVersion": echo, "supportedVersions": VERSIONS}));
    }
}

#[test]
fn version_and_unknown_verbs_do_not_wait_for_an_input_that_never_ends() {
    let scratch = Scratch::new();
    for (verb, code) in [("VERSION", 0), ("", 1)] {
        let call = Call::new(verb, &scratch.socket());
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_terway"));
        command
            .env_clear()
            .envs(&call.env)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let started = std::time::Instant::now();
        let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        let open = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(open);
        assert_eq!(output.status.code(), Some(code));
        serde_json::from_slice::<Value>(&output.stdout).unwrap();
        assert!(started.elapsed().as_secs() < 5);
    }
}

/// Every verb in every version that has it: the daemon hears the environment and the untouched configuration, and what it says
/// is printed as it is.
#[test]
fn verbs_and_versions_reach_the_daemon() {
    for (verb, since) in [("ADD", 0), ("DEL", 0), ("CHECK", 2), ("GC", 4), ("STATUS", 4)] {
        for version in &VERSIONS[since..] {
            let scratch = Scratch::new();
            let answer = format!(r#"{{"cniVersion": "{version}",  "dns": {{}}}}"#);
            let daemon = Daemon::start(&scratch.socket(), vec![Reply::Answer(200, answer.clone())]);
            let mut sent = config(verb, version);
            sent["deep"] = json!({"ä": [1, {"x": null}], "big": 12345678901234567890_u64});
            let outcome = Call::new(verb, &scratch.socket()).stdin(format!(" \n{sent}\t")).run();
            assert_eq!(
                (outcome.code, outcome.stdout.as_str()),
                (0, format!("{answer}\n").as_str()),
                "{verb} {version}"
            );
            let seen = daemon.seen();
            assert_eq!(seen.len(), 1);
            assert_eq!(seen[0].path, format!("/v1/cni/{}", verb.to_lowercase()));
            assert_eq!(seen[0].body["config"], sent);
            let mut env = json!({"CNI_COMMAND": verb, "CNI_PATH": "/opt/cni/bin"});
            if matches!(verb, "ADD" | "DEL" | "CHECK") {
                env["CNI_CONTAINERID"] = json!("f00d");
                env["CNI_IFNAME"] = json!("eth0");
                env["CNI_NETNS"] = json!(NETNS);
                env["CNI_ARGS"] = json!("IgnoreUnknown=1;K8S_POD_NAME=web-0");
            }
            assert_eq!(seen[0].body["env"], env);
            let id = seen[0].body["requestId"].as_str().unwrap();
            assert!(
                (1..=128).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c)),
                "{id}"
            );
            assert!(seen[0].body["deadlineMs"].as_u64().unwrap() > 0);
        }
    }
}

#[test]
fn the_daemons_refusal_is_printed_as_it_is() {
    for verb in ["ADD", "DEL", "CHECK", "GC", "STATUS"] {
        let scratch = Scratch::new();
        let refusal = r#"{"cniVersion":"1.1.0","code":101,"msg":"vSwitch vsw-a has no free address"}"#;
        let daemon = Daemon::start(&scratch.socket(), vec![Reply::Answer(422, refusal.into())]);
        let outcome = Call::new(verb, &scratch.socket()).run();
        assert_eq!((outcome.code, outcome.stdout.trim()), (1, refusal), "{verb}");
        assert_eq!(daemon.seen().len(), 1, "a refusal is an answer and not asked for again");
        assert!(scratch.tombstones().is_empty());
    }
}

#[test]
fn del_tolerates_what_is_gone() {
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    for (netns, sent) in [
        (None, None),
        (Some(""), None),
        (Some("/run/netns/gone"), Some("/run/netns/gone")),
        (Some("/proc/self/exe"), Some("/proc/self/exe")),
        // The node's own namespace must not be cleaned as if it were the pod's.
        (Some("/proc/self/ns/net"), None),
    ] {
        let scratch = Scratch::new();
        let daemon = Daemon::start(&scratch.socket(), vec![Reply::Answer(200, String::new())]);
        let call = Call::new("DEL", &scratch.socket())
            .without("CNI_NETNS")
            .without("CNI_PATH")
            .env("CNI_ARGS", "odd");
        let outcome = netns.map_or(call.clone(), |netns| call.env("CNI_NETNS", netns)).run();
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (0, ""),
            "{netns:?} ({own:?}): {outcome:?}"
        );
        assert_eq!(
            daemon.seen()[0].body["env"].get("CNI_NETNS"),
            sent.map(Value::from).as_ref(),
            "{netns:?}"
        );
    }
}

#[test]
fn netns_override_allows_the_own_namespace() {
    let scratch = Scratch::new();
    let _daemon = Daemon::start(&scratch.socket(), vec![Reply::Answer(200, "{}".into())]);
    for value in ["1", "true", "TRUE"] {
        let call = Call::new("ADD", &scratch.socket()).env("CNI_NETNS", "/proc/self/ns/net");
        assert_eq!(call.env("CNI_NETNS_OVERRIDE", value).run().code, 0);
    }
}

#[test]
fn the_socket_comes_from_the_configuration_and_the_environment_wins() {
    let (configured, other) = (Scratch::new(), Scratch::new());
    let reply = || vec![Reply::Answer(200, "{}".into())];
    let (first, second) = (
        Daemon::start(&configured.socket(), reply()),
        Daemon::start(&other.socket(), reply()),
    );
    let stdin = with("ADD", |j| j["socket"] = json!(configured.socket()));
    let call = Call::new("ADD", &other.socket()).stdin(stdin);
    assert_eq!(call.clone().without("TERWAY_SOCKET").run().code, 0);
    assert_eq!((first.seen().len(), second.seen().len()), (1, 0));
    assert_eq!(call.run().code, 0);
    assert_eq!((first.seen().len(), second.seen().len()), (1, 1));
}

#[test]
fn trace_context_goes_on_to_the_daemon_and_cannot_break_the_request() {
    let scratch = Scratch::new();
    let daemon = Daemon::start(&scratch.socket(), vec![Reply::Answer(200, "{}".into())]);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let call = Call::new("ADD", &scratch.socket())
        .env("TRACEPARENT", parent)
        .env("TRACESTATE", "a=b\r\nContent-Length: 0");
    assert_eq!(call.run().code, 0);
    let headers = &daemon.seen()[0].headers;
    assert!(headers.contains(&format!("traceparent: {parent}")), "{headers}");
    assert!(
        !headers.contains("tracestate") && headers.matches("Content-Length").count() == 1,
        "{headers}"
    );
}

#[test]
fn an_argument_that_needs_escaping_arrives_unchanged() {
    let scratch = Scratch::new();
    let daemon = Daemon::start(&scratch.socket(), vec![Reply::Answer(200, "{}".into())]);
    let args = "K=\"\\\n\u{1}ä😀\u{7f}";
    assert_eq!(Call::new("ADD", &scratch.socket()).env("CNI_ARGS", args).run().code, 0);
    assert_eq!(daemon.seen()[0].body["env"]["CNI_ARGS"], args);
}

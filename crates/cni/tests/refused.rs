//! What the executable refuses by itself, as data: a call that is in order but for one change → code, names in the message, version.
//!
//! The rules are those of the specification 1.1.0 and of libcni's skel. A scripted daemon counts requests: none may arrive.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::{Value, json};
use support::{Call, Daemon, Reply, Scratch, config, with};

/// A row: what is changed in a call that is otherwise in order, and the failure that must come back.
struct Row {
    what: &'static str,
    verb: &'static str,
    change: fn(Call) -> Call,
    code: u32,
    /// Every one of these must stand in the message.
    names: &'static [&'static str],
    cni_version: &'static str,
}

const fn row(
    what: &'static str,
    verb: &'static str,
    change: fn(Call) -> Call,
    code: u32,
    names: &'static [&'static str],
    cni_version: &'static str,
) -> Row {
    Row {
        what,
        verb,
        change,
        code,
        names,
        cni_version,
    }
}

// One row a line, so that it reads as the table it is.
#[rustfmt::skip]
const REFUSED: &[Row] = &[
    // 4: the environment. All variables at fault are named, not only the first.
    row("no verb", "ADD", |c| c.without("CNI_COMMAND"), 4, &["CNI_COMMAND"], "1.1.0"),
    row("empty verb", "ADD", |c| c.env("CNI_COMMAND", ""), 4, &["CNI_COMMAND"], "1.1.0"),
    row("unknown verb", "ADD", |c| c.env("CNI_COMMAND", "FROB"), 4, &["CNI_COMMAND", "FROB"], "1.1.0"),
    row("verb in small letters", "ADD", |c| c.env("CNI_COMMAND", "add"), 4, &["CNI_COMMAND"], "1.1.0"),
    row("ADD without container id", "ADD", |c| c.without("CNI_CONTAINERID"), 4, &["CNI_CONTAINERID"], "1.1.0"),
    row("ADD without netns", "ADD", |c| c.without("CNI_NETNS"), 4, &["CNI_NETNS"], "1.1.0"),
    row("ADD with empty netns", "ADD", |c| c.env("CNI_NETNS", ""), 4, &["CNI_NETNS"], "1.1.0"),
    row("ADD without ifname", "ADD", |c| c.without("CNI_IFNAME"), 4, &["CNI_IFNAME"], "1.1.0"),
    row("ADD without path", "ADD", |c| c.without("CNI_PATH"), 4, &["CNI_PATH"], "1.1.0"),
    row("ADD without anything", "ADD", |c| c.without("CNI_CONTAINERID").without("CNI_NETNS").without("CNI_IFNAME").without("CNI_PATH"), 4, &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"], "1.1.0"),
    row("missing and impossible ones together", "ADD", |c| c.env("CNI_CONTAINERID", "../x").without("CNI_PATH").env("CNI_IFNAME", "a/b"), 4, &["CNI_CONTAINERID", "CNI_PATH", "CNI_IFNAME"], "1.1.0"),
    row("netns that does not exist", "ADD", |c| c.env("CNI_NETNS", "/run/netns/none"), 4, &["CNI_NETNS"], "1.1.0"),
    row("netns that is a file", "ADD", |c| c.env("CNI_NETNS", "/proc/self/exe"), 4, &["CNI_NETNS"], "1.1.0"),
    row("container id with a slash", "ADD", |c| c.env("CNI_CONTAINERID", "a/b"), 4, &["CNI_CONTAINERID"], "1.1.0"),
    row("container id that starts with a dash", "DEL", |c| c.env("CNI_CONTAINERID", "-a"), 4, &["CNI_CONTAINERID"], "1.1.0"),
    row("ifname of 16 bytes", "ADD", |c| c.env("CNI_IFNAME", "abcdefghijklmnop"), 4, &["CNI_IFNAME"], "1.1.0"),
    row("ifname ..", "ADD", |c| c.env("CNI_IFNAME", ".."), 4, &["CNI_IFNAME"], "1.1.0"),
    row("ifname with a colon", "CHECK", |c| c.env("CNI_IFNAME", "eth0:1"), 4, &["CNI_IFNAME"], "1.1.0"),
    row("ifname with a space", "DEL", |c| c.env("CNI_IFNAME", "eth 0"), 4, &["CNI_IFNAME"], "1.1.0"),
    row("arguments that are no pairs", "ADD", |c| c.env("CNI_ARGS", "K8S_POD_NAME"), 4, &["CNI_ARGS"], "1.1.0"),
    row("DEL without container id", "DEL", |c| c.without("CNI_CONTAINERID"), 4, &["CNI_CONTAINERID"], "1.1.0"),
    row("DEL without ifname", "DEL", |c| c.without("CNI_IFNAME"), 4, &["CNI_IFNAME"], "1.1.0"),
    row("CHECK without netns", "CHECK", |c| c.without("CNI_NETNS"), 4, &["CNI_NETNS"], "1.1.0"),
    row("CHECK with a netns that is gone", "CHECK", |c| c.env("CNI_NETNS", "/run/netns/none"), 4, &["CNI_NETNS"], "1.1.0"),
    row("STATUS without path", "STATUS", |c| c.without("CNI_PATH"), 4, &["CNI_PATH"], "1.1.0"),
    row("GC without path", "GC", |c| c.without("CNI_PATH"), 4, &["CNI_PATH"], "1.1.0"),
    // 8: the plugin's own namespace.
    row("ADD into the plugin's own netns", "ADD", |c| c.env("CNI_NETNS", "/proc/self/ns/net"), 8, &["CNI_NETNS"], "1.1.0"),
    row("CHECK in the plugin's own netns", "CHECK", |c| c.env("CNI_NETNS", "/proc/self/ns/net"), 8, &["CNI_NETNS"], "1.1.0"),
    // 6: what cannot be decoded.
    row("empty input", "ADD", |c| c.stdin(""), 6, &["empty"], "1.1.0"),
    row("white space", "ADD", |c| c.stdin(" \n"), 6, &["empty"], "1.1.0"),
    row("half an object", "ADD", |c| c.stdin("{\"cniVersion\":\"0.4.0\""), 6, &["byte 21"], "1.1.0"),
    row("two objects", "DEL", |c| c.stdin("{}{}"), 6, &["byte 2"], "1.1.0"),
    row("not UTF-8", "ADD", |c| c.stdin(b"{\"name\":\"\xff\"}".to_vec()), 6, &["UTF-8"], "1.1.0"),
    row("a list", "ADD", |c| c.stdin("[]"), 6, &["object"], "1.1.0"),
    row("a number as name", "ADD", |c| c.stdin(with("ADD", |j| j["name"] = json!(5))), 6, &["name"], "1.1.0"),
    row("a number as version", "ADD", |c| c.stdin(with("ADD", |j| j["cniVersion"] = json!(1.1))), 6, &["cniVersion"], "1.1.0"),
    row("brackets without end", "ADD", |c| c.stdin("[".repeat(1 << 20)), 6, &["nesting"], "1.1.0"),
    row("more than a mebibyte", "ADD", |c| c.stdin(" ".repeat((1 << 20) + 1)), 6, &["longer than 1048576"], "1.1.0"),
    // 7: the network configuration.
    row("no name", "ADD", |c| c.stdin(with("ADD", |j| j["name"] = json!(""))), 7, &["name"], "1.1.0"),
    row("null name", "ADD", |c| c.stdin(with("ADD", |j| j["name"] = Value::Null)), 7, &["name"], "1.1.0"),
    row("bad name", "ADD", |c| c.stdin(with("ADD", |j| j["name"] = json!("a/b"))), 7, &["name", "a/b"], "1.1.0"),
    row("bad name for DEL", "DEL", |c| c.stdin(with("DEL", |j| j["name"] = json!("-x"))), 7, &["name"], "1.1.0"),
    row("no type", "ADD", |c| c.stdin(with("ADD", |j| j["type"] = json!(""))), 7, &["type"], "1.1.0"),
    row("CHECK without prevResult", "CHECK", |c| c.stdin(config("ADD", "1.0.0").to_string()), 7, &["prevResult"], "1.0.0"),
    row("GC without its list", "GC", |c| c.stdin(config("ADD", "1.1.0").to_string()), 7, &["valid-attachments"], "1.1.0"),
    row("GC with null as list", "GC", |c| c.stdin(with("GC", |j| j["cni.dev/valid-attachments"] = Value::Null)), 7, &["valid-attachments"], "1.1.0"),
    row("a relative socket", "ADD", |c| c.without("TERWAY_SOCKET").stdin(with("ADD", |j| j["socket"] = json!("x.sock"))), 7, &["socket"], "1.1.0"),
    row("a relative TERWAY_SOCKET", "ADD", |c| c.env("TERWAY_SOCKET", "x.sock"), 7, &["TERWAY_SOCKET"], "1.1.0"),
    // 1: versions. The answer carries the request's version even when it is not supported.
    row("no version", "ADD", |c| c.stdin(r#"{"name":"n","type":"t"}"#), 1, &["0.1.0"], "1.1.0"),
    row("version 0.2.0", "ADD", |c| c.stdin(config("ADD", "0.2.0").to_string()), 1, &["0.2.0"], "0.2.0"),
    row("a version to come", "DEL", |c| c.stdin(config("DEL", "1.2.0").to_string()), 1, &["1.2.0"], "1.2.0"),
    row("a version in words", "ADD", |c| c.stdin(config("ADD", "new").to_string()), 1, &["new"], "new"),
    row("CHECK of 0.3.0", "CHECK", |c| c.stdin(config("CHECK", "0.3.0").to_string()), 1, &["CHECK"], "0.3.0"),
    row("CHECK of 0.3.1", "CHECK", |c| c.stdin(config("CHECK", "0.3.1").to_string()), 1, &["CHECK"], "0.3.1"),
    row("GC of 1.0.0", "GC", |c| c.stdin(config("GC", "1.0.0").to_string()), 1, &["GC"], "1.0.0"),
    row("STATUS of 0.4.0", "STATUS", |c| c.stdin(config("STATUS", "0.4.0").to_string()), 1, &["STATUS"], "0.4.0"),
    // What is wrong with the environment is said before what is wrong with the input, as skel does.
    row("both wrong", "ADD", |c| c.without("CNI_IFNAME").stdin("{"), 4, &["CNI_IFNAME"], "1.1.0"),
    row("the version is echoed beside a bad environment", "ADD", |c| c.without("CNI_IFNAME").stdin(config("ADD", "0.3.1").to_string()), 4, &["CNI_IFNAME"], "0.3.1"),
    row("the last of equal keys counts", "ADD", |c| c.stdin(r#"{"cniVersion":"1.0.0","name":"n","type":"t","cniVersion":"0.1.0"}"#), 1, &["0.1.0"], "0.1.0"),
];

#[test]
fn the_executable_itself_refuses() {
    let scratch = Scratch::new();
    let daemon = Daemon::start(&scratch.socket(), vec![Reply::Answer(200, "{}".into())]);
    for row in REFUSED {
        let outcome = (row.change)(Call::new(row.verb, &scratch.socket())).run();
        let answer = outcome.json();
        assert_eq!(outcome.code, 1, "{}: {outcome:?}", row.what);
        assert_eq!(answer["code"], row.code, "{}: {answer}", row.what);
        assert_eq!(answer["cniVersion"], row.cni_version, "{}: {answer}", row.what);
        for name in row.names {
            assert!(
                answer["msg"].as_str().unwrap().contains(name),
                "{}: no {name} in {answer}",
                row.what
            );
        }
        assert!(!outcome.stderr.is_empty(), "{}: the log on standard error is empty", row.what);
    }
    assert_eq!(
        daemon.seen().len(),
        0,
        "nothing may reach the daemon, so nothing can be allocated"
    );
}

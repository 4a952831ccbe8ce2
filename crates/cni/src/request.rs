//! The request to the daemon; shape: `cniRequestSchema` in `ts/model/src/cni.ts`.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::environment::Environment;
use crate::json;

/// One call, ready to be sent any number of times under the same id.
#[derive(Debug, Clone)]
pub struct Request {
    /// `<verb>-<container id, shortened>-<32 random hex digits>`; at most 128 characters of `[A-Za-z0-9_.-]`, so it also names
    /// the tombstone's file.
    pub id: String,
    path: &'static str,
    /// `traceparent`, `tracestate` and `baggage` of the W3C, which libcni hands over in the environment.
    trace: String,
    env: String,
    config: String,
}

impl Request {
    /// Makes the request of this invocation; `config` is spliced in as it is and must be a JSON object.
    pub fn new(environment: &Environment, config: &str, lookup: crate::environment::Lookup<'_>) -> Self {
        let container: String = environment.container_id.chars().take(24).collect();
        let verb = environment.verb.path();
        // RandomState is the standard library's only door to the kernel's random numbers. Each one takes fresh keys only once
        // per thread and counts on from there, so two of them give 128 bits that no other process shares.
        let random = || RandomState::new().hash_one((std::process::id(), std::time::SystemTime::now()));
        let id = match container.as_str() {
            "" => format!("{verb}-{:016x}{:016x}", random(), random()),
            container => format!("{verb}-{container}-{:016x}{:016x}", random(), random()),
        };
        let mut env = format!("{{\"CNI_COMMAND\":\"{}\"", environment.verb.name());
        for (name, value) in [
            ("CNI_CONTAINERID", &environment.container_id),
            ("CNI_NETNS", &environment.netns),
            ("CNI_IFNAME", &environment.if_name),
            ("CNI_ARGS", &environment.args),
            ("CNI_PATH", &environment.path),
        ] {
            if !value.is_empty() {
                env.push_str(&format!(",\"{name}\":"));
                json::push_string(&mut env, value);
            }
        }
        env.push('}');
        let mut trace = String::new();
        for (variable, header) in [
            ("TRACEPARENT", "traceparent"),
            ("TRACESTATE", "tracestate"),
            ("BAGGAGE", "baggage"),
        ] {
            if let Ok(value) = lookup(variable)
                && !value.is_empty()
                && value.len() <= 8192
                && value.bytes().all(|c| (b' '..=b'~').contains(&c))
            {
                trace.push_str(&format!("{header}: {value}\r\n"));
            }
        }
        Self {
            id,
            path: verb,
            trace,
            env,
            config: config.to_owned(),
        }
    }

    /// The bytes of one attempt with `remaining` time to wait.
    pub fn to_http(&self, remaining: Duration) -> Vec<u8> {
        let deadline_ms = remaining.as_millis().max(1);
        let Self {
            id,
            path,
            trace,
            env,
            config,
        } = self;
        let body = format!("{{\"requestId\":\"{id}\",\"deadlineMs\":{deadline_ms},\"env\":{env},\"config\":{config}}}");
        let length = body.len();
        format!(
            "POST /v1/cni/{path} HTTP/1.1\r\nHost: terway\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{trace}\r\n{body}"
        )
        .into_bytes()
    }
}

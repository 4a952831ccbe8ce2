//! `terway`, the CNI executable: reads the environment and standard input, asks the daemon, prints the answer.
//!
//! It decides nothing about networks. What it answers itself is what must not depend on a daemon: malformed input, VERSION,
//! and what a runtime hears while no daemon answers.

use std::env::{self, VarError};
use std::io::{self, Write};
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::call::{Answer, Unanswered};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::request::Request;
use crate::verb::{NEWEST, VERSIONS, Verb};

mod call;
mod code;
mod config;
mod environment;
mod failure;
mod json;
mod name;
mod request;
mod response;
mod tombstone;
mod verb;

/// Where the daemon listens unless `TERWAY_SOCKET` or the configuration's `socket` says otherwise.
const SOCKET: &str = "/var/run/eni/terway.socket";
/// `sun_path` holds 108 bytes with the terminating zero.
const MAX_SOCKET_PATH: usize = 107;

/// What goes to standard output, and whether the call succeeded.
struct Output {
    text: String,
    success: bool,
}

fn main() -> ExitCode {
    let output = panic::catch_unwind(run).unwrap_or_else(|_| {
        let failure = Failure::new(
            code::INTERNAL,
            "terway: internal error, see the runtime's log for standard error",
        );
        Output {
            text: failure.to_json(NEWEST),
            success: false,
        }
    });
    let mut stdout = io::stdout().lock();
    let text = if output.text.is_empty() {
        output.text
    } else {
        output.text + "\n"
    };
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        log(&format!("standard output cannot be written: {error}"));
        return ExitCode::FAILURE;
    }
    if output.success {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn lookup(name: &str) -> Result<String, VarError> {
    env::var(name)
}

/// Standard error is for people; a closed one must not turn an answer into a panic.
fn log(line: &str) {
    drop(io::stderr().lock().write_all(format!("terway: {line}\n").as_bytes()));
}

fn run() -> Output {
    let command = lookup("CNI_COMMAND").unwrap_or_default();
    if command == "VERSION" {
        return version(&config::read_stdin_briefly());
    }
    let verb = Verb::parse(&command);
    // Without a known verb nobody promises that standard input ever ends.
    let stdin = if verb.is_some() {
        config::read_stdin()
    } else {
        Ok(config::read_stdin_briefly())
    };
    let cni_version = stdin.as_ref().ok().and_then(|stdin| config::version_of(stdin));
    let result = verb.ok_or_else(|| unknown_verb(&command)).and_then(|verb| serve(verb, stdin));
    result.unwrap_or_else(|failure| {
        log(&format!(
            "{command}: code {}: {} {}",
            failure.code, failure.msg, failure.details
        ));
        Output {
            text: failure.to_json(cni_version.as_deref().unwrap_or(NEWEST)),
            success: false,
        }
    })
}

/// VERSION must work with any standard input: the version it names is echoed if there is one.
fn version(stdin: &[u8]) -> Output {
    let mut text = String::from("{\"cniVersion\":");
    json::push_string(&mut text, config::version_of(stdin).as_deref().unwrap_or(NEWEST));
    text.push_str(&format!(",\"supportedVersions\":[\"{}\"]}}", VERSIONS.join("\",\"")));
    Output { text, success: true }
}

fn unknown_verb(command: &str) -> Failure {
    let fault = if command.is_empty() {
        "is missing".into()
    } else {
        format!("{command:?} is unknown")
    };
    let details = format!(
        "terway {} is a CNI plugin for Alibaba Cloud VPC, called by container runtimes; it speaks ADD, DEL, CHECK, GC, STATUS \
         and VERSION of {}",
        env!("CARGO_PKG_VERSION"),
        VERSIONS.join(", ")
    );
    Failure::new(code::INVALID_ENVIRONMENT, format!("environment: CNI_COMMAND {fault}")).with_details(details)
}

fn serve(verb: Verb, stdin: Result<Vec<u8>, Failure>) -> Result<Output, Failure> {
    let environment = environment::read(verb, &lookup)?;
    let stdin = stdin?;
    let config = config::parse(&stdin, verb)?;
    let socket = socket(config.socket.as_deref())?;
    let request = Request::new(&environment, config.raw, &lookup);
    let request_id = request.id.clone();
    match call::call(verb, &socket, request) {
        Ok(Answer::Success(text)) => Ok(Output { text, success: true }),
        Ok(Answer::Refused(text)) => {
            log(&format!("{}: the daemon refused: {text}", verb.name()));
            Ok(Output { text, success: false })
        }
        Err(unanswered) => without_daemon(&environment, &socket, &request_id, &unanswered),
    }
}

fn socket(configured: Option<&str>) -> Result<PathBuf, Failure> {
    let from_environment = env::var_os("TERWAY_SOCKET")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from);
    let source = if from_environment.is_some() {
        "environment: TERWAY_SOCKET"
    } else {
        "network configuration: field socket"
    };
    let socket = from_environment.unwrap_or_else(|| PathBuf::from(configured.unwrap_or(SOCKET)));
    if !socket.is_absolute() || socket.as_os_str().len() > MAX_SOCKET_PATH {
        let msg = format!(
            "{source} must be an absolute path of at most {MAX_SOCKET_PATH} bytes, not {}",
            socket.display()
        );
        return Err(Failure::new(code::INVALID_CONFIG, msg));
    }
    Ok(socket)
}

/// What the runtime hears when the verb's time is over.
fn without_daemon(
    environment: &Environment,
    socket: &Path,
    request_id: &str,
    unanswered: &Unanswered,
) -> Result<Output, Failure> {
    let verb = environment.verb;
    let Unanswered { last, attempts } = unanswered;
    let details = format!(
        "socket {}, {attempts} attempts, the last one: {last}; request id {request_id}; look at the terway pod of this node \
         (kubectl -n kube-system get pods -o wide) and its log",
        socket.display()
    );
    let silent = |code, consequence: &str| {
        let msg = format!(
            "the Terway daemon of this node gave no answer within {} s{consequence}",
            verb.bound().as_secs()
        );
        Failure::new(code, msg).with_details(details.clone())
    };
    match verb {
        Verb::Add | Verb::Check | Verb::Gc => Err(silent(code::TRY_AGAIN_LATER, "")),
        Verb::Status => Err(silent(code::CANNOT_SERVE_ADD, ", so ADD cannot be served")),
        Verb::Del => {
            let directory = tombstone::directory(socket);
            match tombstone::write(&directory, request_id, environment) {
                Ok(path) => {
                    log(&format!("DEL: no daemon ({last}), left {}", path.display()));
                    Ok(Output {
                        text: String::new(),
                        success: true,
                    })
                }
                Err(error) => {
                    let msg = format!(
                        "no daemon and no tombstone: {} cannot be written: {error}",
                        directory.display()
                    );
                    Err(Failure::new(code::IO_FAILURE, msg).with_details(details))
                }
            }
        }
    }
}

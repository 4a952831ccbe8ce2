//! Sends a request until it is answered or the verb's time is over.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::json;
use crate::request::Request;
use crate::response::{self, Lost, Response};
use crate::verb::Verb;

/// First and longest pause between two attempts. Short, because a restarted daemon listens again within a few milliseconds.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));

/// What the daemon decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Print this and exit with 0.
    Success(String),
    /// Print this error object and exit with 1.
    Refused(String),
}

/// No answer within the verb's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// What happened to the last attempt.
    pub last: String,
    /// Number of attempts.
    pub attempts: u32,
}

/// Sends `request` to the daemon at `socket`.
///
/// # Errors
/// [`Unanswered`] after [`Verb::bound`], or after the first lost answer if the verb does not repeat.
pub fn call(verb: Verb, socket: &Path, request: Request) -> Result<Answer, Unanswered> {
    let deadline = Instant::now() + verb.bound();
    let (socket, request): (Arc<Path>, Arc<Request>) = (socket.into(), Arc::new(request));
    let mut pause = PAUSE.0;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let last = match attempt(verb, Arc::clone(&socket), Arc::clone(&request), deadline) {
            Ok(answer) => return Ok(answer),
            Err(last) => last,
        };
        if verb.repeats() {
            thread::sleep(pause.min(deadline.saturating_duration_since(Instant::now())));
            pause = (pause * 2).min(PAUSE.1);
        }
        if Instant::now() >= deadline || !verb.repeats() {
            return Err(Unanswered { last, attempts });
        }
    }
}

/// One attempt, in a thread of its own: connecting to a unix socket blocks without any bound while the listener's queue is
/// full, and the standard library can neither time it out nor interrupt it. The thread ends with the process.
fn attempt(verb: Verb, socket: Arc<Path>, request: Arc<Request>, deadline: Instant) -> Result<Answer, String> {
    let (sender, receiver) = mpsc::channel();
    let remaining = deadline.saturating_duration_since(Instant::now());
    thread::Builder::new()
        .stack_size(256 << 10)
        .spawn(move || sender.send(exchange(&socket, &request, remaining)))
        .map_err(|error| format!("no thread for the connection: {error}"))?;
    match receiver.recv_timeout(remaining) {
        Ok(Ok(response)) => judge(verb, response).map_err(|lost| lost.to_string()),
        Ok(Err(lost)) => Err(lost.to_string()),
        Err(RecvTimeoutError::Timeout) => Err("connected, but no answer in time".into()),
        Err(RecvTimeoutError::Disconnected) => Err("the connection's thread died".into()),
    }
}

fn exchange(socket: &Path, request: &Request, remaining: Duration) -> Result<Response, Lost> {
    let mut stream = UnixStream::connect(socket).map_err(Lost::Io)?;
    // A daemon that refuses early may close before it has read everything; its answer is still worth reading.
    let written = stream.write_all(&request.to_http(remaining));
    match (response::receive(&mut stream), written) {
        (Ok(response), _) => Ok(response),
        (Err(_), Err(error)) => Err(Lost::Io(error)),
        (Err(lost), Ok(())) => Err(lost),
    }
}

/// Only an answer that the runtime can read ends the call. An ADD without a result is no answer: its caller needs the address.
fn judge(verb: Verb, response: Response) -> Result<Answer, Lost> {
    let body = String::from_utf8(response.body).map_err(|_| Lost::Malformed("body is not UTF-8"))?;
    let is_object = matches!(json::read(&body), Ok(Some(_)));
    match response.status {
        200 if is_object || (body.is_empty() && verb != Verb::Add) => Ok(Answer::Success(body)),
        422 if is_object => Ok(Answer::Refused(body)),
        200 | 422 => Err(Lost::Malformed("body is not a JSON object")),
        503 => Err(Lost::Malformed("status 503, the daemon is stopping")),
        _ => Err(Lost::Malformed("neither status 200 nor 422")),
    }
}

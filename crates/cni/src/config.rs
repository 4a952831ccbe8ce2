//! The plugin's network configuration from standard input, checked as far as an answer without the daemon needs it.

use std::io::{self, IsTerminal, Read};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::code;
use crate::failure::Failure;
use crate::json::{self, Value};
use crate::name;
use crate::verb::{VERSIONS, Verb};

/// Longest standard input accepted, in bytes. A GC that lists 1,000 attachments is about 100 kB.
pub const MAX_STDIN: usize = 1 << 20;
/// VERSION answers without standard input if the runtime leaves it open.
const VERSION_STDIN_WAIT: Duration = Duration::from_millis(100);

/// What the executable itself wants to know of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config<'a> {
    /// `cniVersion`, one of [`VERSIONS`].
    pub cni_version: String,
    /// Key `socket`: another path of the daemon's socket.
    pub socket: Option<String>,
    /// The JSON object as it came, without the white space around it.
    pub raw: &'a str,
}

/// Reads standard input to its end; a terminal counts as empty.
///
/// # Errors
/// Code 5 if it cannot be read, code 6 if it is longer than [`MAX_STDIN`].
pub fn read_stdin() -> Result<Vec<u8>, Failure> {
    let stdin = io::stdin();
    let mut bytes = Vec::new();
    if stdin.is_terminal() {
        return Ok(bytes);
    }
    stdin
        .lock()
        .take(MAX_STDIN as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(code::IO_FAILURE, format!("standard input cannot be read: {error}")))?;
    if bytes.len() > MAX_STDIN {
        return Err(Failure::new(
            code::DECODE_FAILURE,
            format!("standard input is longer than {MAX_STDIN} bytes"),
        ));
    }
    Ok(bytes)
}

/// [`read_stdin`] for VERSION, which must answer whatever standard input is: nothing after a short wait.
pub fn read_stdin_briefly() -> Vec<u8> {
    let (sender, receiver) = mpsc::channel();
    let reader = thread::Builder::new().spawn(move || sender.send(read_stdin().unwrap_or_default()));
    if reader.is_err() {
        return Vec::new();
    }
    receiver.recv_timeout(VERSION_STDIN_WAIT).unwrap_or_default()
}

/// The `cniVersion` that an answer should carry, if the input tells one, however wrong the rest of it is.
pub fn version_of(stdin: &[u8]) -> Option<String> {
    let members = json::read(std::str::from_utf8(stdin).ok()?).ok()??;
    match members.into_iter().rfind(|(key, _)| key == "cniVersion") {
        Some((_, Value::String(version))) if !version.is_empty() => Some(version.into_owned()),
        _ => None,
    }
}

/// Checks the configuration for `verb`.
///
/// # Errors
/// Code 6 for what is no JSON object or has a field of the wrong type (as libcni answers), 7 for a missing field or a bad
/// name, 1 for a version that is not supported or does not have the verb.
pub fn parse(stdin: &[u8], verb: Verb) -> Result<Config<'_>, Failure> {
    let decode = |what: String| Failure::new(code::DECODE_FAILURE, format!("network configuration: {what}"));
    let text = std::str::from_utf8(stdin).map_err(|error| decode(format!("not UTF-8 at byte {}", error.valid_up_to())))?;
    if text.trim().is_empty() {
        return Err(decode("standard input is empty".into()));
    }
    let members = json::read(text).map_err(|error| decode(format!("malformed JSON: {error}")))?;
    let members = members.ok_or_else(|| decode("not a JSON object".into()))?;
    // The last of several equal keys counts, as for JSON.parse in the daemon.
    let find = |key: &str| members.iter().rfind(|(name, _)| name == key).map(|(_, value)| value);
    let string = |key: &str| match find(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) if value.is_empty() => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.as_ref())),
        Some(_) => Err(decode(format!("field {key} must be a string"))),
    };
    let invalid = |msg: String| Failure::new(code::INVALID_CONFIG, format!("network configuration: {msg}"));

    let (cni_version, name, plugin, socket) = (string("cniVersion")?, string("name")?, string("type")?, string("socket")?);
    let name = name.ok_or_else(|| invalid("field name is missing".into()))?;
    if !name::is_identifier(name) {
        return Err(invalid(format!(
            "field name {name:?} must start with a letter or digit and hold only those, _, . and -"
        )));
    }
    if plugin.is_none() {
        return Err(invalid("field type is missing".into()));
    }
    // libcni reads a missing cniVersion as 0.1.0, which is older than anything spoken here.
    let cni_version = cni_version.unwrap_or("0.1.0");
    let position = |version: &str| VERSIONS.iter().position(|known| *known == version);
    let incompatible = |msg: String| {
        let supported = format!("supported versions: {}", VERSIONS.join(", "));
        Failure::new(code::INCOMPATIBLE_VERSION, msg).with_details(supported)
    };
    let Some(at) = position(cni_version) else {
        return Err(incompatible(format!(
            "incompatible CNI version: field cniVersion is {cni_version:?}"
        )));
    };
    if Some(at) < position(verb.since()) {
        let msg = format!(
            "field cniVersion {cni_version} does not allow {}, which came with {}",
            verb.name(),
            verb.since()
        );
        return Err(incompatible(msg));
    }
    if verb == Verb::Check && !matches!(find("prevResult"), Some(Value::Object)) {
        return Err(invalid("field prevResult is missing, CHECK compares with it".into()));
    }
    // Read as an empty list, a forgotten field would remove every pod of the node.
    if verb == Verb::Gc && !matches!(find("cni.dev/valid-attachments"), Some(Value::Array)) {
        return Err(invalid(
            "field cni.dev/valid-attachments must be a list, GC removes whatever is not in it".into(),
        ));
    }
    let white = [' ', '\t', '\n', '\r'];
    Ok(Config {
        cni_version: cni_version.to_owned(),
        socket: socket.map(str::to_owned),
        raw: text.trim_matches(white),
    })
}

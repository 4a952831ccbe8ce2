//! The program that the bench starts: one line to the server, one line back.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// Sends the command and prints what the server measured.
///
/// # Errors
/// A server that cannot be reached or that says `error …`.
pub fn run(command: &str, words: &[String]) -> Result<(), String> {
    let at = words
        .iter()
        .position(|word| word == "--socket")
        .ok_or("--socket is missing")?;
    let socket = words.get(at + 1).ok_or("--socket needs a value")?;
    let mut line = String::from(command);
    for (index, word) in words.iter().enumerate() {
        if index == at || index == at + 1 {
            continue;
        }
        if word.is_empty() || word.contains(char::is_whitespace) {
            return Err(format!("{word:?} must not be empty or contain white space"));
        }
        line.push(' ');
        line.push_str(word);
    }
    line.push('\n');
    let mut answer = String::new();
    let mut exchange = || {
        let mut stream = UnixStream::connect(socket)?;
        stream.write_all(line.as_bytes())?;
        stream.read_to_string(&mut answer)
    };
    exchange().map_err(|error| format!("{socket}: {error}"))?;
    match answer.strip_prefix("ok ") {
        Some(measured) => {
            print!("{measured}");
            Ok(())
        }
        None if answer.is_empty() => Err("the server gave no answer".into()),
        None => Err(answer.trim().trim_start_matches("error ").to_owned()),
    }
}

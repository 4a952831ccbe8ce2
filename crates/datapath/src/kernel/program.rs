//! Programs of the node, run in the calling thread's network namespace.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::error::{Error, ErrorCode, Result};

/// Runs `name` with `input`; its output. `unsupported` if there is no such program.
pub fn run(name: &str, arguments: &[&str], input: &str) -> Result<String> {
    let failed = |cause: std::io::Error| match cause.kind() {
        std::io::ErrorKind::NotFound => Error::new(
            ErrorCode::Unsupported,
            format!("there is no program {name} in PATH; install it"),
        ),
        _ => Error::system(name, &cause),
    };
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends without reading says why itself.
        drop(stdin.write_all(input.as_bytes()));
    }
    let output = child.wait_with_output().map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(
        ErrorCode::Kernel,
        format!("{name} {}: {}", arguments.join(" "), said.trim()),
    ))
}

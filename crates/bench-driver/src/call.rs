//! One measured call of one program.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::{Deserialize, Serialize};

/// What to start.
#[derive(Deserialize)]
pub struct Call {
    /// Program and arguments; the program as an absolute path, so that no search is measured.
    argv: Vec<String>,
    /// The whole environment.
    env: BTreeMap<String, String>,
    /// Written to the program's standard input, which is closed then.
    stdin: String,
}

/// What came of it.
#[derive(Serialize)]
pub struct Outcome {
    /// Nanoseconds from before the fork until output and exit status were there.
    ns: u64,
    /// Exit status; negative: ended by that signal.
    exit: i32,
    /// Standard output when the call failed, for the report.
    #[serde(skip_serializing_if = "String::is_empty")]
    output: String,
}

impl Call {
    /// Runs the call to its end.
    pub fn run(&self) -> Outcome {
        let started = Instant::now();
        let (exit, output) = self.execute().unwrap_or_else(|error| (127, error.to_string()));
        let ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Outcome {
            ns,
            exit,
            output: if exit == 0 { String::new() } else { output },
        }
    }

    fn execute(&self) -> io::Result<(i32, String)> {
        let (program, arguments) = self.argv.split_first().ok_or_else(|| io::Error::other("empty argv"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that fails early closes its input before reading it; its answer says why.
            match stdin.write_all(self.stdin.as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
                _ => {}
            }
        }
        let mut output = String::new();
        if let Some(mut stdout) = child.stdout.take() {
            stdout.read_to_string(&mut output)?;
        }
        let status = child.wait()?;
        let exit = status
            .code()
            .unwrap_or_else(|| -std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(1));
        Ok((exit, output))
    }
}

//! `without-bpf`: a program in a process to which the kernel refuses bpf(2), as a seccomp profile or a locked-down kernel does.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::sys;

/// Becomes the program; comes back only when that fails.
///
/// # Errors
/// No program, or the kernel refuses the filter.
pub fn run(argv: &[String]) -> Result<(), String> {
    let [program, arguments @ ..] = argv else {
        return Err("without-bpf PROGRAM [ARGUMENTS]".to_owned());
    };
    sys::forbid_bpf().map_err(|error| format!("seccomp: {error}"))?;
    Err(format!("{program}: {}", Command::new(program).args(arguments).exec()))
}

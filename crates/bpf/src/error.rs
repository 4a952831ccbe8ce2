use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::denied::Denial;
use crate::shape::Shape;

/// Why the programs or their maps cannot be used. The message names the object, the limit and the next step.
#[derive(Debug)]
pub enum Error {
    /// The path is no BPF file system.
    NoBpffs {
        /// The path asked for.
        path: PathBuf,
        /// What the kernel says of it.
        cause: Option<io::Error>,
    },
    /// The kernel has no `bpf()` system call.
    NoBpf,
    /// The kernel forbids it.
    Denied {
        /// What was tried.
        action: String,
        /// What stands in the way.
        denial: Denial,
    },
    /// The verifier refuses a program.
    Refused {
        /// The program.
        program: &'static str,
        /// The end of the verifier's log.
        log: String,
        /// What the kernel says.
        cause: io::Error,
    },
    /// A pinned map is not what this build's programs expect.
    ForeignShape {
        /// Where it is pinned.
        path: PathBuf,
        /// What the programs expect.
        expected: Shape,
        /// What is there.
        found: Shape,
    },
    /// A map has no room.
    Full {
        /// The map.
        map: &'static str,
        /// Records that it holds.
        limit: u32,
    },
    /// A value that no record may hold.
    Invalid {
        /// The map.
        map: &'static str,
        /// The field and what is wrong with it.
        reason: String,
    },
    /// A pin cannot be read or written.
    Pin {
        /// The pin.
        path: PathBuf,
        /// What the kernel says.
        cause: io::Error,
    },
    /// Another call failed.
    Call {
        /// What was tried.
        action: String,
        /// What the kernel says.
        cause: io::Error,
    },
    /// The object inside this program is damaged.
    Object(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBpffs { path, cause } => {
                write!(f, "{} is no BPF file system", path.display())?;
                if let Some(cause) = cause {
                    write!(f, " ({cause})")?;
                }
                write!(f, "; mount one: mount -t bpf bpf {}", path.display())
            }
            Self::NoBpf => write!(
                f,
                "this kernel has no bpf() system call; use one built with CONFIG_BPF_SYSCALL"
            ),
            Self::Denied { action, denial } => write!(f, "{action} is not allowed: {denial}"),
            Self::Refused { program, log, cause } => {
                write!(
                    f,
                    "the kernel's verifier refuses the program {program} ({cause}): {log}; report it with the kernel's version"
                )
            }
            Self::ForeignShape { path, expected, found } => write!(
                f,
                "the map pinned at {} is {found}, this build's programs expect {expected}; if nothing else uses it, remove the directory that it lies in",
                path.display()
            ),
            Self::Full { map, limit } => write!(f, "the map {map} is full at {limit} records; remove what is not used"),
            Self::Invalid { map, reason } => write!(f, "no record for the map {map}: {reason}"),
            Self::Pin { path, cause } => write!(f, "pin {}: {cause}", path.display()),
            Self::Call { action, cause } => write!(f, "{action}: {cause}"),
            Self::Object(reason) => write!(
                f,
                "the kernel programs inside this build cannot be read: {reason}; build again"
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoBpffs { cause, .. } => cause.as_ref().map(|cause| cause as _),
            Self::Refused { cause, .. } | Self::Pin { cause, .. } | Self::Call { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

impl Error {
    /// Finds the system's error at the end of `error`'s causes, and says what it means.
    pub(crate) fn from_cause(action: impl Into<String>, error: &(dyn std::error::Error + 'static)) -> Self {
        let action = action.into();
        let mut next = Some(error);
        while let Some(current) = next {
            if let Some(cause) = current.downcast_ref::<io::Error>() {
                return Self::from_io(action, cause);
            }
            next = current.source();
        }
        Self::Call {
            action,
            cause: io::Error::other(error.to_string()),
        }
    }

    fn from_io(action: String, cause: &io::Error) -> Self {
        let code = cause.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
        match code {
            Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) => Self::Denied {
                action,
                denial: Denial::find(),
            },
            Some(rustix::io::Errno::NOSYS) => Self::NoBpf,
            Some(code) => Self::Call {
                action,
                cause: code.into(),
            },
            None => Self::Call {
                action,
                cause: io::Error::other(cause.to_string()),
            },
        }
    }
}

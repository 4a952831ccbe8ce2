//! The verbs of the specification and what each of them needs.

use std::time::Duration;

/// The versions this plugin speaks, oldest first.
pub const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
/// Named in answers when the request's own version is not readable.
pub const NEWEST: &str = "1.1.0";

/// What the runtime asks for, apart from VERSION, which needs no daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Attach a container.
    Add,
    /// Detach a container.
    Del,
    /// Compare an attachment with what is really there.
    Check,
    /// Remove what is in no valid attachment.
    Gc,
    /// Tell whether ADD would work.
    Status,
}

impl Verb {
    /// The verb that `CNI_COMMAND` names; the specification knows capital letters only.
    pub fn parse(command: &str) -> Option<Self> {
        match command {
            "ADD" => Some(Self::Add),
            "DEL" => Some(Self::Del),
            "CHECK" => Some(Self::Check),
            "GC" => Some(Self::Gc),
            "STATUS" => Some(Self::Status),
            _ => None,
        }
    }

    /// Value of `CNI_COMMAND`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Del => "DEL",
            Self::Check => "CHECK",
            Self::Gc => "GC",
            Self::Status => "STATUS",
        }
    }

    /// Last element of the request's path, and first of its id.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Del => "del",
            Self::Check => "check",
            Self::Gc => "gc",
            Self::Status => "status",
        }
    }

    /// Time from the first attempt until the executable stops waiting for the daemon.
    ///
    /// ADD is bounded tightly because a hanging ADD blocks containerd's reload of its configuration, and with it every other
    /// ADD. The runtime repeats ADD and DEL, CHECK and GC are repeated by their own rhythm, so these give up earlier.
    pub const fn bound(self) -> Duration {
        match self {
            Self::Add => Duration::from_secs(10),
            Self::Del => Duration::from_secs(2),
            Self::Check => Duration::from_secs(5),
            Self::Gc => Duration::from_secs(8),
            Self::Status => Duration::from_secs(1),
        }
    }

    /// Whether a lost answer makes the executable send the request again.
    pub const fn repeats(self) -> bool {
        !matches!(self, Self::Status)
    }

    /// Whether the verb is about one container, named by `CNI_CONTAINERID` and `CNI_IFNAME`.
    pub const fn needs_container(self) -> bool {
        matches!(self, Self::Add | Self::Del | Self::Check)
    }

    /// Whether the container's namespace must exist. DEL must succeed without one.
    pub const fn needs_netns(self) -> bool {
        matches!(self, Self::Add | Self::Check)
    }

    /// Whether `CNI_PATH` must be set; DEL goes on without it, because a DEL that fails leaves a pod Terminating for ever.
    pub const fn needs_path(self) -> bool {
        !matches!(self, Self::Del)
    }

    /// The first version of the specification that has the verb; skel answers code 1 to older configurations.
    pub const fn since(self) -> &'static str {
        match self {
            Self::Add | Self::Del => "0.3.0",
            Self::Check => "0.4.0",
            Self::Gc | Self::Status => "1.1.0",
        }
    }
}

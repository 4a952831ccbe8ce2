//! Expected failures of the datapath: a closed set of codes, mirrored by `DatapathErrorCode` in `ts/model`.

use std::fmt;

/// What went wrong, as a stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The pod's network namespace does not exist (any more), or the path is no network namespace.
    NetnsGone,
    /// The interface name is taken by something that must not be touched.
    InterfaceExists,
    /// No link of the host namespace has the ENI's MAC.
    EniNotFound,
    /// A field of the attachment is impossible, or a newer sandbox has taken its place.
    InvalidAttachment,
    /// The deadline passed, or a detach overtook the call.
    Deadline,
    /// The kernel refused; `errno` says how.
    Kernel,
    /// This kernel cannot do it.
    Unsupported,
    /// A map of the kernel programs has no room; what it had is in force.
    Full,
}

impl ErrorCode {
    /// The name that crosses the border.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NetnsGone => "netns_gone",
            Self::InterfaceExists => "interface_exists",
            Self::EniNotFound => "eni_not_found",
            Self::InvalidAttachment => "invalid_attachment",
            Self::Deadline => "deadline",
            Self::Kernel => "kernel",
            Self::Unsupported => "unsupported",
            Self::Full => "full",
        }
    }
}

/// One expected failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Stable code.
    pub code: ErrorCode,
    /// Names the object, the system call or request, and the kernel's own words.
    pub message: String,
    /// The object that could not be made, changed or read.
    pub object: Option<String>,
    /// The kernel's error number, positive.
    pub errno: Option<i32>,
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure without a kernel error behind it.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            object: None,
            errno: None,
        }
    }

    /// A failed system call: `message` is `<call>: <what the system says>`.
    pub fn system(call: &str, cause: &std::io::Error) -> Self {
        Self {
            errno: cause.raw_os_error(),
            ..Self::new(ErrorCode::Kernel, format!("{call}: {cause}"))
        }
    }

    /// The same failure, about this object.
    #[must_use]
    pub fn about(mut self, object: impl Into<String>) -> Self {
        let object = object.into();
        if self.object.is_none() {
            self.message = format!("{object}: {}", self.message);
            self.object = Some(object);
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {}

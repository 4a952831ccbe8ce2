//! The error object of the CNI specification.

use crate::json;

/// A failed call, as it goes to standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One of [`crate::code`].
    pub code: u32,
    /// What is wrong, with the name of the field or variable.
    pub msg: String,
    /// Cause and next step; left out when empty.
    pub details: String,
}

impl Failure {
    /// A failure without details.
    pub fn new(code: u32, msg: impl Into<String>) -> Self {
        Self {
            code,
            msg: msg.into(),
            details: String::new(),
        }
    }

    /// The same failure with `details`.
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.details = details.into();
        self
    }

    /// JSON object for standard output; `cni_version` is the request's own where it was readable.
    pub fn to_json(&self, cni_version: &str) -> String {
        let mut out = String::with_capacity(96 + self.msg.len() + self.details.len());
        out.push_str("{\"cniVersion\":");
        json::push_string(&mut out, cni_version);
        out.push_str(&format!(",\"code\":{},\"msg\":", self.code));
        json::push_string(&mut out, &self.msg);
        if !self.details.is_empty() {
            out.push_str(",\"details\":");
            json::push_string(&mut out, &self.details);
        }
        out.push('}');
        out
    }
}

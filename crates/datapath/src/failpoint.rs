//! Stopping a call between two of its steps, for tests.

use crate::error::{Error, ErrorCode, Result};

/// Counts steps down and fails at zero, so that tests can stop a call between any two steps.
#[derive(Clone, Copy, Debug, Default)]
pub struct Failpoint(Option<u32>);

impl Failpoint {
    /// Never fails.
    pub const OFF: Self = Self(None);

    /// Fails after `steps` steps.
    pub fn after(steps: u32) -> Self {
        Self(Some(steps))
    }

    /// True if steps must run one by one.
    pub(crate) fn armed(self) -> bool {
        self.0.is_some()
    }

    /// Called before each step.
    pub(crate) fn pass(&mut self) -> Result<()> {
        match &mut self.0 {
            None => Ok(()),
            Some(0) => Err(Error::new(ErrorCode::Kernel, "failpoint reached")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

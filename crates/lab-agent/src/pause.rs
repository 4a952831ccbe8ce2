//! `pause`: holds a sandbox's namespaces.

use crate::arguments::Arguments;
use crate::init;

/// # Errors
/// Unknown options, or signals that cannot be blocked.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    arguments.only(&[])?;
    init::prepare()?;
    init::wait()
}

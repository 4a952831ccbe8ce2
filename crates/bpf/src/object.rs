//! The programs as bytes inside this one.

use aya_obj::Object;

use crate::Error;

/// The object file; aligned as its parser wants it.
pub(crate) static BYTES: &[u8] = aya::include_bytes_aligned!(env!("TERWAY_EBPF_OBJECT"));

/// Names the build: another object has another one.
pub(crate) const BUILD: &str = env!("TERWAY_EBPF_BUILD");

/// What the object says about itself.
pub(crate) fn parse() -> Result<Object, Error> {
    Object::parse(BYTES).map_err(|error| Error::Object(error.to_string()))
}

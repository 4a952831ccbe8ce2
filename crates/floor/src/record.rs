//! The one fdatasync of a call.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Size of one record, about that of a journal's.
const RECORD: usize = 256;

/// A file to which every call appends one record.
pub struct Records(File);

impl Records {
    /// Makes `floor.records` in `directory`, empty.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(directory: &Path) -> io::Result<Self> {
        let path = directory.join("floor.records");
        let file = OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
        drop(file);
        OpenOptions::new().append(true).open(path).map(Self)
    }

    /// Appends one record and waits until it is on disk.
    ///
    /// # Errors
    /// What the file system says.
    pub fn append(&self) -> io::Result<()> {
        let mut file = &self.0;
        file.write_all(&[b'.'; RECORD])?;
        file.sync_data()
    }
}

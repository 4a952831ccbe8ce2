//! What lies where in the BPF file system:
//!
//! ```text
//! <bpffs>/terway/v<LAYOUT>/maps/<MAP>                one set of maps per layout, kept over restarts and builds
//! <bpffs>/terway/v<LAYOUT>/SCHEMA                    how their records are laid out; there when they are whole
//! <bpffs>/terway/v<LAYOUT>/programs-<BUILD>/<NAME>   the programs of the build that opened last
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use aya::maps::{MapData, MapInfo};
use aya::programs::SchedClassifier;
use aya_obj::Object;
use rustix::fs::FlockOperation;
use terway_abi::{LAYOUT, map};

use crate::object::BUILD;
use crate::shape::Shape;
use crate::{Error, ProgramName, bpffs};

const PROGRAMS: &str = "programs-";

/// The pins of one layout, locked against other openers, also of other layouts, while this value lives.
pub(crate) struct Pins {
    root: PathBuf,
    /// Its lock is the reason for having it.
    _lock: File,
}

impl Pins {
    pub(crate) fn open(bpffs: &Path) -> Result<Self, Error> {
        bpffs::check(bpffs)?;
        let root = root(bpffs);
        make(&root.join("maps"))?;
        // One lock for all layouts: one may be taking over from another.
        let layouts = root.parent().unwrap_or(&root);
        let lock = File::open(layouts).map_err(|cause| pin_error(layouts, cause))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive).map_err(|error| pin_error(layouts, error.into()))?;
        Ok(Self { root, _lock: lock })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.root
    }

    /// Directories of the layouts beside ours.
    pub(crate) fn other_layouts(&self) -> Result<Vec<PathBuf>, Error> {
        let layouts = self.root.parent().unwrap_or(&self.root);
        let failed = |cause| pin_error(layouts, cause);
        let mut others = Vec::new();
        for entry in fs::read_dir(layouts).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with('v') && entry.path() != self.root {
                others.push(entry.path());
            }
        }
        Ok(others)
    }

    pub(crate) fn map_path(&self, name: &str) -> PathBuf {
        self.root.join("maps").join(name)
    }

    /// A pinned map.
    pub(crate) fn map(&self, name: &str) -> Result<MapData, Error> {
        let path = self.map_path(name);
        MapData::from_pin(&path).map_err(|error| Error::from_cause(format!("opening the pin {}", path.display()), &error))
    }

    /// Compares every pinned map with what the programs expect, before anything uses one. Returns the ids of those that are there.
    pub(crate) fn check_shapes(&self, object: &Object) -> Result<Vec<u32>, Error> {
        let mut ids = Vec::new();
        for name in map::ALL {
            let path = self.map_path(name);
            if !path.exists() {
                continue;
            }
            let wanted = object
                .maps
                .get(name)
                .ok_or_else(|| Error::Object(format!("it has no map {name}")))?;
            let info = MapInfo::from_pin(&path)
                .map_err(|error| Error::from_cause(format!("opening the pin {}", path.display()), &error))?;
            let (expected, found) = (Shape::wanted(wanted), Shape::found(&info));
            if expected != found {
                return Err(Error::ForeignShape { path, expected, found });
            }
            ids.push(info.id());
        }
        Ok(ids)
    }

    /// The pinned programs of this build, if they are all there and use the pinned maps.
    pub(crate) fn programs(&self, map_ids: &[u32]) -> Option<Vec<(ProgramName, SchedClassifier)>> {
        let directory = self.own_programs();
        ProgramName::ALL
            .into_iter()
            .map(|name| {
                let classifier = SchedClassifier::from_pin(directory.join(name.as_str())).ok()?;
                let used = classifier.info().ok()?.map_ids().ok()??;
                used.iter().all(|id| map_ids.contains(id)).then_some((name, classifier))
            })
            .collect()
    }

    /// An empty directory for this build's programs, beside those of other builds.
    pub(crate) fn fresh_programs(&self) -> Result<PathBuf, Error> {
        let directory = self.own_programs();
        remove(&directory)?;
        make(&directory)?;
        Ok(directory)
    }

    /// Removes the programs of other builds. Filters keep what they hold until they are replaced.
    pub(crate) fn remove_other_programs(&self) -> Result<(), Error> {
        let own = self.own_programs();
        for entry in fs::read_dir(&self.root).map_err(|cause| pin_error(&self.root, cause))? {
            let entry = entry.map_err(|cause| pin_error(&self.root, cause))?;
            if entry.file_name().to_string_lossy().starts_with(PROGRAMS) && entry.path() != own {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn own_programs(&self) -> PathBuf {
        self.root.join(format!("{PROGRAMS}{BUILD}"))
    }
}

fn root(bpffs: &Path) -> PathBuf {
    bpffs.join("terway").join(format!("v{LAYOUT}"))
}

/// Removes all pins of this layout: for the removal of the product from a node. Filters that still stand keep their programs and maps.
///
/// # Errors
/// A pin that cannot be removed.
pub(crate) fn remove_all(bpffs: &Path) -> Result<(), Error> {
    let root = root(bpffs);
    remove(&root)?;
    // Other layouts may still be there.
    match root.parent().map(fs::remove_dir) {
        Some(Err(error)) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Err(pin_error(&root, error))
        }
        _ => Ok(()),
    }
}

fn make(directory: &Path) -> Result<(), Error> {
    fs::create_dir_all(directory).map_err(|cause| pin_error(directory, cause))
}

pub(crate) fn remove(directory: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(pin_error(directory, error)),
        _ => Ok(()),
    }
}

fn pin_error(path: &Path, cause: io::Error) -> Error {
    Error::Pin {
        path: path.to_owned(),
        cause,
    }
}

//! What a DEL leaves behind when no daemon answers; shape: `tombstoneSchema` in `ts/model/src/cni.ts`.

use std::fs::{DirBuilder, File, OpenOptions, remove_file, rename};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::environment::Environment;
use crate::json;

/// The directory of tombstones: beside the daemon's socket.
pub fn directory(socket: &Path) -> PathBuf {
    socket.parent().unwrap_or(Path::new("/")).join("tombstones")
}

/// Writes `<request id>.json`. When this returns, a power cut cannot lose it: the file is on disk before it gets its name, and
/// the name is on disk before the runtime hears of success. The daemon never sees a half-written file, only `.json` names.
///
/// # Errors
/// Whatever the file system says; nothing is left under the final name then.
pub fn write(directory: &Path, request_id: &str, environment: &Environment) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let (temporary, path) = (
        directory.join(format!(".{request_id}.tmp")),
        directory.join(format!("{request_id}.json")),
    );
    let written = write_synced(&temporary, content(request_id, environment).as_bytes()).and_then(|()| rename(&temporary, &path));
    if let Err(error) = written {
        // Best effort: the name is unique and hidden, so a leftover harms nobody.
        drop(remove_file(&temporary));
        return Err(error);
    }
    File::open(directory)?.sync_all()?;
    // The directory itself may be new. Its parent exists, as it was opened or made above.
    if let Some(parent) = directory.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(path)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn content(request_id: &str, environment: &Environment) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut out = format!("{{\"version\":1,\"requestId\":\"{request_id}\",\"containerId\":");
    json::push_string(&mut out, &environment.container_id);
    out.push_str(",\"ifName\":");
    json::push_string(&mut out, &environment.if_name);
    if !environment.netns.is_empty() {
        out.push_str(",\"netns\":");
        json::push_string(&mut out, &environment.netns);
    }
    out.push_str(&format!(",\"writtenAtMs\":{now}}}\n"));
    out
}

//! The directory that holds the state.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::OpenError;

/// Makes `dir` and what it stands in, closed to everyone else: prompts and answers lie in it.
pub(crate) fn make(dir: &Path) -> Result<(), OpenError> {
    if dir.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| OpenError::io(dir, error))?;
    // A name is only there after a crash once the directory it stands in is on disk.
    for parent in dir.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()) {
        let Ok(parent) = File::open(parent) else { break };
        if parent.sync_all().is_err() {
            break;
        }
    }
    Ok(())
}

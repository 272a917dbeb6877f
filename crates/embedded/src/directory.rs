//! The directory that holds the state, and what has to be done for names to outlive a crash.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
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

/// Has the names in `dir` outlive a crash, where the file system knows how to.
pub(crate) fn sync(dir: &Path) -> io::Result<()> {
    match File::open(dir)?.sync_all() {
        Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Err(error),
        _ => Ok(()),
    }
}

/// Gives what an administrator made in `dir` to whom the directory belongs: a service is to go on with it.
pub(crate) fn hand_over(dir: &Path, made: &Path) -> io::Result<()> {
    let (owner, own) = (fs::metadata(dir)?, fs::metadata(made)?);
    // Nobody else may give anything away.
    if own.uid() != 0 || owner.uid() == 0 {
        return Ok(());
    }
    chown(made, Some(owner.uid()), Some(owner.gid()))
}

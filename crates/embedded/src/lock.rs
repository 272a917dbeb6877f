//! One process at a time works on a directory of state.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::OpenError;
use crate::directory;

pub(crate) const FILE: &str = "lock";

/// The most that is read of what a holder says of itself, in bytes.
const DESCRIPTION_BYTES_MAX: u64 = 1024;

/// The right to work on a directory of state. The kernel gives it back when the process ends, however
/// that comes about.
#[derive(Debug)]
pub struct StateLock {
    file: File,
}

impl StateLock {
    /// Takes the lock of `dir`, or says who holds it. The directory is made if it is not there.
    pub fn take(dir: &Path) -> Result<StateLock, OpenError> {
        directory::make(dir)?;
        let path = dir.join(FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|error| OpenError::io(&path, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Held { by: holder(&mut file) }),
            Err(TryLockError::Error(error)) => return Err(OpenError::io(&path, error)),
        }
        let lock = StateLock { file };
        lock.describe(&format!("process {}", std::process::id())).map_err(|e| OpenError::io(&path, e))?;
        Ok(lock)
    }

    /// Says who holds the lock, in a line for people.
    pub fn describe(&self, holder: &str) -> std::io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(format!("{}\n", holder.replace('\n', " ")).as_bytes())
    }
}

/// Who holds the lock of `dir` by its own words, if anyone does.
#[must_use]
pub fn held_by(dir: &Path) -> Option<String> {
    let mut file = File::open(dir.join(FILE)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(holder(&mut file)),
        _ => None,
    }
}

fn holder(file: &mut File) -> String {
    let mut said = Vec::new();
    // What it says is for people; who cannot be heard is another process all the same.
    _ = file.seek(SeekFrom::Start(0));
    _ = file.take(DESCRIPTION_BYTES_MAX).read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    match said.trim() {
        "" => "another process".into(),
        said => said.into(),
    }
}

//! Whether the disk has room: found out by taking some.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use fleet_orchestrator::port::StoreError;

/// The file that takes it, in the directory of state, for a moment.
pub(crate) const FILE: &str = "room";

/// Bytes taken: about what a deliberation with some answers needs. A write of less says little, for the log
/// keeps the room that a write before it was given in vain.
const BYTES: usize = 64 * 1024;

/// Takes room and gives it back.
pub(crate) fn look(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(FILE);
    let taken = take(&path);
    // What is left of it is taken over the next time.
    _ = fs::remove_file(&path);
    taken.map_err(|error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Unavailable(error.into()),
    })
}

fn take(path: &Path) -> io::Result<()> {
    // Nothing that a file system would keep in less room.
    let mut seed = 1_u32;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    })
    .take(BYTES)
    .collect();
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(&bytes)?;
    file.sync_all()
}

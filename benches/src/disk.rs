//! What the disk itself takes, and what it is.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;

use crate::figures::Figures;

const WRITE_BYTES: usize = 8 * 1024;
const WRITES: u64 = 600;

/// How long the sync behind a write of 8 KiB takes, over the same megabyte again and again, as a log
/// that begins anew writes.
pub(crate) fn syncs(dir: &Path) -> anyhow::Result<Figures> {
    let path = dir.join("sync-probe");
    let mut file = File::create(&path).context("making a file to sync")?;
    let mut times = Vec::new();
    for n in 0..WRITES {
        file.seek(SeekFrom::Start(n % 128 * WRITE_BYTES as u64))?;
        file.write_all(&[n as u8; WRITE_BYTES])?;
        let began = Instant::now();
        file.sync_data()?;
        // The first time around, the file grows.
        if n >= 128 {
            times.push(began.elapsed());
        }
    }
    fs::remove_file(path)?;
    Ok(Figures::of_times(times))
}

/// The file system that holds `dir`: its type and its device.
pub(crate) fn file_system(dir: &Path) -> anyhow::Result<String> {
    let dir = dir.canonicalize()?;
    let mounts = fs::read_to_string("/proc/self/mounts").context("reading what is mounted")?;
    let holding = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (device, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
        dir.starts_with(at).then_some((at.len(), format!("{kind} on {device}")))
    });
    let nearest = holding.max_by_key(|(length, _)| *length);
    Ok(nearest.map_or_else(|| "unknown".to_owned(), |(_, name)| name))
}

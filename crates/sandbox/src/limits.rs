//! What a command may use.

use serde::{Deserialize, Serialize};

use crate::error::JobError;

const WALL_MS_MAX: u64 = 24 * 3600 * 1000;
const MEMORY_BYTES_MIN: u64 = 16 * 1024 * 1024;
const DESCRIPTORS_MIN: u64 = 16;

/// What a command may use, with everything it starts taken together unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Time from its start, in milliseconds.
    pub wall_ms: u64,
    /// Time on processors, in seconds.
    pub cpu_s: u64,
    /// Memory that is not a file's, in bytes; each process is refused more, all together are ended.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub processes: u64,
    /// Bytes in the scratch folder; a single file may be as large.
    pub file_bytes: u64,
    /// Files and folders in the scratch folder.
    pub files: u64,
    /// Open descriptors of each process.
    pub descriptors: u64,
    /// Bytes written to standard output and standard error.
    pub output_bytes: u64,
    /// Bytes of each of the two that are kept: half from the beginning, half from the end.
    pub kept_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_ms: 30_000,
            cpu_s: 30,
            memory_bytes: 512 * 1024 * 1024,
            processes: 128,
            file_bytes: 64 * 1024 * 1024,
            files: 4096,
            descriptors: 256,
            output_bytes: 8 * 1024 * 1024,
            kept_bytes: 64 * 1024,
        }
    }
}

impl Limits {
    pub(crate) fn check(&self) -> Result<(), JobError> {
        let rules = [
            ("wall_ms", self.wall_ms, 1, WALL_MS_MAX),
            ("cpu_s", self.cpu_s, 1, WALL_MS_MAX / 1000),
            ("memory_bytes", self.memory_bytes, MEMORY_BYTES_MIN, 1 << 44),
            ("processes", self.processes, 1, 1 << 20),
            ("file_bytes", self.file_bytes, 1 << 16, 1 << 40),
            ("files", self.files, 1, 1 << 24),
            ("descriptors", self.descriptors, DESCRIPTORS_MIN, 1 << 16),
            ("output_bytes", self.output_bytes, 1, 1 << 34),
            ("kept_bytes", self.kept_bytes as u64, 2, 1 << 28),
        ];
        for (name, value, min, max) in rules {
            if !(min..=max).contains(&value) {
                return Err(JobError::Limit { name, value, min, max });
            }
        }
        Ok(())
    }
}

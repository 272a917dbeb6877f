//! The ports on SQLite and memory, for one process.
//!
//! One thread writes: it takes everything that waits into one transaction and syncs once. Two threads
//! read. Whoever follows the log or the answers is served from memory as long as it keeps up. Jobs are an
//! index of ids in memory, which the log can rebuild; only how often each was tried is on disk.

mod announcements;
mod answers;
mod attempts;
mod backup;
mod checkpoint;
mod clock;
mod connection;
mod directory;
mod embedded;
mod entropy;
mod error;
mod event_store;
mod job_queue;
mod jobs_of;
mod known_answers;
mod ledger;
mod lock;
mod number;
mod queries;
mod queue;
mod reader;
mod recent;
mod restore;
mod room;
mod schema;
mod stats;
mod ticks;
mod turns;
mod verify;
mod write;
mod writer;

pub use backup::{BackupError, Contents, Step, Watch, back_up};
pub use clock::SystemClock;
pub use embedded::{Embedded, ReadOnly, Settings};
pub use entropy::SystemEntropy;
pub use error::OpenError;
pub use lock::{StateLock, held_by};
pub use restore::{RestoreError, Restored, restore};
pub use stats::Stats;
pub use ticks::{TICK_BYTES_MAX, TICKS_MAX, Ticks};
pub use verify::{FINDINGS_MAX, Fault, Finding, Verified, VerifyError, verify, verify_file};

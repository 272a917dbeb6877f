//! What can go wrong with a file of state, by what can be done about it.

use std::path::PathBuf;

use fleet_orchestrator::port::{Sequence, Source, StoreError};
use rusqlite::ErrorCode;

/// Why the state could not be opened. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works on it: ask that one, end it, or use another directory.
    #[error("the state is in use by {by}")]
    Held {
        /// What the holder says of itself.
        by: String,
    },
    /// A newer version wrote it: use that version.
    #[error("the state has format {found}, written by a newer version; this one knows up to format {known}")]
    Newer {
        /// The format of the file.
        found: u32,
        /// The newest format this version reads.
        known: u32,
    },
    /// The file belongs to something else: use another directory.
    #[error("{} is not a file of ours", .0.display())]
    NotOurs(PathBuf),
    /// There is nothing to read yet.
    #[error("there is no {}", .0.display())]
    Missing(PathBuf),
    /// Permissions or the file system forbid it: mend them, or use another directory.
    #[error("{} cannot be written", .0.display())]
    NotWritable(PathBuf, #[source] Source),
    /// Anything else.
    #[error("the state cannot be opened")]
    Other(#[source] Source),
}

impl OpenError {
    pub(crate) fn io(path: &std::path::Path, error: std::io::Error) -> OpenError {
        use std::io::ErrorKind::{
            AlreadyExists, NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
        };
        match error.kind() {
            // `AlreadyExists`: a file stands where the directory should be.
            PermissionDenied | ReadOnlyFilesystem | NotADirectory | AlreadyExists | StorageFull
            | QuotaExceeded => OpenError::NotWritable(path.into(), error.into()),
            _ => OpenError::Other(error.into()),
        }
    }

    pub(crate) fn sqlite(path: &std::path::Path, error: rusqlite::Error) -> OpenError {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => OpenError::NotOurs(path.into()),
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::DiskFull,
            ) => OpenError::NotWritable(path.into(), error.into()),
            _ => OpenError::Other(error.into()),
        }
    }
}

/// The process is on its way out and takes nothing more.
#[derive(Debug, thiserror::Error)]
#[error("the store is closed")]
pub(crate) struct Closed;

/// The state was opened for reading only.
#[derive(Debug, thiserror::Error)]
#[error("the store was opened for reading only")]
pub(crate) struct ReadingOnly;

/// Something that is stored does not make sense.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Nonsense(pub(crate) String);

pub(crate) fn closed() -> StoreError {
    StoreError::Unavailable(Closed.into())
}

/// Takes the error by reference, for one failed commit is told to everyone whose write was in it.
pub(crate) fn store_error(error: &rusqlite::Error) -> StoreError {
    let source = || Nonsense(error.to_string()).into();
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => StoreError::Corrupt(Sequence(0), source()),
        _ => match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Corrupt(Sequence(0), source())
            }
            _ => StoreError::Unavailable(source()),
        },
    }
}

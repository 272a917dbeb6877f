//! What can go wrong with a file of state, by what can be done about it.

use std::path::{Path, PathBuf};

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
    #[error("{} has format {found}, written by a newer version; this one knows up to format {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u32,
        /// The newest format this version reads.
        known: u32,
    },
    /// The file belongs to something else: use another directory.
    #[error("{} is not a file of ours", .0.display())]
    NotOurs(PathBuf),
    /// The file is ours, and broken: restore a backup, or use another directory.
    #[error("{} is damaged", .0.display())]
    Damaged(PathBuf, #[source] Source),
    /// There is nothing to read yet.
    #[error("there is no {}", .0.display())]
    Missing(PathBuf),
    /// Permissions forbid it: mend them, or use another directory.
    #[error("{} cannot be read", .0.display())]
    NotReadable(PathBuf, #[source] Source),
    /// Permissions or the file system forbid it: mend them, or use another directory.
    #[error("{} cannot be written", .0.display())]
    NotWritable(PathBuf, #[source] Source),
    /// The disk has no room left: make some, or use another directory.
    #[error("there is no room for {}", .0.display())]
    NoRoom(PathBuf, #[source] Source),
    /// A restore puts another state in its place, or was interrupted in that: whoever opens the state for
    /// writing next completes it.
    #[error("a restore into {} is not complete", .0.display())]
    Restoring(PathBuf),
    /// Anything else.
    #[error("{} cannot be opened", .0.display())]
    Other(PathBuf, #[source] Source),
}

impl OpenError {
    /// What an attempt to write at `path` met.
    pub(crate) fn io(path: &Path, error: std::io::Error) -> OpenError {
        use std::io::ErrorKind::{
            AlreadyExists, NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
        };
        match error.kind() {
            // `AlreadyExists`: a file stands where the directory should be.
            PermissionDenied | ReadOnlyFilesystem | NotADirectory | AlreadyExists => {
                OpenError::NotWritable(path.into(), error.into())
            }
            StorageFull | QuotaExceeded => OpenError::NoRoom(path.into(), error.into()),
            _ => OpenError::Other(path.into(), error.into()),
        }
    }

    /// The same about the file at `path`, of which this one is a copy.
    pub(crate) fn about(self, path: &Path) -> OpenError {
        let path = path.into();
        match self {
            OpenError::Newer { found, known, .. } => OpenError::Newer { path, found, known },
            OpenError::NotOurs(_) => OpenError::NotOurs(path),
            OpenError::Damaged(_, source) => OpenError::Damaged(path, source),
            OpenError::Missing(_) => OpenError::Missing(path),
            OpenError::NotReadable(_, source) => OpenError::NotReadable(path, source),
            OpenError::NotWritable(_, source) => OpenError::NotWritable(path, source),
            OpenError::NoRoom(_, source) => OpenError::NoRoom(path, source),
            OpenError::Other(_, source) => OpenError::Other(path, source),
            OpenError::Held { .. } | OpenError::Restoring(_) => self,
        }
    }

    /// What an attempt to read `path` met.
    pub(crate) fn read(path: &Path, error: std::io::Error) -> OpenError {
        OpenError::NotReadable(path.into(), error.into())
    }

    /// What SQLite met in the file at `path`.
    pub(crate) fn sqlite(path: &Path, error: rusqlite::Error) -> OpenError {
        let cause = said(&error);
        match error.sqlite_error_code() {
            _ if is_full(&error) => OpenError::NoRoom(path.into(), cause),
            Some(ErrorCode::NotADatabase) => OpenError::NotOurs(path.into()),
            Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged(path.into(), cause),
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                OpenError::NotWritable(path.into(), cause)
            }
            _ => OpenError::Other(path.into(), cause),
        }
    }
}

/// What SQLite says, once: its error has a source that says it again.
pub(crate) fn said(error: &rusqlite::Error) -> Source {
    Nonsense(error.to_string()).into()
}

/// Whether there was no room. The index of the log is memory that is shared through a file; SQLite says
/// in words of its own that the file could not grow.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || extended == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
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
    let source = || said(error);
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..) => StoreError::Corrupt(Sequence(0), source()),
        _ if is_full(error) => StoreError::Full,
        _ => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Corrupt(Sequence(0), source())
            }
            _ => StoreError::Unavailable(source()),
        },
    }
}

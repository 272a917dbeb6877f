//! Snapshots of the state, each in one file, made while another process may write.
//!
//! `VACUUM INTO` reads in one transaction: nobody who writes waits for it, and what is written meanwhile is
//! not in it. SQLite's backup API would begin anew whenever another process writes. What comes out has no
//! log beside it, so that one file is all there is to move.

use std::fs::{self, File, OpenOptions};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fleet_orchestrator::port::{HistoryKind, Source};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::{Nonsense, is_full, said};
use crate::number::unsigned;
use crate::schema::{self, State};
use crate::{OpenError, connection, directory, lock, restore, room};

/// Steps of SQLite's machine between two looks at how far it has come: some hundred rows.
const STEPS: i32 = 1_000;

/// How far long work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Copying, so many bytes of about so many.
    Copying {
        /// Bytes copied.
        done: u64,
        /// About how many there are.
        whole: u64,
    },
    /// Reading the copy from end to end.
    Checking,
    /// Holding what is stored against its hashes, so many records and answers of so many.
    Verifying {
        /// Looked at.
        done: u64,
        /// All there are.
        whole: u64,
    },
}

/// Watches long work, which ends when told to.
pub type Watch = Arc<dyn Fn(Step) -> ControlFlow<()> + Send + Sync>;

/// What a file of state holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Deliberations.
    pub deliberations: u64,
    /// Of these, how many have not ended.
    pub open: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Why there is no backup. The state is as it was, and so is what had the backup's name.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no state, or it cannot be opened.
    #[error(transparent)]
    State(#[from] OpenError),
    /// Something has the name already: take another, or say that it may be replaced.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// The name is that of a file of the state itself: take another.
    #[error("{} belongs to the state", .0.display())]
    OfTheState(PathBuf),
    /// There is no such directory, no permission, no room: use another place, or mend this one.
    #[error("{} cannot be written", .0.display())]
    NotWritable(PathBuf, #[source] Source),
    /// What is stored cannot be read to its end.
    #[error("the state cannot be read whole")]
    NotReadable(#[source] Source),
    /// It was told to end.
    #[error("interrupted")]
    Interrupted,
}

/// Writes what the state in `dir` holds at this moment to `file`, and checks what was written. Counts of
/// attempts are left out: whoever goes on from a backup begins them anew.
pub fn back_up(dir: &Path, file: &Path, replace: bool, watch: &Watch) -> Result<Contents, BackupError> {
    let not_writable = |error: std::io::Error| BackupError::NotWritable(file.into(), error.into());
    // A name like "file:x" means something else to SQLite, unless it begins at the root.
    let target = std::path::absolute(file).map_err(not_writable)?;
    let mut source = connection::reader(dir)?;
    let stands = |path: &Path| path.symlink_metadata().is_ok();
    if is_of_the_state(dir, &target) {
        return Err(BackupError::OfTheState(file.into()));
    }
    if stands(&target) && (!replace || target.is_dir()) {
        return Err(BackupError::Exists(file.into()));
    }
    let part = Part::make(&target).map_err(not_writable)?;
    snapshot(&mut source, &part.0, watch).map_err(|error| write_error(file, error))?;
    drop(source);
    forget_attempts(&part.0).map_err(|error| write_error(file, error))?;
    let contents = check(&part.0, watch).map_err(|error| match error {
        CheckError::Interrupted => BackupError::Interrupted,
        CheckError::Open(error) => BackupError::NotWritable(file.into(), error.into()),
    })?;
    // Somebody else may have taken the name meanwhile.
    if stands(&target) && !replace {
        return Err(BackupError::Exists(file.into()));
    }
    part.keep_as(&target).map_err(not_writable)?;
    Ok(contents)
}

fn is_of_the_state(dir: &Path, target: &Path) -> bool {
    let identity = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
    let inside = target.parent().is_some_and(|parent| identity(parent) == identity(dir));
    let file = Path::new(schema::FILE);
    let of_the_file = ["", schema::LOG, schema::LOG_INDEX].map(|suffix| schema::beside(file, suffix));
    let others = [lock::FILE, room::FILE, restore::STAGED, restore::PREPARED].map(PathBuf::from);
    let name = target.file_name().map(PathBuf::from);
    inside && name.is_some_and(|name| of_the_file.contains(&name) || others.contains(&name))
}

fn snapshot(source: &mut Connection, part: &Path, watch: &Watch) -> rusqlite::Result<()> {
    let pragma = |name: &str| source.pragma_query_value(None, name, |row| unsigned(row, 0));
    let whole = pragma("page_count")?.saturating_sub(pragma("freelist_count")?) * pragma("page_size")?;
    let (watch, grows) = (Arc::clone(watch), part.to_owned());
    let look = move || {
        let done = fs::metadata(&grows).map_or(0, |part| part.len()).min(whole);
        watch(Step::Copying { done, whole }).is_break()
    };
    source.progress_handler(STEPS, Some(look))?;
    // Bytes, for a path need not be UTF-8.
    let name = ToSqlOutput::Borrowed(ValueRef::Text(part.as_os_str().as_bytes()));
    source.execute("VACUUM INTO ?1", [name]).map(|_| ())
}

fn forget_attempts(part: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(part, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // It is synced as a whole before it gets its name.
    connection.pragma_update_and_check(None, "journal_mode", "off", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "off")?;
    connection.execute("DELETE FROM attempts", []).map(|_| ())
}

fn write_error(file: &Path, error: rusqlite::Error) -> BackupError {
    use rusqlite::ffi::{
        SQLITE_IOERR_CLOSE, SQLITE_IOERR_DELETE, SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC,
        SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
    };
    let cause = said(&error);
    let extended = error.sqlite_error().map(|error| error.extended_code);
    match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => BackupError::Interrupted,
        _ if is_full(&error) => BackupError::NotWritable(file.into(), cause),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            BackupError::NotWritable(file.into(), cause)
        }
        Some(ErrorCode::SystemIoFailure) => match extended.unwrap_or_default() {
            SQLITE_IOERR_CLOSE
            | SQLITE_IOERR_DELETE
            | SQLITE_IOERR_DIR_FSYNC
            | SQLITE_IOERR_FSYNC
            | SQLITE_IOERR_TRUNCATE
            | SQLITE_IOERR_WRITE => BackupError::NotWritable(file.into(), cause),
            _ => BackupError::NotReadable(cause),
        },
        _ => BackupError::NotReadable(cause),
    }
}

/// Why a file is no backup to rely on.
pub(crate) enum CheckError {
    Open(OpenError),
    Interrupted,
}

impl From<OpenError> for CheckError {
    fn from(error: OpenError) -> CheckError {
        CheckError::Open(error)
    }
}

/// Reads a file that nobody works on from end to end.
pub(crate) fn check(path: &Path, watch: &Watch) -> Result<Contents, CheckError> {
    let sqlite = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => CheckError::Interrupted,
        _ => OpenError::sqlite(path, error).into(),
    };
    if schema::look(path)? == State::Empty {
        return Err(OpenError::NotOurs(path.into()).into());
    }
    let mut connection = connection::plain(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if schema::look_inside(path, &connection)? == State::Empty {
        return Err(OpenError::NotOurs(path.into()).into());
    }
    if watch(Step::Checking).is_break() {
        return Err(CheckError::Interrupted);
    }
    let watch = Arc::clone(watch);
    connection.progress_handler(STEPS, Some(move || watch(Step::Checking).is_break())).map_err(sqlite)?;
    let found: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(sqlite)?;
    if found != "ok" {
        return Err(OpenError::Damaged(path.into(), Nonsense(found).into()).into());
    }
    let (deliberations, open) = deliberations(&connection)
        .map_err(|error| CheckError::Open(OpenError::Damaged(path.into(), error.into())))?;
    let bytes = fs::metadata(path).map_err(|error| OpenError::read(path, error))?.len();
    Ok(Contents { deliberations, open, bytes })
}

/// How many deliberations there are, and how many of them have not ended.
pub(crate) fn deliberations(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let sql =
        "SELECT count(*), count(*) FILTER (WHERE ended_at IS NULL) FROM histories WHERE id GLOB ?1 || '*'";
    connection.query_row(sql, [HistoryKind::Deliberation.prefix()], |row| {
        Ok((unsigned(row, 0)?, unsigned(row, 1)?))
    })
}

/// A file that is not whole yet, beside the one it is to become; gone unless it is kept.
struct Part(PathBuf);

impl Part {
    fn make(target: &Path) -> std::io::Result<Part> {
        let path = schema::beside(target, &format!(".{}.part", std::process::id()));
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Part(path))
    }

    fn keep_as(self, target: &Path) -> std::io::Result<()> {
        File::open(&self.0)?.sync_all()?;
        fs::rename(&self.0, target)?;
        directory::sync(target.parent().unwrap_or(Path::new("/")))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Where it was kept, nothing has this name any more.
        for suffix in ["", "-journal"] {
            _ = fs::remove_file(schema::beside(&self.0, suffix));
        }
    }
}

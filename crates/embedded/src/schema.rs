//! The tables, and how to tell our file from others.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rusqlite::Connection;

use crate::OpenError;

/// The file of state in its directory.
pub(crate) const FILE: &str = "fleet.db";

/// The newest format this version reads and the one it writes.
pub(crate) const FORMAT: u32 = 1;

/// Marks a SQLite file as ours: `FLEE`.
const APPLICATION: u32 = 0x464c_4545;

// Rows are small: a history's text stands once, records name it by key; the last sequence of a history is
// the highest of its records. `histories.bytes` is set when a history ends. Answers are found by the
// deliberation in front of their job's id. A position is never given twice: `marks` holds the highest
// ones that were given, written only when rows are deleted.
const TABLES: &str = "
CREATE TABLE histories (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    opened_at INTEGER NOT NULL,
    ended_at INTEGER,
    bytes INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX histories_open ON histories(key) WHERE ended_at IS NULL;
CREATE INDEX histories_ended ON histories(ended_at, key) WHERE ended_at IS NOT NULL;
CREATE TABLE records (
    position INTEGER PRIMARY KEY,
    history INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_in_order ON records(history, sequence);
CREATE TABLE answers (
    position INTEGER PRIMARY KEY,
    job TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE announcements (
    id TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    position INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX announcements_in_order ON announcements(position);
CREATE TABLE attempts (job TEXT PRIMARY KEY, attempts INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

/// What a file is, judged by what SQLite says of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    Ours,
}

/// Looks at a file's first bytes without SQLite, which might create files beside it or recover a log.
pub(crate) fn look(path: &Path) -> Result<State, OpenError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(State::Empty),
        Err(error) => return Err(OpenError::io(path, error)),
    };
    let mut head = Vec::with_capacity(100);
    file.by_ref().take(100).read_to_end(&mut head).map_err(|error| OpenError::io(path, error))?;
    if head.is_empty() {
        return Ok(State::Empty);
    }
    if head.len() < 100 || !head.starts_with(b"SQLite format 3\0") {
        return Err(OpenError::NotOurs(path.into()));
    }
    // Offsets of the user version and the application id in the file's header.
    let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    judge(path, number(68), number(60))
}

/// Looks at an open file. The log beside it may know more than its first bytes.
pub(crate) fn look_inside(path: &Path, connection: &Connection) -> Result<State, OpenError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let both = pragma("application_id").and_then(|id| Ok((id, pragma("user_version")?)));
    let (id, format) = both.map_err(|error| OpenError::sqlite(path, error))?;
    if judge(path, id.cast_unsigned(), format.cast_unsigned())? == State::Ours {
        return Ok(State::Ours);
    }
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    match tables.map_err(|error| OpenError::sqlite(path, error))? {
        0 => Ok(State::Empty),
        _ => Err(OpenError::NotOurs(path.into())),
    }
}

fn judge(path: &Path, application: u32, format: u32) -> Result<State, OpenError> {
    match (application, format) {
        (APPLICATION, FORMAT) => Ok(State::Ours),
        (APPLICATION, found) => Err(OpenError::Newer { found, known: FORMAT }),
        // Also what is left when we died right after making the file.
        (0, 0) => Ok(State::Empty),
        _ => Err(OpenError::NotOurs(path.into())),
    }
}

/// Makes the tables in an empty file, all or none.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES}
         PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
    ))
}

//! The tables, and how to tell our file from others.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use fleet_deliberation::Digest;
use rusqlite::{Connection, params};

use crate::OpenError;
use crate::error::Nonsense;

/// The file of state in its directory.
pub(crate) const FILE: &str = "fleet.db";

/// What SQLite adds to the name of a file for the log beside it,
pub(crate) const LOG: &str = "-wal";

/// and for the index of the log.
pub(crate) const LOG_INDEX: &str = "-shm";

/// The format this version writes. Every earlier one is read, and taken over when it is opened for writing:
///
/// 1. held histories of deliberations only, in records of form 1. Its tables are the same.
/// 2. holds histories of councils besides, and records of forms 2 and 3.
/// 3. holds the head of every history, how many histories there are, and a digest with every answer.
///
/// An earlier version would take the new histories and records for damaged, so it is told at once.
pub(crate) const FORMAT: u32 = 3;

/// The oldest format that is read.
const FORMAT_MIN: u32 = 1;

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

/// What format 3 has besides, to have changes noticed (`verify.rs`): how many records a history has and the hash
/// of the last one, in the row that is written anyway when it is opened and when it ends; whether its answers
/// were forgotten, so that it is next; the hash of each answer; and, as a mark, how many histories there are.
const SINCE_3: &str = "
ALTER TABLE histories ADD COLUMN records INTEGER NOT NULL DEFAULT 0;
ALTER TABLE histories ADD COLUMN head BLOB;
ALTER TABLE histories ADD COLUMN leaving INTEGER NOT NULL DEFAULT 0;
ALTER TABLE answers ADD COLUMN digest BLOB;
INSERT INTO marks (name, value) SELECT 'histories', count(*) FROM histories;
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
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return nothing(path),
        Err(error) => return Err(OpenError::read(path, error)),
    };
    let mut head = Vec::with_capacity(100);
    file.by_ref().take(100).read_to_end(&mut head).map_err(|error| OpenError::read(path, error))?;
    if head.is_empty() {
        return nothing(path);
    }
    if head.len() < 100 || !head.starts_with(b"SQLite format 3\0") {
        return Err(OpenError::NotOurs(path.into()));
    }
    // Offsets of the user version and the application id in the file's header.
    let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let state = judge(path, number(68), number(60))?;
    let bytes = file.metadata().map_err(|error| OpenError::read(path, error))?.len();
    // 1 says 65,536, which two bytes cannot. What a crash cut off is in the log; without a log it is lost,
    // and SQLite would read zeros there.
    let page = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 65_536,
        page => u64::from(page),
    };
    if state == State::Ours && bytes % page.max(1) != 0 && !has_bytes(&beside(path, LOG)) {
        return Err(OpenError::Damaged(path.into(), Nonsense("its last page is cut off".into()).into()));
    }
    Ok(state)
}

/// Whether the header of a SQLite file says that a log may stand beside it.
pub(crate) fn has_log(path: &Path) -> std::io::Result<bool> {
    // The versions to write and to read by; 2 is the write-ahead log.
    let mut head = [0; 20];
    File::open(path)?.read_exact(&mut head)?;
    Ok(head[18..] != [1, 1])
}

/// Judges a file that is not there or has nothing in it. A log beside it holds what was in it, and SQLite
/// would throw that away.
fn nothing(path: &Path) -> Result<State, OpenError> {
    let log = beside(path, LOG);
    if has_bytes(&log) {
        let orphan = Nonsense(format!("{} holds data that belongs to it, and it holds none", log.display()));
        return Err(OpenError::Damaged(path.into(), orphan.into()));
    }
    Ok(State::Empty)
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

fn has_bytes(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.len() > 0)
}

/// The name of a file that belongs to the one at `path`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn judge(path: &Path, application: u32, format: u32) -> Result<State, OpenError> {
    match (application, format) {
        (APPLICATION, FORMAT_MIN..=FORMAT) => Ok(State::Ours),
        (APPLICATION, found) => Err(OpenError::Newer { path: path.into(), found, known: FORMAT }),
        // Also what is left when we died right after making the file.
        (0, 0) => Ok(State::Empty),
        _ => Err(OpenError::NotOurs(path.into())),
    }
}

/// Takes a file of an earlier format over, all of it or nothing. Records stay as they are: each says which form
/// it has. What is there is taken for what was written; answers from before have no digest.
pub(crate) fn take_over(connection: &Connection) -> rusqlite::Result<()> {
    let format: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format < FORMAT {
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {SINCE_3}"))?;
        write_heads(connection)?;
        connection.pragma_update(None, "user_version", FORMAT)?;
        connection.execute_batch("COMMIT")?;
        tracing::info!(format, now = FORMAT, "the state was taken over from an earlier version");
    }
    Ok(())
}

/// Writes the head of every history from its last record.
fn write_heads(connection: &Connection) -> rusqlite::Result<()> {
    let mut last = connection.prepare(
        "SELECT history, sequence, body FROM records
         WHERE sequence = (SELECT max(sequence) FROM records AS other WHERE other.history = records.history)",
    )?;
    let mut head = connection.prepare("UPDATE histories SET records = ?2, head = ?3 WHERE key = ?1")?;
    let mut rows = last.query([])?;
    while let Some(row) = rows.next()? {
        let (key, records): (i64, i64) = (row.get(0)?, row.get(1)?);
        let digest = Digest::of(row.get_ref(2)?.as_blob()?);
        head.execute(params![key, records, digest.as_bytes()])?;
    }
    Ok(())
}

/// Makes the tables in an empty file, all or none.
pub(crate) fn create(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} {SINCE_3}
         PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
    ))
}

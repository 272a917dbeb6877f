//! Whether what is stored is as it was written: the chain of hashes over the records of every history, the
//! heads, the count of histories, and the digests of answers.
//!
//! It reads in one transaction, while others may write, and changes nothing. It finds what changes by
//! accident or by a careless hand. It is no signature: whoever computes all hashes anew is not found.

mod answers;
mod chain;
mod histories;

use std::fmt;
use std::path::{Path, PathBuf};

use fleet_orchestrator::port::Source;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::backup::{Step, Watch};
use crate::error::said;
use crate::number::unsigned;
use crate::schema::{self, State};
use crate::{OpenError, connection};

/// The most findings that are kept; beyond it they are counted.
pub const FINDINGS_MAX: usize = 1_000;

/// What a file of state holds, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// The format of the file. Before 3 there are neither heads nor digests of answers, nor is the number of
    /// histories known.
    pub format: u32,
    /// Histories that were looked at.
    pub histories: u64,
    /// Records that were looked at.
    pub records: u64,
    /// Answers that were looked at.
    pub answers: u64,
    /// Answers that have no digest, as an earlier version recorded them: they were only read.
    pub answers_without_digest: u64,
    /// Answers of deliberations that have no history, where no history is missing: they came after it was
    /// forgotten.
    pub answers_left_over: u64,
    /// Histories that are being forgotten: their answers are gone already.
    pub leaving: u64,
    /// What is wrong, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub findings_left_out: u64,
}

impl Verified {
    /// Whether all of it is as it was written.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    fn found(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.findings_left_out += 1;
        }
    }
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The history, such as `deliberation:ID` or `council:ROLE`; `None` if it is about the whole file.
    pub history: Option<String>,
    /// The record in the history, from 1.
    pub sequence: Option<u64>,
    /// The job, where it is about an answer.
    pub job: Option<String>,
    /// What is wrong.
    pub fault: Fault,
    /// What it was told by.
    pub detail: String,
}

impl Finding {
    fn of_file(fault: Fault, detail: impl Into<String>) -> Finding {
        Finding { history: None, sequence: None, job: None, fault, detail: detail.into() }
    }

    fn of_history(history: &str, fault: Fault, detail: impl Into<String>) -> Finding {
        Finding { history: Some(history.into()), ..Finding::of_file(fault, detail) }
    }
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The bytes are not those that were written.
    Altered,
    /// It cannot be read.
    Unreadable,
    /// It is not there.
    Missing,
    /// It was at the end of its history, and is not there.
    CutOff,
    /// It stands in another's place.
    Reordered,
    /// The program did not write it.
    Added,
}

impl Fault {
    /// The fault in a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::Altered => "altered",
            Fault::Unreadable => "unreadable",
            Fault::Missing => "missing",
            Fault::CutOff => "cut_off",
            Fault::Reordered => "reordered",
            Fault::Added => "added",
        }
    }

    /// What the fault means.
    #[must_use]
    pub const fn means(self) -> &'static str {
        match self {
            Fault::Altered => "its bytes are not those that were written",
            Fault::Unreadable => "it cannot be read",
            Fault::Missing => "it was there and is not any more",
            Fault::CutOff => "the end of the history is not there any more",
            Fault::Reordered => "it stands in another's place",
            Fault::Added => "it was put there by something else than the program",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no state, or it cannot be opened.
    #[error(transparent)]
    State(#[from] OpenError),
    /// The disk does not give what is stored.
    #[error("{} cannot be read to its end", .0.display())]
    NotReadable(PathBuf, #[source] Source),
    /// It was told to end.
    #[error("interrupted")]
    Interrupted,
}

/// Holds the state in `dir` against its hashes; others may work on it meanwhile.
pub fn verify(dir: &Path, watch: &Watch) -> Result<Verified, VerifyError> {
    look(&connection::reader(dir)?, &dir.join(schema::FILE), watch)
}

/// Holds a file of state, such as a backup, against its hashes.
pub fn verify_file(file: &Path, watch: &Watch) -> Result<Verified, VerifyError> {
    let there = file.try_exists().map_err(|error| OpenError::read(file, error))?;
    if !there {
        return Err(OpenError::Missing(file.into()).into());
    }
    if schema::look(file)? == State::Empty {
        return Err(OpenError::NotOurs(file.into()).into());
    }
    let connection = connection::plain(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if schema::look_inside(file, &connection)? == State::Empty {
        return Err(OpenError::NotOurs(file.into()).into());
    }
    look(&connection, file, watch)
}

fn look(connection: &Connection, path: &Path, watch: &Watch) -> Result<Verified, VerifyError> {
    let mut looking = Looking { connection, watch, done: 0, whole: 0, verified: Verified::default() };
    let looked = looking.all().or_else(|stop| match stop {
        Stop::Interrupted => Err(VerifyError::Interrupted),
        Stop::Sqlite(error) if is_damage(&error) => {
            looking.verified.found(Finding::of_file(Fault::Unreadable, error.to_string()));
            Ok(())
        }
        Stop::Sqlite(error) => Err(VerifyError::NotReadable(path.into(), said(&error))),
    });
    looked.map(|()| looking.verified)
}

/// Why a look came to no end.
enum Stop {
    Interrupted,
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Stop {
        Stop::Sqlite(error)
    }
}

/// Whether it is the file that is broken, not the disk or the way to it.
fn is_damage(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::Utf8Error(..) => true,
        _ => matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)),
    }
}

/// A look at a file, and what it has found so far.
struct Looking<'a> {
    connection: &'a Connection,
    watch: &'a Watch,
    done: u64,
    whole: u64,
    verified: Verified,
}

impl Looking<'_> {
    fn all(&mut self) -> Result<(), Stop> {
        // One moment for all of it, whatever is written meanwhile.
        self.connection.execute_batch("BEGIN")?;
        self.verified.format = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let count = |table: &str| {
            let sql = format!("SELECT count(*) FROM {table}");
            self.connection.query_row(&sql, [], |row| unsigned(row, 0))
        };
        self.whole = count("records")? + count("answers")?;
        self.histories()?;
        self.left_over()?;
        self.pages()?;
        self.connection.execute_batch("COMMIT")?;
        Ok(())
    }

    /// Whether the tables and their indexes are sound, by SQLite's own look.
    fn pages(&mut self) -> Result<(), Stop> {
        self.watched(Step::Checking)?;
        let mut look = self.connection.prepare("PRAGMA integrity_check(20)")?;
        let said: Vec<String> = look.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        for sentence in said.into_iter().filter(|sentence| sentence != "ok") {
            self.verified.found(Finding::of_file(Fault::Unreadable, sentence));
        }
        Ok(())
    }

    /// Whether heads, counts and digests are there.
    fn has_heads(&self) -> bool {
        self.verified.format >= 3
    }

    fn one_more(&mut self) -> Result<(), Stop> {
        self.done += 1;
        match self.done % 64 {
            0 => self.watched(Step::Verifying { done: self.done, whole: self.whole }),
            _ => Ok(()),
        }
    }

    fn watched(&self, step: Step) -> Result<(), Stop> {
        if (self.watch)(step).is_break() { Err(Stop::Interrupted) } else { Ok(()) }
    }
}

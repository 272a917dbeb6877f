//! Connections to the file of state, each set up for its use.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::schema::{self, State};
use crate::{OpenError, directory, restore};

/// Statements a connection keeps prepared; more than there are.
const STATEMENTS_MAX: usize = 64;

/// Kibibytes of pages the writer keeps in memory. Below, misses of indexes in random order begin to
/// show.
const WRITER_CACHE_KIB: i64 = 32 * 1024;

/// Kibibytes of pages each reader keeps in memory; what it reads often is cached above SQLite.
const READER_CACHE_KIB: i64 = 8 * 1024;

/// How long a connection waits for another one's lock. Only opening and checkpoints ever need one.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Opens the file for writing; makes it, and the directory it is in, where there is none.
pub(crate) fn writer(dir: &Path, pages_max: Option<u32>) -> Result<Connection, OpenError> {
    directory::make(dir)?;
    let path = dir.join(schema::FILE);
    let mut state = schema::look(&path)?;
    let was_there = is_there(&path)?;
    if was_there {
        state = schema::look_inside(&path, &plain(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?)?;
    } else {
        // Made here and not by SQLite, which would let others read prompts and answers.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.map_err(|error| OpenError::io(&path, error))?;
    }
    let opened = set_up(&path, &state, pages_max);
    if opened.is_err() && !was_there {
        // What could not be made whole, as on a full disk, is not left behind in parts.
        for suffix in ["", schema::LOG, schema::LOG_INDEX] {
            _ = fs::remove_file(schema::beside(&path, suffix));
        }
    }
    opened
}

fn set_up(path: &Path, state: &State, pages_max: Option<u32>) -> Result<Connection, OpenError> {
    let connection = plain(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let set_up = || -> rusqlite::Result<()> {
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        // Every commit is synced before anyone hears of it.
        connection.pragma_update(None, "synchronous", "full")?;
        // Checkpoints are made beside the writer; see `checkpoint.rs`.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        match state {
            State::Empty => schema::create(&connection)?,
            State::Ours => schema::take_over(&connection)?,
        }
        if let Some(pages) = pages_max {
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
        }
        Ok(())
    };
    set_up().map_err(|error| OpenError::sqlite(path, error))?;
    Ok(connection)
}

/// Opens the file for reading, while others may write.
pub(crate) fn reader(dir: &Path) -> Result<Connection, OpenError> {
    let path = dir.join(schema::FILE);
    if is_there(&dir.join(restore::STAGED))? {
        return Err(OpenError::Restoring(dir.into()));
    }
    schema::look(&path)?;
    if !is_there(&path)? {
        return Err(OpenError::Missing(path));
    }
    let connection = plain(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if schema::look_inside(&path, &connection)? == State::Empty {
        return Err(OpenError::Missing(path));
    }
    let set_up = connection.pragma_update(None, "cache_size", -READER_CACHE_KIB);
    set_up.map_err(|error| OpenError::sqlite(&path, error))?;
    Ok(connection)
}

/// Opens the file for checkpoints.
pub(crate) fn checkpointer(dir: &Path) -> Result<Connection, OpenError> {
    plain(&dir.join(schema::FILE), OpenFlags::SQLITE_OPEN_READ_WRITE)
}

fn is_there(path: &Path) -> Result<bool, OpenError> {
    path.try_exists().map_err(|error| OpenError::read(path, error))
}

/// Opens a file as all are, whatever it is for.
pub(crate) fn plain(path: &Path, access: OpenFlags) -> Result<Connection, OpenError> {
    let open = || {
        let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.pragma_update(None, "foreign_keys", false)?;
        // Looking at a file must not change it, and closing is done in an order of our own.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        // A plan does not depend on what is bound: else, with partial indexes about, most statements are
        // prepared anew each time.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(connection)
    };
    open().map_err(|error| OpenError::sqlite(path, error))
}

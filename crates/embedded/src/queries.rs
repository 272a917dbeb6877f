//! What is read from the tables.

use std::sync::Arc;

use bytes::Bytes;
use fleet_deliberation::{Answer, JobId, Timestamp};
use fleet_orchestrator::port::{
    Entry, HistoryId, HistoryInfo, Listing, Position, Sequence, StoreError, Stored,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::{Nonsense, store_error};
use crate::jobs_of::jobs_of;
use crate::number::{signed, unsigned};
use crate::recent::At;

/// The bytes after which a look behind a position reads no further: a follower of a long log with large
/// records takes it in parts.
const TAIL_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The records of a history behind `after`.
pub(crate) fn read(
    connection: &Connection,
    history: &HistoryId,
    after: Sequence,
) -> Result<Vec<Stored>, StoreError> {
    let sql = "SELECT position, id, sequence, at, ends, body FROM histories JOIN records ON history = key
               WHERE id = ?1 AND sequence > ?2 ORDER BY sequence";
    let records = collect(connection, sql, params![history.as_str(), signed(after.0)], stored)?;
    // Sequences are given one by one, so a gap is a record that was lost.
    for (expected, record) in (after.0 + 1..).zip(&records) {
        if record.sequence.0 != expected {
            let missing = Nonsense(format!("there is no record {expected}, but later ones"));
            return Err(StoreError::Corrupt(Sequence(expected), missing.into()));
        }
    }
    Ok(records)
}

/// Up to `limit` records behind a position.
pub(crate) fn records_behind(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<At<Stored>>, StoreError> {
    let sql = "SELECT position, id, sequence, at, ends, body FROM records JOIN histories ON history = key
               WHERE position > ?1 ORDER BY position LIMIT ?2";
    let records = some(connection, sql, after, limit, |row| {
        let record = stored(row)?;
        Ok((record.entry.body.len(), record))
    })?;
    Ok(records.into_iter().map(|record| (record.position.0, record)).collect())
}

/// The answer of a job, and the size of what it was read from.
pub(crate) fn find(connection: &Connection, job: &JobId) -> Result<Option<(Arc<Answer>, usize)>, StoreError> {
    let find = || {
        connection
            .prepare_cached("SELECT position, body FROM answers WHERE job = ?1")?
            .query_row([job.to_string()], |row| Ok((unsigned(row, 0)?, row.get::<_, Vec<u8>>(1)?)))
            .optional()
    };
    match find().map_err(|error| store_error(&error))? {
        Some((position, body)) => Ok(Some((answer(position, &body)?, body.len()))),
        None => Ok(None),
    }
}

/// Up to `limit` answers behind a position.
pub(crate) fn answers_behind(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<At<Arc<Answer>>>, StoreError> {
    let sql = "SELECT position, body FROM answers WHERE position > ?1 ORDER BY position LIMIT ?2";
    let rows = some(connection, sql, after, limit, |row| {
        let body: Vec<u8> = row.get(1)?;
        Ok((body.len(), (unsigned(row, 0)?, body)))
    })?;
    rows.into_iter().map(|(position, body)| Ok((position, answer(position, &body)?))).collect()
}

/// The histories a listing asks for.
///
/// Histories are numbered as they are opened, which also orders those opened in the same millisecond.
pub(crate) fn histories(connection: &Connection, listing: Listing) -> Result<Vec<HistoryInfo>, StoreError> {
    match listing {
        Listing::Open(kind) => {
            let sql = "SELECT id, opened_at, ended_at FROM histories
                       WHERE ended_at IS NULL AND substr(id, 1, ?1) = ?2 ORDER BY key";
            collect(connection, sql, params![signed(kind.prefix().len() as u64), kind.prefix()], info)
        }
        Listing::Newest { kind, limit } => {
            let sql = "SELECT id, opened_at, ended_at FROM histories
                       WHERE substr(id, 1, ?1) = ?2 ORDER BY key DESC LIMIT ?3";
            let (prefix, limit) = (signed(kind.prefix().len() as u64), signed(limit as u64));
            collect(connection, sql, params![prefix, kind.prefix(), limit], info)
        }
        Listing::Expired { ended_before, bytes_max, limit } => {
            expired(connection, ended_before, bytes_max, limit).map_err(|error| store_error(&error))
        }
    }
}

/// The size of the store is that of its pages in use: it needs no bookkeeping, and it is what fills a
/// disk. What a history gives back is counted by the text it takes along, which is a little less.
fn expired(
    connection: &Connection,
    ended_before: Timestamp,
    bytes_max: u64,
    limit: usize,
) -> rusqlite::Result<Vec<HistoryInfo>> {
    let mut excess = bytes_in_use(connection)?.saturating_sub(bytes_max);
    let mut ended = connection.prepare_cached(
        "SELECT id, opened_at, ended_at, bytes FROM histories WHERE ended_at IS NOT NULL
         ORDER BY ended_at, key",
    )?;
    let mut rows = ended.query([])?;
    let mut named = Vec::new();
    while named.len() < limit
        && let Some(row) = rows.next()?
    {
        let history = info(row)?;
        let is_old = history.ended_at.is_some_and(|ended_at| ended_at < ended_before);
        if !is_old && excess == 0 {
            break;
        }
        if excess > 0 {
            let bytes = unsigned(row, 3)? + bytes_of_answers(connection, &history.id)?;
            excess = excess.saturating_sub(bytes);
        }
        named.push(history);
    }
    Ok(named)
}

fn bytes_in_use(connection: &Connection) -> rusqlite::Result<u64> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| unsigned(row, 0));
    Ok((pragma("page_count")?.saturating_sub(pragma("freelist_count")?)) * pragma("page_size")?)
}

fn bytes_of_answers(connection: &Connection, history: &HistoryId) -> rusqlite::Result<u64> {
    let Some(deliberation) = history.as_deliberation() else { return Ok(0) };
    let jobs = jobs_of(&deliberation);
    connection
        .prepare_cached("SELECT coalesce(sum(length(body)), 0) FROM answers WHERE job >= ?1 AND job < ?2")?
        .query_row([jobs.from, jobs.to], |row| unsigned(row, 0))
}

fn collect<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let rows = || connection.prepare_cached(sql)?.query_map(parameters, map)?.collect::<Result<Vec<_>, _>>();
    rows().map_err(|error| store_error(&error))
}

/// Rows behind a position, up to `limit` and to [`TAIL_BYTES_MAX`]; `map` says how large each is.
fn some<T>(
    connection: &Connection,
    sql: &str,
    after: u64,
    limit: usize,
    map: impl Fn(&Row<'_>) -> rusqlite::Result<(usize, T)>,
) -> Result<Vec<T>, StoreError> {
    let rows = || {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![signed(after), signed(limit as u64)])?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        while bytes < TAIL_BYTES_MAX
            && let Some(row) = rows.next()?
        {
            let (size, row) = map(row)?;
            bytes += size;
            found.push(row);
        }
        Ok(found)
    };
    rows().map_err(|error| store_error(&error))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        position: Position(unsigned(row, 0)?),
        history: HistoryId::from_stored(row.get_ref(1)?.as_str()?),
        sequence: Sequence(unsigned(row, 2)?),
        entry: Entry {
            at: Timestamp(unsigned(row, 3)?),
            ends: row.get(4)?,
            body: Bytes::from(row.get::<_, Vec<u8>>(5)?),
        },
    })
}

fn info(row: &Row<'_>) -> rusqlite::Result<HistoryInfo> {
    let ended_at: Option<i64> = row.get(2)?;
    Ok(HistoryInfo {
        id: HistoryId::from_stored(row.get_ref(0)?.as_str()?),
        opened_at: Timestamp(unsigned(row, 1)?),
        ended_at: ended_at.map(|_| unsigned(row, 2)).transpose()?.map(Timestamp),
    })
}

fn answer(position: u64, body: &[u8]) -> Result<Arc<Answer>, StoreError> {
    serde_json::from_slice(body)
        .map(Arc::new)
        .map_err(|error| StoreError::Corrupt(Sequence(position), error.into()))
}

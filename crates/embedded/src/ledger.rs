//! What each write does to the tables, inside a transaction that takes many.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fleet_deliberation::{DeliberationId, Digest, Timestamp};
use fleet_orchestrator::chain;
use fleet_orchestrator::port::{Announcement, Entry, HistoryId, Position, Sequence, Stored};
use lru::LruCache;
use rusqlite::{Connection, OptionalExtension, params};

use crate::attempts::Change;
use crate::jobs_of::jobs_of;
use crate::number::{signed, unsigned};
use crate::write::Write;

/// The histories whose ends are known without asking SQLite: those in flight, and then some.
const HISTORIES_MAX: NonZeroUsize = NonZeroUsize::new(32_768).expect("not zero");

/// The tables as the writer sees them.
pub(crate) struct Ledger {
    connection: Connection,
    histories: LruCache<HistoryId, End>,
    given: Given,
    /// Whether the next commit is synced.
    syncs: bool,
}

/// The highest positions given so far; none is ever given twice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    pub(crate) records: u64,
    pub(crate) answers: u64,
    pub(crate) published: u64,
}

/// Where a history stands.
#[derive(Debug, Clone, Copy)]
struct End {
    key: i64,
    last: u64,
    ended: bool,
    /// Bytes of its records.
    bytes: u64,
    /// Whether its head is that of its last record. One that is not stays as it is: it shows that something
    /// was changed.
    has_head: bool,
}

/// What came of a write; it counts once the transaction is committed.
pub(crate) enum Applied {
    /// With the deliberation the record opens, if it opens one that has no answers.
    Appended(Stored, Option<DeliberationId>),
    Conflict,
    /// With the position of the answer.
    Recorded(u64),
    Already,
    /// With the position of the last record that went.
    HistoryForgotten(u64),
    /// With the position of the last answer that went.
    AnswersForgotten(u64),
    Published,
    Nothing,
}

/// What a transaction did.
pub(crate) struct Committed {
    pub(crate) applied: Vec<Applied>,
    pub(crate) given: Given,
    /// How long the commit took with its sync; none if there was nothing to sync.
    pub(crate) took: Option<Duration>,
}

impl Ledger {
    pub(crate) fn open(connection: Connection) -> rusqlite::Result<Ledger> {
        let highest = |table: &str, mark: &str| {
            let sql = format!(
                "SELECT max(coalesce((SELECT max(position) FROM {table}), 0),
                            coalesce((SELECT value FROM marks WHERE name = ?1), 0))"
            );
            connection.query_row(&sql, [mark], |row| unsigned(row, 0))
        };
        let given = Given {
            records: highest("records", RECORDS)?,
            answers: highest("answers", ANSWERS)?,
            published: highest("announcements", PUBLISHED)?,
        };
        Ok(Ledger { connection, histories: LruCache::new(HISTORIES_MAX), given, syncs: true })
    }

    pub(crate) fn given(&self) -> Given {
        self.given
    }

    /// The counts of attempts as they are stored.
    pub(crate) fn attempts(&self) -> rusqlite::Result<Vec<(String, u32)>> {
        let mut rows = self.connection.prepare("SELECT job, attempts FROM attempts")?;
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Does all of it with one sync, or none of it. Attempts alone are not synced: their counts have to
    /// outlive this process, which may die of the very job, and not a loss of power. The next sync takes
    /// them along.
    pub(crate) fn transact(&mut self, writes: &[Write], attempts: &[Change]) -> rusqlite::Result<Committed> {
        let before = self.given;
        let result = self.try_transact(writes, attempts);
        if result.is_err() {
            self.given = before;
            // These may speak of what was just undone.
            self.histories.clear();
            // Some errors end the transaction by themselves.
            if !self.connection.is_autocommit()
                && let Err(error) = self.execute("ROLLBACK")
            {
                tracing::warn!(error = chain(&error), "a transaction could not be undone");
            }
        }
        result
    }

    fn try_transact(&mut self, writes: &[Write], attempts: &[Change]) -> rusqlite::Result<Committed> {
        self.sync(writes.iter().any(Write::is_awaited))?;
        self.execute("BEGIN IMMEDIATE")?;
        let before = self.connection.total_changes();
        for change in attempts {
            self.attempt(change)?;
        }
        let applied: Vec<Applied> =
            writes.iter().map(|write| self.apply(write)).collect::<rusqlite::Result<_>>()?;
        let wrote = self.connection.total_changes() > before;
        let began = Instant::now();
        self.execute("COMMIT")?;
        Ok(Committed { applied, given: self.given, took: (wrote && self.syncs).then(|| began.elapsed()) })
    }

    fn sync(&mut self, syncs: bool) -> rusqlite::Result<()> {
        if self.syncs != syncs {
            self.execute(if syncs { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" })?;
            self.syncs = syncs;
        }
        Ok(())
    }

    fn apply(&mut self, write: &Write) -> rusqlite::Result<Applied> {
        match write {
            Write::Append { history, after, entry, digest, .. } => {
                self.append(history, *after, entry, *digest)
            }
            Write::ForgetHistory { history, .. } => self.forget_history(history),
            Write::Record { job, body, digest, .. } => self.record(job, body, *digest),
            Write::ForgetAnswers { deliberation, .. } => self.forget_answers(deliberation),
            Write::Publish { announcements, at, .. } => self.publish(announcements, *at),
            Write::Probe { .. } => self.mark(PROBE, 0).map(|()| Applied::Nothing),
            Write::Attempts | Write::Close => Ok(Applied::Nothing),
        }
    }

    fn append(
        &mut self,
        history: &HistoryId,
        after: Sequence,
        entry: &Entry,
        digest: Digest,
    ) -> rusqlite::Result<Applied> {
        let known = self.end_of(history)?;
        let (last, ended) = known.map_or((0, false), |end| (end.last, end.ended));
        if ended || last != after.0 {
            return Ok(Applied::Conflict);
        }
        let mut opens = None;
        let mut end = match known {
            Some(end) => end,
            None => {
                opens = self.without_answers(history)?;
                self.open_history(history, entry.at, digest)?
            }
        };
        end.last += 1;
        end.bytes += entry.body.len() as u64;
        end.ended = entry.ends;
        self.given.records += 1;
        let position = self.given.records;
        self.connection
            .prepare_cached(
                "INSERT INTO records (position, history, sequence, at, ends, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                signed(position),
                end.key,
                signed(end.last),
                signed(entry.at.0),
                entry.ends,
                &entry.body[..]
            ])?;
        if known.is_some() && end.has_head {
            self.connection
                .prepare_cached("UPDATE histories SET records = ?2, head = ?3 WHERE key = ?1")?
                .execute(params![end.key, signed(end.last), digest.as_bytes()])?;
        }
        if entry.ends {
            self.connection
                .prepare_cached("UPDATE histories SET ended_at = ?2, bytes = ?3 WHERE key = ?1")?
                .execute(params![end.key, signed(entry.at.0), signed(end.bytes)])?;
        }
        self.histories.put(history.clone(), end);
        let stored = Stored {
            position: Position(position),
            history: history.clone(),
            sequence: Sequence(end.last),
            entry: entry.clone(),
        };
        Ok(Applied::Appended(stored, opens))
    }

    /// Makes a history whose first record, with this hash, is about to be written.
    fn open_history(&mut self, history: &HistoryId, at: Timestamp, first: Digest) -> rusqlite::Result<End> {
        let key = self
            .connection
            .prepare_cached("INSERT INTO histories (id, opened_at, records, head) VALUES (?1, ?2, 1, ?3)")?
            .insert(params![history.as_str(), signed(at.0), first.as_bytes()])?;
        self.connection
            .prepare_cached("UPDATE marks SET value = value + 1 WHERE name = ?1")?
            .execute([HISTORIES])?;
        Ok(End { key, last: 0, ended: false, bytes: 0, has_head: true })
    }

    fn end_of(&mut self, history: &HistoryId) -> rusqlite::Result<Option<End>> {
        if let Some(end) = self.histories.get(history) {
            return Ok(Some(*end));
        }
        let found = self
            .connection
            .prepare_cached(
                "SELECT key, coalesce(max(sequence), 0), ended_at IS NOT NULL,
                        coalesce(sum(length(body)), 0),
                        (SELECT body FROM records WHERE history = key ORDER BY sequence DESC LIMIT 1), head
                 FROM histories LEFT JOIN records ON history = key WHERE id = ?1 GROUP BY key",
            )?
            .query_row([history.as_str()], |row| {
                let last = row.get_ref(4)?.as_blob_or_null()?;
                let digest = last.map_or_else(Digest::default, Digest::of);
                Ok(End {
                    key: row.get(0)?,
                    last: unsigned(row, 1)?,
                    ended: row.get(2)?,
                    bytes: unsigned(row, 3)?,
                    has_head: Some(digest.as_bytes().as_slice()) == row.get_ref(5)?.as_blob_or_null()?,
                })
            })
            .optional()?;
        if let Some(end) = found {
            self.histories.put(history.clone(), end);
        }
        Ok(found)
    }

    /// The deliberation of a history, if it is one's and there is no answer to any job of it.
    fn without_answers(&mut self, history: &HistoryId) -> rusqlite::Result<Option<DeliberationId>> {
        let Some(deliberation) = history.as_deliberation() else { return Ok(None) };
        let jobs = jobs_of(&deliberation);
        let some: bool = self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM answers WHERE job >= ?1 AND job < ?2)")?
            .query_row([jobs.from, jobs.to], |row| row.get(0))?;
        Ok((!some).then_some(deliberation))
    }

    fn forget_history(&mut self, history: &HistoryId) -> rusqlite::Result<Applied> {
        let Some(end) = self.end_of(history)? else { return Ok(Applied::Nothing) };
        if !end.ended {
            return Ok(Applied::Conflict);
        }
        let last = self
            .connection
            .prepare_cached("SELECT coalesce(max(position), 0) FROM records WHERE history = ?1")?
            .query_row([end.key], |row| unsigned(row, 0))?;
        for sql in [
            // An announcement stands for a record and goes with it.
            "DELETE FROM announcements WHERE position IN (SELECT position FROM records WHERE history = ?1)",
            "DELETE FROM records WHERE history = ?1",
            "DELETE FROM histories WHERE key = ?1",
        ] {
            self.connection.prepare_cached(sql)?.execute([end.key])?;
        }
        self.connection
            .prepare_cached("UPDATE marks SET value = value - 1 WHERE name = ?1")?
            .execute([HISTORIES])?;
        self.mark(RECORDS, self.given.records)?;
        self.mark(PUBLISHED, self.given.published)?;
        self.histories.pop(history);
        Ok(Applied::HistoryForgotten(last))
    }

    fn record(&mut self, job: &str, body: &Bytes, digest: Digest) -> rusqlite::Result<Applied> {
        let position = self.given.answers + 1;
        let added = self
            .connection
            .prepare_cached(
                "INSERT INTO answers (position, job, body, digest) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (job) DO NOTHING",
            )?
            .execute(params![signed(position), job, &body[..], digest.as_bytes()])?;
        if added == 0 {
            return Ok(Applied::Already);
        }
        self.given.answers = position;
        Ok(Applied::Recorded(position))
    }

    fn forget_answers(&mut self, deliberation: &DeliberationId) -> rusqlite::Result<Applied> {
        let jobs = jobs_of(deliberation);
        let range = [&jobs.from, &jobs.to];
        let last = self
            .connection
            .prepare_cached("SELECT coalesce(max(position), 0) FROM answers WHERE job >= ?1 AND job < ?2")?
            .query_row(range, |row| unsigned(row, 0))?;
        self.connection.prepare_cached("DELETE FROM answers WHERE job >= ?1 AND job < ?2")?.execute(range)?;
        if last > 0 {
            self.mark(ANSWERS, self.given.answers)?;
            // Its history goes next; what is missing in between was not taken away by others.
            self.connection
                .prepare_cached("UPDATE histories SET leaving = 1 WHERE id = ?1")?
                .execute([HistoryId::deliberation(deliberation).as_str()])?;
        }
        Ok(Applied::AnswersForgotten(last))
    }

    fn publish(
        &mut self,
        announcements: &[(Announcement, Position)],
        at: Timestamp,
    ) -> rusqlite::Result<Applied> {
        for (announcement, position) in announcements {
            let added = self
                .connection
                .prepare_cached(
                    "INSERT INTO announcements (id, subject, position, at, body) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (id) DO NOTHING",
                )?
                .execute(params![
                    announcement.id,
                    announcement.subject,
                    signed(position.0),
                    signed(at.0),
                    &announcement.body[..]
                ])?;
            if added > 0 {
                self.given.published = self.given.published.max(position.0);
            }
        }
        Ok(Applied::Published)
    }

    fn attempt(&mut self, (job, attempts): &Change) -> rusqlite::Result<()> {
        let changed = match attempts {
            Some(attempts) => self
                .connection
                .prepare_cached(
                    "INSERT INTO attempts (job, attempts) VALUES (?1, ?2)
                     ON CONFLICT (job) DO UPDATE SET attempts = excluded.attempts",
                )?
                .execute(params![job, attempts])?,
            None => self.connection.prepare_cached("DELETE FROM attempts WHERE job = ?1")?.execute([job])?,
        };
        debug_assert!(changed <= 1, "a job has one row");
        Ok(())
    }

    fn mark(&mut self, name: &str, value: u64) -> rusqlite::Result<()> {
        let mut mark = self
            .connection
            .prepare_cached("INSERT INTO marks (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")?;
        mark.execute(params![name, signed(value)]).map(|_| ())
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }
}

const RECORDS: &str = "records";
const ANSWERS: &str = "answers";
const PUBLISHED: &str = "published";
const PROBE: &str = "probe";
const HISTORIES: &str = "histories";

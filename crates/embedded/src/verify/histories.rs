//! Every history: its records, its head, and how many histories there are.

use fleet_deliberation::{
    CouncilEvent, DeliberationId, Digest, Event, HourEvent, JobId, Record, RecordError, Timestamp,
};
use fleet_orchestrator::named;
use fleet_orchestrator::port::{HistoryId, HistoryKind};
use rusqlite::{OptionalExtension, Row};

use super::chain::{self, Head, Link};
use super::{Fault, Finding, Looking, Stop, is_damage};
use crate::number::unsigned;

/// A row of the table of histories.
struct Listed {
    key: i64,
    id: String,
    ended_at: Option<i64>,
    head: Option<Head>,
    leaving: bool,
}

/// What is left of a history once its records were read.
#[derive(Default)]
pub(super) struct Read {
    /// The jobs whose answers its records rest on, each with the record.
    pub(super) named: Vec<(u64, JobId)>,
    /// Whether its answers were forgotten, and it is next.
    pub(super) leaving: bool,
}

/// A record as it is stored.
struct Stored {
    position: u64,
    sequence: u64,
    at: u64,
    ends: bool,
    body: Vec<u8>,
}

/// What the bytes of a record say.
struct Said {
    previous: Digest,
    at: Timestamp,
    ends: bool,
    opens: Option<DeliberationId>,
    named: Vec<JobId>,
}

impl Looking<'_> {
    pub(super) fn histories(&mut self) -> Result<(), Stop> {
        let connection = self.connection;
        let sql = match self.has_heads() {
            true => "SELECT key, id, ended_at, records, head, leaving FROM histories ORDER BY key",
            false => "SELECT key, id, ended_at, 0, NULL, FALSE FROM histories ORDER BY key",
        };
        let mut listed = connection.prepare(sql)?;
        let mut rows = listed.query([])?;
        while let Some(row) = rows.next()? {
            let (records, digest) = (unsigned(row, 3)?, row.get::<_, Option<[u8; 32]>>(4)?);
            let head = digest.map(|digest| Head { records, digest: Digest::from_bytes(digest) });
            let listed = Listed {
                key: row.get(0)?,
                id: row.get(1)?,
                ended_at: row.get(2)?,
                head,
                leaving: row.get(5)?,
            };
            self.verified.histories += 1;
            match self.history(&listed) {
                // What is broken in one place says nothing about others.
                Err(Stop::Sqlite(error)) if is_damage(&error) => {
                    let finding = Finding::of_history(&listed.id, Fault::Unreadable, error.to_string());
                    self.verified.found(finding);
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn history(&mut self, listed: &Listed) -> Result<(), Stop> {
        let read = self.records(listed)?;
        if let Some(deliberation) = HistoryId::from_stored(&listed.id).as_deliberation() {
            self.answers_of(&listed.id, &deliberation, &read)?;
        }
        Ok(())
    }

    fn records(&mut self, listed: &Listed) -> Result<Read, Stop> {
        let Listed { key, id, ended_at, head, leaving } = listed;
        let connection = self.connection;
        let mut records = connection.prepare_cached(
            "SELECT position, sequence, at, ends, body FROM records WHERE history = ?1 ORDER BY sequence",
        )?;
        let mut rows = records.query([key])?;
        let (mut links, mut read, mut position, mut end) = (Vec::new(), Read::default(), 0, None);
        while let Some(row) = rows.next()? {
            let stored = stored(row)?;
            self.one_more()?;
            self.verified.records += 1;
            let digest = Digest::of(&stored.body);
            let said = said(id, &stored.body);
            let previous = said.as_ref().ok().map(|said| said.previous);
            links.push(Link { sequence: stored.sequence, digest, previous });
            let mut found = |fault, detail: String| {
                let sequence = Some(stored.sequence);
                self.verified.found(Finding { sequence, ..Finding::of_history(id, fault, detail) });
            };
            match said {
                Err(error) => found(Fault::Unreadable, error),
                Ok(said) => {
                    if (said.at.0, said.ends) != (stored.at, stored.ends) {
                        found(Fault::Altered, "its row says another time or end than its bytes".into());
                    }
                    let own = HistoryId::from_stored(id).as_deliberation();
                    if said.opens.is_some() && said.opens != own {
                        found(Fault::Reordered, "it opens another deliberation".into());
                    }
                    end = said.ends.then_some(stored.at);
                    read.named.extend(said.named.into_iter().map(|job| (stored.sequence, job)));
                }
            }
            if stored.position <= position {
                found(Fault::Reordered, "it stands in the log before the record before it".into());
            }
            position = stored.position;
        }
        read.leaving = *leaving;
        self.verified.leaving += u64::from(*leaving);
        if head.is_none() && self.has_heads() {
            self.verified.found(Finding::of_history(id, Fault::Missing, "its head is not there"));
        }
        for (sequence, fault) in chain::faults(&links, *head) {
            let sequence = Some(sequence);
            let detail = told_by(fault).to_owned();
            self.verified.found(Finding { sequence, ..Finding::of_history(id, fault, detail) });
        }
        if links.is_empty() && !self.has_heads() {
            self.verified.found(Finding::of_history(id, Fault::Missing, "it has no records"));
        }
        // Where the end is cut off, that was said.
        let whole = head.is_none_or(|head| links.last().is_some_and(|link| link.sequence == head.records));
        if whole && !links.is_empty() && end != ended_at.and_then(|at| u64::try_from(at).ok()) {
            let detail = "its row says another end than its records";
            self.verified.found(Finding::of_history(id, Fault::Altered, detail));
        }
        Ok(read)
    }

    /// What is there without its history, and histories that are missing.
    pub(super) fn left_over(&mut self) -> Result<(), Stop> {
        let connection = self.connection;
        // The first record of a history says whose it is.
        let sql = "SELECT history, count(*),
                          (SELECT body FROM records AS first WHERE first.history = records.history
                           ORDER BY sequence LIMIT 1)
                   FROM records WHERE history NOT IN (SELECT key FROM histories) GROUP BY history";
        let mut orphans = connection.prepare(sql)?;
        let mut rows = orphans.query([])?;
        let mut gone = Vec::new();
        while let Some(row) = rows.next()? {
            let (key, records, first): (i64, u64, Vec<u8>) = (row.get(0)?, unsigned(row, 1)?, row.get(2)?);
            let detail = format!("{records} records stand under the number {key}, which no history has");
            let opened = <Record>::decode(&first).ok().and_then(|record| opens(&record));
            let history = opened.map(|id| HistoryId::deliberation(&id).as_str().to_owned());
            self.verified.found(match &history {
                Some(history) => Finding::of_history(history, Fault::Missing, detail),
                None => Finding::of_file(Fault::Missing, detail),
            });
            gone.push(history.unwrap_or_default());
        }
        let missing = match self.has_heads() {
            true => self.counted()?.saturating_sub(self.verified.histories + gone.len() as u64),
            false => 0,
        };
        self.answers_left_over(missing, &gone)
    }

    /// How many histories there are to be.
    fn counted(&mut self) -> Result<u64, Stop> {
        let sql = "SELECT value FROM marks WHERE name = 'histories'";
        let counted = self.connection.query_row(sql, [], |row| unsigned(row, 0)).optional()?;
        let Some(counted) = counted else {
            let detail = "the count of the histories is not there";
            self.verified.found(Finding::of_file(Fault::Missing, detail));
            return Ok(self.verified.histories);
        };
        if counted < self.verified.histories {
            let detail =
                format!("{counted} histories were written, and {} are there", self.verified.histories);
            self.verified.found(Finding::of_file(Fault::Added, detail));
        }
        Ok(counted)
    }
}

/// How a fault of a record was told.
const fn told_by(fault: Fault) -> &'static str {
    match fault {
        Fault::Altered => "its hash is not the one that the record after it, or the head, was given",
        Fault::Unreadable => "it cannot be read",
        Fault::Missing => "its sequence is missing between others",
        Fault::CutOff => "the head of the history counts it",
        Fault::Reordered => "the records make a chain in another order",
        Fault::Added => "the head of the history does not know it",
    }
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        position: unsigned(row, 0)?,
        sequence: unsigned(row, 1)?,
        at: unsigned(row, 2)?,
        ends: row.get(3)?,
        body: row.get(4)?,
    })
}

/// The deliberation that a record opens, if it opens one.
fn opens(record: &Record) -> Option<DeliberationId> {
    record.events.iter().find_map(|event| match event {
        Event::Opened(opened) => Some(opened.submission.id.clone()),
        _ => None,
    })
}

/// Reads a record of whatever kind its history is.
fn said(id: &str, body: &[u8]) -> Result<Said, String> {
    let unreadable = |error: RecordError| fleet_orchestrator::chain(&error);
    if id.starts_with(HistoryKind::Deliberation.prefix()) {
        let Some(deliberation) = HistoryId::from_stored(id).as_deliberation() else {
            return Err("its history has no name that a deliberation can have".into());
        };
        let record = <Record>::decode(body).map_err(unreadable)?;
        let opens = opens(&record);
        let named = record.events.iter().filter_map(|event| named(&deliberation, event)).collect();
        return Ok(Said { previous: record.previous, at: record.at, ends: record.ends(), opens, named });
    }
    if id.starts_with(HistoryKind::Council.prefix()) {
        let record = Record::<CouncilEvent>::decode(body).map_err(unreadable)?;
        let (previous, at) = (record.previous, record.at);
        return Ok(Said { previous, at, ends: false, opens: None, named: Vec::new() });
    }
    if id.starts_with(HistoryKind::Hour.prefix()) {
        let record = Record::<HourEvent>::decode(body).map_err(unreadable)?;
        let ends = record.events.contains(&HourEvent::Closed);
        return Ok(Said { previous: record.previous, at: record.at, ends, opens: None, named: Vec::new() });
    }
    Err("its history is of no kind that is known".into())
}

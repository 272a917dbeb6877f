//! What listings need to know of each history. Made of the log, and gone with the process.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fleet_deliberation::Timestamp;
use fleet_orchestrator::port::{HistoryId, HistoryInfo, HistoryKind};

use crate::message::{ENDS, Message, OPENS};

/// The index. It takes some 300 bytes a history.
#[derive(Default)]
pub(crate) struct Index {
    to: u64,
    /// How many records there are, of all histories.
    records: u64,
    histories: HashMap<HistoryId, Known>,
    /// Every history by its first record: the order in which they were opened.
    by_opening: BTreeMap<u64, HistoryId>,
    open: BTreeSet<u64>,
    /// By the time of the end, and by the first record.
    by_end: BTreeSet<(Timestamp, u64)>,
}

struct Known {
    first: u64,
    last: u64,
    opened_at: Timestamp,
    ended_at: Option<Timestamp>,
    records: u64,
    bytes: u64,
}

impl Index {
    /// The sequence up to which every record was taken in.
    pub(crate) fn to(&self) -> u64 {
        self.to
    }

    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// How many histories have ended.
    pub(crate) fn ended(&self) -> u64 {
        self.by_end.len() as u64
    }

    /// There is nothing more up to `to`.
    pub(crate) fn advance(&mut self, to: u64) {
        self.to = self.to.max(to);
    }

    /// Takes in the next record, decided at `at`.
    pub(crate) fn take(&mut self, history: HistoryId, at: Timestamp, record: &Message) {
        if record.header(OPENS).is_some() {
            // One of the same name was forgotten.
            self.remove(&history);
            self.by_opening.insert(record.sequence, history.clone());
            self.open.insert(record.sequence);
            let known = Known {
                first: record.sequence,
                last: 0,
                opened_at: at,
                ended_at: None,
                records: 0,
                bytes: 0,
            };
            self.histories.insert(history.clone(), known);
        }
        self.advance(record.sequence);
        // Not there: its beginning was forgotten before it could be read, and so is the rest of it.
        let Some(known) = self.histories.get_mut(&history) else { return };
        known.last = record.sequence;
        known.records += 1;
        known.bytes += (record.body.len() + record.subject.len()) as u64;
        self.records += 1;
        if record.header(ENDS).is_some() {
            known.ended_at = Some(at);
            self.open.remove(&known.first);
            self.by_end.insert((at, known.first));
        }
    }

    /// The next record is of no history.
    pub(crate) fn skip(&mut self, record: &Message) {
        self.advance(record.sequence);
        self.records += 1;
    }

    /// A history was forgotten up to its record at `last`.
    pub(crate) fn forget(&mut self, history: &HistoryId, last: u64) {
        if self.histories.get(history).is_some_and(|known| known.last <= last) {
            self.remove(history);
        }
    }

    /// Forgets what is not among these, which were read after everything that is known here. Each comes with the
    /// number of its records.
    pub(crate) fn keep(&mut self, there: impl Iterator<Item = (HistoryId, u64)>) {
        let there: HashMap<HistoryId, u64> = there.collect();
        let gone: Vec<HistoryId> =
            self.histories.keys().filter(|history| !there.contains_key(history)).cloned().collect();
        for history in gone {
            self.remove(&history);
        }
        for (history, known) in &mut self.histories {
            let records = there.get(history).copied().unwrap_or_default().min(known.records);
            self.records -= known.records - records;
            known.records = records;
        }
    }

    fn remove(&mut self, history: &HistoryId) {
        let Some(known) = self.histories.remove(history) else { return };
        self.records -= known.records;
        self.by_opening.remove(&known.first);
        self.open.remove(&known.first);
        if let Some(ended_at) = known.ended_at {
            self.by_end.remove(&(ended_at, known.first));
        }
    }

    /// What has not ended, the oldest first.
    pub(crate) fn open(&self, kind: HistoryKind) -> Vec<HistoryInfo> {
        self.open.iter().filter_map(|first| self.info(*first)).filter(|info| is_of(info, kind)).collect()
    }

    /// What was opened last, the newest first.
    pub(crate) fn newest(&self, kind: HistoryKind, limit: usize) -> Vec<HistoryInfo> {
        let infos = self.by_opening.keys().rev().filter_map(|first| self.info(*first));
        infos.filter(|info| is_of(info, kind)).take(limit).collect()
    }

    /// What ended before a moment, and of the rest as much as it takes to give back `excess` bytes, where each
    /// takes along `each` bytes beside its records. The oldest end first.
    pub(crate) fn expired(
        &self,
        ended_before: Timestamp,
        mut excess: u64,
        each: u64,
        limit: usize,
    ) -> Vec<HistoryInfo> {
        let mut named = Vec::new();
        for (ended_at, first) in &self.by_end {
            if named.len() == limit || (*ended_at >= ended_before && excess == 0) {
                break;
            }
            let Some(history) = self.by_opening.get(first) else { continue };
            let bytes = self.histories.get(history).map_or(0, |known| known.bytes);
            excess = excess.saturating_sub(bytes.saturating_add(each));
            named.extend(self.info(*first));
        }
        named
    }

    fn info(&self, first: u64) -> Option<HistoryInfo> {
        let id = self.by_opening.get(&first)?.clone();
        let known = self.histories.get(&id)?;
        Some(HistoryInfo { id, opened_at: known.opened_at, ended_at: known.ended_at })
    }
}

fn is_of(info: &HistoryInfo, kind: HistoryKind) -> bool {
    info.id.as_str().starts_with(kind.prefix())
}

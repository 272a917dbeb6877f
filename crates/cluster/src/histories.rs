//! Listings of histories: an index in memory, brought to where the log stands before each answer.

use std::sync::Arc;
use std::time::Duration;

use fleet_orchestrator::port::{HistoryId, HistoryInfo, Listing, StoreError};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::error::{Lost, readable, unavailable};
use crate::index::Index;
use crate::link::Link;
use crate::names::Names;
use crate::read::LIMIT_MAX;

/// The pause before a replica is asked again that lacks what the leader has.
const LACKS: Duration = Duration::from_millis(5);

pub(crate) struct Histories {
    link: Link,
    names: Arc<Names>,
    index: Mutex<Index>,
}

impl Histories {
    pub(crate) fn new(link: Link, names: Arc<Names>) -> Histories {
        Histories { link, names, index: Mutex::new(Index::default()) }
    }

    pub(crate) async fn list(&self, listing: Listing) -> Result<Vec<HistoryInfo>, StoreError> {
        // Someone else may be reading a log that does not answer, or for the first time.
        let mut index = self.link.within(self.index.lock()).await?;
        let log = self.link.state(self.names.log).await?.state;
        if log.last_sequence < index.to() {
            // Another log, or an older one: after a restore of what NATS keeps.
            *index = Index::default();
        }
        self.read_to(&mut index, log.last_sequence).await?;
        if log.messages != index.records() {
            // Someone else forgot histories.
            let there = self.link.subjects(self.names.log).await?;
            index.keep(
                there.iter().filter_map(|(subject, records)| {
                    Some((self.names.history_on(subject)?, *records as u64))
                }),
            );
        }
        match listing {
            Listing::Open(kind) => Ok(index.open(kind)),
            Listing::Newest { kind, limit } => Ok(index.newest(kind, limit)),
            Listing::Expired { ended_before, bytes_max, limit } => {
                let answers = self.link.state(self.names.answers).await?.state.bytes;
                let excess = log.bytes.saturating_add(answers).saturating_sub(bytes_max);
                // What a history's answers take is not known here; they share what there is.
                let answers_each = answers / index.ended().max(1);
                Ok(index.expired(ended_before, excess, answers_each, limit))
            }
        }
    }

    pub(crate) async fn forget(&self, history: &HistoryId, last: u64) {
        // Otherwise the next listing finds out by itself.
        if let Ok(mut index) = self.link.within(self.index.lock()).await {
            index.forget(history, last);
        }
    }

    /// Reads the log up to a sequence.
    async fn read_to(&self, index: &mut Index, end: u64) -> Result<(), StoreError> {
        let mut progressed = Instant::now();
        while index.to() < end {
            let records = self.link.behind(self.names.log, ">", index.to(), LIMIT_MAX).await?;
            if records.is_empty() {
                let next = self.link.first_behind(self.names.log, ">", index.to()).await?;
                match next.map(|record| record.sequence) {
                    // The leader has it, the replica that was asked does not yet.
                    Some(sequence) if sequence <= end => {
                        if progressed.elapsed() > Duration::from_millis(self.link.call_ms) {
                            return Err(unavailable(Lost::Late(self.link.call_ms)));
                        }
                        sleep(LACKS).await;
                    }
                    // What was up to the end is forgotten.
                    _ => index.advance(end),
                }
                continue;
            }
            progressed = Instant::now();
            for record in records.iter().take_while(|record| record.sequence <= end) {
                match (self.names.history_on(&record.subject), readable(record.at())) {
                    (Some(history), Some(at)) => index.take(history, at, record),
                    // A record of nobody, which must not hold up all others.
                    _ => index.skip(record),
                }
            }
            if records.iter().any(|record| record.sequence > end) {
                index.advance(end);
            }
        }
        Ok(())
    }
}

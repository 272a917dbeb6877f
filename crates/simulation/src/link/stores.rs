//! The log, the answers and the announcements, as a link reaches them.

use std::sync::Arc;

use async_trait::async_trait;
use fleet_deliberation::{Answer, DeliberationId, JobId};
use fleet_orchestrator::port::{
    Announcement, Announcements, Answers, Entry, EventStore, HistoryId, HistoryInfo, HistoryKind, Listing,
    Position, Recorded, Sequence, StoreError, Stored,
};

use super::{Link, unavailable};
use crate::invariants;
use crate::world::{History, State, Topic};

#[async_trait]
impl EventStore for Link {
    async fn append(
        &self,
        history: &HistoryId,
        after: Sequence,
        entry: Entry,
    ) -> Result<Sequence, StoreError> {
        self.operate(&format!("append {history} after {}", after.0), |state| {
            let last = state.histories.get(history).map_or(Sequence::default(), |known| known.last);
            let ended = state.histories.get(history).is_some_and(|known| known.ended_at.is_some());
            if last != after || ended {
                return Err(StoreError::Conflict);
            }
            // Sequences are not consecutive, as with a log that all histories share.
            let position = state.log.last().map_or(0, |stored| stored.position.0) + 1 + state.rng.below(2);
            let stored = Stored {
                position: Position(position),
                history: history.clone(),
                sequence: Sequence(position),
                entry,
            };
            let known = state.histories.entry(history.clone()).or_insert_with(|| History {
                last,
                opened_at: stored.entry.at,
                ended_at: None,
                digest: fleet_deliberation::Digest::default(),
                state: None,
            });
            known.last = stored.sequence;
            known.ended_at = stored.entry.ends.then_some(stored.entry.at);
            invariants::appended(state, &stored);
            state.log.push(stored);
            state.wake(Topic::Log);
            Ok(Sequence(position))
        })
        .await
    }

    async fn read(&self, history: &HistoryId, after: Sequence) -> Result<Vec<Stored>, StoreError> {
        self.operate(&format!("read {history} after {}", after.0), |state| {
            state.reads += 1;
            let of = |stored: &&Stored| stored.history == *history && stored.sequence > after;
            Ok(state.log.iter().filter(of).cloned().collect())
        })
        .await
    }

    async fn histories(&self, listing: Listing) -> Result<Vec<HistoryInfo>, StoreError> {
        self.operate("list", |state| {
            let mut infos: Vec<HistoryInfo> = state
                .histories
                .iter()
                .map(|(id, known)| HistoryInfo {
                    id: id.clone(),
                    opened_at: known.opened_at,
                    ended_at: known.ended_at,
                })
                .collect();
            match listing {
                Listing::Open(kind) => {
                    infos.retain(|info| info.ended_at.is_none() && is_of(&info.id, kind));
                }
                Listing::Newest { kind, limit } => {
                    infos.retain(|info| is_of(&info.id, kind));
                    infos.sort_by_key(|info| std::cmp::Reverse(info.opened_at));
                    infos.truncate(limit);
                }
                Listing::Expired { ended_before, limit, .. } => {
                    infos.retain(|info| info.ended_at.is_some_and(|at| at < ended_before));
                    infos.truncate(limit);
                }
            }
            Ok(infos)
        })
        .await
    }

    async fn end(&self) -> Result<Position, StoreError> {
        self.operate("end of log", |state| {
            Ok(state.log.last().map_or(Position::default(), |stored| stored.position))
        })
        .await
    }

    async fn tail(&self, after: Position, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let behind = |state: &State| state.log.partition_point(|stored| stored.position <= after);
        self.wait(Topic::Log, |state| (behind(state) < state.log.len()).then_some(())).await;
        self.operate("tail log", |state| {
            let some = 1 + state.rng.below(limit as u64);
            Ok(state.log[behind(state)..].iter().take(usize::try_from(some).unwrap_or(1)).cloned().collect())
        })
        .await
    }

    async fn writable(&self) -> Result<(), StoreError> {
        self.operate("write something", |_| Ok(())).await
    }

    async fn forget(&self, history: &HistoryId) -> Result<(), StoreError> {
        self.operate("forget", |state| {
            state.histories.remove(history);
            state.log.retain(|stored| stored.history != *history);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Answers for Link {
    async fn record(&self, answer: Answer) -> Result<Recorded, StoreError> {
        self.operate(&format!("record {}", answer.job), |state| {
            if state.by_job.contains_key(&answer.job) {
                return Ok(Recorded::Already);
            }
            state.by_job.insert(answer.job.clone(), state.answers.len());
            state.paid.remove(&answer.job);
            state.answers.push(Arc::new(answer));
            state.wake(Topic::Answers);
            Ok(Recorded::First)
        })
        .await
    }

    async fn find(&self, job: &JobId) -> Result<Option<Arc<Answer>>, StoreError> {
        self.operate(&format!("find {job}"), |state| {
            let found = state.by_job.get(job).map(|at| Arc::clone(&state.answers[*at]));
            if found.is_none() {
                state.found_none.insert((self.process, job.clone()), state.answers.len());
            }
            Ok(found)
        })
        .await
    }

    async fn end(&self) -> Result<Position, StoreError> {
        self.operate("end of answers", |state| Ok(Position(state.answers.len() as u64))).await
    }

    async fn tail(&self, after: Position, limit: usize) -> Result<Vec<(Position, Arc<Answer>)>, StoreError> {
        let place = usize::try_from(after.0).unwrap_or(usize::MAX);
        self.wait(Topic::Answers, |state| (place < state.answers.len() && !state.deaf).then_some(())).await;
        self.operate("tail answers", |state| {
            let some = usize::try_from(1 + state.rng.below(limit as u64)).unwrap_or(1);
            let behind = state.answers[place..].iter().take(some).cloned();
            Ok((after.0 + 1..).map(Position).zip(behind).collect())
        })
        .await
    }

    async fn forget(&self, deliberation: &DeliberationId) -> Result<(), StoreError> {
        self.operate(&format!("forget answers of {deliberation}"), |state| {
            state.by_job.retain(|job, _| job.deliberation != *deliberation);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Announcements for Link {
    async fn publish(&self, announcements: &[(Announcement, Position)]) -> Result<(), StoreError> {
        self.operate(&format!("publish {}", announcements.len()), |state| {
            // After an error the first ones may be published, and the others not.
            let some = state.rng.below(announcements.len() as u64 * 4);
            let some = usize::try_from(some).unwrap_or(0).max(1).min(announcements.len());
            for (announcement, position) in &announcements[..some] {
                invariants::announced(state, announcement);
                state.announced_to = state.announced_to.max(position.0);
            }
            if some < announcements.len() { Err(unavailable("half published")) } else { Ok(()) }
        })
        .await
    }

    async fn published_to(&self) -> Result<Position, StoreError> {
        self.operate("published to", |state| Ok(Position(state.announced_to))).await
    }
}

fn is_of(id: &HistoryId, kind: HistoryKind) -> bool {
    id.as_str().starts_with(kind.prefix())
}

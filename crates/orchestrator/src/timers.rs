//! Gives up what is overdue. The rules say when that is and what follows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fleet_deliberation::{Command, DeliberationId, Timestamp};
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use crate::histories::Histories;
use crate::persist::persist;
use crate::port::{Answers, Clock, HistoryKind, Listing, Position, StoreError, Stored};
use crate::{Coordinator, HandleError, Loaded, Scope, chain};

/// How many records are taken at once.
const BATCH_MAX: usize = 512;
/// How many deliberations are expired at once.
const EXPIRIES_MAX: usize = 64;
/// When a deliberation that could not be expired is tried again, in milliseconds.
const AGAIN_MS: u64 = 1_000;

/// Keeps the deadline of every open deliberation and issues the expiry when it comes.
pub struct Timers {
    histories: Arc<Histories>,
    coordinator: Arc<Coordinator>,
    answers: Arc<dyn Answers>,
    clock: Arc<dyn Clock>,
    scope: Scope,
}

/// Deadlines by time and by deliberation.
#[derive(Default)]
struct Agenda {
    by_time: BTreeSet<(Timestamp, DeliberationId)>,
    by_id: BTreeMap<DeliberationId, Timestamp>,
}

impl Timers {
    /// Timers for the deliberations in `scope`; of the others, only for the end of their time.
    #[must_use]
    pub fn new(
        coordinator: Arc<Coordinator>,
        answers: Arc<dyn Answers>,
        clock: Arc<dyn Clock>,
        scope: Scope,
    ) -> Timers {
        let histories = Arc::clone(coordinator.histories());
        Timers { histories, coordinator, answers, clock, scope }
    }

    /// Watches over what is open, and over the records behind `from`, until told to stop.
    pub async fn run(self, from: Position, stop: CancellationToken) {
        let watch = async {
            self.coordinator.closing().run_until_cancelled(self.follow(from)).await;
            // Nobody begins what is awaited now, and it is not to run out of time for that.
            stop.cancelled().await;
        };
        stop.run_until_cancelled(watch).await;
    }

    async fn follow(&self, mut place: Position) {
        let mut agenda = Agenda::default();
        let listing = || self.histories.store().histories(Listing::Open(HistoryKind::Deliberation));
        for info in persist(&*self.clock, "listing open deliberations", listing).await {
            if let Some(id) = info.id.as_deliberation() {
                self.renew(&id).await;
                self.note(&mut agenda, id).await;
            }
        }
        loop {
            let next = agenda.by_time.first().map_or(Timestamp(u64::MAX), |(moment, _)| *moment);
            let tail = || self.histories.store().tail(place, BATCH_MAX);
            let records = tokio::select! {
                biased;
                () = self.clock.sleep_until(next) => Vec::new(),
                records = persist(&*self.clock, "reading the log for deadlines", tail) => records,
            };
            if records.is_empty() {
                self.expire(&mut agenda).await;
                continue;
            }
            place = records.last().map_or(place, |stored| stored.position);
            self.take(&mut agenda, records).await;
        }
    }

    async fn take(&self, agenda: &mut Agenda, records: Vec<Stored>) {
        // The last record of each deliberation is the one that counts.
        let ids = records.iter().filter_map(|s| Some((s.history.as_deliberation()?, s.entry.ends)));
        for (id, ends) in ids.collect::<BTreeMap<_, _>>() {
            if ends {
                agenda.set(id, None);
            } else {
                self.note(agenda, id).await;
            }
        }
    }

    async fn note(&self, agenda: &mut Agenda, id: DeliberationId) {
        match self.histories.load(&id).await {
            Ok(loaded) => {
                let next = loaded.and_then(|loaded| self.next(&loaded));
                agenda.set(id, next);
            }
            Err(StoreError::Corrupt(at, cause)) => {
                let error = StoreError::Corrupt(at, cause);
                tracing::error!(deliberation.id = %id, error = chain(&error), "a history cannot be read");
            }
            // It may be readable later; its deadline is not known, so look soon.
            Err(_) => agenda.set(id, Some(self.clock.now().plus_ms(AGAIN_MS))),
        }
    }

    async fn expire(&self, agenda: &mut Agenda) {
        let now = self.clock.now();
        let mut due = Vec::new();
        while let Some((moment, id)) = agenda.by_time.first().cloned() {
            if moment > now {
                break;
            }
            agenda.set(id.clone(), None);
            due.push(id);
        }
        let expired: Vec<(DeliberationId, Option<Timestamp>)> = futures_util::stream::iter(due)
            .map(|id| async move {
                let next = self.expire_one(&id, now).await;
                (id, next)
            })
            .buffer_unordered(EXPIRIES_MAX)
            .collect()
            .await;
        for (id, next) in expired {
            agenda.set(id, next);
        }
    }

    /// When to look at a deliberation next.
    fn next(&self, loaded: &Loaded) -> Option<Timestamp> {
        let next = loaded.state.next_deadline()?;
        Some(if self.scope.holds(loaded.state.id()) { next } else { loaded.state.opened.deadline_at })
    }

    /// Gives new time to what ran out of it while nobody worked.
    async fn renew(&self, id: &DeliberationId) {
        let at = self.clock.now();
        let overdue = |loaded: &Loaded| loaded.state.next_deadline().is_some_and(|next| next <= at);
        match self.histories.load(id).await {
            Ok(Some(loaded)) if self.scope.holds(id) && overdue(&loaded) => {
                // What cannot be renewed now runs out as any other step.
                if let Err(error) = self.decide(id, Command::Renew { at }, at).await {
                    tracing::error!(deliberation.id = %id, error = chain(&error), "could not be renewed");
                }
            }
            _ => {}
        }
    }

    /// Decides on what is overdue, after taking in the answers that are there by now: what was paid for is
    /// not given up because nobody came to take it in.
    async fn decide(
        &self,
        id: &DeliberationId,
        command: Command,
        at: Timestamp,
    ) -> Result<Arc<Loaded>, HandleError> {
        let mut commands = Vec::new();
        if let Some(loaded) = self.histories.load(id).await? {
            for (job, window) in loaded.state.outstanding() {
                if window.until <= at
                    && let Some(answer) = self.answers.find(&job).await?
                {
                    commands.push(answer.taken(at));
                }
            }
        }
        commands.push(command);
        self.coordinator.handle(id, &commands).await
    }

    async fn expire_one(&self, id: &DeliberationId, at: Timestamp) -> Option<Timestamp> {
        match self.decide(id, Command::Expire { at }, at).await {
            Ok(loaded) => self.next(&loaded),
            Err(HandleError::Store(StoreError::Conflict | StoreError::Full | StoreError::Unavailable(_))) => {
                Some(self.clock.now().plus_ms(AGAIN_MS))
            }
            Err(error) => {
                tracing::error!(deliberation.id = %id, error = chain(&error), "could not be expired");
                None
            }
        }
    }
}

impl Agenda {
    fn set(&mut self, id: DeliberationId, moment: Option<Timestamp>) {
        let before = match moment {
            Some(moment) => self.by_id.insert(id.clone(), moment),
            None => self.by_id.remove(&id),
        };
        if before == moment {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, id.clone()));
        }
        if let Some(moment) = moment {
            self.by_time.insert((moment, id));
        }
    }
}

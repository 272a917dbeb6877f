//! A place in the history of a deliberation, from which a watcher pulls what comes next.

use std::collections::VecDeque;
use std::sync::Arc;

use fleet_deliberation::{Deliberation, DeliberationId, Digest, Event, Rejection, Timestamp, evolve};
use tokio::sync::watch;

use super::{About, Place, Update, counted, told};
use crate::HandleError;
use crate::histories::{Histories, Loaded, decode};
use crate::port::{Answers, Clock, HistoryId, Sequence, StoreError};
use crate::view;

/// How many events are read ahead of the reader, those of one more record aside.
const AHEAD_MAX: usize = 256;

/// How long a text that is missing may be on its way out with its history, in milliseconds.
const FORGETTING_MS: u64 = 1_000;

/// The updates of one deliberation behind a place. Nothing is read before it is asked for, and nothing is
/// kept for a reader that does not ask.
pub struct Updates {
    id: DeliberationId,
    histories: Arc<Histories>,
    answers: Arc<dyn Answers>,
    clock: Arc<dyn Clock>,
    /// What the deliberation has come to; wakes when that changes.
    latest: watch::Receiver<Arc<Loaded>>,
    /// The record read last, and its hash.
    read: (Sequence, Digest),
    /// Events of the records read that were not told yet, each with the time it was recorded.
    ahead: VecDeque<(Timestamp, Event)>,
    /// Where the events told so far leave the deliberation.
    state: Option<Deliberation>,
    /// How many events were told.
    told: u64,
    /// What is told next, without its text.
    due: Option<(Update, Option<About>)>,
}

impl Updates {
    /// The updates behind `after`, which is 0 or the sequence of an update that there is.
    pub(crate) async fn open(
        histories: Arc<Histories>,
        answers: Arc<dyn Answers>,
        clock: Arc<dyn Clock>,
        id: DeliberationId,
        after: u64,
    ) -> Result<Updates, HandleError> {
        let latest = histories.watch(&id).await?.ok_or_else(|| Rejection::Unknown(id.clone()))?;
        let read = (Sequence::default(), Digest::default());
        let (ahead, state) = (VecDeque::new(), None);
        let mut updates =
            Updates { id, histories, answers, clock, latest, read, ahead, state, told: 0, due: None };
        let mut looked_again = false;
        while updates.told < after {
            if updates.take_event().await? {
                continue;
            }
            // What is in memory may be older than the log.
            if !std::mem::replace(&mut looked_again, true) {
                updates.histories.refresh(&updates.id).await?;
            } else {
                let (last, id) = (updates.told, updates.id);
                let known = counted(usize::try_from(last).unwrap_or(usize::MAX), "update");
                let reason = format!("is {after}; {id} has {known} so far, so it must be at most {last}");
                return Err(Rejection::Malformed { field: "after_sequence".into(), reason }.into());
            }
        }
        Ok(updates)
    }

    /// The deliberation.
    #[must_use]
    pub fn id(&self) -> &DeliberationId {
        &self.id
    }

    /// The sequence of the update given last; 0 before the first.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.told - u64::from(self.due.is_some())
    }

    /// How far the deliberation has come with the updates given so far; `None` before the first.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.state.as_ref().map(|state| Place::of(state, self.sequence()))
    }

    /// Where the updates given so far leave the deliberation; `None` before the first.
    #[must_use]
    pub fn state(&self) -> Option<&Deliberation> {
        self.state.as_ref()
    }

    /// Whether the last update was given.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.due.is_none() && self.state.as_ref().is_some_and(|state| state.ended.is_some())
    }

    /// The next update; waits for it. `None` once there is none any more. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Update>, HandleError> {
        loop {
            if let Some(update) = self.ready().await? {
                return Ok(Some(update));
            }
            if self.is_over() {
                return Ok(None);
            }
            self.moved().await;
        }
    }

    /// The next update if it is there. Dropping the future loses nothing.
    pub async fn ready(&mut self) -> Result<Option<Update>, HandleError> {
        if self.due.is_none() {
            let Some((at, event)) = self.event().await? else { return Ok(None) };
            self.evolve(&event);
            self.due = self.state.as_ref().map(|state| told(state, &event, self.told, at));
        }
        let draft = match (&self.due, &self.state) {
            (Some((_, Some(about))), Some(state)) => self.draft(state, about).await?,
            _ => None,
        };
        Ok(self.due.take().map(|(update, _)| Update { draft, ..update }))
    }

    /// Waits until the deliberation has moved on from what was read. For ever if it does not.
    pub(crate) async fn moved(&mut self) {
        let read = self.read.0;
        if self.latest.wait_for(|latest| latest.sequence > read).await.is_err() {
            // The sender goes with the histories, which are held here, or after an end, which it has said.
            std::future::pending().await
        }
    }

    /// Takes in the next event without telling of it; `false` if there is none yet.
    async fn take_event(&mut self) -> Result<bool, HandleError> {
        let event = self.event().await?;
        Ok(event.inspect(|(_, event)| self.evolve(event)).is_some())
    }

    fn evolve(&mut self, event: &Event) {
        self.state = evolve(self.state.take(), event);
        self.told += 1;
    }

    /// The next event of the history, if it is there.
    async fn event(&mut self) -> Result<Option<(Timestamp, Event)>, HandleError> {
        if self.ahead.is_empty() && self.latest.borrow().sequence > self.read.0 {
            self.read_on().await?;
        }
        Ok(self.ahead.pop_front())
    }

    async fn read_on(&mut self) -> Result<(), HandleError> {
        let (after, mut digest) = self.read;
        let records = self.histories.store().read(&HistoryId::deliberation(&self.id), after).await?;
        if records.is_empty() {
            // There was more, so it is forgotten.
            return Err(Rejection::Unknown(self.id.clone()).into());
        }
        // The submission may be large: this one is held already.
        let opened = Arc::clone(&self.latest.borrow().state.opened);
        let shared = |event| match event {
            Event::Opened(_) => Event::Opened(Arc::clone(&opened)),
            other => other,
        };
        for stored in &records {
            let record = decode(stored)?;
            if record.previous != digest {
                let cause = format!("its previous hash is {}, not {digest}", record.previous);
                return Err(StoreError::Corrupt(stored.sequence, cause.into()).into());
            }
            digest = Digest::of(&stored.entry.body);
            self.read = (stored.sequence, digest);
            self.ahead.extend(record.events.into_iter().map(|event| (record.at, shared(event))));
            if self.ahead.len() >= AHEAD_MAX {
                break;
            }
        }
        Ok(())
    }

    async fn draft(&self, state: &Deliberation, about: &About) -> Result<Option<view::Draft>, HandleError> {
        let fetch = || async {
            match about {
                About::Draft(author) => view::draft(state, author, None, &*self.answers).await.map(Some),
                About::Winner => view::winner(state, &*self.answers).await,
            }
        };
        let error = match fetch().await {
            Err(error @ StoreError::Corrupt(..)) => error,
            other => return Ok(other?),
        };
        // Answers are forgotten before their history: it may be gone in a moment.
        self.clock.sleep_until(self.clock.now().plus_ms(FORGETTING_MS)).await;
        let history = HistoryId::deliberation(&self.id);
        match self.histories.store().read(&history, Sequence::default()).await?.is_empty() {
            true => Err(Rejection::Unknown(self.id.clone()).into()),
            false => Err(error.into()),
        }
    }
}

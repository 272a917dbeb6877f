//! Everything that was recorded of one deliberation, for whoever looks back: it is explained, replayed and
//! exported from this alone.

mod named;
mod replayed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use fleet_deliberation::{
    Answer, Deliberation, DeliberationId, Digest, Ending, Event, JobId, Record, Timestamp, Verdict, evolve,
    jobs_after,
};

use crate::port::{Answers, EventStore, HistoryId, Sequence, StoreError};
use crate::updates::sentence;

pub use named::named;
pub use replayed::{Difference, Replayed};

/// What a store holds of a deliberation: its records, and the way to its answers.
pub struct Recording {
    /// The records as they are stored, in order. Never empty.
    pub records: Vec<(Sequence, Bytes)>,
    /// The jobs that were asked for, in the order of the events that did; each once.
    pub jobs: Vec<JobId>,
    answers: Arc<dyn Answers>,
}

impl Recording {
    /// Reads the records of `id`; `None` if it has no history.
    pub async fn read(
        id: &DeliberationId,
        events: &dyn EventStore,
        answers: &Arc<dyn Answers>,
    ) -> Result<Option<Recording>, StoreError> {
        let stored = events.read(&HistoryId::deliberation(id), Sequence::default()).await?;
        if stored.is_empty() {
            return Ok(None);
        }
        let records: Vec<_> = stored.into_iter().map(|stored| (stored.sequence, stored.entry.body)).collect();
        let (mut jobs, mut seen) = (Vec::new(), BTreeSet::new());
        for (sequence, body) in &records {
            let record = decode(*sequence, body)?;
            let asked = record.events.iter().flat_map(|event| jobs_after(id, event));
            jobs.extend(asked.filter(|job| seen.insert(job.clone())));
        }
        Ok(Some(Recording { records, jobs, answers: Arc::clone(answers) }))
    }

    /// What came of a job; `None` if nothing did, or if it was forgotten meanwhile.
    pub async fn answer(&self, job: &JobId) -> Result<Option<Arc<Answer>>, StoreError> {
        self.answers.find(job).await
    }

    /// All of it.
    pub async fn whole(self, id: &DeliberationId) -> Result<Past, StoreError> {
        let mut answers = Vec::new();
        for job in &self.jobs {
            answers.extend(self.answer(job).await?);
        }
        Past::of(id, self.records, answers)
    }
}

/// Everything that was recorded of a deliberation.
#[derive(Debug)]
pub struct Past {
    /// Where it stands.
    pub state: Deliberation,
    /// Its records, in order.
    pub records: Vec<PastRecord>,
    answers: BTreeMap<JobId, Arc<Answer>>,
}

/// A record of a deliberation.
#[derive(Debug)]
pub struct PastRecord {
    /// Its place in the history.
    pub sequence: Sequence,
    /// The form it was stored in.
    pub schema: u32,
    /// When it was decided.
    pub at: Timestamp,
    /// What was decided.
    pub events: Vec<Event>,
}

/// An event of a deliberation, with its place.
#[derive(Debug, Clone, Copy)]
pub struct PastEvent<'a> {
    /// The number of the event in the history, from 1 and without gaps, as watchers are told it.
    pub sequence: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub event: &'a Event,
}

impl Past {
    /// What these records and answers tell of `id`. `Corrupt` if the records are not one history that begins
    /// with its opening.
    pub fn of(
        id: &DeliberationId,
        bodies: impl IntoIterator<Item = (Sequence, Bytes)>,
        answers: impl IntoIterator<Item = Arc<Answer>>,
    ) -> Result<Past, StoreError> {
        let (mut records, mut state, mut digest) = (Vec::new(), None, Digest::default());
        for (sequence, body) in bodies {
            let Record { schema, at, previous, events } = decode(sequence, &body)?;
            if previous != digest {
                let cause = format!("its previous hash is {previous}, the record before has {digest}");
                return Err(StoreError::Corrupt(sequence, cause.into()));
            }
            digest = Digest::of(&body);
            state = events.iter().fold(state, evolve);
            records.push(PastRecord { sequence, schema, at, events });
        }
        let state = state.filter(|state: &Deliberation| state.id() == id);
        let Some(state) = state else {
            let cause = format!("the history does not begin with the opening of {id}");
            return Err(StoreError::Corrupt(Sequence::default(), cause.into()));
        };
        let answers = answers.into_iter().map(|answer| (answer.job.clone(), answer)).collect();
        Ok(Past { state, records, answers })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &DeliberationId {
        self.state.id()
    }

    /// Its events, in order.
    pub fn events(&self) -> impl Iterator<Item = PastEvent<'_>> {
        let events = self.records.iter().flat_map(|record| {
            let at = record.at;
            record.events.iter().map(move |event| (at, event))
        });
        (1..).zip(events).map(|(sequence, (at, event))| PastEvent { sequence, at, event })
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.records.iter().map(|record| record.events.len() as u64).sum()
    }

    /// Never: a history begins with its opening.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where it stood after the event of this number; `None` for 0 and beyond the last.
    #[must_use]
    pub fn until(&self, sequence: u64) -> Option<Deliberation> {
        if !(1..=self.len()).contains(&sequence) {
            return None;
        }
        self.events()
            .take_while(|past| past.sequence <= sequence)
            .fold(None, |state, past| evolve(state, past.event))
    }

    /// Its events with what each says, in the words that watchers are told.
    pub fn told(&self) -> impl Iterator<Item = (PastEvent<'_>, String)> {
        self.events().scan(None, |state, past| {
            *state = evolve(state.take(), past.event);
            let words = state.as_ref().map(|state| sentence(state, past.event)).unwrap_or_default();
            Some((past, words))
        })
    }

    /// What came of a job, where it is kept.
    #[must_use]
    pub fn answer(&self, job: &JobId) -> Option<&Arc<Answer>> {
        self.answers.get(job)
    }

    /// The jobs whose answers its events rest on and that are not kept, in the order of the events.
    #[must_use]
    pub fn missing(&self) -> Vec<JobId> {
        let jobs = self.events().filter_map(|past| named(self.id(), past.event));
        jobs.filter(|job| !self.answers.contains_key(job)).collect()
    }

    /// The verdict that was recorded, if there is one.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        match &self.state.ended.as_ref()?.ending {
            Ending::Completed(verdict) => Some(verdict),
            Ending::NoQuorum { .. } | Ending::TimedOut | Ending::Cancelled { .. } => None,
        }
    }

    /// The verdict anew from what was recorded, without asking any model.
    #[must_use]
    pub fn replayed(&self) -> Replayed {
        Replayed::of(self)
    }
}

fn decode(sequence: Sequence, body: &[u8]) -> Result<Record, StoreError> {
    Record::decode(body).map_err(|error| StoreError::Corrupt(sequence, error.into()))
}

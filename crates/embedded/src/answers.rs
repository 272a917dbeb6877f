//! Answers on SQLite, those of late in memory.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use fleet_deliberation::{Answer, DeliberationId, Digest, JobId};
use fleet_orchestrator::port::{Answers, Position, Recorded, Sequence, StoreError};

use crate::jobs_of::jobs_of;
use crate::known_answers::Lookup;
use crate::queries;
use crate::reader::Reader;
use crate::write::{Write, Writes};
use crate::writer::Shared;

pub(crate) struct SqliteAnswers {
    pub(crate) writes: Writes,
    pub(crate) reader: Reader,
    pub(crate) shared: Arc<Shared>,
}

#[async_trait]
impl Answers for SqliteAnswers {
    async fn record(&self, answer: Answer) -> Result<Recorded, StoreError> {
        // Here and not in the writer, which has the work of all.
        let job = answer.job.to_string();
        let body = serde_json::to_vec(&answer)
            .map_err(|error| StoreError::Corrupt(Sequence::default(), error.into()))?;
        let digest = Digest::of(&body);
        let (answer, body) = (Arc::new(answer), Bytes::from(body));
        self.writes.ask(|done| Write::Record { answer, job, body, digest, done }).await
    }

    async fn find(&self, job: &JobId) -> Result<Option<Arc<Answer>>, StoreError> {
        let unknown = match self.shared.known.find(job) {
            Lookup::There(answer) => return Ok(Some(answer)),
            Lookup::NotThere => return Ok(None),
            Lookup::Unknown(unknown) => unknown,
        };
        let job = job.clone();
        let found = self.reader.point(move |connection| queries::find(connection, &job)).await?;
        Ok(found.map(|(answer, bytes)| {
            self.shared.known.learn(Arc::clone(&answer), bytes, unknown);
            answer
        }))
    }

    async fn end(&self) -> Result<Position, StoreError> {
        Ok(Position(self.shared.answers.end()))
    }

    async fn tail(&self, after: Position, limit: usize) -> Result<Vec<(Position, Arc<Answer>)>, StoreError> {
        let found = self.shared.answers.tail(after.0, limit, &self.reader, queries::answers_behind).await?;
        Ok(found.into_iter().map(|(position, answer)| (Position(position), answer)).collect())
    }

    async fn forget(&self, deliberation: &DeliberationId) -> Result<(), StoreError> {
        self.shared.attempts.forget(&jobs_of(deliberation));
        let deliberation = deliberation.clone();
        self.writes.ask(|done| Write::ForgetAnswers { deliberation, done }).await
    }
}

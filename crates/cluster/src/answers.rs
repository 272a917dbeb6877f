//! Answers on one stream: a subject for each job, on which only the first is taken.

use std::sync::Arc;

use async_nats::HeaderMap;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use fleet_deliberation::{Answer, DeliberationId, Digest, JobId};
use fleet_orchestrator::port::{Answers, Position, Recorded, Sequence, StoreError};

use crate::error::{Nonsense, readable, unavailable};
use crate::link::Link;
use crate::message::{DIGEST, Message, PARTS};
use crate::names::Names;
use crate::place::{Placed, random_id};
use crate::wakes::Wakes;

/// What a message takes beside its body, at most.
const HEADERS_BYTES: usize = 4 * 1024;

pub(crate) struct JetStreamAnswers {
    link: Link,
    names: Arc<Names>,
    wakes: Wakes,
}

impl JetStreamAnswers {
    pub(crate) fn new(link: Link, names: Arc<Names>, wakes: Wakes) -> JetStreamAnswers {
        JetStreamAnswers { link, names, wakes }
    }

    /// Writes the parts of a body that is too large for one message, and says how many there are and what they are
    /// called. Nobody sees them until the answer that names them is there.
    async fn lay_out(&self, job: &JobId, body: &Bytes, size: usize) -> Result<String, StoreError> {
        let name = random_id()?;
        let mut count = 0;
        for part in body.chunks(size) {
            let subject = self.names.answer_part(job, &name, count);
            let part = body.slice_ref(part);
            let placed = self.link.place(self.names.answers, &subject, 0, HeaderMap::new(), part).await?;
            if placed == Placed::Elsewhere {
                return Err(unavailable(Nonsense(format!("{subject} is taken"))));
            }
            count += 1;
        }
        Ok(format!("{count} {name}"))
    }

    /// The answer of a message; `None` when it was forgotten meanwhile.
    async fn read(&self, message: Message) -> Result<Option<Arc<Answer>>, StoreError> {
        let body = match message.header(PARTS) {
            None => Some(message.body.clone()),
            Some(parts) => self.gathered(&message, parts).await?,
        };
        let Some(body) = body else { return Ok(None) };
        message.check_body(&body)?;
        let answer = serde_json::from_slice(&body)
            .map_err(|error| StoreError::Corrupt(Sequence(message.sequence), error.into()))?;
        Ok(Some(Arc::new(answer)))
    }

    /// The body that lies in parts; `None` when the answer was forgotten meanwhile.
    async fn gathered(&self, message: &Message, parts: &str) -> Result<Option<Bytes>, StoreError> {
        let named = parts.split_once(' ').and_then(|(count, name)| Some((count.parse().ok()?, name)));
        let (count, name): (usize, &str) =
            named.ok_or_else(|| message.corrupt(format!("its parts are {parts:?}")))?;
        let mut body = BytesMut::new();
        for part in 0..count {
            let subject = format!("{}.part.{name}.{part}", message.subject);
            let Some(part) = self.link.last(self.names.answers, &subject).await? else {
                let now = self.link.last(self.names.answers, &message.subject).await?;
                if now.is_some_and(|now| now.sequence == message.sequence) {
                    return Err(message.corrupt(format!("{subject} is not there")));
                }
                return Ok(None);
            };
            body.extend_from_slice(&part.body);
        }
        Ok(Some(body.freeze()))
    }
}

#[async_trait]
impl Answers for JetStreamAnswers {
    async fn record(&self, answer: Answer) -> Result<Recorded, StoreError> {
        let body = serde_json::to_vec(&answer)
            .map_err(|error| StoreError::Corrupt(Sequence::default(), error.into()))?;
        let mut body = Bytes::from(body);
        let mut headers = HeaderMap::new();
        headers.insert(DIGEST, Digest::of(&body).to_string());
        let room = self.link.client.max_payload().saturating_sub(HEADERS_BYTES).max(1);
        if body.len() > room {
            headers.insert(PARTS, self.lay_out(&answer.job, &body, room).await?);
            body = Bytes::new();
        }
        let subject = self.names.answer(&answer.job);
        match self.link.place(self.names.answers, &subject, 0, headers, body).await? {
            Placed::At(_) => Ok(Recorded::First),
            Placed::Elsewhere => Ok(Recorded::Already),
        }
    }

    async fn find(&self, job: &JobId) -> Result<Option<Arc<Answer>>, StoreError> {
        // Of the leader: by a replica that lacks it a model would be asked again.
        match self.link.last(self.names.answers, &self.names.answer(job)).await? {
            Some(message) => self.read(message).await,
            None => Ok(None),
        }
    }

    async fn end(&self) -> Result<Position, StoreError> {
        Ok(Position(self.link.state(self.names.answers).await?.state.last_sequence))
    }

    async fn tail(&self, after: Position, limit: usize) -> Result<Vec<(Position, Arc<Answer>)>, StoreError> {
        let (mut after, mut found) = (after.0, Vec::new());
        while found.is_empty() {
            let messages = self.wakes.tail(&self.link, self.names.answers, ">", after, limit).await?;
            after = messages.last().map_or(after, |message| message.sequence);
            for message in messages {
                if self.names.is_part(&message.subject) {
                    continue;
                }
                let position = Position(message.sequence);
                match self.read(message).await {
                    Ok(answer) => found.extend(answer.map(|answer| (position, answer))),
                    // It is for whoever looks for this answer, and must not hold up all others.
                    Err(error @ StoreError::Corrupt(..)) => _ = readable::<()>(Err(error)),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(found)
    }

    async fn forget(&self, deliberation: &DeliberationId) -> Result<(), StoreError> {
        self.link.purge(self.names.jobs, self.names.jobs_of(deliberation), None).await?;
        self.link.purge(self.names.answers, self.names.answers_of(deliberation), None).await
    }
}

//! Reading streams: by sequence, from any replica where it cannot matter, else from the leader.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::RequestErrorKind;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, State, Stream};
use async_nats::{HeaderMap, StatusCode, header};
use fleet_orchestrator::port::StoreError;
use futures_util::{StreamExt, TryStreamExt};
use serde_json::json;

use crate::error::{Lost, Nonsense, unavailable};
use crate::link::Link;
use crate::message::Message;

/// The most messages of one reading.
pub(crate) const LIMIT_MAX: usize = 1_000;
/// The bytes after which a reading gets no further message.
const BYTES_MAX: usize = 4 * 1024 * 1024;

impl Link {
    /// Up to `limit` messages on `filter` behind a sequence, in order, from any replica: it may not have the last
    /// ones yet, and has all before those it gives.
    pub(crate) async fn behind(
        &self,
        stream: &'static str,
        filter: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let limit = limit.clamp(1, LIMIT_MAX);
        let request = json!({
            "seq": after.saturating_add(1), "next_by_subj": filter, "batch": limit, "max_bytes": BYTES_MAX,
        });
        self.within(self.batch(stream, &request)).await?
    }

    async fn batch(
        &self,
        stream: &'static str,
        request: &serde_json::Value,
    ) -> Result<Vec<Message>, StoreError> {
        let inbox = self.client.new_inbox();
        let mut replies = self.client.subscribe(inbox.clone()).await.map_err(unavailable)?;
        let asks = format!("$JS.API.DIRECT.GET.{stream}");
        let asked = self.client.publish_with_reply(asks, inbox, request.to_string().into());
        asked.await.map_err(unavailable)?;
        let mut found: Vec<Message> = Vec::new();
        while let Some(reply) = replies.next().await {
            let headers = reply.headers.unwrap_or_default();
            let last = found.last().map_or(0, |message| message.sequence);
            match reply.status {
                None | Some(StatusCode::OK) => {
                    unbroken(&headers, last)?;
                    found.push(message(headers, reply.payload)?);
                }
                Some(StatusCode::NOT_FOUND) => return Ok(found),
                Some(status) if status.as_u16() == 204 => {
                    unbroken(&headers, last)?;
                    return Ok(found);
                }
                Some(StatusCode::NO_RESPONDERS) => return Err(Lost::Unserved(stream).into()),
                Some(status) => {
                    let said = reply.description.unwrap_or_default();
                    return Err(unavailable(Nonsense(format!("reading {stream}: {status} {said}"))));
                }
            }
        }
        Err(Lost::Away.into())
    }

    /// The last message on a subject, as the leader has it.
    pub(crate) async fn last(
        &self,
        stream: &'static str,
        subject: &str,
    ) -> Result<Option<Message>, StoreError> {
        let handle = self.stream(stream).await?;
        let found = self.within(handle.get_last_raw_message_by_subject(subject)).await?;
        one(stream, found)
    }

    /// The first message on `filter` behind a sequence, as the leader has it.
    pub(crate) async fn first_behind(
        &self,
        stream: &'static str,
        filter: &str,
        after: u64,
    ) -> Result<Option<Message>, StoreError> {
        let handle = self.stream(stream).await?;
        let from = after.saturating_add(1);
        let found = self.within(handle.get_first_raw_message_by_subject(filter, from)).await?;
        one(stream, found)
    }

    /// How far a stream has come, as the leader has it.
    pub(crate) async fn state(&self, stream: &'static str) -> Result<StreamState, StoreError> {
        let handle = self.stream(stream).await?;
        let info =
            self.within(handle.get_info()).await?.map_err(|error| asked(stream, error.kind(), error))?;
        Ok(StreamState { state: info.state, bytes_max: u64::try_from(info.config.max_bytes).ok() })
    }

    /// Every subject of a stream with the number of its messages, as the leader has them.
    pub(crate) async fn subjects(&self, stream: &'static str) -> Result<Vec<(String, usize)>, StoreError> {
        let handle = self.stream(stream).await?;
        let all = async { handle.info_with_subjects(">").await?.try_collect().await };
        self.within(all).await?.map_err(|error| asked(stream, error.kind(), error))
    }

    /// Takes the messages on `filter` up to a sequence, or all, out of a stream.
    pub(crate) async fn purge(
        &self,
        stream: &'static str,
        filter: String,
        up_to: Option<u64>,
    ) -> Result<(), StoreError> {
        let handle = self.stream(stream).await?;
        let purged = async {
            match up_to {
                Some(last) => handle.purge().filter(filter).sequence(last.saturating_add(1)).await,
                None => handle.purge().filter(filter).await,
            }
        };
        self.within(purged).await?.map(|_| ()).map_err(unavailable)
    }

    /// A handle; asks nobody.
    async fn stream(&self, name: &'static str) -> Result<Stream<()>, StoreError> {
        self.context().get_stream_no_info(name).await.map_err(unavailable)
    }
}

/// How far a stream has come, and its bound.
pub(crate) struct StreamState {
    pub(crate) state: State,
    /// `None` for a stream that may grow for ever.
    pub(crate) bytes_max: Option<u64>,
}

type RawError = async_nats::jetstream::stream::RawMessageError;

fn one(
    stream: &'static str,
    found: Result<async_nats::jetstream::message::StreamMessage, RawError>,
) -> Result<Option<Message>, StoreError> {
    match found {
        Ok(message) => Ok(Some(message.into())),
        Err(error) => match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => Ok(None),
            LastRawMessageErrorKind::JetStream(said) if said.error_code() == ErrorCode::NO_MESSAGE_FOUND => {
                Ok(None)
            }
            _ => Err(asked(stream, RequestErrorKind::Other, error)),
        },
    }
}

fn asked(
    stream: &'static str,
    kind: RequestErrorKind,
    error: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    match kind {
        RequestErrorKind::NoResponders => Lost::Unserved(stream).into(),
        _ => unavailable(error),
    }
}

/// Core NATS may lose a message on its way; each says which one comes before it.
fn unbroken(headers: &HeaderMap, last: u64) -> Result<(), StoreError> {
    let before = number(headers, header::NATS_LAST_SEQUENCE)?;
    if before == last {
        return Ok(());
    }
    Err(unavailable(Nonsense(format!("a message between {last} and {before} was lost on its way"))))
}

fn message(headers: HeaderMap, body: bytes::Bytes) -> Result<Message, StoreError> {
    let subject = headers.get(header::NATS_SUBJECT).map(ToString::to_string).unwrap_or_default();
    Ok(Message { subject, sequence: number(&headers, header::NATS_SEQUENCE)?, headers, body })
}

fn number(headers: &HeaderMap, name: header::HeaderName) -> Result<u64, StoreError> {
    let text = headers.get(name.clone()).map(|value| value.as_str()).unwrap_or_default();
    text.parse().map_err(|_| unavailable(Nonsense(format!("NATS sent {name} {text:?}, not a number"))))
}

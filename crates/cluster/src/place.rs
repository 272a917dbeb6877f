//! Writing a message where its subject ends, once, and knowing whether it was written.

use std::time::{Duration, Instant};

use async_nats::client::RequestErrorKind;
use async_nats::{HeaderMap, Request, header};
use bytes::Bytes;
use fleet_orchestrator::port::StoreError;
use serde::Deserialize;

use crate::error::{Lost, is_contested, is_elsewhere, is_full, unavailable};
use crate::link::Link;

/// The pause before a write is tried again that nobody took, in milliseconds.
const AGAIN_MS: u64 = 50;
/// The same while the servers agree on another one.
const CONTESTED_MS: u64 = 5;

/// What came of a write that expects where its subject ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It is there, at this sequence.
    At(u64),
    /// The subject ends elsewhere, and nothing was written.
    Elsewhere,
}

/// What the server says to one try.
enum Said {
    /// At this sequence, now or before.
    Stored(u64),
    Elsewhere,
    /// The servers are agreeing on another write to the same subject, which may come to nothing.
    Contested,
}

/// Why one try may have been for nothing.
enum Failed {
    /// It was surely not written, and never will be.
    For(StoreError),
    /// Nobody knows.
    Unknown(StoreError),
}

impl Link {
    /// Writes a message if its subject's last message has the sequence `expected`, 0 for none. Headers and body are
    /// written as they are given; the message's id is made here.
    pub(crate) async fn place(
        &self,
        stream: &'static str,
        subject: &str,
        expected: u64,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Placed, StoreError> {
        let id = random_id()?;
        headers.insert(header::NATS_MESSAGE_ID, id.as_str());
        headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string());
        let until = Instant::now() + Duration::from_millis(self.call_ms);
        let mut tries = 0;
        loop {
            tries += 1;
            let mut pause_ms = AGAIN_MS;
            let lost = match self.try_to_write(stream, subject, &headers, &body).await {
                Ok(Said::Stored(sequence)) => return Ok(Placed::At(sequence)),
                // Whoever is told that there is another one must be able to read it.
                Ok(Said::Contested) => {
                    pause_ms = CONTESTED_MS;
                    Some(Lost::Late(self.call_ms).into())
                }
                Ok(Said::Elsewhere) if tries == 1 => return Ok(Placed::Elsewhere),
                Ok(Said::Elsewhere) => None,
                Err(Failed::For(error)) => return Err(error),
                Err(Failed::Unknown(error)) => Some(error),
            };
            // No answer is not a no, and neither is that the subject has moved on: it may be by an earlier try.
            match (self.written(stream, subject, expected, &id).await, lost) {
                (Ok(Some(placed)), _) => return Ok(placed),
                (Ok(None), None) => return Ok(Placed::Elsewhere),
                // With the same id and the same expectation it can be there once at most.
                (Ok(None) | Err(_), _) if self.is_up() && Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                }
                (_, Some(error)) | (Err(error), None) => return Err(error),
            }
        }
    }

    /// Adds a message wherever its subject ends, unless one with its id is among those the stream remembers. Gives
    /// the sequence of the one that is there.
    pub(crate) async fn add(
        &self,
        stream: &'static str,
        subject: &str,
        id: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<u64, StoreError> {
        headers.insert(header::NATS_MESSAGE_ID, id);
        match self.try_to_write(stream, subject, &headers, &body).await {
            Ok(Said::Stored(sequence)) => Ok(sequence),
            Ok(Said::Elsewhere | Said::Contested) => Err(Lost::Unserved(stream).into()),
            Err(Failed::For(error) | Failed::Unknown(error)) => Err(error),
        }
    }

    async fn try_to_write(
        &self,
        stream: &'static str,
        subject: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Said, Failed> {
        let request = Request::new().headers(headers.clone()).payload(body.clone());
        let replied = self.within(self.client.send_request(subject.to_owned(), request)).await;
        let reply = match replied.map_err(|lost| Failed::Unknown(lost.into()))? {
            Ok(reply) => reply,
            Err(error) => {
                return Err(match error.kind() {
                    RequestErrorKind::MaxPayloadExceeded => Failed::For(StoreError::Full),
                    RequestErrorKind::NoResponders => Failed::Unknown(Lost::Unserved(stream).into()),
                    _ => Failed::Unknown(unavailable(error)),
                });
            }
        };
        let ack: Ack =
            serde_json::from_slice(&reply.payload).map_err(|error| Failed::Unknown(unavailable(error)))?;
        match ack.error {
            None => Ok(Said::Stored(ack.seq)),
            Some(error) if is_elsewhere(error.error_code()) => Ok(Said::Elsewhere),
            Some(error) if is_contested(error.error_code()) => Ok(Said::Contested),
            Some(error) if is_full(error.error_code()) => Err(Failed::For(StoreError::Full)),
            // A cluster without a leader for the stream, and whatever else may pass.
            Some(error) => Err(Failed::Unknown(unavailable(error))),
        }
    }

    /// What the leader knows of the write with an id: nothing yet, that it is there, or that another one is where it
    /// wanted to be.
    async fn written(
        &self,
        stream: &'static str,
        subject: &str,
        expected: u64,
        id: &str,
    ) -> Result<Option<Placed>, StoreError> {
        match self.first_behind(stream, subject, expected).await? {
            Some(message) if message.id() == Some(id) => Ok(Some(Placed::At(message.sequence))),
            Some(_) => Ok(Some(Placed::Elsewhere)),
            None => Ok(None),
        }
    }
}

/// What JetStream says to a write.
#[derive(Deserialize)]
struct Ack {
    #[serde(default)]
    seq: u64,
    error: Option<async_nats::jetstream::Error>,
}

/// 128 random bits as text: no two writes share one.
pub(crate) fn random_id() -> Result<String, StoreError> {
    let bits = || getrandom::u64().map_err(|error| unavailable(crate::error::Nonsense(error.to_string())));
    Ok(format!("{:016x}{:016x}", bits()?, bits()?))
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::ErrorCode;

    use super::*;

    #[test]
    fn what_the_server_says_is_read() {
        let ack: Ack = serde_json::from_str(r#"{"stream":"S","seq":7,"duplicate":true}"#).expect("an ack");
        assert!(ack.seq == 7 && ack.error.is_none());
        let refused =
            r#"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"seq":0}"#;
        let ack: Ack = serde_json::from_str(refused).expect("an ack");
        assert!(is_elsewhere(ack.error.expect("an error").error_code()));
        assert!(is_full(ErrorCode(10077)) && !is_full(ErrorCode(10071)));
    }
}

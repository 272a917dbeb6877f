//! Hearing of messages as soon as they are stored. A hint: what is not heard of is found by looking.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Subscriber, header};
use fleet_orchestrator::port::StoreError;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::link::Link;
use crate::message::Message;

/// How long at most until a message is found that was not heard of.
const LOOK_MS: u64 = 1_000;
/// The first pause when something was heard of that is not there, or not there yet.
const SOON_MS: u64 = 5;

/// The highest sequence heard of in each stream.
#[derive(Clone)]
pub(crate) struct Wakes {
    heard: Arc<HashMap<&'static str, watch::Sender<u64>>>,
}

impl Wakes {
    pub(crate) fn of(streams: &[&'static str]) -> Wakes {
        let heard = streams.iter().map(|stream| (*stream, watch::Sender::new(0))).collect();
        Wakes { heard: Arc::new(heard) }
    }

    /// Listens for as long as it is polled.
    pub(crate) async fn run(self, mut stored: Subscriber) {
        while let Some(message) = stored.next().await {
            let Some(headers) = message.headers else { continue };
            let stream = headers.get(header::NATS_STREAM);
            let sequence = headers.get(header::NATS_SEQUENCE).and_then(|text| text.as_str().parse().ok());
            if let (Some(stream), Some(sequence)) = (stream, sequence) {
                self.hear(stream.as_str(), sequence);
            }
        }
    }

    pub(crate) fn hear(&self, stream: &str, sequence: u64) {
        if let Some(heard) = self.heard.get(stream) {
            heard.send_if_modified(|heard| {
                let more = sequence > *heard;
                *heard = sequence.max(*heard);
                more
            });
        }
    }

    fn listen(&self, stream: &'static str) -> watch::Receiver<u64> {
        match self.heard.get(stream) {
            Some(heard) => heard.subscribe(),
            None => watch::channel(0).1,
        }
    }

    /// Up to `limit` messages on `filter` behind a sequence; waits until there is one. Fails when NATS is away for
    /// longer than it takes to look.
    pub(crate) async fn tail(
        &self,
        link: &Link,
        stream: &'static str,
        filter: &str,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        // Listen before looking, or a message stored in between is missed.
        let mut heard = self.listen(stream);
        let mut pause_ms = SOON_MS;
        loop {
            let known = *heard.borrow_and_update();
            let found = link.behind(stream, filter, after, limit).await?;
            if !found.is_empty() {
                return Ok(found);
            }
            // What was heard of and is not there is on its way to the replica that was asked, or was forgotten.
            let wait_ms = if known > after { pause_ms } else { LOOK_MS };
            pause_ms = (pause_ms * 2).min(LOOK_MS);
            tokio::select! {
                biased;
                changed = heard.changed() => if changed.is_ok() { pause_ms = SOON_MS } else { sleep(Duration::from_millis(LOOK_MS)).await },
                () = sleep(Duration::from_millis(wait_ms)) => {}
            }
        }
    }
}

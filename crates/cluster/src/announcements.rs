//! Announcements on their own subjects, for consumers of any kind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_trait::async_trait;
use fleet_orchestrator::port::{Announcement, Announcements, Position, StoreError};
use tokio::sync::Mutex;

use crate::announced::Published;
use crate::fit;
use crate::link::Link;
use crate::message::{Message, POSITION};
use crate::names::Names;
use crate::read::LIMIT_MAX;

/// What a message takes beside its body, at most.
const HEADERS_BYTES: usize = 4 * 1024;

pub(crate) struct JetStreamAnnouncements {
    link: Link,
    names: Arc<Names>,
    /// For how long what was read of the stream is believed: half as long as the server knows ids, so that between
    /// the two nothing is published twice.
    believed: Duration,
    /// What is published, and when the stream was read for it.
    published: Mutex<Option<(Instant, Published)>>,
}

impl JetStreamAnnouncements {
    pub(crate) fn new(link: Link, names: Arc<Names>, announced_ms: u64) -> JetStreamAnnouncements {
        let believed = Duration::from_millis(announced_ms / 2);
        JetStreamAnnouncements { link, names, believed, published: Mutex::new(None) }
    }

    /// What is published, as of now or of not too long ago.
    async fn fresh(&self, known: Option<(Instant, Published)>) -> Result<(Instant, Published), StoreError> {
        let mut published = match known {
            Some((read_at, published)) if read_at.elapsed() < self.believed => {
                return Ok((read_at, published));
            }
            Some((_, published)) => published,
            None => Published::new(self.link.announced(&self.names).await?.0),
        };
        let read_at = Instant::now();
        let end = self.read(published.read_from(), |message| {
            published.saw(message.sequence, position_of(message), message.id().unwrap_or_default());
        });
        let end = end.await?;
        published.read(end);
        Ok((read_at, published))
    }

    /// Whether an announcement is anywhere in the stream.
    async fn is_anywhere(&self, id: &str) -> Result<bool, StoreError> {
        let mut found = false;
        self.read(0, |message| found |= message.id() == Some(id)).await?;
        Ok(found)
    }

    /// Reads the stream from behind a sequence to its end as the leader knows it, and gives that.
    async fn read(&self, mut after: u64, mut each: impl FnMut(&Message)) -> Result<u64, StoreError> {
        let stream = self.names.announcements;
        let end = self.link.state(stream).await?.state.last_sequence;
        while after < end {
            let mut found = self.link.behind(stream, ">", after, LIMIT_MAX).await?;
            if found.is_empty() {
                // The replica that was asked may not have come so far.
                let Some(next) = self.link.first_behind(stream, ">", after).await? else { break };
                found.push(next);
            }
            for message in &found {
                after = message.sequence;
                each(message);
            }
        }
        Ok(end.max(after))
    }

    async fn add(&self, announcement: &Announcement, position: u64) -> Result<u64, StoreError> {
        let mut headers = HeaderMap::new();
        headers.insert("Content-Type", "application/json");
        headers.insert(POSITION, position.to_string());
        let room = self.link.client.max_payload().saturating_sub(HEADERS_BYTES);
        let body = fit::within(&announcement.body, room);
        let stream = self.names.announcements;
        self.link.add(stream, announcement.subject, &announcement.id, headers, body).await
    }
}

fn position_of(message: &Message) -> u64 {
    message.header(POSITION).and_then(|position| position.parse().ok()).unwrap_or_default()
}

#[async_trait]
impl Announcements for JetStreamAnnouncements {
    async fn publish(&self, announcements: &[(Announcement, Position)]) -> Result<(), StoreError> {
        let mut known = self.link.within(self.published.lock()).await?;
        // What is half done after an error is read anew.
        let (read_at, mut published) = self.fresh(known.take()).await?;
        let mut highest = 0;
        // One after another: of those behind a failure none may be there.
        for (announcement, Position(position)) in announcements {
            highest = highest.max(*position);
            let there = if published.is_behind(*position) {
                self.is_anywhere(&announcement.id).await?
            } else {
                published.is_there(*position, &announcement.id)
            };
            if !there {
                let sequence = self.add(announcement, *position).await?;
                published.saw(sequence, *position, &announcement.id);
            }
        }
        published.publish(highest);
        self.link.raise(&self.names, published.done()).await?;
        *known = Some((read_at, published));
        Ok(())
    }

    async fn published_to(&self) -> Result<Position, StoreError> {
        let (announced, _) = self.link.announced(&self.names).await?;
        Ok(Position(announced.position))
    }
}

//! What is told to the world, once each.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Position, StoreError};

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// Tells this announcement from all others; the same one has the same id each time.
    pub id: String,
    /// The subject it goes out on, such as `deliberation.completed`.
    pub subject: &'static str,
    /// JSON, UTF-8.
    pub body: Bytes,
}

/// Tells the world.
#[async_trait]
pub trait Announcements: Send + Sync {
    /// Publishes announcements in their order, each for the record at its position. One with the id of an
    /// earlier one is not seen twice. When this returns `Ok` all are durable; after an error some may be
    /// published, the first ones first.
    async fn publish(&self, announcements: &[(Announcement, Position)]) -> Result<(), StoreError>;

    /// The highest position that anything was published for.
    async fn published_to(&self) -> Result<Position, StoreError>;
}

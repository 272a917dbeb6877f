//! What the work needs of the world. Adapters give it, each in a crate of its own.

mod announcements;
mod answers;
mod checker;
mod clock;
mod entropy;
mod event_store;
mod job_queue;
mod language_model;
mod observer;
mod progress;

pub use announcements::{Announcement, Announcements};
pub use answers::{Answers, Recorded};
pub use checker::{CheckRequest, Checker};
pub use clock::Clock;
pub use entropy::Entropy;
pub use event_store::{
    Entry, EventStore, HistoryId, HistoryInfo, HistoryKind, Listing, Position, Sequence, Stored,
};
pub use job_queue::{JobQueue, Lease};
pub use language_model::{
    Heard, LanguageModel, Message, ModelError, ModelRequest, ResponseFormat, Speaker, Tokens,
};
pub use observer::{Attempted, Called, NoObserver, Observer, Observers};
pub use progress::{NoProgress, Progress, Seen, Tick, TickWatch, Watching};

/// What came between the work and a record.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The history has moved on: load it and decide again.
    #[error("the history has moved on")]
    Conflict,
    /// There is no room for more: refuse.
    #[error("the store is full")]
    Full,
    /// It may work later, and it is not known whether the write took place: wait and look.
    #[error("the store is unavailable")]
    Unavailable(#[source] Source),
    /// What is stored cannot be read: call someone.
    #[error("the record at {0:?} is corrupt")]
    Corrupt(Sequence, #[source] Source),
}

/// The cause of an error, of whatever technology.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

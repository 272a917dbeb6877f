//! The ports on NATS JetStream, for many processes.
//!
//! Everything lies in streams and is read by sequence; there is no consumer, so that no cursor of ours can be
//! lost, stuck or wrong. Who may write is decided by the server, by the sequence that a write expects its
//! subject to end at. `docs/adr/0010-jetstream.md` says why.

mod announced;
mod announcements;
mod answers;
mod cluster;
mod error;
mod event_store;
mod fit;
mod held;
mod histories;
mod index;
mod job_queue;
mod job_state;
mod jobs;
mod link;
mod marks;
mod message;
mod names;
mod place;
mod read;
mod streams;
mod turns;
mod wakes;

pub use cluster::{Cluster, Settings};
pub use error::OpenError;

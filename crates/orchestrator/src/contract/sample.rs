//! Records, jobs and answers to keep promises about.

use bytes::Bytes;
use fleet_deliberation::{AgentId, Answer, DeliberationId, Generation, JobId, JobKind, Outcome, Timestamp};

use crate::port::{Entry, HistoryId};

pub(super) fn history(name: &str) -> HistoryId {
    HistoryId::deliberation(&deliberation(name))
}

pub(super) fn deliberation(name: &str) -> DeliberationId {
    DeliberationId::new(name).expect("a name")
}

/// A record that does not end its history.
pub(super) fn entry(body: &str, at: u64) -> Entry {
    Entry { body: Bytes::copy_from_slice(body.as_bytes()), at: Timestamp(at), ends: false }
}

/// A record that ends its history.
pub(super) fn last(body: &str, at: u64) -> Entry {
    Entry { ends: true, ..entry(body, at) }
}

/// The job to propose for an agent of a deliberation.
pub(super) fn job(name: &str, agent: &str) -> JobId {
    JobId {
        deliberation: deliberation(name),
        round: 0,
        kind: JobKind::Propose,
        subject: AgentId::new(agent).expect("a name"),
    }
}

/// `count` jobs of one deliberation, in order.
pub(super) fn jobs(name: &str, count: usize) -> Vec<JobId> {
    (0..count).map(|n| job(name, &format!("agent-{n:03}"))).collect()
}

/// An answer that says `text`.
pub(super) fn answer(job: JobId, text: &str) -> Answer {
    let generation =
        Generation { text: text.into(), model: "a model".into(), temperature: 0.91, ..Generation::default() };
    Answer {
        job,
        attempt: 1,
        started_at: Timestamp(1_700_000_000_000),
        ended_at: Timestamp(1_700_000_001_000),
        outcome: Outcome::Text(generation),
    }
}

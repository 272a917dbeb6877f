//! How a job stands, as the last message on its subject says.

use fleet_deliberation::{JobId, Priority, Timestamp};
use fleet_orchestrator::port::StoreError;
use serde::{Deserialize, Serialize};

use crate::message::Message;

/// One message of the stream of jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobState {
    pub(crate) job: JobId,
    pub(crate) priority: Priority,
    /// How often it was leased so far.
    pub(crate) attempt: u32,
    pub(crate) is: Is,
}

/// What is to be done about a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Is {
    /// It can be leased.
    Waiting,
    /// It can be leased from a moment on.
    Delayed { not_before: Timestamp },
    /// Someone works on it, and lives as of this message.
    Leased,
    /// Nothing more; the message is there for a while, so that everyone hears of it.
    Done,
}

impl JobState {
    pub(crate) fn read(message: &Message) -> Result<JobState, StoreError> {
        serde_json::from_slice(&message.body).map_err(|error| message.corrupt(format!("not a job: {error}")))
    }

    pub(crate) fn now(&self, is: Is) -> JobState {
        JobState { is, ..self.clone() }
    }
}

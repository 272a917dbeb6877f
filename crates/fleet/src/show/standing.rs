//! How a deliberation stands, whoever was asked.

use anyhow::Context as _;
use fleet_api::v1 as wire;
use fleet_deliberation::{Phase, Status};
use fleet_orchestrator::View;
use fleet_orchestrator::announcement::{self, Outcome};
use serde::Serialize;

use crate::{Exit, Problem};

/// How a deliberation stands.
pub(crate) enum Standing {
    Ended(Outcome),
    Open(OpenStanding),
}

/// A deliberation that has not ended.
#[derive(Debug, Serialize)]
pub(crate) struct OpenStanding {
    pub(crate) task_id: String,
    pub(crate) status: &'static str,
    pub(crate) phase: String,
    pub(crate) pending: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
}

impl Standing {
    pub(crate) fn of_view(view: &View) -> Standing {
        if let Some(outcome) = announcement::outcome(view) {
            return Standing::Ended(outcome);
        }
        let state = &view.state;
        Standing::Open(OpenStanding {
            task_id: state.id().to_string(),
            status: if state.status() == Status::Pending { "pending" } else { "in_progress" },
            phase: match state.phase() {
                Phase::Generating => "generating",
                Phase::Reviewing => "reviewing",
                Phase::Scoring => "scoring",
                Phase::Complete => "complete",
            }
            .into(),
            pending: state.outstanding().count() as u64,
            completed: state.jobs.completed.into(),
            failed: state.jobs.failed.into(),
        })
    }

    pub(crate) fn of_response(response: wire::GetDeliberationResultResponse) -> anyhow::Result<Standing> {
        if !response.event.is_empty() {
            let outcome = serde_json::from_str(&response.event).context("reading the server's event")?;
            return Ok(Standing::Ended(outcome));
        }
        let status = match response.status() {
            wire::DeliberationStatus::Pending => "pending",
            wire::DeliberationStatus::InProgress => "in_progress",
            _ => {
                let message =
                    "the server knows how it ended and does not say it in full; is it of an earlier version?";
                return Err(Problem::new(Exit::Unavailable, message).into());
            }
        };
        let tags = response.metadata.unwrap_or_default().tags;
        let count = |key: &str| tags.get(key).and_then(|n| n.parse().ok()).unwrap_or(0);
        Ok(Standing::Open(OpenStanding {
            task_id: response.task_id,
            status,
            phase: tags.get("phase").cloned().unwrap_or_default(),
            pending: count("pending"),
            completed: count("completed"),
            failed: count("failed"),
        }))
    }
}

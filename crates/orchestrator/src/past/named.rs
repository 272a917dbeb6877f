//! Which answer an event rests on.

use fleet_deliberation::{DeliberationId, Event, JobId, JobKind};

/// The job whose answer an event rests on; `None` for one that rests on none, and for failures: what failed
/// for want of time has no answer.
#[must_use]
pub fn named(deliberation: &DeliberationId, event: &Event) -> Option<JobId> {
    let (round, kind, author) = match event {
        Event::Proposed { author, .. } => (0, JobKind::Propose, author),
        Event::Checked { author, round, .. } => (*round, JobKind::Check, author),
        Event::Reviewed { author, round, .. } => (*round, JobKind::Critique, author),
        Event::Revised { author, round, .. } => (*round, JobKind::Revise, author),
        Event::TestsWritten { writer, .. } => (0, JobKind::Test, writer),
        Event::Tried { author, .. } => (0, JobKind::Trial, author),
        Event::Judged { comparison, judge, .. } => (*comparison, JobKind::Judge, judge),
        Event::Selected { architect, .. } => (0, JobKind::Select, architect),
        Event::Opened(_)
        | Event::AuthorFailed { .. }
        | Event::CheckFailed { .. }
        | Event::RingFormed { .. }
        | Event::ReviewRequested { .. }
        | Event::ReviewFailed { .. }
        | Event::RevisionRequested { .. }
        | Event::NothingToRevise { .. }
        | Event::RevisionFailed { .. }
        | Event::RevisionAccepted { .. }
        | Event::RevisionRefused { .. }
        | Event::TestsRequested { .. }
        | Event::TestsSkipped { .. }
        | Event::TestsFailed { .. }
        | Event::TrialsRequested { .. }
        | Event::TrialFailed { .. }
        | Event::JudgingOpened { .. }
        | Event::JudgementFailed { .. }
        | Event::SelectionRequested { .. }
        | Event::SelectionFailed { .. }
        | Event::Settled { .. }
        | Event::Dropped { .. }
        | Event::Renewed { .. }
        | Event::Ended { .. } => return None,
    };
    Some(JobId { deliberation: deliberation.clone(), round, kind, subject: author.clone() })
}

//! The past of deliberations, wherever it is kept.

use fleet_deliberation::{DeliberationId, Timestamp};
use fleet_orchestrator::port::StoreError;
use fleet_orchestrator::{HandleError, Past};
use tonic::Code;

use crate::state::Source;
use crate::{Exit, Problem};

/// The most deliberations that are looked at in files.
const KEPT_MAX: usize = 1_000_000;

/// Everything that was recorded of a deliberation.
pub(crate) async fn past(source: &Source, id: &DeliberationId) -> anyhow::Result<Past> {
    match source {
        Source::Server(remote) => remote.past(id).await,
        Source::Files(coordinator) => Ok(coordinator.recording(id).await?.whole(id).await?),
    }
}

/// The deliberations that are kept and were submitted at `since` or later and before `until`, newest first.
pub(crate) async fn kept(
    source: &Source,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> anyhow::Result<Vec<DeliberationId>> {
    let ms =
        |moment: Option<Timestamp>| moment.map_or(0, |moment| i64::try_from(moment.0).unwrap_or(i64::MAX));
    match source {
        Source::Server(remote) => {
            let kept = remote.kept(ms(since), ms(until)).await?;
            Ok(kept.iter().filter_map(|history| DeliberationId::new(&history.task_id).ok()).collect())
        }
        Source::Files(coordinator) => {
            let span = since.unwrap_or_default()..until.unwrap_or(Timestamp(u64::MAX));
            let kept = coordinator.kept(KEPT_MAX).await?;
            let kept = kept.iter().filter(|info| span.contains(&info.opened_at));
            Ok(kept.filter_map(|info| info.id.as_deliberation()).collect())
        }
    }
}

/// Whether what was listed is gone: it was forgotten in between.
pub(crate) fn is_forgotten(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<tonic::Status>() {
        Some(status) => status.code() == Code::NotFound,
        None => Problem::report(error).0 == Exit::NotFound,
    }
}

/// Whether a history cannot be read because of what is stored, so that others may well be.
pub(crate) fn is_damaged(error: &anyhow::Error) -> bool {
    let corrupt = |error: &StoreError| matches!(error, StoreError::Corrupt(..));
    match (error.downcast_ref::<HandleError>(), error.downcast_ref::<StoreError>()) {
        (Some(HandleError::Store(error)), _) | (None, Some(error)) => corrupt(error),
        _ => error.downcast_ref::<tonic::Status>().is_some_and(|status| status.code() == Code::Internal),
    }
}

//! `GetDeliberationHistory` and `ListHistories`: what was recorded, as it is stored, pulled by whoever reads.

use std::pin::Pin;

use fleet_api::v1 as wire;
use fleet_deliberation::JobId;
use fleet_orchestrator::{HandleError, Recording};
use futures_util::stream::{Stream, StreamExt as _, iter, unfold};
use tokio::sync::OwnedSemaphorePermit;
use tonic::Status;

use super::answer::signed;
use super::status::{malformed, status};
use super::{Grpc, ask};

/// The most histories that are listed at once.
const KEPT_MAX: usize = 1_000_000;

/// A history on its way to a client.
pub(crate) type HistoryStream =
    Pin<Box<dyn Stream<Item = Result<wire::DeliberationHistoryPart, Status>> + Send>>;

/// A list of histories on its way to a client.
pub(crate) type KeptStream = Pin<Box<dyn Stream<Item = Result<wire::KeptHistory, Status>> + Send>>;

impl Grpc {
    pub(super) async fn history(&self, id: &str) -> Result<HistoryStream, Status> {
        let id = ask::task_id(id)?;
        let place = self.streams.take()?;
        let mut recording = self.coordinator.recording(&id).await.map_err(status)?;
        let records = std::mem::take(&mut recording.records).into_iter().map(|(sequence, body)| {
            let record = wire::HistoryRecord { sequence: sequence.0, body: body.to_vec() };
            Ok(part(wire::deliberation_history_part::Part::Record(record)))
        });
        // An answer is read when the one before was taken, so that no more than that is held for a reader.
        let jobs = std::mem::take(&mut recording.jobs).into_iter();
        let open = Open { recording, jobs, _place: place };
        let answers = unfold(open, |mut open| async { open.next().await.map(|answer| (answer, open)) });
        Ok(Box::pin(iter(records).chain(answers)))
    }

    pub(super) async fn kept(&self, request: &wire::ListHistoriesRequest) -> Result<KeptStream, Status> {
        let since = moment("since_ms", request.since_ms)?.unwrap_or(0);
        let until = moment("until_ms", request.until_ms)?.unwrap_or(u64::MAX);
        let place = self.streams.take()?;
        let kept = self.coordinator.kept(KEPT_MAX).await.map_err(status)?;
        let listed = kept.into_iter().filter(move |info| (since..until).contains(&info.opened_at.0));
        let listed = listed.filter_map(move |info| {
            // Held until the last one is read.
            let _place = &place;
            Some(Ok(wire::KeptHistory {
                task_id: info.id.as_deliberation()?.to_string(),
                created_at_ms: signed(info.opened_at.0),
                ended_at_ms: info.ended_at.map_or(0, |at| signed(at.0)),
            }))
        });
        Ok(Box::pin(iter(listed)))
    }
}

/// A history of which not every answer is sent.
struct Open {
    recording: Recording,
    jobs: std::vec::IntoIter<JobId>,
    _place: OwnedSemaphorePermit,
}

impl Open {
    async fn next(&mut self) -> Option<Result<wire::DeliberationHistoryPart, Status>> {
        loop {
            let job = self.jobs.next()?;
            let answer = match self.recording.answer(&job).await {
                Ok(Some(answer)) => answer,
                Ok(None) => continue,
                Err(error) => {
                    self.jobs = Vec::new().into_iter();
                    return Some(Err(status(HandleError::Store(error))));
                }
            };
            #[expect(clippy::expect_used, reason = "an answer was read from JSON")]
            let body = serde_json::to_vec(&*answer).expect("an answer can be written");
            let answer = wire::HistoryAnswer { job_id: job.to_string(), body };
            return Some(Ok(part(wire::deliberation_history_part::Part::Answer(answer))));
        }
    }
}

fn part(part: wire::deliberation_history_part::Part) -> wire::DeliberationHistoryPart {
    wire::DeliberationHistoryPart { part: Some(part) }
}

/// A moment of which 0 says nothing.
fn moment(field: &str, ms: i64) -> Result<Option<u64>, Status> {
    match u64::try_from(ms) {
        Ok(0) => Ok(None),
        Ok(ms) => Ok(Some(ms)),
        Err(_) => Err(malformed(field, format!("is {ms}; it must be at least 0"))),
    }
}

//! What a server has recorded, whole.

use std::sync::Arc;

use bytes::Bytes;
use fleet_api::v1 as wire;
use fleet_api::v1::deliberation_history_part::Part;
use fleet_deliberation::{Answer, DeliberationId};
use fleet_orchestrator::Past;
use fleet_orchestrator::port::Sequence;
use tonic::Status;

use super::{AGAIN, Remote};
use crate::{Exit, Problem};

/// The most bytes that are taken of one deliberation: far more than 64 agents write in ten rounds.
const HISTORY_BYTES_MAX: usize = 1 << 30;

impl Remote {
    /// Everything that was recorded of a deliberation.
    pub(crate) async fn past(&self, id: &DeliberationId) -> anyhow::Result<Past> {
        let failed = |status: Status| self.failed(status, AGAIN);
        let request = wire::GetDeliberationHistoryRequest { task_id: id.to_string() };
        let mut parts = self.calls().get_deliberation_history(request).await.map_err(failed)?.into_inner();
        let (mut records, mut answers, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
        while let Some(wire::DeliberationHistoryPart { part }) = parts.message().await.map_err(failed)? {
            match part {
                Some(Part::Record(record)) => {
                    bytes += record.body.len();
                    records.push((Sequence(record.sequence), Bytes::from(record.body)));
                }
                Some(Part::Answer(answer)) => {
                    bytes += answer.body.len();
                    let read: Answer = serde_json::from_slice(&answer.body).map_err(|error| {
                        let job = &answer.job_id;
                        let message = format!(
                            "the server's answer to {job} cannot be read ({error}); is it of another version?"
                        );
                        Problem::new(Exit::Unexpected, message)
                    })?;
                    answers.push(Arc::new(read));
                }
                // Of a later version; what it adds is not needed for what is known here.
                None => {}
            }
            if bytes > HISTORY_BYTES_MAX {
                let message = format!("the history of {id} has more than {HISTORY_BYTES_MAX} bytes");
                return Err(Problem::new(Exit::Refused, message).into());
            }
        }
        Ok(Past::of(id, records, answers)?)
    }

    /// The deliberations whose histories the server keeps and that were submitted in a span of time, newest
    /// first; 0 is no bound.
    pub(crate) async fn kept(&self, since_ms: i64, until_ms: i64) -> anyhow::Result<Vec<wire::KeptHistory>> {
        let failed = |status: Status| self.failed(status, AGAIN);
        let request = wire::ListHistoriesRequest { since_ms, until_ms };
        let mut listed = self.calls().list_histories(request).await.map_err(failed)?.into_inner();
        let mut kept = Vec::new();
        while let Some(history) = listed.message().await.map_err(failed)? {
            kept.push(history);
        }
        Ok(kept)
    }
}

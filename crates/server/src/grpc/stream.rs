//! `StreamDeliberation`: the steps of a deliberation and what is being written, pulled by whoever reads.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fleet_api::v1 as wire;
use fleet_deliberation::{DeliberationId, JobKind, Rejection};
use fleet_orchestrator::port::NoProgress;
use fleet_orchestrator::{Draft, Following, HandleError, Place, Shown, Update, Writing};
use futures_util::stream::{Stream, unfold};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::answer::{checks, phase, signed};
use super::status::{later, malformed, status};
use super::{Grpc, ask};

/// When a client may try again after a stream was refused, or ended by the server.
const RETRY: Duration = Duration::from_secs(1);

/// A stream on its way to a client.
pub(crate) type UpdateStream = Pin<Box<dyn Stream<Item = Result<wire::DeliberationUpdate, Status>> + Send>>;

/// The streams that may be open at once.
pub(super) struct Streams {
    limit: usize,
    free: Arc<Semaphore>,
}

impl Streams {
    pub(super) fn up_to(limit: usize) -> Streams {
        Streams { limit, free: Arc::new(Semaphore::new(limit)) }
    }

    pub(super) fn take(&self) -> Result<OwnedSemaphorePermit, Status> {
        Arc::clone(&self.free).try_acquire_owned().map_err(|_| {
            let limit = self.limit;
            let message =
                format!("as many streams are open as may be, {limit} (server.streams_max); try again later");
            later(Code::ResourceExhausted, message, RETRY)
        })
    }
}

impl Grpc {
    pub(super) async fn stream(
        &self,
        request: wire::DeliberateRequest,
        trace: String,
    ) -> Result<UpdateStream, Status> {
        let (after, tokens) = (request.after_sequence, request.tokens.unwrap_or(true));
        // Both before anything is submitted that nobody would then hear of.
        if self.stop.is_cancelled() {
            return Err(stopping(after));
        }
        let place = self.streams.take()?;
        let id = match request.task_id.as_str() {
            "" => self.coordinator.new_id().map_err(status)?,
            id => ask::task_id(id)?,
        };
        // From before it is submitted, so that nothing is missed.
        let ticks = if tokens { self.watching.watch(&id) } else { Box::new(NoProgress) };
        self.begin(&id, request, trace).await?;
        let updates = self.coordinator.updates(&id, after).await.map_err(status)?;
        let following = Following::new(updates, ticks);
        let open = Open { following, stop: self.stop.clone(), _place: place };
        Ok(Box::pin(unfold(Some(open), |open| async { open?.next().await })))
    }

    /// Submits what a request to stream is about, unless it only asks for what is there.
    async fn begin(
        &self,
        id: &DeliberationId,
        request: wire::DeliberateRequest,
        trace: String,
    ) -> Result<(), Status> {
        let (after, is_named) = (request.after_sequence, !request.task_id.is_empty());
        if is_named && request.task_description.is_empty() {
            return Ok(());
        }
        if after > 0 && !is_named {
            let reason = format!("is {after}, but without a task_id there is nothing to resume");
            return Err(malformed("after_sequence", reason));
        }
        if after > 0 {
            // What is resumed is not to begin anew where it was forgotten.
            let known = self.coordinator.histories().load(id).await.map_err(HandleError::Store);
            if known.map_err(status)?.is_none() {
                return Err(status(Rejection::Unknown(id.clone()).into()));
            }
        }
        let id = Some(id.clone());
        let submission = fleet_orchestrator::Request { id, trace, ..ask::submission(request)? };
        self.coordinator.submit(submission).await.map(drop).map_err(status)
    }
}

/// A stream that has not come to its end.
struct Open {
    following: Following,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Open {
    /// What is sent next, and what then is left of the stream.
    async fn next(mut self) -> Option<(Result<wire::DeliberationUpdate, Status>, Option<Open>)> {
        let next = tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(stopping(self.following.sequence())),
            next = self.following.next() => next.map_err(status),
        };
        match next {
            Ok(Some(shown)) => Some((Ok(update(self.following.id(), shown)), Some(self))),
            Ok(None) => None,
            Err(status) => Some((Err(status), None)),
        }
    }
}

fn stopping(after: u64) -> Status {
    let message = format!("the server stops; resume once it is back, with after_sequence {after}");
    later(Code::Unavailable, message, RETRY)
}

/// What a watcher of `id` is shown, on the wire.
#[must_use]
pub fn update(id: &DeliberationId, shown: Shown) -> wire::DeliberationUpdate {
    match shown {
        Shown::Step(step) => {
            let Update { place, at: recorded_at, step, agent, draft } = *step;
            wire::DeliberationUpdate {
                at_ms: signed(recorded_at.0),
                current_step: step,
                current_agent: agent.map(|agent| agent.to_string()).unwrap_or_default(),
                partial_result: draft.map(result),
                ..at(id, place)
            }
        }
        Shown::Writing(place, writing) => wire::DeliberationUpdate {
            current_step: act(&writing),
            current_agent: writing.agent.to_string(),
            writing: Some(wire::Writing {
                job_id: writing.job.to_string(),
                attempt: i32::try_from(writing.attempt).unwrap_or(i32::MAX),
                delta: writing.text,
                tokens: signed(writing.tokens),
                reasoning: writing.reasoning,
                left_out: signed(writing.left_out),
            }),
            ..at(id, place)
        },
    }
}

fn at(id: &DeliberationId, place: Place) -> wire::DeliberationUpdate {
    wire::DeliberationUpdate {
        status: phase(place.phase).into(),
        progress_percent: i32::try_from(place.progress_percent).unwrap_or(i32::MAX),
        sequence: place.sequence,
        task_id: id.to_string(),
        ..wire::DeliberationUpdate::default()
    }
}

fn act(writing: &Writing) -> String {
    let Writing { agent, job, reasoning, .. } = writing;
    let what = match job.kind {
        JobKind::Propose => "its proposal".to_owned(),
        JobKind::Check => format!("the check of the proposal of {}", job.subject),
        JobKind::Critique => format!("the review of the proposal of {}", job.subject),
        JobKind::Revise => format!("its revision (round {})", job.round),
        JobKind::Test => "tests for the proposals".into(),
        JobKind::Trial => "a trial by the tests of others".into(),
        JobKind::Judge => "a judgement of near ties".into(),
        JobKind::Select => "its choice among near ties".into(),
    };
    match reasoning {
        true => format!("{agent} reasons before {what}"),
        false => format!("{agent} writes {what}"),
    }
}

/// A proposal as it stands; only with a verdict it has a rank and a score.
fn result(draft: Draft) -> wire::DeliberationResult {
    let suite = match (&draft.checks, &draft.ranked) {
        (None, None) => None,
        (report, _) => Some(checks(report.as_ref())),
    };
    let (score, rank, basis) = match draft.ranked {
        Some(ranked) => (ranked.score, i32::try_from(ranked.rank).unwrap_or(i32::MAX), ranked.basis),
        None => Default::default(),
    };
    wire::DeliberationResult {
        proposal: Some(wire::Proposal {
            author_id: draft.author.to_string(),
            author_role: draft.role.to_string(),
            content: draft.generation.text,
            created_at_ms: signed(draft.created_at.0),
            revisions: draft.earlier,
        }),
        checks: suite,
        score,
        rank,
        basis,
    }
}

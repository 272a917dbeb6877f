//! One job: fetch what it needs, ask the model or the checker, read what came back.

use std::sync::{Arc, LazyLock};

use fleet_deliberation::{
    Answer, Assignment, CheckReport, Deliberation, Failure, FailureKind, Generation, JobId, Outcome, Review,
    Work, prompts,
};
use fleet_orchestrator::port::{
    CheckRequest, Lease, Message, ModelError, ModelRequest, ResponseFormat, Speaker, StoreError, Tick, Tokens,
};
use fleet_orchestrator::{generation, report};

use crate::Parts;
use crate::review::{self, read_review};

/// Why an attempt gave no outcome.
pub(crate) enum Fault {
    /// What the job needs could not be read.
    Store(StoreError),
    /// The model gave no answer.
    Model(ModelError),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        Fault::Store(error)
    }
}

impl From<ModelError> for Fault {
    fn from(error: ModelError) -> Fault {
        Fault::Model(error)
    }
}

/// Does the job of `lease`.
pub(crate) async fn perform(
    parts: &Parts,
    lease: &Lease,
    state: &Deliberation,
    assignment: &Assignment,
) -> Result<Outcome, Fault> {
    let opened = &state.opened;
    let call = Call { parts, lease, state, assignment };
    match &assignment.work {
        Work::Propose => {
            let prompt = prompts::propose(opened, assignment.seat);
            let heat = if assignment.seat == 0 { 1.0 } else { prompts::DIVERSITY_HEAT };
            Ok(Outcome::Text(call.model(prompt, heat, ResponseFormat::Text).await?))
        }
        Work::Check { text } => match find(parts, text).await?.as_ref().and_then(generation) {
            Some(text) => {
                let submission = state.submission();
                let request = CheckRequest {
                    proposal: &text.text,
                    task: &submission.task,
                    role: &submission.role,
                    timeout_ms: assignment.window.until.ms_since(parts.clock.now()).max(1),
                };
                Ok(Outcome::Checks(parts.checker.check(request).await))
            }
            None => Ok(missing(text, lease)),
        },
        Work::Critique { text, checks } => {
            let (text_answer, checks) = (find(parts, text).await?, checked(parts, checks).await?);
            let Some(text) = text_answer.as_ref().and_then(generation) else {
                return Ok(missing(text, lease));
            };
            let prompt = prompts::critique(opened, &text.text, &checks);
            let generation = call.model(prompt, 1.0, review_format()).await?;
            Ok(match read_review(&generation.text) {
                Ok(review) => Outcome::Review { review, generation },
                Err(error) => Outcome::Failed(Failure {
                    usage: generation.usage,
                    ..Failure::new(FailureKind::Unreadable, error.to_string(), lease.attempt)
                }),
            })
        }
        Work::Revise { text, checks, review } => {
            let (text_answer, checks) = (find(parts, text).await?, checked(parts, checks).await?);
            let Some(text) = text_answer.as_ref().and_then(generation) else {
                return Ok(missing(text, lease));
            };
            let review = find(parts, review).await?;
            let prompt = prompts::revise(opened, &text.text, &checks, review.as_deref().and_then(review_of));
            Ok(Outcome::Text(call.model(prompt, 1.0, ResponseFormat::Text).await?))
        }
    }
}

struct Call<'a> {
    parts: &'a Parts,
    lease: &'a Lease,
    state: &'a Deliberation,
    assignment: &'a Assignment,
}

impl Call<'_> {
    async fn model(
        &self,
        prompt: prompts::Prompt,
        heat: f64,
        format: ResponseFormat,
    ) -> Result<Generation, ModelError> {
        let Call { parts, lease, state, assignment } = self;
        let member = &state.submission().members[assignment.seat];
        let request = ModelRequest {
            job: lease.job.clone(),
            attempt: lease.attempt,
            agent: member.agent.clone(),
            profile: member.profile.name.as_str().into(),
            endpoint: member.profile.endpoint.as_deref().map(Into::into),
            model: member.profile.model.as_str().into(),
            messages: vec![
                Message { speaker: Speaker::System, text: prompt.system },
                Message { speaker: Speaker::User, text: prompt.user },
            ],
            // Servers refuse more than 2.
            temperature: (member.profile.temperature * heat).min(2.0),
            tokens_max: member.profile.tokens_max,
            parameters: Arc::clone(&member.profile.parameters),
            format,
            priority: state.submission().priority,
            trace: state.submission().trace.as_str().into(),
            timeout_ms: assignment.window.until.ms_since(parts.clock.now()).max(1),
        };
        let heard = |tokens: Tokens<'_>| {
            if parts.progress.is_watched(&request.job.deliberation) {
                parts.progress.tick(Tick {
                    job: request.job.clone(),
                    agent: request.agent.clone(),
                    attempt: request.attempt,
                    tokens: tokens.written,
                    reasoning: tokens.reasoning,
                    text: tokens.text.into(),
                });
            }
        };
        heard(Tokens::default());
        parts.model.complete(&request, &heard).await
    }
}

async fn find(parts: &Parts, job: &JobId) -> Result<Option<Arc<Answer>>, StoreError> {
    parts.answers.find(job).await
}

/// The report of a check job; an empty one where it gave none.
async fn checked(parts: &Parts, job: &JobId) -> Result<CheckReport, StoreError> {
    Ok(find(parts, job).await?.as_ref().and_then(report).cloned().unwrap_or_default())
}

fn review_of(answer: &Answer) -> Option<&Review> {
    match &answer.outcome {
        Outcome::Review { review, .. } => Some(review),
        Outcome::Text(_) | Outcome::Checks(_) | Outcome::Failed(_) => None,
    }
}

/// The form in which reviews are asked for.
fn review_format() -> ResponseFormat {
    static SCHEMA: LazyLock<Arc<serde_json::Value>> = LazyLock::new(|| Arc::new(review::schema()));
    ResponseFormat::Json { name: review::SCHEMA_NAME, schema: Arc::clone(&SCHEMA) }
}

fn missing(job: &JobId, lease: &Lease) -> Outcome {
    let message = format!("the answer to {job}, which this job needs, is missing");
    Outcome::Failed(Failure::new(FailureKind::Internal, message, lease.attempt))
}

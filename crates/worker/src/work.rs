//! One job: fetch what it needs, ask the model or the checker, read what came back.

use std::sync::{Arc, LazyLock};

use fleet_deliberation::prompts::Exhibit;
use fleet_deliberation::{
    AgentId, Assignment, Deliberation, Failure, FailureKind, Generation, JobId, Outcome, Work, prompts,
};
use fleet_orchestrator::port::{
    CheckRequest, Lease, Message, ModelError, ModelRequest, ResponseFormat, Speaker, StoreError, Tick, Tokens,
};

use crate::Parts;
use crate::comparison::{
    CHOICE_NAME, JUDGEMENT_NAME, choice_schema, judgement_schema, read_choice, read_judgement,
};
use crate::fetched::{Fetched, checked, find};
use crate::review::{self, ground, read_review};
use crate::trial::trial;

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
            let seat = assignment.seat.unwrap_or(0);
            let prompt = prompts::propose(opened, seat);
            let heat = if seat == 0 { 1.0 } else { prompts::DIVERSITY_HEAT };
            Ok(Outcome::Text(call.model(prompt, heat, ResponseFormat::Text).await?))
        }
        Work::Check { text } => match find(parts, text).await?.as_ref().and_then(|answer| answer.text()) {
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
            let Some(text) = text_answer.as_ref().and_then(|answer| answer.text()) else {
                return Ok(missing(text, lease));
            };
            let prompt = prompts::critique(opened, &text.text, &checks);
            let generation = call.model(prompt, 1.0, review_format()).await?;
            Ok(match read_review(&generation.text) {
                Ok(mut review) => {
                    ground(&mut review, &text.text, &checks);
                    Outcome::Review { review, generation }
                }
                Err(error) => unreadable(&error, &generation, lease),
            })
        }
        Work::Revise { text, checks, review } => {
            let (text_answer, checks) = (find(parts, text).await?, checked(parts, checks).await?);
            let Some(text) = text_answer.as_ref().and_then(|answer| answer.text()) else {
                return Ok(missing(text, lease));
            };
            let review = find(parts, review).await?;
            let prompt = prompts::revise(
                opened,
                &text.text,
                &checks,
                review.as_ref().and_then(|answer| answer.review()),
            );
            Ok(Outcome::Text(call.model(prompt, 1.0, ResponseFormat::Text).await?))
        }
        Work::Test { candidates } => {
            let fetched = Fetched::all(parts, candidates).await?;
            let exhibits: Vec<Exhibit<'_>> = fetched.iter().filter_map(Fetched::blind).collect();
            let prompt = prompts::write_tests(opened, &exhibits);
            Ok(Outcome::Text(call.model(prompt, 1.0, ResponseFormat::Text).await?))
        }
        Work::Trial { text, tests } => {
            let answer = find(parts, text).await?;
            let Some(proposal) = answer.as_ref().and_then(|answer| answer.text()) else {
                return Ok(missing(text, lease));
            };
            trial(parts, state, assignment, lease, &proposal.text, tests).await
        }
        Work::Judge { pair: [first, second] } => {
            let (first, second) = (Fetched::of(parts, first).await?, Fetched::of(parts, second).await?);
            let (Some(a), Some(b)) = (first.blind(), second.blind()) else {
                return Ok(missing(
                    if first.blind().is_none() { first.text_job } else { second.text_job },
                    lease,
                ));
            };
            let prompt = prompts::judge(opened, [a, b]);
            let format = ResponseFormat::Json { name: JUDGEMENT_NAME, schema: Arc::new(judgement_schema()) };
            let generation = call.model(prompt, 1.0, format).await?;
            Ok(match read_judgement(&generation.text) {
                Ok(judgement) => Outcome::Judgement { judgement, generation },
                Err(error) => unreadable(&error, &generation, lease),
            })
        }
        Work::Select { candidates } => {
            let fetched = Fetched::all(parts, candidates).await?;
            if let Some(gone) = fetched.iter().find(|fetched| fetched.blind().is_none()) {
                return Ok(missing(gone.text_job, lease));
            }
            let exhibits: Vec<Exhibit<'_>> = fetched.iter().filter_map(Fetched::with_review).collect();
            let authors: Vec<&AgentId> = candidates.iter().map(|candidate| &candidate.author).collect();
            let citable = prompts::citable(&exhibits);
            let schema = Arc::new(choice_schema(exhibits.len(), &citable));
            let prompt = prompts::select(opened, &exhibits);
            let generation =
                call.model(prompt, 1.0, ResponseFormat::Json { name: CHOICE_NAME, schema }).await?;
            Ok(match read_choice(&generation.text, &authors, &citable) {
                Ok(choice) => Outcome::Choice { choice, generation },
                Err(error) => unreadable(&error, &generation, lease),
            })
        }
    }
}

fn unreadable(error: &dyn std::error::Error, generation: &Generation, lease: &Lease) -> Outcome {
    Outcome::Failed(Failure {
        usage: generation.usage,
        ..Failure::new(FailureKind::Unreadable, error.to_string(), lease.attempt)
    })
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
        let Some(member) = state.member(assignment) else {
            let message = "nobody is named to do this job".to_owned();
            return Err(ModelError { kind: FailureKind::Internal, message, retry_after_ms: None });
        };
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

/// The form in which reviews are asked for.
fn review_format() -> ResponseFormat {
    static SCHEMA: LazyLock<Arc<serde_json::Value>> = LazyLock::new(|| Arc::new(review::schema()));
    ResponseFormat::Json { name: review::SCHEMA_NAME, schema: Arc::clone(&SCHEMA) }
}

pub(crate) fn missing(job: &JobId, lease: &Lease) -> Outcome {
    let message = format!("the answer to {job}, which this job needs, is missing");
    Outcome::Failed(Failure::new(FailureKind::Internal, message, lease.attempt))
}

#[cfg(test)]
mod tests {
    use fleet_deliberation::SCHEMA_TOKENS;

    use super::*;

    #[test]
    fn a_schema_takes_no_more_than_budgets_count_for_it() {
        let letters_only = choice_schema(8, &[]);
        for schema in [review::schema(), judgement_schema(), letters_only] {
            let bytes = schema.to_string().len() as u64;
            assert!(bytes <= SCHEMA_TOKENS, "{bytes} bytes: {schema}");
        }
    }
}

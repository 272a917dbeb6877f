//! What tests tell observers about.

use std::sync::Arc;

use fleet_deliberation::{
    AgentId, Command, Decision, Deliberation, DeliberationId, Ended, Ending, Generation, JobId, Member,
    Priority, Profile, Role, Submission, Task, Timestamp, Usage,
};
use fleet_orchestrator::port::{Attempted, Called, Message, ModelError, ModelRequest, Speaker};

pub(crate) const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
pub(crate) const PROMPT: &str = "a secret prompt";
pub(crate) const ANSWER: &str = "a secret answer";
/// When everything begins.
const AT: u64 = 1_700_000_000_000;

pub(crate) fn submission(trace: &str) -> Submission {
    let member = |name: &str| Member {
        agent: AgentId::new(name).unwrap(),
        profile: Profile::new("default", "some-model", 0.7, 100),
    };
    Submission {
        id: DeliberationId::new("task-1").unwrap(),
        task: Task { description: PROMPT.into(), ..Task::default() },
        role: Role::new("DEV").unwrap(),
        members: vec![member("a"), member("b")],
        rounds: 1,
        quorum: 1,
        timeout_ms: 100_000,
        priority: Priority::Normal,
        selection: fleet_deliberation::Selection::default(),
        budget: fleet_deliberation::Budget::default(),
        fingerprint: String::new(),
        submitter: String::new(),
        trace: trace.into(),
    }
}

pub(crate) fn open(trace: &str) -> Deliberation {
    let mut decision = Decision::default();
    let submission = Box::new(submission(trace));
    decision.take(Command::Submit { submission, at: Timestamp(AT) }).unwrap();
    decision.state.unwrap()
}

/// A deliberation that ended after `ms`.
pub(crate) fn ended(trace: &str, ms: u64, ending: Ending) -> Deliberation {
    let mut state = open(trace);
    state.ended = Some(Ended { at: Timestamp(AT + ms), ending });
    state
}

pub(crate) fn completed(trace: &str, ms: u64) -> Deliberation {
    let verdict = Arc::new(open(trace).verdict());
    ended(trace, ms, Ending::Completed(verdict))
}

pub(crate) fn generation() -> Generation {
    Generation {
        text: ANSWER.into(),
        model: "some-model-0613".into(),
        temperature: 0.7,
        usage: Usage { prompt_tokens: 20, completion_tokens: 5, estimated: false },
        first_token_ms: 250,
        ..Generation::default()
    }
}

pub(crate) fn fault(kind: fleet_deliberation::FailureKind) -> ModelError {
    ModelError { kind, message: "it is down".into(), retry_after_ms: None }
}

pub(crate) fn job(text: &str) -> JobId {
    text.parse().unwrap()
}

pub(crate) fn request(job: &str, attempt: u32, trace: &str) -> ModelRequest {
    ModelRequest {
        job: self::job(job),
        attempt,
        agent: AgentId::new("a").unwrap(),
        profile: "default".into(),
        endpoint: None,
        model: "some-model".into(),
        messages: vec![
            Message { speaker: Speaker::System, text: "You are an expert.".into() },
            Message { speaker: Speaker::User, text: PROMPT.into() },
        ],
        temperature: 0.91,
        tokens_max: 100,
        parameters: Arc::new([("top_p".to_owned(), 0.9.into()), ("seed".to_owned(), 7.into())].into()),
        format: fleet_orchestrator::port::ResponseFormat::Text,
        priority: Priority::Normal,
        trace: trace.into(),
        timeout_ms: 1000,
    }
}

pub(crate) fn attempted<'a>(
    state: &'a Deliberation,
    job: &'a JobId,
    agent: &'a AgentId,
    came_of_it: Result<&'a fleet_deliberation::Outcome, &'a ModelError>,
) -> Attempted<'a> {
    let (started_at, ended_at) = (Timestamp(AT + 10), Timestamp(AT + 1_010));
    Attempted { state, job, attempt: 1, agent, started_at, ended_at, came_of_it }
}

pub(crate) fn called<'a>(
    request: &'a ModelRequest,
    nth: u32,
    came_of_it: Option<Result<&'a Generation, &'a ModelError>>,
) -> Called<'a> {
    let (started_at, ended_at) = (Timestamp(AT + 20), Timestamp(AT + 1_000));
    Called { request, server: "http://gpu:8000", nth, hedge: nth > 1, started_at, ended_at, came_of_it }
}

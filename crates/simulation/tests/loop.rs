//! Rules of the loop, as small stories in a world without faults.
#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "tests")]

use std::future::pending;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fleet_deliberation::{
    AgentId, DeliberationId, Ending, FailureKind, Generation, JobId, JobKind, Outcome, Status, Task,
    Timestamp,
};
use fleet_orchestrator::port::{Heard, LanguageModel, ModelError, ModelRequest};
use fleet_orchestrator::{Coordinator, HandleError, OrchestratorSettings, Request, Scope};
use fleet_simulation::calm::{Calm, settings};

/// What the model says to a call, by job and attempt.
type Script = fn(&ModelRequest) -> Says;

enum Says {
    Text(&'static str),
    Fault(FailureKind, Option<u64>),
    Nothing,
}

/// A model that follows a script and remembers its calls.
struct Scripted {
    script: Script,
    calm: Arc<Calm>,
    calls: Mutex<Vec<(JobId, Timestamp)>>,
}

#[async_trait]
impl LanguageModel for Scripted {
    async fn complete(&self, request: &ModelRequest, _: Heard<'_>) -> Result<Generation, ModelError> {
        self.calls.lock().unwrap().push((request.job.clone(), self.calm.now()));
        match (self.script)(request) {
            Says::Text(text) => Ok(Generation { text: text.into(), ..Generation::default() }),
            Says::Fault(kind, retry_after_ms) => {
                Err(ModelError { kind, message: "scripted".into(), retry_after_ms })
            }
            Says::Nothing => pending().await,
        }
    }
}

struct Story {
    calm: Arc<Calm>,
    model: Arc<Scripted>,
    coordinator: Arc<Coordinator>,
}

impl Story {
    fn with(settings: OrchestratorSettings, script: Script) -> Story {
        let calm = Arc::new(Calm::new());
        let model = Arc::new(Scripted { script, calm: Arc::clone(&calm), calls: Mutex::default() });
        let coordinator = calm.start(settings, Arc::clone(&model) as _);
        Story { calm, model, coordinator }
    }

    fn of(script: Script) -> Story {
        Story::with(settings(), script)
    }

    fn submit(&self, request: Request) -> Result<DeliberationId, HandleError> {
        let coordinator = Arc::clone(&self.coordinator);
        self.calm.run(async move { coordinator.submit(request).await.map(|accepted| accepted.id) })
    }

    fn ended(&self, id: &DeliberationId) {
        let (coordinator, id) = (Arc::clone(&self.coordinator), id.clone());
        self.calm.run(async move { coordinator.ended(&id, Timestamp(u64::MAX)).await.unwrap() });
    }

    fn failure(&self, id: &DeliberationId, round: u32, kind: JobKind) -> fleet_deliberation::Failure {
        match &self.calm.answer(&job(id, round, kind)).unwrap().outcome {
            Outcome::Failed(failure) => failure.clone(),
            other => panic!("no failure: {other:?}"),
        }
    }

    fn calls(&self) -> Vec<(JobId, Timestamp)> {
        self.model.calls.lock().unwrap().clone()
    }
}

fn job(id: &DeliberationId, round: u32, kind: JobKind) -> JobId {
    JobId { deliberation: id.clone(), round, kind, subject: AgentId::new("agent-dev-001").unwrap() }
}

fn request(agents: u32, rounds: u32) -> Request {
    let task = Task { description: "sort".into(), ..Task::default() };
    Request { task, role: "DEV".into(), agents: Some(agents), rounds: Some(rounds), ..Request::default() }
}

fn named(id: &str) -> Request {
    Request { id: DeliberationId::new(id).ok(), ..request(1, 0) }
}

#[test]
fn a_fault_that_may_pass_is_tried_three_times_with_growing_pauses() {
    let story = Story::of(|_| Says::Fault(FailureKind::Server, None));
    let id = story.submit(request(1, 0)).unwrap();
    story.ended(&id);
    let failure = story.failure(&id, 0, JobKind::Propose);
    assert_eq!((failure.kind, failure.attempts), (FailureKind::Server, 3));
    let at: Vec<u64> = story.calls().iter().map(|(_, at)| at.0).collect();
    assert_eq!(at.len(), 3);
    assert!((250..=760).contains(&(at[1] - at[0])), "{at:?}");
    assert!((500..=1510).contains(&(at[2] - at[1])), "{at:?}");
    assert_eq!(story.calm.state(&id).unwrap().status(), Status::Failed);
}

#[test]
fn a_fault_that_passes_leaves_no_trace_but_the_attempt() {
    let story = Story::of(|request| match request.attempt {
        1 => Says::Fault(FailureKind::Connection, None),
        _ => Says::Text("an answer"),
    });
    let id = story.submit(request(1, 0)).unwrap();
    story.ended(&id);
    assert_eq!(story.calm.answer(&job(&id, 0, JobKind::Propose)).unwrap().attempt, 2);
    assert_eq!(story.calm.state(&id).unwrap().status(), Status::Completed);
}

#[test]
fn a_fault_that_cannot_pass_is_not_tried_again() {
    for kind in
        [FailureKind::BadRequest, FailureKind::Unauthorized, FailureKind::NotFound, FailureKind::Empty]
    {
        let story = match kind {
            FailureKind::BadRequest => Story::of(|_| Says::Fault(FailureKind::BadRequest, None)),
            FailureKind::Unauthorized => Story::of(|_| Says::Fault(FailureKind::Unauthorized, None)),
            FailureKind::NotFound => Story::of(|_| Says::Fault(FailureKind::NotFound, None)),
            _ => Story::of(|_| Says::Fault(FailureKind::Empty, None)),
        };
        let id = story.submit(request(1, 0)).unwrap();
        story.ended(&id);
        assert_eq!(story.failure(&id, 0, JobKind::Propose).kind, kind);
        assert_eq!(story.calls().len(), 1);
    }
}

#[test]
fn the_server_says_when_it_wants_to_be_asked_again() {
    let story = Story::of(|request| match request.attempt {
        1 => Says::Fault(FailureKind::RateLimited, Some(20_000)),
        _ => Says::Text("an answer"),
    });
    let id = story.submit(request(1, 0)).unwrap();
    story.ended(&id);
    let at: Vec<u64> = story.calls().iter().map(|(_, at)| at.0).collect();
    assert!((20_000..21_000).contains(&(at[1] - at[0])), "{at:?}");
}

#[test]
fn a_pause_that_outlasts_the_phase_is_not_waited_for() {
    let story = Story::of(|_| Says::Fault(FailureKind::RateLimited, Some(10_000_000)));
    let id = story.submit(request(1, 0)).unwrap();
    story.ended(&id);
    assert_eq!(story.failure(&id, 0, JobKind::Propose).kind, FailureKind::RateLimited);
    assert_eq!(story.calls().len(), 1);
}

#[test]
fn a_review_that_cannot_be_read_is_a_typed_failure_and_the_proposal_stands() {
    let story = Story::of(|_| Says::Text("no review at all"));
    let id = story.submit(request(2, 1)).unwrap();
    story.ended(&id);
    assert_eq!(story.failure(&id, 1, JobKind::Critique).kind, FailureKind::Unreadable);
    let state = story.calm.state(&id).unwrap();
    assert_eq!((state.status(), state.answered()), (Status::Completed, 2));
}

#[test]
fn one_silent_agent_delays_and_does_not_decide() {
    let story = Story::of(|request| match request.agent.as_str() {
        "agent-dev-002" => Says::Nothing,
        _ => Says::Text("an answer"),
    });
    let id = story.submit(request(3, 0)).unwrap();
    story.ended(&id);
    let state = story.calm.state(&id).unwrap();
    assert_eq!((state.status(), state.answered()), (Status::Completed, 2));
    let took = state.ended.unwrap().at.ms_since(state.opened.at);
    assert!(took < 300_000, "it took {took} ms, as long as the whole deliberation may");
}

#[test]
fn a_cancelled_deliberation_calls_no_model_any_more() {
    let story = Story::of(|_| Says::Nothing);
    let id = story.submit(request(3, 0)).unwrap();
    story.calm.pass_ms(100);
    let (coordinator, cancelled) = (Arc::clone(&story.coordinator), id.clone());
    story.calm.run(async move { coordinator.cancel(&cancelled, "enough".into()).await.unwrap() });
    let calls = story.calls().len();
    story.calm.pass_ms(600_000);
    assert_eq!(story.calls().len(), calls);
    assert!(matches!(story.calm.state(&id).unwrap().ended.unwrap().ending, Ending::Cancelled { .. }));
    assert_eq!(story.calm.announced(), ["deliberation.failed"]);
}

#[test]
fn after_a_restart_recorded_answers_are_not_asked_for_again() {
    let story = Story::of(|request| match (request.agent.as_str(), request.attempt) {
        ("agent-dev-002", 1) => Says::Nothing,
        _ => Says::Text("an answer"),
    });
    let id = story.submit(request(2, 0)).unwrap();
    story.calm.pass_ms(2_000);
    assert_eq!(story.calls().len(), 2);
    let coordinator = story.calm.start(settings(), Arc::clone(&story.model) as _);
    let story = Story { coordinator, ..story };
    story.ended(&id);
    let again: Vec<String> = story.calls()[2..].iter().map(|(job, _)| job.subject.to_string()).collect();
    assert_eq!(again, ["agent-dev-002"]);
    assert_eq!(story.calm.state(&id).unwrap().answered(), 2);
}

#[test]
fn a_process_for_one_deliberation_spends_nothing_on_the_others() {
    let story = Story::of(|_| Says::Nothing);
    let left = story.submit(request(2, 0)).unwrap();
    story.calm.pass_ms(1_000);
    let asked = story.calls().len();
    let own = DeliberationId::new("own").unwrap();
    let only = OrchestratorSettings { scope: Scope::Only(own.clone()), ..settings() };
    let coordinator = story.calm.start(only, Arc::clone(&story.model) as _);
    let story = Story { coordinator, ..story };
    story.submit(named("own")).unwrap();
    story.calm.pass_ms(200_000);
    let calls = story.calls();
    assert!(calls[asked..].iter().all(|(job, _)| job.deliberation == own), "{calls:?}");
    let known = story.calm.state(&left).unwrap();
    assert_eq!((known.jobs, known.ended), (fleet_deliberation::JobCounts::default(), None));
    story.calm.pass_ms(100_001);
    assert_eq!(story.calm.state(&left).unwrap().status(), Status::TimedOut);
}

#[test]
fn time_that_passed_while_nobody_worked_is_given_anew() {
    let story = Story::of(|request| match request.attempt {
        1 => Says::Nothing,
        _ => Says::Text("an answer"),
    });
    let id = story.submit(request(1, 0)).unwrap();
    story.calm.pass_ms(1_000);
    story.calm.kill();
    let window = story.calm.state(&id).unwrap().next_deadline().unwrap();
    story.calm.pass_ms(window.ms_since(story.calm.now()) + 1_000);
    let coordinator = story.calm.start(settings(), Arc::clone(&story.model) as _);
    let story = Story { coordinator, ..story };
    story.ended(&id);
    assert_eq!(story.calm.state(&id).unwrap().status(), Status::Completed);
}

#[test]
fn an_answer_that_was_recorded_counts_although_its_time_is_over_by_now() {
    let story = Story::of(|_| Says::Text("an answer"));
    story.calm.deaf(true);
    let id = story.submit(request(1, 0)).unwrap();
    story.calm.pass_ms(1_000);
    assert!(story.calm.answer(&job(&id, 0, JobKind::Propose)).is_some());
    story.calm.kill();
    story.calm.pass_ms(400_000 - 150_000);
    story.calm.deaf(false);
    let coordinator = story.calm.start(settings(), Arc::clone(&story.model) as _);
    let story = Story { coordinator, ..story };
    story.ended(&id);
    assert_eq!(story.calm.state(&id).unwrap().status(), Status::Completed);
    assert_eq!(story.calls().len(), 1);
}

#[test]
fn above_the_limit_a_submission_is_refused_and_a_repeated_one_is_not() {
    let mut settings = settings();
    settings.coordinator.in_flight_max = 2;
    let story = Story::with(settings, |_| Says::Nothing);
    story.submit(named("a")).unwrap();
    story.submit(named("b")).unwrap();
    assert!(matches!(story.submit(named("c")), Err(HandleError::Busy { limit: 2, .. })));
    assert_eq!(story.submit(named("a")).unwrap().as_str(), "a");
    let coordinator = Arc::clone(&story.coordinator);
    story.calm.run(async move {
        let id = DeliberationId::new("a").unwrap();
        coordinator.cancel(&id, String::new()).await.unwrap();
    });
    story.submit(named("c")).unwrap();
}

#[test]
fn a_process_that_closes_begins_nothing_and_lets_nothing_run_out_of_time() {
    let story = Story::of(|request| match (request.agent.as_str(), request.attempt) {
        ("agent-dev-002", 1) => Says::Nothing,
        _ => Says::Text("an answer"),
    });
    let request = || Request { agents: Some(2), ..named("a") };
    let id = story.submit(request()).unwrap();
    story.calm.pass_ms(2_000);
    story.coordinator.close();
    assert!(matches!(story.submit(named("b")), Err(HandleError::Closing { .. })));
    assert_eq!(story.submit(request()).unwrap(), id, "what was accepted is accepted again");
    let calls = story.calls().len();
    let window = story.calm.state(&id).unwrap().next_deadline().unwrap();
    story.calm.pass_ms(window.ms_since(story.calm.now()) + 1_000);
    let state = story.calm.state(&id).unwrap();
    assert_eq!((state.answered(), state.jobs.failed, state.ended), (1, 0, None), "nothing was given up");
    assert_eq!(story.calls().len(), calls);
    let coordinator = story.calm.start(settings(), Arc::clone(&story.model) as _);
    let story = Story { coordinator, ..story };
    story.ended(&id);
    assert_eq!(story.calm.state(&id).unwrap().answered(), 2, "it goes on with the next process");
}

#[test]
fn an_unknown_role_names_the_councils_there_are() {
    let story = Story::of(|_| Says::Nothing);
    let error = story.submit(Request { role: "POET".into(), ..request(1, 0) }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no council of role \"POET\"; councils exist for ARCHITECT, DEV, QA"
    );
}

#[test]
fn more_agents_than_the_council_has_are_temporary_ones() {
    let story = Story::of(|_| Says::Text("an answer"));
    let id = story.submit(request(5, 0)).unwrap();
    story.ended(&id);
    let state = story.calm.state(&id).unwrap();
    let agents: Vec<&str> = state.lanes.iter().map(|lane| lane.author.as_str()).collect();
    assert_eq!(agents.last(), Some(&"agent-dev-005"));
    assert_eq!(state.answered(), 5);
}

#[test]
fn a_result_is_served_for_its_time_and_its_history_kept_for_longer() {
    let story = Story::of(|_| Says::Text("an answer"));
    let id = story.submit(request(1, 0)).unwrap();
    story.ended(&id);
    let view = |story: &Story| {
        let (coordinator, id) = (Arc::clone(&story.coordinator), id.clone());
        story.calm.run(async move { coordinator.view(&id).await })
    };
    assert_eq!(view(&story).unwrap().results.len(), 1);
    story.calm.pass_ms(3_600_001);
    assert!(matches!(view(&story), Err(HandleError::NoLongerServed { served_s: 3600, .. })));
    assert!(story.calm.state(&id).is_some());
    story.calm.pass_ms(30 * 24 * 3_600_000);
    assert!(story.calm.state(&id).is_none());
    assert!(story.calm.answer(&job(&id, 0, JobKind::Propose)).is_none());
}

#[test]
fn a_bound_on_the_rounds_counts_whoever_says_how_many_there_are() {
    let mut settings = settings();
    settings.coordinator.rounds = 3;
    let story = Story::with(settings, |_| Says::Text("an answer"));
    let bounded = Request { rounds: None, rounds_max: Some(1), ..request(1, 0) };
    let id = story.submit(bounded).unwrap();
    assert_eq!(story.calm.state(&id).unwrap().submission().rounds, 1);
}

#[test]
fn a_role_may_be_said_in_small_letters() {
    let story = Story::of(|_| Says::Text("an answer"));
    let id = story.submit(Request { role: "qa".into(), ..request(1, 0) }).unwrap();
    assert_eq!(story.calm.state(&id).unwrap().submission().role.as_str(), "QA");
}

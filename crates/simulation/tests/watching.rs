//! What watchers are told, as small stories in a world without faults.
#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "tests")]

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use fleet_deliberation::{AgentId, DeliberationId, FailureKind, Generation, JobId, JobKind, Phase, Task};
use fleet_orchestrator::port::{Heard, LanguageModel, ModelError, ModelRequest, Seen, Tick, TickWatch};
use fleet_orchestrator::{
    Coordinator, Following, HandleError, OrchestratorSettings, Request, Shown, Update, Updates, Writing,
};
use fleet_simulation::calm::{Calm, settings};

/// A model that says a sentence, fails for good, or says nothing at all.
#[derive(Clone, Copy)]
enum Model {
    Answers,
    Refuses,
    Hangs,
}

#[async_trait]
impl LanguageModel for Model {
    async fn complete(&self, request: &ModelRequest, _: Heard<'_>) -> Result<Generation, ModelError> {
        let text = match (self, request.job.kind) {
            (Model::Hangs, _) => pending().await,
            (Model::Refuses, _) => {
                let message = "the key is wrong".into();
                let kind = FailureKind::Unauthorized;
                return Err(ModelError { kind, message, retry_after_ms: None });
            }
            (Model::Answers, JobKind::Critique) => {
                r#"{"findings":[{"severity":"low","claim":"too short","evidence":"one line"}],"score":6,"summary":"fine"}"#.into()
            }
            (Model::Answers, _) => format!("an answer of {}", request.agent),
        };
        Ok(Generation { text, ..Generation::default() })
    }
}

struct Story {
    calm: Calm,
    coordinator: Arc<Coordinator>,
}

impl Story {
    fn of(model: Model) -> Story {
        Story::with(settings(), model)
    }

    fn with(settings: OrchestratorSettings, model: Model) -> Story {
        let calm = Calm::new();
        let coordinator = calm.start(settings, Arc::new(model));
        Story { calm, coordinator }
    }

    /// Submits a task for the developers.
    fn submit(&self, agents: u32, rounds: u32) -> DeliberationId {
        let task = Task { description: "sort".into(), ..Task::default() };
        let (role, timeout_ms) = ("DEV".into(), Some(60_000));
        let (agents, rounds) = (Some(agents), Some(rounds));
        let request = Request { task, role, agents, rounds, timeout_ms, ..Request::default() };
        let coordinator = Arc::clone(&self.coordinator);
        self.calm.run(async move { coordinator.submit(request).await.unwrap().id })
    }

    fn updates(&self, id: &DeliberationId, after: u64) -> Result<Updates, HandleError> {
        let (coordinator, id) = (Arc::clone(&self.coordinator), id.clone());
        self.calm.run(async move { coordinator.updates(&id, after).await })
    }

    /// The next updates, up to `n`.
    fn some(&self, mut updates: Updates, n: usize) -> (Updates, Vec<Update>) {
        self.calm.run(async move {
            let mut some = Vec::new();
            while some.len() < n
                && let Some(update) = updates.next().await.unwrap()
            {
                some.push(update);
            }
            (updates, some)
        })
    }

    fn all(&self, id: &DeliberationId, after: u64) -> Vec<Update> {
        self.some(self.updates(id, after).unwrap(), usize::MAX).1
    }

    fn refusal(&self, mut updates: Updates) -> String {
        self.calm.run(async move { updates.next().await.unwrap_err().to_string() })
    }
}

fn sentences(updates: &[Update]) -> Vec<&str> {
    updates.iter().map(|update| update.step.as_str()).collect()
}

/// What can be compared of updates.
fn shape(updates: &[Update]) -> Vec<(u64, Phase, u32, String, Option<String>)> {
    let text = |update: &Update| update.draft.as_ref().map(|draft| draft.generation.text.clone());
    let of =
        |u: &Update| (u.place.sequence, u.place.phase, u.place.progress_percent, u.step.clone(), text(u));
    updates.iter().map(of).collect()
}

#[test]
fn every_step_is_told_in_a_sentence_with_what_there_is_to_see() {
    let story = Story::of(Model::Answers);
    let id = story.submit(2, 1);
    let told = story.all(&id, 0);
    let sequences: Vec<u64> = told.iter().map(|update| update.place.sequence).collect();
    assert_eq!(sequences, (1..=told.len() as u64).collect::<Vec<_>>());
    let said = sentences(&told);
    assert_eq!(said[0], "2 agents of role DEV are asked for a proposal");
    for sentence in [
        "agent-dev-001 has proposed",
        "all 2 proposals are in; each is reviewed by a peer",
        "agent-dev-002 reviews the proposal of agent-dev-001 (round 1)",
        "agent-dev-002 gave the proposal of agent-dev-001 0.60, with 1 finding (round 1)",
        "agent-dev-001 revises its proposal (round 1)",
        "agent-dev-001 has revised its proposal (round 1)",
    ] {
        assert!(said.contains(&sentence), "{sentence}: {said:#?}");
    }
    let proposed = told.iter().find(|update| update.step == "agent-dev-002 has proposed").unwrap();
    let draft = proposed.draft.as_ref().unwrap();
    assert_eq!(draft.generation.text, "an answer of agent-dev-002");
    assert!(draft.ranked.is_none() && draft.checks.is_none() && draft.earlier.is_empty());
    let last = told.last().unwrap();
    assert_eq!((last.place.phase, last.place.progress_percent), (Phase::Complete, 100));
    let (winner, sentence) = (last.draft.as_ref().unwrap(), &last.step);
    assert!(sentence.starts_with(&format!("{} wins: it ", winner.author)), "{sentence}");
    assert_eq!(winner.ranked.as_ref().unwrap().rank, 1);
}

#[test]
fn an_end_without_a_verdict_says_why() {
    let last = |story: &Story, id| {
        let told = story.all(id, 0);
        let last = told.last().unwrap();
        assert_eq!((last.place.phase, last.place.progress_percent), (Phase::Complete, 100));
        assert!(last.draft.is_none());
        last.step.clone()
    };
    let story = Story::of(Model::Refuses);
    let id = story.submit(1, 0);
    assert_eq!(
        last(&story, &id),
        "no verdict: 0 of 1 agent answered, 1 needed; agent-dev-001: the key is wrong (unauthorized)"
    );
    let story = Story::of(Model::Hangs);
    let (id, coordinator) = (story.submit(1, 0), Arc::clone(&story.coordinator));
    let of = id.clone();
    story.calm.run(async move { coordinator.cancel(&of, "enough".into()).await.map(drop).unwrap() });
    assert_eq!(last(&story, &id), "no verdict: cancelled: enough");
}

#[test]
fn who_looks_only_at_the_end_is_told_everything() {
    let story = Story::of(Model::Answers);
    let id = story.submit(3, 1);
    let (slow, first) = story.some(story.updates(&id, 0).unwrap(), 1);
    let meanwhile = story.all(&id, 0);
    let (_, rest) = story.some(slow, usize::MAX);
    assert_eq!(shape(&rest), shape(&meanwhile)[1..]);
    assert_eq!(shape(&first), shape(&meanwhile)[..1]);
}

#[test]
fn after_a_restart_the_same_is_told_behind_the_same_place() {
    let mut story = Story::of(Model::Answers);
    let id = story.submit(3, 1);
    let (_, before) = story.some(story.updates(&id, 0).unwrap(), 9);
    story.coordinator = story.calm.start(settings(), Arc::new(Model::Answers));
    let after = story.all(&id, 9);
    story.coordinator = story.calm.start(settings(), Arc::new(Model::Answers));
    let whole = shape(&story.all(&id, 0));
    assert_eq!([shape(&before), shape(&after)].concat(), whole);
    for place in 0..whole.len() {
        assert_eq!(shape(&story.all(&id, place as u64)), whole[place..], "behind {place}");
    }
    assert!(story.all(&id, whole.len() as u64).is_empty(), "behind the end there is nothing, and no wait");
}

#[test]
fn a_long_history_is_told_in_parts_and_whole() {
    let story = Story::of(Model::Answers);
    let id = story.submit(64, 2);
    let told = shape(&story.all(&id, 0));
    assert!(told.len() > 600, "it is no long history: {}", told.len());
    assert!(told.iter().map(|told| told.0).eq(1..=told.len() as u64));
    for place in [1, told.len() / 3, told.len() / 2, told.len() - 1] {
        assert_eq!(shape(&story.all(&id, place as u64)), told[place..], "behind {place}");
    }
}

#[test]
fn a_place_that_is_not_there_yet_is_refused_with_the_last_one_there_is() {
    let story = Story::of(Model::Hangs);
    let id = story.submit(1, 0);
    let refused = story.updates(&id, 2).err().unwrap().to_string();
    assert_eq!(refused, format!("after_sequence is 2; {id} has 1 update so far, so it must be at most 1"));
    assert!(story.updates(&id, u64::MAX).is_err());
    let nobody = DeliberationId::new("nobody").unwrap();
    assert_eq!(story.updates(&nobody, 0).err().unwrap().to_string(), "there is no deliberation nobody");
}

#[test]
fn what_is_forgotten_while_somebody_reads_is_not_found() {
    let mut settings = settings();
    (settings.retention.history_ms, settings.retention.every_ms) = (60_000, 1_000);
    let story = Story::with(settings, Model::Answers);
    let id = story.submit(1, 0);
    let (early, _) = story.some(story.updates(&id, 0).unwrap(), 1);
    // One who has read on ahead, and lacks only the texts, is told the same.
    let told = story.all(&id, 0);
    let (late, _) = story.some(story.updates(&id, 0).unwrap(), 1);
    assert!(told.len() > 2);
    story.calm.pass_ms(70_000);
    assert!(story.calm.state(&id).is_none());
    for reader in [early, late] {
        assert_eq!(story.refusal(reader), format!("there is no deliberation {id}"));
    }
}

#[test]
fn what_is_not_served_any_more_is_not_told_either() {
    let story = Story::of(Model::Answers);
    let id = story.submit(1, 0);
    story.all(&id, 0);
    story.calm.pass_ms(3_700_000);
    assert!(story.updates(&id, 0).err().unwrap().to_string().contains("was served for 3600 s"));
}

/// Ticks that are seen one look after the other, then none.
struct Scripted(VecDeque<Seen>);

#[async_trait]
impl TickWatch for Scripted {
    async fn seen(&mut self) -> Seen {
        match self.0.pop_front() {
            Some(seen) => seen,
            None => pending().await,
        }
    }
}

fn tick(
    id: &DeliberationId,
    agent: &str,
    attempt: u32,
    tokens: u64,
    reasoning: bool,
    text: &str,
) -> Arc<Tick> {
    let agent = AgentId::new(agent).unwrap();
    let job = JobId { deliberation: id.clone(), round: 0, kind: JobKind::Propose, subject: agent.clone() };
    Arc::new(Tick { job, agent, attempt, tokens, reasoning, text: text.into() })
}

fn shown(story: &Story, id: &DeliberationId, looks: Vec<Seen>, n: usize) -> Vec<Shown> {
    let mut following = Following::new(story.updates(id, 0).unwrap(), Box::new(Scripted(looks.into())));
    story.calm.run(async move {
        let mut shown = Vec::new();
        while shown.len() < n
            && let Some(next) = following.next().await.unwrap()
        {
            shown.push(next);
        }
        shown
    })
}

#[test]
fn what_is_written_is_shown_behind_the_step_before_it_and_joined_by_attempt() {
    let story = Story::of(Model::Hangs);
    let id = story.submit(2, 0);
    let first = vec![
        tick(&id, "agent-dev-001", 1, 1, true, "Let me "),
        tick(&id, "agent-dev-002", 1, 1, false, "An "),
        tick(&id, "agent-dev-001", 1, 2, true, "see."),
        tick(&id, "agent-dev-001", 1, 3, false, "The answer"),
        tick(&id, "agent-dev-002", 2, 0, false, ""),
        tick(&id, "agent-dev-002", 2, 1, false, "Another"),
    ];
    let second = vec![tick(&id, "agent-dev-001", 1, 4, false, " is")];
    let looks = vec![Seen { ticks: first, left_out: 7 }, Seen { ticks: second, left_out: 0 }];
    let mut shown = shown(&story, &id, looks, 6).into_iter();
    assert!(matches!(shown.next(), Some(Shown::Step(step)) if step.place.sequence == 1));
    let written: Vec<_> = shown
        .map(|shown| match shown {
            Shown::Writing(place, Writing { agent, attempt, text, tokens, reasoning, left_out, .. }) => {
                assert_eq!((place.sequence, place.phase), (1, Phase::Generating));
                (agent.to_string(), attempt, text, tokens, reasoning, left_out)
            }
            Shown::Step(step) => panic!("no step was made: {step:?}"),
        })
        .collect();
    let written: Vec<_> = written.iter().map(|w| (&w.0[10..], w.1, w.2.as_str(), w.3, w.4, w.5)).collect();
    assert_eq!(
        written,
        [
            ("001", 1, "Let me see.", 2, true, 7),
            ("002", 1, "An ", 1, false, 0),
            ("001", 1, "The answer", 3, false, 0),
            ("002", 2, "Another", 1, false, 0),
            ("001", 1, " is", 4, false, 0),
        ]
    );
}

#[test]
fn what_an_answer_has_overtaken_is_not_shown() {
    let story = Story::of(Model::Answers);
    let id = story.submit(1, 0);
    let late = vec![tick(&id, "agent-dev-001", 1, 9, false, "late")];
    story.all(&id, 0);
    let shown = shown(&story, &id, vec![Seen { ticks: late, left_out: 0 }], usize::MAX);
    assert!(shown.iter().all(|shown| matches!(shown, Shown::Step(_))), "{shown:?}");
    assert!(shown.len() > 3);
}

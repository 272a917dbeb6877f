//! What is said of histories that were built for it.

use std::sync::Arc;

use fleet_deliberation::{
    AgentId, Answer, CheckKind, CheckOutcome, CheckReport, CheckResult, Choice, Chosen, Command, Decision,
    DeliberationId, Digest, Failure, FailureKind, Fault, Finding, Generation, JobId, JobKind, Judgement,
    Member, Outcome, Preference, Profile, Record, Review, Role, Run, Selection, Severity, Sketch, Submission,
    Task, TestOutcome, Timestamp, Trial, Usage,
};
use fleet_orchestrator::Past;
use fleet_orchestrator::explain::explain;
use fleet_orchestrator::port::Sequence;

use crate::show::replay::{Then, Told, Whole};

const OPENED: Timestamp = Timestamp(1_764_000_000_000);

/// A history in the making: a second goes by from one thing to the next.
struct Story {
    state: Decision,
    records: Vec<(Sequence, bytes::Bytes)>,
    answers: Vec<Arc<Answer>>,
    previous: Digest,
    now: Timestamp,
}

impl Story {
    fn of(agents: &[&str], rounds: u32) -> Story {
        Story::selecting(agents, rounds, |_| Selection::default())
    }

    /// A history in which near ties are told apart.
    fn selecting(agents: &[&str], rounds: u32, selection: impl Fn(Member) -> Selection) -> Story {
        let member = |name: &&str| {
            let mut profile = Profile::new("default", "small-coder", 0.7, 2048);
            if *name == "b" {
                profile.endpoint = Some("http://gpu-2:8000".into());
                profile.parameters = Arc::new([("seed".to_owned(), 7.into())].into());
            }
            Member { agent: AgentId::new(name).unwrap(), profile }
        };
        let submission = Submission {
            id: DeliberationId::new("sort").unwrap(),
            task: Task { description: "Sort a list of numbers.".into(), ..Task::default() },
            role: Role::new("DEV").unwrap(),
            members: agents.iter().map(member).collect(),
            rounds,
            quorum: 1,
            timeout_ms: 300_000,
            selection: selection(member(&"s")),
            budget: fleet_deliberation::Budget::default(),
            priority: fleet_deliberation::Priority::Normal,
            fingerprint: "f".into(),
            submitter: String::new(),
            trace: String::new(),
        };
        let mut story = Story {
            state: Decision::default(),
            records: Vec::new(),
            answers: Vec::new(),
            previous: Digest::default(),
            now: OPENED,
        };
        story.take(Command::Submit { submission: Box::new(submission), at: OPENED });
        story
    }

    fn take(&mut self, command: Command) {
        let mut decision = Decision::on(self.state.state.clone());
        decision.take(command).unwrap();
        assert!(!decision.events.is_empty(), "it changes something");
        let record = Record::new(self.now, self.previous, decision.events.clone()).encode();
        self.previous = Digest::of(&record);
        self.records.push((Sequence(self.records.len() as u64 + 1), record.into()));
        self.state = decision;
        self.now = self.now.plus_ms(1000);
    }

    fn answer(&mut self, author: &str, round: u32, kind: JobKind, outcome: Outcome) {
        let job = JobId {
            deliberation: DeliberationId::new("sort").unwrap(),
            round,
            kind,
            subject: AgentId::new(author).unwrap(),
        };
        let started_at = Timestamp(self.now.0 - 800);
        let answer = Answer { job, attempt: 1, started_at, ended_at: self.now, outcome };
        let taken = answer.taken(self.now);
        self.answers.push(Arc::new(answer));
        self.take(taken);
    }

    fn writes(&mut self, author: &str, round: u32, text: &str) {
        let kind = if round == 0 { JobKind::Propose } else { JobKind::Revise };
        self.answer(author, round, kind, Outcome::Text(generation(text)));
    }

    fn checked(&mut self, author: &str, round: u32, report: CheckReport) {
        self.answer(author, round, JobKind::Check, Outcome::Checks(report));
    }

    fn reviewed(&mut self, author: &str, round: u32, score: f64, findings: Vec<Finding>) {
        let review = Review { score, findings, summary: "Read with care.".into() };
        let generation = generation("{}");
        self.answer(author, round, JobKind::Critique, Outcome::Review { review, generation });
    }

    fn fails(&mut self, author: &str, round: u32, kind: JobKind) {
        let failure = Failure::new(FailureKind::Server, "the server answered 500: out of memory", 3);
        self.answer(author, round, kind, Outcome::Failed(failure));
    }

    fn past(self) -> Past {
        Past::of(&DeliberationId::new("sort").unwrap(), self.records, self.answers).unwrap()
    }

    fn text(self) -> String {
        super::text(&explain(&self.past()), false)
    }
}

fn generation(text: &str) -> Generation {
    let usage = Usage { prompt_tokens: 120, completion_tokens: 80, estimated: false };
    let model = "small-coder-7b".into();
    Generation { text: text.into(), model, temperature: 0.7, usage, ..Generation::default() }
}

fn lint(outcome: CheckOutcome) -> CheckResult {
    CheckResult {
        tools: vec!["tree-sitter-python 0.25".into()],
        duration_ms: 3,
        ..CheckResult::new(outcome, "1 part in python was read")
    }
}

/// Passed, and so many of four tests, in a text whose shingles begin at `shingles`.
fn report(passed: usize, shingles: u64) -> CheckReport {
    let names = ["empty", "one", "many", "equal"];
    let tests = names.iter().enumerate();
    let tests = tests.map(|(n, name)| TestOutcome { name: (*name).into(), passed: n < passed }).collect();
    let outcome = if passed == 4 { CheckOutcome::Pass } else { CheckOutcome::Fail };
    let run = Some(Run { exit_code: Some(0), output: String::new(), sandbox: "bubblewrap 0.8.0".into() });
    let tests = CheckResult { tests, run, ..CheckResult::new(outcome, "4 tests were run") };
    CheckReport {
        checks: [(CheckKind::Lint, lint(CheckOutcome::Pass)), (CheckKind::Tests, tests)].into(),
        sketch: Sketch::of(shingles..shingles + 500),
    }
}

/// The code does not parse.
fn broken() -> CheckReport {
    let fault = Fault {
        rule: "syntax".into(),
        severity: Severity::High,
        language: "python".into(),
        line: 12,
        column: 9,
        message: "missing `)`".into(),
        excerpt: "    return sorted(numbers".into(),
    };
    let lint = CheckResult { faults: vec![fault], ..lint(CheckOutcome::Fail) };
    CheckReport { checks: [(CheckKind::Lint, lint)].into(), sketch: Sketch::of(9000..9500) }
}

fn finding(severity: Severity, claim: &str, evidence: &str) -> Finding {
    Finding::new(severity, "Implementation", claim, evidence)
}

/// Three agents: the winner is scored lower than the next; one revision is accepted and one refused.
fn completed() -> Story {
    let mut story = Story::of(&["a", "b", "c"], 1);
    story.writes("a", 0, "A");
    story.writes("b", 0, "B");
    story.writes("c", 0, "C");
    story.checked("a", 0, report(4, 0));
    story.checked("b", 0, report(3, 4000));
    story.checked("c", 0, report(4, 10));
    story.reviewed("a", 1, 0.6, vec![finding(Severity::Low, "The name says little.", "")]);
    let wrong = finding(Severity::High, "An empty list breaks it.", "sort([]) raises IndexError");
    story.reviewed("b", 1, 0.9, vec![wrong]);
    let slow = finding(Severity::Medium, "It is quadratic.", "the loop inside the loop, line 4");
    story.reviewed("c", 1, 0.7, vec![slow]);
    story.writes("b", 1, "B, revised");
    story.checked("b", 1, report(4, 4000));
    story.writes("c", 1, "C, revised");
    story.checked("c", 1, broken());
    story
}

#[test]
fn a_verdict_is_explained_by_what_decided_it() {
    insta::assert_snapshot!(completed().text());
}

/// Three that parse and nothing else is known of: agents write tests, a judge compares, an architect chooses.
fn told_apart() -> Story {
    let mut story = Story::selecting(&["a", "b", "c"], 0, |architect| Selection {
        judges: 1,
        top_k: 2,
        test_writers: 1,
        architect: Some(architect),
    });
    for (agent, shingles) in [("a", 0), ("b", 4000), ("c", 8000)] {
        story.writes(agent, 0, agent);
        let checks = [(CheckKind::Lint, lint(CheckOutcome::Pass))].into();
        story.checked(agent, 0, CheckReport { checks, sketch: Sketch::of(shingles..shingles + 500) });
    }
    story.answer("a", 0, JobKind::Test, Outcome::Text(generation("def test_empty(): ...")));
    let trial = |passed| Outcome::Trial(Trial([("a/test_empty".to_owned(), passed)].into()));
    let none = Failure::new(FailureKind::Unreadable, "no test by others could be run: none was written", 1);
    story.answer("a", 0, JobKind::Trial, Outcome::Failed(none));
    story.answer("b", 0, JobKind::Trial, trial(true));
    story.answer("c", 0, JobKind::Trial, trial(true));
    for (comparison, preference) in [(0, Preference::Second), (1, Preference::First)] {
        let judgement = Judgement { preference, reason: "It names the empty list.".into() };
        story.answer(
            "c",
            comparison,
            JobKind::Judge,
            Outcome::Judgement { judgement, generation: generation("{}") },
        );
    }
    let chosen = Chosen { author: AgentId::new("b").unwrap(), cites: vec!["b/lint".into()] };
    let choice = Choice { chosen, reason: "It is the simplest to build on.".into() };
    story.answer("s", 0, JobKind::Select, Outcome::Choice { choice, generation: generation("{}") });
    story
}

#[test]
fn how_near_ties_were_told_apart_is_shown_with_every_voice() {
    let past = told_apart().past();
    assert_eq!(past.replayed().agrees(), Some(true));
    insta::assert_snapshot!(super::text(&explain(&past), false));
}

#[test]
fn programs_read_all_of_it_by_its_keys() {
    insta::assert_json_snapshot!(explain(&completed().past()));
}

#[test]
fn one_that_runs_says_what_it_waits_for() {
    let mut story = Story::of(&["a", "b"], 1);
    story.writes("a", 0, "A");
    story.checked("a", 0, report(4, 0));
    insta::assert_snapshot!(story.text());
}

#[test]
fn one_that_nobody_works_on_is_left_and_says_how_to_go_on() {
    let story = || {
        let mut story = Story::of(&["a", "b"], 1);
        story.writes("a", 0, "A");
        story
    };
    let explained = explain(&story().past());
    let text = super::text(&explained, true);
    assert!(text.contains("): LEFT, submitted"), "{text}");
    assert!(text.contains(&format!("you can go on with: fleet resume {}", explained.task_id)), "{text}");
    let mut story = story();
    let at = story.now;
    story.take(Command::Cancel { reason: String::new(), at });
    let ended = super::text(&explain(&story.past()), true);
    assert!(ended.contains("): CANCELLED after") && !ended.contains("fleet resume"), "{ended}");
}

#[test]
fn one_that_failed_says_who_failed_and_why() {
    let mut story = Story::of(&["a", "b"], 0);
    story.fails("a", 0, JobKind::Propose);
    story.fails("b", 0, JobKind::Propose);
    insta::assert_snapshot!(story.text());
}

#[test]
fn one_that_was_cancelled_keeps_what_had_come() {
    let mut story = Story::of(&["a", "b"], 1);
    story.writes("a", 0, "A");
    story.checked("a", 0, broken());
    let at = story.now;
    story.take(Command::Cancel { reason: "not needed any more".into(), at });
    insta::assert_snapshot!(story.text());
}

#[test]
fn one_whose_time_was_up_says_so() {
    let mut story = Story::of(&["a"], 0);
    story.now = OPENED.plus_ms(300_000);
    story.take(Command::Expire { at: OPENED.plus_ms(300_000) });
    insta::assert_snapshot!(story.text());
}

#[test]
fn where_every_proposal_fails_nobody_wins() {
    let mut story = Story::of(&["a", "b"], 0);
    story.writes("a", 0, "A");
    story.writes("b", 0, "B");
    story.checked("a", 0, broken());
    story.checked("b", 0, broken());
    insta::assert_snapshot!(story.text());
}

#[test]
fn a_tie_is_not_dressed_up_as_merit() {
    let mut story = Story::of(&["a", "b"], 1);
    story.writes("a", 0, "A");
    story.writes("b", 0, "B");
    story.fails("a", 0, JobKind::Check);
    story.fails("b", 0, JobKind::Check);
    story.fails("a", 1, JobKind::Critique);
    story.fails("b", 1, JobKind::Critique);
    insta::assert_snapshot!(story.text());
}

#[test]
fn no_line_is_wider_than_the_page() {
    for story in [completed(), told_apart(), Story::of(&["a", "b"], 1)] {
        let text = story.text();
        let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > 100).collect();
        assert_eq!(wide, Vec::<&str>::new());
    }
}

#[test]
fn a_replay_shows_any_moment_of_the_past() {
    let past = completed().past();
    insta::assert_snapshot!("until_12", Then::of(&past, 12).unwrap().text());
    assert!(Then::of(&past, 0).is_none() && Then::of(&past, past.len() + 1).is_none());
    let last = Then::of(&past, past.len()).unwrap().text();
    assert!(last.contains("COMPLETED (complete)") && last.contains("AWAITED\n  nothing"), "{last}");
}

#[test]
fn a_replay_tells_what_happened_in_a_line_each() {
    let past = completed().past();
    insta::assert_snapshot!("events", Told::of(&past, 7).text());
    assert_eq!(Told::of(&past, past.len()).text().lines().count() as u64, past.len());
}

#[test]
fn a_replay_of_what_was_recorded_agrees_and_of_what_was_changed_does_not() {
    let past = completed().past();
    let replayed = past.replayed();
    assert!(replayed.must_agree());
    assert_eq!(replayed.agrees(), Some(true));
    insta::assert_snapshot!("agrees", Whole::of(&past, &replayed).text());

    let mut story = completed();
    let (sequence, body) = story.records.pop().unwrap();
    let changed = String::from_utf8(body.to_vec()).unwrap().replacen("\"rank\":1", "\"rank\":3", 1);
    story.records.push((sequence, changed.into_bytes().into()));
    let past = story.past();
    let replayed = past.replayed();
    assert!(replayed.must_agree());
    assert_eq!(replayed.agrees(), Some(false));
    insta::assert_snapshot!("differs", Whole::of(&past, &replayed).text());

    let mut story = completed();
    let (sequence, body) = story.records.pop().unwrap();
    let older = String::from_utf8(body.to_vec()).unwrap().replacen("\"rule\":4", "\"rule\":3", 1);
    story.records.push((sequence, older.into_bytes().into()));
    let replayed = story.past().replayed();
    assert!(!replayed.must_agree(), "another rule may give another verdict");
}

//! Words for histories and commands.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "each test file uses some of them"
)]

use std::sync::Arc;

use fleet_deliberation::{
    AgentId, Budget, CheckKind, CheckOutcome, CheckSummary, Chosen, Command, DeliberationId, Effort, Ending,
    Event, Failure, FailureKind, FindingCounts, JobId, JobKind, Member, Preference, Prices, Priority,
    Profile, Report, Role, Selection, Sketch, Submission, Tally, Task, Timestamp, Trial, Usage, Verdict,
    decide, replay,
};

pub const AT: Timestamp = Timestamp(1_000_000);
/// An answer that came at once, and takes up some room.
pub const ONCE: Effort = Effort { attempts: 1, calls_unknown: 0, bytes: 100 };
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

pub struct Council {
    pub agents: Vec<&'static str>,
    pub task: Task,
    pub rounds: u32,
    pub quorum: u32,
    pub timeout_ms: u64,
    pub selection: Selection,
    pub budget: Budget,
    pub prices: Option<Prices>,
    pub hedged: bool,
    pub fingerprint: &'static str,
    /// Whether what may be left out is there.
    pub with_everything: bool,
}

impl Council {
    pub fn of<const N: usize>(agents: [&'static str; N]) -> Council {
        let task = Task { description: "sort a list".into(), ..Task::default() };
        Council {
            agents: agents.into(),
            task,
            rounds: 0,
            quorum: 1,
            timeout_ms: 100_000,
            selection: Selection::default(),
            budget: Budget::default(),
            prices: None,
            hedged: false,
            fingerprint: "same",
            with_everything: false,
        }
    }

    pub fn rounds(self, rounds: u32) -> Council {
        Council { rounds, ..self }
    }

    /// Near ties, at most `top_k`, are judged by `judges`, and left to the agent `s` if there is to be an architect.
    pub fn selecting(self, judges: u32, top_k: u32, architect: bool) -> Council {
        let architect =
            architect.then(|| Member { agent: AgentId::new("s").unwrap(), profile: self.profile() });
        Council { selection: Selection { judges, top_k, architect, ..self.selection.clone() }, ..self }
    }

    /// So many agents write tests.
    pub fn testing(mut self, test_writers: u32) -> Council {
        self.selection.test_writers = test_writers;
        self
    }

    /// An agent wrote tests.
    pub fn wrote_tests(&self, writer: &str) -> Command {
        Command::Take { job: self.job(writer, 0, JobKind::Test), report: text(), effort: ONCE, at: AT }
    }

    /// The tests by others came out against a proposal.
    pub fn tried(&self, author: &str, tests: &[(&str, bool)]) -> Command {
        let tests = tests.iter().map(|(name, passed)| ((*name).to_owned(), *passed)).collect();
        let report = Report::Trial { trial: Trial(tests) };
        Command::Take { job: self.job(author, 0, JobKind::Trial), report, effort: ONCE, at: AT }
    }

    /// What a judge prefers in a comparison.
    pub fn judged(&self, judge: &str, comparison: u32, preference: Preference) -> Command {
        let report = Report::Judgement { preference, usage: Usage::default() };
        Command::Take { job: self.job(judge, comparison, JobKind::Judge), report, effort: ONCE, at: AT }
    }

    /// What the architect chose.
    pub fn chosen(&self, author: &str, cites: &[&str]) -> Command {
        let cites = cites.iter().map(|cite| (*cite).to_owned()).collect();
        let chosen = Chosen { author: AgentId::new(author).unwrap(), cites };
        let report = Report::Choice { chosen, usage: Usage::default() };
        Command::Take { job: self.job("s", 0, JobKind::Select), report, effort: ONCE, at: AT }
    }

    pub fn id(&self) -> DeliberationId {
        DeliberationId::new("t").unwrap()
    }

    fn profile(&self) -> Profile {
        Profile { prices: self.prices, hedged: self.hedged, ..Profile::new("p", "m", 0.7, 10) }
    }

    /// Nothing may cost more than so many tokens.
    pub fn tokens(self, tokens: u64) -> Council {
        Council { budget: Budget { tokens: Some(tokens), ..self.budget }, ..self }
    }

    pub fn submission(&self) -> Submission {
        let mut profile = self.profile();
        if self.with_everything {
            profile.endpoint = Some("http://gpu:8000".into());
            profile.parameters = Arc::new([("top_p".to_owned(), 0.9.into())].into());
        }
        let member = |name: &&str| Member { agent: AgentId::new(name).unwrap(), profile: profile.clone() };
        Submission {
            id: self.id(),
            task: self.task.clone(),
            role: Role::new("DEV").unwrap(),
            members: self.agents.iter().map(member).collect(),
            rounds: self.rounds,
            quorum: self.quorum,
            timeout_ms: self.timeout_ms,
            selection: self.selection.clone(),
            budget: self.budget,
            fingerprint: self.fingerprint.into(),
            submitter: String::new(),
            priority: if self.with_everything { Priority::High } else { Priority::Normal },
            trace: if self.with_everything { TRACE.into() } else { String::new() },
        }
    }

    pub fn submit(&self) -> Command {
        Command::Submit { submission: Box::new(self.submission()), at: AT }
    }

    pub fn job(&self, author: &str, round: u32, kind: JobKind) -> JobId {
        JobId { deliberation: self.id(), round, kind, subject: AgentId::new(author).unwrap() }
    }

    /// The author's text of a version is there.
    pub fn text(&self, author: &str, version: u32) -> Command {
        let kind = if version == 0 { JobKind::Propose } else { JobKind::Revise };
        Command::Take { job: self.job(author, version, kind), report: text(), effort: ONCE, at: AT }
    }

    pub fn checked(&self, author: &str, version: u32, outcome: CheckOutcome, faults: u32) -> Command {
        Command::Take {
            job: self.job(author, version, JobKind::Check),
            report: report(outcome, faults),
            effort: ONCE,
            at: AT,
        }
    }

    pub fn checked_with(&self, author: &str, round: u32, summary: CheckSummary, sketch: Sketch) -> Command {
        let report = Report::Checks { summary, sketch };
        Command::Take { job: self.job(author, round, JobKind::Check), report, effort: ONCE, at: AT }
    }

    pub fn reviewed(&self, author: &str, round: u32, score: f64, findings: u32) -> Command {
        let findings = FindingCounts { medium: findings, ..FindingCounts::default() };
        self.reviewed_with(author, round, score, findings)
    }

    pub fn reviewed_with(&self, author: &str, round: u32, score: f64, findings: FindingCounts) -> Command {
        let report = Report::Review { score, findings, usage: Usage::default() };
        Command::Take { job: self.job(author, round, JobKind::Critique), report, effort: ONCE, at: AT }
    }

    pub fn failed(&self, author: &str, round: u32, kind: JobKind) -> Command {
        let failure = Failure::new(FailureKind::Server, "500", 3);
        Command::Take {
            job: self.job(author, round, kind),
            report: Report::Failed(failure),
            effort: Effort { attempts: 3, ..ONCE },
            at: AT,
        }
    }
}

pub fn text() -> Report {
    Report::Text { usage: Usage { prompt_tokens: 10, completion_tokens: 20, estimated: false } }
}

pub fn report(outcome: CheckOutcome, faults: u32) -> Report {
    let lint = Tally { faults, high: Some(faults), ..Tally::of(outcome) };
    let summary = CheckSummary::from_iter([(CheckKind::Lint, lint)]);
    Report::Checks { summary, sketch: Sketch::default() }
}

/// The events that opening and then `commands` lead to.
pub fn history(council: &Council, commands: impl IntoIterator<Item = Command>) -> Vec<Event> {
    let mut events = decide(None, council.submit()).unwrap();
    for command in commands {
        let state = replay(&events);
        events.extend(decide(state.as_ref(), command).unwrap());
    }
    events
}

/// Given a history and a command, these kinds of events follow. Gives the events.
pub fn check(history: &[Event], command: Command, expected: &[&str]) -> Vec<Event> {
    let state = replay(history);
    let events = decide(state.as_ref(), command.clone()).unwrap();
    let kinds: Vec<&str> = events.iter().map(Event::kind).collect();
    assert_eq!(kinds, expected, "after {command:?}");
    events
}

pub fn ending(events: &[Event]) -> &Ending {
    match events.last() {
        Some(Event::Ended { ending, .. }) => ending,
        other => panic!("not an end: {other:?}"),
    }
}

pub fn verdict(events: &[Event]) -> &Verdict {
    match ending(events) {
        Ending::Completed(verdict) => verdict,
        other => panic!("no verdict: {other:?}"),
    }
}

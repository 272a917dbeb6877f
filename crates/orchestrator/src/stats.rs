//! What has happened since this process began, in figures: the numbers behind `GetStatus`, `GetMetrics` and
//! `/metrics`.

mod health;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fleet_deliberation::{Deliberation, Ending, JobKind, Outcome, Role, Submission, Timestamp};

use crate::port::{Attempted, Observer};

pub use self::health::{Health, Tally};

/// The ended deliberations that are kept with their times; percentiles are exact over these.
pub const ENDED_KEPT_MAX: usize = 16_384;
/// The answers of agents that are kept with their times.
pub const ANSWERED_KEPT_MAX: usize = 65_536;
/// The roles that are counted apart; councils that come after these share [`OTHER`].
pub const ROLES_MAX: usize = 256;
/// Who submits what comes by `Orchestrate`.
pub const ORCHESTRATED: &str = "grpc.orchestrate";
/// The role under which is counted what has no room of its own.
pub const OTHER: &str = "other";

/// How a deliberation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// With a verdict.
    Completed,
    /// Too few agents answered.
    NoQuorum,
    /// Its time was up.
    TimedOut,
    /// Somebody cancelled it.
    Cancelled,
}

impl End {
    /// The end that `ending` is.
    #[must_use]
    pub const fn of(ending: &Ending) -> End {
        match ending {
            Ending::Completed(_) => End::Completed,
            Ending::NoQuorum { .. } => End::NoQuorum,
            Ending::TimedOut => End::TimedOut,
            Ending::Cancelled { .. } => End::Cancelled,
        }
    }

    /// The word for it in metrics and traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            End::Completed => "completed",
            End::NoQuorum => "no_quorum",
            End::TimedOut => "timeout",
            End::Cancelled => "cancelled",
        }
    }
}

/// What came of an attempt at a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Came {
    /// What was asked for.
    Done,
    /// A failure for good.
    Failed,
    /// A fault after which it is tried again.
    Again,
}

impl Came {
    /// What came of `attempted`.
    #[must_use]
    pub const fn of(attempted: &Attempted<'_>) -> Came {
        match attempted.came_of_it {
            Ok(Outcome::Failed(_)) => Came::Failed,
            Ok(
                Outcome::Text(_)
                | Outcome::Review { .. }
                | Outcome::Checks(_)
                | Outcome::Trial(_)
                | Outcome::Judgement { .. }
                | Outcome::Choice { .. },
            ) => Came::Done,
            Err(_) => Came::Again,
        }
    }

    /// The word for it in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Came::Done => "done",
            Came::Failed => "failed",
            Came::Again => "retried",
        }
    }
}

/// How many of something, and how long they took together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// How long together, in milliseconds.
    pub ms: u64,
}

impl Sum {
    fn add(&mut self, ms: u64) {
        self.count += 1;
        self.ms = self.ms.saturating_add(ms);
    }

    /// How long one took on average, in milliseconds; `None` before the first.
    #[must_use]
    pub fn mean_ms(self) -> Option<f64> {
        (self.count > 0).then(|| self.ms as f64 / self.count as f64)
    }
}

/// Everything since the process began.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Deliberations accepted, by role.
    pub accepted: BTreeMap<Role, u64>,
    /// Submissions refused, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Deliberations that ended here, by role and end.
    pub ended: BTreeMap<(Role, End), Sum>,
    /// Of those accepted, those that came by `Orchestrate`.
    pub orchestrated: u64,
    /// Attempts at jobs, by kind and what came of them.
    pub attempted: BTreeMap<(JobKind, Came), Sum>,
}

impl Totals {
    /// How many deliberations were accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.values().sum()
    }

    /// Those that ended, however they did.
    #[must_use]
    pub fn ended(&self) -> Sum {
        self.ended
            .values()
            .fold(Sum::default(), |all, sum| Sum { count: all.count + sum.count, ms: all.ms + sum.ms })
    }
}

/// What ended lately, as far as it is kept.
#[derive(Debug, Clone, Default)]
pub struct Lately {
    /// How long deliberations took, in milliseconds, shortest first.
    took_ms: Vec<u64>,
    /// How long those took that came by `Orchestrate`.
    pub orchestrations: Sum,
    /// How they came out, by role.
    pub by_role: BTreeMap<Role, Tally>,
    /// How long agents took to answer.
    pub answers: Sum,
}

impl Lately {
    /// How long a deliberation took on average, in milliseconds; `None` if none ended.
    #[must_use]
    pub fn mean_ms(&self) -> Option<f64> {
        let ms = self.took_ms.iter().fold(0_u64, |all, ms| all.saturating_add(*ms));
        Sum { count: self.took_ms.len() as u64, ms }.mean_ms()
    }

    /// The time that `percent` in 100 deliberations did not exceed, in milliseconds; `None` if none ended.
    #[must_use]
    pub fn percentile_ms(&self, percent: usize) -> Option<u64> {
        let rank = (self.took_ms.len() * percent).div_ceil(100);
        self.took_ms.get(rank.saturating_sub(1)).copied()
    }

    /// How all came out together.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.by_role.values().fold(Tally::default(), |all, tally| Tally {
            completed: all.completed + tally.completed,
            failed: all.failed + tally.failed,
        })
    }
}

/// Counts what it is told.
#[derive(Debug, Default)]
pub struct Stats(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    totals: Totals,
    roles: BTreeSet<Role>,
    ended: VecDeque<Over>,
    answered: VecDeque<(Timestamp, u64)>,
}

/// A deliberation that ended.
#[derive(Debug)]
struct Over {
    at: Timestamp,
    took_ms: u64,
    role: Role,
    end: End,
    orchestrated: bool,
}

impl Stats {
    /// Everything since the process began.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.counted().totals.clone()
    }

    /// What ended at `since` or later, as far as it is kept.
    #[must_use]
    pub fn lately(&self, since: Timestamp) -> Lately {
        let mut lately = Lately::default();
        let counted = self.counted();
        // Not in the order of time: those who tell do not wait for each other.
        for Over { took_ms, role, end, orchestrated, .. } in
            counted.ended.iter().filter(|over| over.at >= since)
        {
            lately.took_ms.push(*took_ms);
            if *orchestrated {
                lately.orchestrations.add(*took_ms);
            }
            let tally = lately.by_role.entry(role.clone()).or_default();
            match end {
                End::Completed => tally.completed += 1,
                End::NoQuorum | End::TimedOut => tally.failed += 1,
                End::Cancelled => {}
            }
        }
        for (_, took_ms) in counted.answered.iter().filter(|(at, _)| *at >= since) {
            lately.answers.add(*took_ms);
        }
        drop(counted);
        lately.took_ms.sort_unstable();
        lately
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Stats {
    fn accepted(&self, submission: &Submission) {
        let mut counted = self.counted();
        let role = counted.role(&submission.role);
        *counted.totals.accepted.entry(role).or_default() += 1;
        counted.totals.orchestrated += u64::from(submission.submitter == ORCHESTRATED);
    }

    fn refused(&self, reason: &'static str) {
        *self.counted().totals.refused.entry(reason).or_default() += 1;
    }

    fn ended(&self, state: &Deliberation) {
        let Some(ended) = &state.ended else { return };
        let (end, took_ms) = (End::of(&ended.ending), ended.at.ms_since(state.opened.at));
        let mut counted = self.counted();
        let role = counted.role(&state.submission().role);
        counted.totals.ended.entry((role.clone(), end)).or_default().add(took_ms);
        let orchestrated = state.submission().submitter == ORCHESTRATED;
        keep(&mut counted.ended, Over { at: ended.at, took_ms, role, end, orchestrated }, ENDED_KEPT_MAX);
    }

    fn attempted(&self, attempted: &Attempted<'_>) {
        let (kind, came) = (attempted.job.kind, Came::of(attempted));
        let took_ms = attempted.ended_at.ms_since(attempted.started_at);
        let mut counted = self.counted();
        counted.totals.attempted.entry((kind, came)).or_default().add(took_ms);
        // A check or a trial is no agent's answer.
        if !matches!(kind, JobKind::Check | JobKind::Trial) && came == Came::Done {
            keep(&mut counted.answered, (attempted.ended_at, took_ms), ANSWERED_KEPT_MAX);
        }
    }
}

impl Counted {
    /// The role under which `role` is counted.
    fn role(&mut self, role: &Role) -> Role {
        if self.roles.contains(role) {
            return role.clone();
        }
        let counted = match self.roles.len() < ROLES_MAX {
            true => role.clone(),
            false => Role::new(OTHER).unwrap_or_else(|_| role.clone()),
        };
        self.roles.insert(counted.clone());
        counted
    }
}

fn keep<T>(kept: &mut VecDeque<T>, one: T, max: usize) {
    if kept.len() == max {
        kept.pop_front();
    }
    kept.push_back(one);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fleet_deliberation::{
        AgentId, Command, Decision, DeliberationId, Failure, FailureKind, Generation, JobId, Member,
        Priority, Profile, Task,
    };

    use super::*;
    use crate::port::ModelError;

    fn submission(role: &str) -> Submission {
        let profile = Profile::new("default", "m", 0.7, 10);
        Submission {
            id: DeliberationId::new("t").unwrap(),
            task: Task { description: "sort a list".into(), ..Task::default() },
            role: Role::new(role).unwrap(),
            members: vec![Member { agent: AgentId::new("a").unwrap(), profile }],
            rounds: 0,
            quorum: 1,
            timeout_ms: 1_000_000,
            selection: fleet_deliberation::Selection::default(),
            budget: fleet_deliberation::Budget::default(),
            priority: Priority::Normal,
            fingerprint: String::new(),
            submitter: String::new(),
            trace: String::new(),
        }
    }

    fn opened(role: &str) -> Decision {
        let mut decision = Decision::default();
        let submission = Box::new(submission(role));
        decision.take(Command::Submit { submission, at: Timestamp(1_000) }).unwrap();
        decision
    }

    /// A deliberation of `role` that was cancelled `ms` after it was opened.
    fn cancelled(role: &str, ms: u64) -> Deliberation {
        let mut decision = opened(role);
        let at = Timestamp(1_000 + ms);
        decision.take(Command::Cancel { reason: String::new(), at }).unwrap();
        decision.state.unwrap()
    }

    fn ended(role: &str, ms: u64, ending: Ending) -> Deliberation {
        let mut state = cancelled(role, ms);
        state.ended.as_mut().unwrap().ending = ending;
        state
    }

    fn verdict() -> Ending {
        Ending::Completed(Arc::new(opened("DEV").state.unwrap().verdict()))
    }

    #[test]
    fn percentiles_are_exact_over_what_ended_in_the_range() {
        let stats = Stats::default();
        for ms in (1..=100).rev() {
            stats.ended(&ended("DEV", ms, verdict()));
        }
        let all = stats.lately(Timestamp(0));
        assert_eq!([50, 95, 99, 100].map(|p| all.percentile_ms(p).unwrap()), [50, 95, 99, 100]);
        assert_eq!(all.mean_ms(), Some(50.5));
        let late = stats.lately(Timestamp(1_091));
        assert_eq!([50, 95].map(|p| late.percentile_ms(p).unwrap()), [95, 100]);
        let none = stats.lately(Timestamp(2_000));
        assert_eq!((none.percentile_ms(50), none.mean_ms()), (None, None));
        let one = Stats::default();
        one.ended(&ended("DEV", 7, verdict()));
        assert_eq!([1, 50, 99].map(|p| one.lately(Timestamp(0)).percentile_ms(p)), [Some(7); 3]);
    }

    #[test]
    fn what_is_kept_has_a_bound_and_the_totals_count_all() {
        let stats = Stats::default();
        let more = ENDED_KEPT_MAX as u64 + 10;
        for ms in 0..more {
            stats.ended(&ended("DEV", ms, verdict()));
        }
        let (role, totals) = (Role::new("DEV").unwrap(), stats.totals());
        assert_eq!(totals.ended[&(role, End::Completed)], Sum { count: more, ms: more * (more - 1) / 2 });
        assert_eq!(stats.lately(Timestamp(0)).percentile_ms(1), Some(10 + ENDED_KEPT_MAX as u64 / 100));
    }

    #[test]
    fn roles_beyond_the_bound_share_a_name() {
        let stats = Stats::default();
        for n in 0..=ROLES_MAX {
            stats.accepted(&submission(&format!("ROLE{n}")));
            stats.ended(&cancelled(&format!("ROLE{n}"), 1));
        }
        let totals = stats.totals();
        assert_eq!((totals.accepted(), totals.accepted.len()), (ROLES_MAX as u64 + 1, ROLES_MAX + 1));
        assert_eq!(totals.accepted[&Role::new(OTHER).unwrap()], 1);
        assert_eq!(totals.ended.len(), ROLES_MAX + 1);
    }

    #[test]
    fn a_council_is_as_healthy_as_what_it_ended_and_a_cancelled_one_says_nothing() {
        let stats = Stats::default();
        for _ in 0..6 {
            stats.ended(&ended("DEV", 1, verdict()));
            stats.ended(&cancelled("DEV", 1));
        }
        let health = || stats.lately(Timestamp(0)).by_role[&Role::new("DEV").unwrap()];
        assert_eq!((health().success_rate(), health().health()), (Some(1.0), Health::Healthy));
        stats.ended(&ended("DEV", 1, Ending::TimedOut));
        assert_eq!(health().health(), Health::Degraded, "6 of 7");
        for _ in 0..6 {
            stats.ended(&ended("DEV", 1, Ending::NoQuorum { answered: 0, quorum: 1 }));
        }
        assert_eq!(health().health(), Health::Unhealthy, "6 of 13");
    }

    #[test]
    fn only_what_an_agent_answered_counts_as_its_time() {
        let (stats, state) = (Stats::default(), opened("DEV").state.unwrap());
        let text = Outcome::Text(Generation::default());
        let failed = Outcome::Failed(Failure::new(FailureKind::Empty, "nothing", 1));
        let fault = ModelError { kind: FailureKind::Server, message: "down".into(), retry_after_ms: None };
        let tell = |job: &str, ms: u64, came_of_it| {
            let job: JobId = job.parse().unwrap();
            let (started_at, ended_at) = (Timestamp(1_000), Timestamp(1_000 + ms));
            let agent = &AgentId::new("a").unwrap();
            stats.attempted(&Attempted {
                state: &state,
                job: &job,
                attempt: 1,
                agent,
                started_at,
                ended_at,
                came_of_it,
            });
        };
        tell("t/0/propose/a", 40, Ok(&text));
        tell("t/1/critique/a", 20, Ok(&text));
        tell("t/0/propose/a", 500, Ok(&failed));
        tell("t/0/propose/a", 500, Err(&fault));
        tell("t/0/check/a", 500, Ok(&text));
        assert_eq!(stats.lately(Timestamp(0)).answers.mean_ms(), Some(30.0));
        let counts: Vec<_> = stats
            .totals()
            .attempted
            .into_iter()
            .map(|((kind, came), sum)| (kind.as_str(), came.as_str(), sum.count))
            .collect();
        assert_eq!(
            counts,
            [
                ("propose", "done", 1),
                ("propose", "failed", 1),
                ("propose", "retried", 1),
                ("check", "done", 1),
                ("critique", "done", 1),
            ]
        );
    }
}

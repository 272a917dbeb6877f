//! Which rung of the ranking tells one proposal from another.

use std::cmp::{Ordering, Reverse};

use fleet_deliberation::{Merit, Ranked, Standing, Verdict};
use serde::Serialize;

/// A rung of the ranking. The rule goes down the rungs until one of them tells two proposals apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// How the checks that decide came out.
    Standing,
    /// The share of the given tests that passed.
    Tests,
    /// What peers found with evidence.
    Findings,
    /// All checks: those that failed, then those that passed.
    Checks,
    /// The mean of the peers' scores.
    Peers,
    /// The seat: nothing else tells the two apart.
    Seat,
}

impl Rung {
    /// What the rung looks at, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Rung::Standing => "how the checks that decide came out",
            Rung::Tests => "the given tests that passed",
            Rung::Findings => "what peers found with evidence",
            Rung::Checks => "all checks, those that do not decide among them",
            Rung::Peers => "the peers' scores",
            Rung::Seat => "the seat, as nothing else tells them apart",
        }
    }

    /// Whether machines decided, not opinions and not the seat.
    #[must_use]
    pub const fn is_by_checks(self) -> bool {
        match self {
            Rung::Standing | Rung::Tests | Rung::Checks => true,
            Rung::Findings | Rung::Peers | Rung::Seat => false,
        }
    }

    /// Whether it says that one proposal is better than the other.
    #[must_use]
    pub const fn distinguishes(self) -> bool {
        match self {
            Rung::Standing | Rung::Tests | Rung::Findings | Rung::Checks | Rung::Peers => true,
            Rung::Seat => false,
        }
    }
}

/// What tells a proposal from one of a lower rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// The author of the better one.
    pub agent_id: String,
    /// The author of the other.
    pub over: String,
    /// The first rung on which they differ.
    pub rung: Rung,
    /// What the rung says of the better one.
    pub here: String,
    /// What the rung says of the other.
    pub there: String,
}

/// What tells `better` from `other`, both ranked by `verdict`.
#[must_use]
pub fn decided(verdict: &Verdict, better: &Ranked, other: &Ranked) -> Decided {
    const RUNGS: [Rung; 5] = [Rung::Standing, Rung::Tests, Rung::Findings, Rung::Checks, Rung::Peers];
    let tells = |rung: &Rung| order(verdict, *rung, better, other) != Ordering::Equal;
    let rung = RUNGS.into_iter().find(tells).unwrap_or(Rung::Seat);
    Decided {
        agent_id: better.author.to_string(),
        over: other.author.to_string(),
        rung,
        here: words(rung, better),
        there: words(rung, other),
    }
}

/// How two proposals compare on a rung.
fn order(verdict: &Verdict, rung: Rung, a: &Ranked, b: &Ranked) -> Ordering {
    let of = |ranked: &Ranked| ranked.merit.clone().unwrap_or_default();
    let (one, other) = (of(a), of(b));
    match rung {
        Rung::Standing => a.standing.cmp(&b.standing),
        Rung::Tests => share(&one).total_cmp(&share(&other)),
        Rung::Findings => Reverse(one.findings_weight).cmp(&Reverse(other.findings_weight)),
        Rung::Checks => {
            let checks = |merit: &Merit| (Reverse(failures(merit)), merit.passes);
            checks(&one).cmp(&checks(&other))
        }
        Rung::Peers => {
            let neutral = neutral(verdict);
            let mean = |ranked: &Ranked| ranked.peers.map_or(neutral, |peers| peers.mean);
            mean(a).total_cmp(&mean(b))
        }
        Rung::Seat => Ordering::Equal,
    }
}

fn words(rung: Rung, ranked: &Ranked) -> String {
    let merit = ranked.merit.clone().unwrap_or_default();
    match rung {
        Rung::Standing => match ranked.standing {
            Standing::Passed => "passed".into(),
            Standing::Unchecked => "nothing could be checked".into(),
            Standing::Failed if merit.hard_failures.is_empty() => "failed".into(),
            Standing::Failed => {
                let kinds: Vec<&str> = merit.hard_failures.iter().map(|kind| kind.as_str()).collect();
                format!("failed {}", kinds.join(" and "))
            }
        },
        Rung::Tests if merit.tests == 0 => "no test could be run".into(),
        Rung::Tests => format!("{} of {} passed", merit.tests_passed, merit.tests),
        Rung::Findings => format!("weighs {}", merit.findings_weight),
        Rung::Checks => format!("{} passed, {} failed", merit.passes, failures(&merit)),
        Rung::Peers => match ranked.peers {
            Some(peers) => format!("{:.2}", peers.mean),
            None => "no score, placed at the others' mean".into(),
        },
        Rung::Seat => "equal on every rung".into(),
    }
}

fn share(merit: &Merit) -> f64 {
    if merit.tests == 0 { 0.0 } else { f64::from(merit.tests_passed) / f64::from(merit.tests) }
}

fn failures(merit: &Merit) -> u32 {
    merit.soft_failures.saturating_add(u32::try_from(merit.hard_failures.len()).unwrap_or(u32::MAX))
}

/// Where the rule places a proposal that nobody scored.
fn neutral(verdict: &Verdict) -> f64 {
    let means: Vec<f64> = verdict.ranking.iter().filter_map(|ranked| Some(ranked.peers?.mean)).collect();
    if means.is_empty() { 0.0 } else { means.iter().sum::<f64>() / means.len() as f64 }
}

#[cfg(test)]
mod tests {
    use fleet_deliberation::{
        AgentId, CheckKind, CheckOutcome, Command, Decision, DeliberationId, FindingCounts, JobKind, Member,
        Priority, Profile, Report, Role, Sketch, Submission, Tally, Task, Timestamp, Usage,
    };

    use super::*;

    /// A verdict over three proposals of which as much is known as `dice` throw.
    fn verdict(mut dice: impl FnMut(u32) -> u32) -> Verdict {
        let profile = Profile::new("p", "m", 0.7, 10);
        let member = |name: &str| Member { agent: AgentId::new(name).unwrap(), profile: profile.clone() };
        let at = Timestamp(1_000);
        let submission = Submission {
            id: DeliberationId::new("t").unwrap(),
            task: Task { description: "sort a list".into(), ..Task::default() },
            role: Role::new("DEV").unwrap(),
            members: ["a", "b", "c"].map(member).into(),
            rounds: 1,
            quorum: 1,
            timeout_ms: 100_000,
            priority: Priority::Normal,
            fingerprint: String::new(),
            submitter: String::new(),
            trace: String::new(),
        };
        let mut decision = Decision::default();
        decision.take(Command::Submit { submission: Box::new(submission), at }).unwrap();
        loop {
            let awaited = decision.state.as_ref().unwrap().outstanding().map(|(job, _)| job).next();
            let Some(job) = awaited else { break };
            let usage = Usage::default();
            let report = match job.kind {
                JobKind::Propose | JobKind::Revise => Report::Text { usage },
                JobKind::Check => {
                    let outcomes = [CheckOutcome::Pass, CheckOutcome::Fail, CheckOutcome::Skipped];
                    let mut tally = |kind| {
                        let outcome = outcomes[dice(3) as usize];
                        let failed = outcome == CheckOutcome::Fail;
                        let high = if failed { dice(2) } else { 0 };
                        (kind, Tally { faults: u32::from(failed), high: Some(high), ..Tally::of(outcome) })
                    };
                    let kinds = [CheckKind::Policy, CheckKind::Lint, CheckKind::DryRun];
                    let mut tallies: Vec<_> = kinds.into_iter().map(&mut tally).collect();
                    let tests_passed = dice(3);
                    let outcome = if tests_passed == 2 { CheckOutcome::Pass } else { CheckOutcome::Fail };
                    tallies.push((CheckKind::Tests, Tally { tests: 2, tests_passed, ..Tally::of(outcome) }));
                    Report::Checks { summary: tallies.into_iter().collect(), sketch: Sketch::default() }
                }
                JobKind::Critique => {
                    let findings =
                        FindingCounts { low: dice(2), advice: dice(2), ..FindingCounts::default() };
                    Report::Review { score: f64::from(dice(3)) / 2.0, findings, usage }
                }
            };
            decision.take(Command::Take { job, report, at }).unwrap();
        }
        decision.state.unwrap().verdict()
    }

    #[test]
    fn what_is_said_to_have_decided_speaks_for_the_better_rank() {
        let mut seed = 1_u32;
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..3_000 {
            let verdict = verdict(|sides| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 16) % sides
            });
            for pair in verdict.ranking.windows(2) {
                let decided = decided(&verdict, &pair[0], &pair[1]);
                let order = order(&verdict, decided.rung, &pair[0], &pair[1]);
                let expected = if decided.rung == Rung::Seat { Ordering::Equal } else { Ordering::Greater };
                assert_eq!(order, expected, "{decided:?} {verdict:?}");
                seen.insert(decided.rung);
            }
        }
        assert_eq!(seen.len(), 6, "every rung decides sometimes: {seen:?}");
    }
}

//! Which rung of the ranking tells one proposal from another.

use std::cmp::{Ordering, Reverse};

use fleet_deliberation::{AgentId, Behaviour, Merit, Ranked, Standing, Tiebreak, Verdict};
use serde::Serialize;

/// A rung of the ranking. The rule goes down the rungs until one of them tells two proposals apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// How the checks that decide came out.
    Standing,
    /// What an architect chose among near ties.
    Architect,
    /// How judges placed near ties.
    Judges,
    /// Whether it is among the near ties that were told apart.
    NearTies,
    /// Whether it is a near tie or the same as one, which it stands behind.
    Copies,
    /// The share of the given tests that passed.
    Tests,
    /// The share of the tests by others that passed, and how many proposals behave alike under them.
    TestsByOthers,
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
            Rung::Architect => "what the architect chose among near ties",
            Rung::Judges => "how judges placed near ties",
            Rung::NearTies => "who is among the near ties that were told apart",
            Rung::Copies => "where a copy stands: right behind what it is the same as",
            Rung::Tests => "the given tests that passed",
            Rung::TestsByOthers => "the tests that others wrote",
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
            Rung::Architect
            | Rung::Judges
            | Rung::NearTies
            | Rung::Copies
            | Rung::TestsByOthers
            | Rung::Findings
            | Rung::Peers
            | Rung::Seat => false,
        }
    }

    /// Whether it says that one proposal is better than the other.
    #[must_use]
    pub const fn distinguishes(self) -> bool {
        match self {
            Rung::Standing
            | Rung::Architect
            | Rung::Judges
            | Rung::Tests
            | Rung::TestsByOthers
            | Rung::Findings
            | Rung::Checks
            | Rung::Peers => true,
            Rung::NearTies | Rung::Copies | Rung::Seat => false,
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
    const TIES: [Rung; 2] = [Rung::Architect, Rung::Judges];
    const RUNGS: [Rung; 6] =
        [Rung::Standing, Rung::Tests, Rung::TestsByOthers, Rung::Findings, Rung::Checks, Rung::Peers];
    let order = |rung: &Rung| order(verdict, *rung, better, other);
    let (one, two) = (near_tie(verdict, better), near_tie(verdict, other));
    let apart = one.is_some() && two.is_some() && one != two;
    let told_apart = verdict.tiebreak.as_deref().is_some_and(Tiebreak::told_apart);
    let copy = |ranked: &Ranked| near_tie(verdict, ranked).is_some_and(|near| *near != ranked.author);
    // Near ties are told apart by what judges and an architect say, before the evidence; others are not.
    let of_ties = TIES.iter().filter(|_| apart);
    let rung =
        of_ties.chain(&RUNGS).copied().find(|rung| order(rung) != Ordering::Equal).unwrap_or(Rung::Seat);
    let rung = match order(&rung) {
        _ if told_apart && one.is_some() && one == two && !copy(better) => Rung::Copies,
        Ordering::Less | Ordering::Equal if told_apart && apart && (copy(better) || copy(other)) => {
            Rung::Copies
        }
        // A near tie comes before those that are none, whatever a lower rung says.
        Ordering::Less => Rung::NearTies,
        Ordering::Equal | Ordering::Greater => rung,
    };
    Decided {
        agent_id: better.author.to_string(),
        over: other.author.to_string(),
        rung,
        here: words(verdict, rung, better),
        there: words(verdict, rung, other),
    }
}

/// How two proposals compare on a rung.
fn order(verdict: &Verdict, rung: Rung, a: &Ranked, b: &Ranked) -> Ordering {
    let of = |ranked: &Ranked| ranked.merit.clone().unwrap_or_default();
    let (one, other) = (of(a), of(b));
    match rung {
        Rung::Standing => a.standing.cmp(&b.standing),
        Rung::Architect => chosen(verdict, a).cmp(&chosen(verdict, b)),
        Rung::Judges => strength(verdict, a).total_cmp(&strength(verdict, b)),
        Rung::NearTies => {
            let near = |ranked: &Ranked| near_tie(verdict, ranked).is_some();
            near(a).cmp(&near(b))
        }
        Rung::Copies => {
            let place = |ranked: &Ranked| {
                let near = near_tie(verdict, ranked);
                let stands = verdict.ranking.iter().find(|known| Some(&known.author) == near);
                (stands.map_or(u32::MAX, |known| known.rank), near != Some(&ranked.author))
            };
            place(b).cmp(&place(a))
        }
        Rung::Tests => share(&one).total_cmp(&share(&other)),
        Rung::TestsByOthers => {
            let (one, other) = (by_others(verdict, &one), by_others(verdict, &other));
            one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1))
        }
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

/// The near tie that a proposal is, or is the same as.
fn near_tie<'a>(verdict: &'a Verdict, ranked: &'a Ranked) -> Option<&'a AgentId> {
    let tiebreak = verdict.tiebreak.as_deref()?;
    let copied = tiebreak.copies.iter().find(|copied| copied.author == ranked.author);
    let itself = || tiebreak.computed.iter().find(|author| **author == ranked.author);
    copied.map(|copied| &copied.of).or_else(itself)
}

fn chosen(verdict: &Verdict, ranked: &Ranked) -> bool {
    let choice = verdict.tiebreak.as_deref().and_then(|tiebreak| tiebreak.choice.as_ref());
    choice.is_some_and(|choice| Some(&choice.author) == near_tie(verdict, ranked))
}

fn strength(verdict: &Verdict, ranked: &Ranked) -> f64 {
    let strengths = verdict.tiebreak.as_deref().map_or(&[][..], |tiebreak| &tiebreak.strengths);
    let near = near_tie(verdict, ranked);
    strengths.iter().find(|known| Some(&known.author) == near).map_or(0.0, |known| known.strength)
}

/// The share of the tests by others that passed, and how many behave alike; the mean of the others where there is none.
fn by_others(verdict: &Verdict, merit: &Merit) -> (f64, f64) {
    let all = verdict.ranking.iter().filter_map(|ranked| ranked.merit.as_ref()?.by_others.as_ref());
    match &merit.by_others {
        Some(others) => (others.share(), f64::from(others.group)),
        None => Behaviour::mean(all),
    }
}

fn words(verdict: &Verdict, rung: Rung, ranked: &Ranked) -> String {
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
        Rung::Architect if chosen(verdict, ranked) => {
            let choice = verdict.tiebreak.as_deref().and_then(|tiebreak| tiebreak.choice.as_ref());
            let cites = choice.map(|choice| choice.cites.join(", ")).unwrap_or_default();
            format!("chosen, citing {cites}")
        }
        Rung::Architect => "not chosen".into(),
        Rung::Judges => format!("strength {:.2}", strength(verdict, ranked)),
        Rung::NearTies if near_tie(verdict, ranked).is_some() => "a near tie".into(),
        Rung::NearTies => "none".into(),
        Rung::Copies => match near_tie(verdict, ranked).filter(|near| **near != ranked.author) {
            Some(near) => format!("the same as {near}"),
            None => "a near tie".into(),
        },
        Rung::TestsByOthers => match &merit.by_others {
            Some(others) => {
                let alike = others.group.saturating_sub(1);
                format!("{} of {} passed, and {alike} others behave alike", others.passed, others.tests)
            }
            None => "no test by others counts for it, placed at the others' mean".into(),
        },
        Rung::Tests if merit.tests == 0 => "no test counts for it".into(),
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
        CheckKind, CheckOutcome, Chosen, Command, Decision, DeliberationId, Effort, FindingCounts, JobKind,
        Member, Preference, Priority, Profile, Report, Role, Selection, Sketch, Submission, Tally, Task,
        Timestamp, Trial, Usage,
    };

    use super::*;

    /// A verdict over three proposals of which as much is known as `dice` throw.
    fn verdict(mut dice: impl FnMut(u32) -> u32) -> Verdict {
        let profile = Profile::new("p", "m", 0.7, 10);
        let member = |name: &str| Member { agent: AgentId::new(name).unwrap(), profile: profile.clone() };
        let at = Timestamp(1_000);
        let given = dice(2) == 0;
        let mut task = Task { description: "sort a list".into(), ..Task::default() };
        if given {
            task.metadata.insert("tests".into(), "some".into());
        }
        let architect = Some(member("s"));
        let selection = Selection { judges: 1, top_k: 2, test_writers: 1, architect };
        let submission = Submission {
            selection,
            budget: fleet_deliberation::Budget::default(),
            id: DeliberationId::new("t").unwrap(),
            task,
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
                JobKind::Propose | JobKind::Revise | JobKind::Test => Report::Text { usage },
                JobKind::Trial => {
                    let tests = (0..3).map(|n| (format!("a/{n}"), dice(2) == 0)).collect();
                    Report::Trial { trial: Trial(tests) }
                }
                JobKind::Judge => {
                    let preference =
                        [Preference::First, Preference::Second, Preference::Neither][dice(3) as usize];
                    Report::Judgement { preference, usage }
                }
                JobKind::Select => {
                    let author = AgentId::new(["a", "b", "c"][dice(3) as usize]).unwrap();
                    Report::Choice { chosen: Chosen { author, cites: vec!["a/lint".into()] }, usage }
                }
                JobKind::Check => {
                    let outcomes = [CheckOutcome::Pass, CheckOutcome::Fail, CheckOutcome::Skipped];
                    let mut tally = |kind| {
                        let outcome = outcomes[dice(3) as usize];
                        let failed = outcome == CheckOutcome::Fail;
                        let high = if failed { dice(2) } else { 0 };
                        (
                            kind,
                            Tally {
                                faults: u32::from(failed),
                                high: Some(high),
                                ran: true,
                                ..Tally::of(outcome)
                            },
                        )
                    };
                    let kinds = [CheckKind::Policy, CheckKind::Lint, CheckKind::DryRun];
                    let mut tallies: Vec<_> = kinds.into_iter().map(&mut tally).collect();
                    // Half of the tasks bring tests, the others leave them to the agents.
                    if given {
                        let tests_passed = dice(3);
                        let outcome = if tests_passed == 2 { CheckOutcome::Pass } else { CheckOutcome::Fail };
                        tallies
                            .push((CheckKind::Tests, Tally { tests: 2, tests_passed, ..Tally::of(outcome) }));
                    }
                    // Some proposals are the same.
                    let (from, to) = (u64::from(dice(2)) * 1_000, u64::from(dice(2)) * 1_000 + 1_100);
                    let sketch = Sketch::of(from..to).of_whole((from << 32 | to).into());
                    Report::Checks { summary: tallies.into_iter().collect(), sketch }
                }
                JobKind::Critique => {
                    let findings =
                        FindingCounts { low: dice(2), advice: dice(2), ..FindingCounts::default() };
                    Report::Review { score: f64::from(dice(3)) / 2.0, findings, usage }
                }
            };
            decision.take(Command::Take { job, report, effort: Effort::default(), at }).unwrap();
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
        assert_eq!(seen.len(), 11, "every rung decides sometimes: {seen:?}");
    }
}

//! The rule: what each proposal has for it and against it, and which order follows.

use std::cmp::{Ordering, Reverse};

use super::{Merit, Peers, RULE, Ranked, Verdict, tiebreak, words};
use crate::{
    AgentId, Behaviour, CheckKind, CheckOutcome, CheckSummary, Deliberation, Lane, PeerScore, Sketch,
    Standing,
};

/// By how much a finding about the version in force weighs more than one about a version that was replaced.
const IN_FORCE: u32 = 4;

/// A proposal that takes part.
pub(crate) struct Entrant<'a> {
    pub(crate) lane: &'a Lane,
    pub(crate) version: u32,
    pub(crate) sketch: &'a Sketch,
    pub(crate) standing: Standing,
    pub(crate) merit: Merit,
    pub(crate) peers: Option<Peers>,
    /// The share of tests that passed, and how many proposals behave alike; see the rule.
    pub(crate) behaviour: (f64, f64),
}

impl Entrant<'_> {
    /// The share of the given tests that passed, or of those by others that count; `None` where none was run.
    pub(crate) fn tests_passed(&self) -> Option<f64> {
        let share = |passed, tests| (tests > 0).then(|| f64::from(passed) / f64::from(tests));
        let Merit { tests, tests_passed, by_others, .. } = &self.merit;
        share(*tests_passed, *tests)
            .or_else(|| by_others.and_then(|others| share(others.passed, others.tests)))
    }
}

/// The verdict over the proposals as they stand. Every lane with a version takes part.
pub(crate) fn of(state: &Deliberation) -> Verdict {
    let (mut entrants, neutral) = by_evidence(state);
    let reviewed = neutral.is_some();
    let neutral = neutral.unwrap_or(0.0);
    let tiebreak = tiebreak::of(state, &entrants);
    if let Some(tiebreak) = &tiebreak {
        // Stable: those that are no near ties stay in their order.
        entrants.sort_by_key(|entrant| tiebreak.place(&entrant.lane.author));
    }

    let unchecked =
        |entrant: &Entrant<'_>| entrant.standing == Standing::Unchecked && entrant.merit.failures() == 0;
    let nothing = !reviewed && entrants.iter().all(unchecked);
    let tested = entrants.iter().any(|entrant| entrant.tests_passed().is_some());
    let mut ranking: Vec<Ranked> = Vec::with_capacity(entrants.len());
    for (rank, entrant) in (1..).zip(&entrants) {
        let score = if nothing { 0.0 } else { score(entrant, tested, neutral) };
        let before = ranking.last().map_or(1.0, |before: &Ranked| before.score);
        let like = like(&entrants[..ranking.len()], entrant);
        let mut ranked = Ranked {
            author: entrant.lane.author.clone(),
            version: entrant.version,
            rank,
            score: score.min(before),
            standing: entrant.standing,
            peers: entrant.peers,
            merit: Some(entrant.merit.clone()),
            like,
            basis: String::new(),
        };
        ranked.basis = words::basis(&ranked, reviewed, tested, tiebreak.as_ref());
        ranking.push(ranked);
    }
    let why = words::why(&ranking, tiebreak.as_ref());
    Verdict { rule: RULE, ranking, tiebreak: tiebreak.map(Box::new), why }
}

/// The proposals in the order of the evidence, and the mean of what peers gave them, if any did.
pub(super) fn by_evidence(state: &Deliberation) -> (Vec<Entrant<'_>>, Option<f64>) {
    let mut entrants: Vec<Entrant<'_>> = state.lanes.iter().filter_map(|lane| entrant(state, lane)).collect();
    let means: Vec<f64> = entrants.iter().filter_map(|entrant| Some(entrant.peers?.mean)).collect();
    let mean = mean(&means);
    behaviours(&mut entrants);
    let neutral = mean.unwrap_or(0.0);
    // The sort is stable, so that the order of the seats breaks what ties are left.
    entrants.sort_by(|a, b| order(b, a, neutral));
    (entrants, mean)
}

/// How each behaves. One that no test by others says anything of is placed at the mean of the others.
fn behaviours(entrants: &mut [Entrant<'_>]) {
    let given = entrants.iter().any(|entrant| entrant.merit.tests > 0);
    let neutral = Behaviour::mean(entrants.iter().filter_map(|entrant| entrant.merit.by_others.as_ref()));
    for entrant in entrants {
        entrant.behaviour = match &entrant.merit.by_others {
            Some(others) => (others.share(), f64::from(others.group)),
            None if given => (entrant.tests_passed().unwrap_or(0.0), 0.0),
            None => neutral,
        };
    }
}

fn entrant<'a>(state: &Deliberation, lane: &'a Lane) -> Option<Entrant<'a>> {
    let current = lane.current()?;
    let none = CheckSummary::default();
    let checks = current.checks.as_ref().unwrap_or(&none);
    let by_others = state.testing.as_deref().and_then(|testing| testing.behaviour(&lane.author));
    let merit = Merit { by_others, ..merit(lane, current.round, checks) };
    let (version, sketch) = (current.round, &current.sketch);
    Some(Entrant {
        lane,
        version,
        sketch,
        standing: checks.standing(),
        merit,
        peers: peers(lane),
        behaviour: (0.0, 0.0),
    })
}

fn merit(lane: &Lane, version: u32, checks: &CheckSummary) -> Merit {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let came_out = |outcome| count(checks.iter().filter(|(_, tally)| tally.outcome == outcome).count());
    let hard_failures: Vec<CheckKind> = checks.hard_failures().collect();
    let tests = checks.get(CheckKind::Tests);
    // One and the same peer reviews in every round; what it said last counts.
    let times = |reviewed| if reviewed == version { IN_FORCE } else { 1 };
    let weigh = |score: &PeerScore| score.findings.weight().saturating_mul(times(score.version));
    // There is always something that lint or policies do not look at; tests are given to be run.
    let none = |(kind, tally): &(CheckKind, crate::Tally)| match tally.outcome {
        CheckOutcome::Error => kind.is_hard(),
        CheckOutcome::Skipped => *kind == CheckKind::Tests,
        CheckOutcome::Pass | CheckOutcome::Fail => false,
    };
    Merit {
        no_result: checks.iter().filter(none).map(|(kind, _)| kind).collect(),
        tests: tests.map_or(0, |tally| tally.tests),
        tests_passed: tests.map_or(0, |tally| tally.tests_passed),
        findings_weight: lane.scores.last().map_or(0, weigh),
        soft_failures: came_out(CheckOutcome::Fail).saturating_sub(count(hard_failures.len())),
        passes: came_out(CheckOutcome::Pass),
        hard_failures,
        by_others: None,
    }
}

/// Which of two proposals is better; equal only where nothing but their seats tells them apart.
fn order(a: &Entrant<'_>, b: &Entrant<'_>, neutral: f64) -> Ordering {
    let checks = |entrant: &Entrant<'_>| {
        let merit = &entrant.merit;
        (Reverse(merit.findings_weight), Reverse(merit.failures()), merit.passes)
    };
    let opinion = |entrant: &Entrant<'_>| entrant.peers.map_or(neutral, |peers| peers.mean);
    a.standing
        .cmp(&b.standing)
        .then(a.behaviour.0.total_cmp(&b.behaviour.0))
        .then(a.behaviour.1.total_cmp(&b.behaviour.1))
        .then(checks(a).cmp(&checks(b)))
        .then(opinion(a).total_cmp(&opinion(b)))
}

fn score(entrant: &Entrant<'_>, tested: bool, neutral: f64) -> f64 {
    let findings_weight = entrant.merit.findings_weight;
    let tests = if tested { entrant.behaviour.0 } else { 1.0 };
    let findings = 1.0 / (1.0 + f64::from(findings_weight) / 16.0);
    let checks = 1.0 / (1.0 + f64::from(entrant.merit.failures()));
    let peers = entrant.peers.map_or(neutral, |peers| peers.mean);
    (f64::from(entrant.standing as u8) + 0.5 * tests + 0.35 * findings + 0.1 * checks + 0.05 * peers) / 3.0
}

/// The best of those `before` a proposal that it is nearly the same as.
fn like(before: &[Entrant<'_>], entrant: &Entrant<'_>) -> Option<AgentId> {
    let like = before.iter().find(|other| other.sketch.is_near(entrant.sketch))?;
    Some(like.lane.author.clone())
}

/// The mean score of the latest version that peers scored.
fn peers(lane: &Lane) -> Option<Peers> {
    let version = lane.scores.last()?.version;
    let scores: Vec<f64> =
        lane.scores.iter().filter(|score| score.version == version).map(|score| score.score).collect();
    Some(Peers { mean: mean(&scores)?, scores: u32::try_from(scores.len()).unwrap_or(u32::MAX), version })
}

fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    Some(values.iter().sum::<f64>() / values.len() as f64)
}

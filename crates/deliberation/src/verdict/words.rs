//! A verdict's reasons, in words.

use super::{Merit, Peers, Ranked, Tiebreak};
use crate::{AgentId, Behaviour, CheckKind, Standing};

/// What a rank rests on. `reviewed` and `tested` say whether anyone was.
pub(super) fn basis(ranked: &Ranked, reviewed: bool, tested: bool, tiebreak: Option<&Tiebreak>) -> String {
    let none = Merit::default();
    let merit = ranked.merit.as_ref().unwrap_or(&none);
    let version = ranked.version;
    let mut parts = Vec::new();
    match ranked.standing {
        Standing::Passed if merit.soft_failures == 0 => {
            let which = if merit.no_result.is_empty() { "checks" } else { "other checks" };
            parts.push(format!("{which} passed (v{version})"));
        }
        Standing::Passed => parts.push(format!(
            "{} of {} checks passed (v{version})",
            merit.passes,
            merit.passes + merit.soft_failures
        )),
        Standing::Failed => parts.push(format!("{} failed (v{version})", names(&merit.hard_failures))),
        Standing::Unchecked if merit.soft_failures > 0 => parts.push(format!("checks failed (v{version})")),
        Standing::Unchecked => {}
    }
    if !merit.no_result.is_empty() {
        parts.push(format!("{} gave no result", names(&merit.no_result)));
    }
    match (merit.tests, merit.by_others, tested) {
        (0, Some(others), _) => parts.push(under_others(&others)),
        (0, None, true) => parts.push("no test counts for it".to_owned()),
        (0, None, false) => {}
        (tests, _, _) => parts.push(format!("{} of {tests} tests passed", merit.tests_passed)),
    }
    if merit.findings_weight > 0 {
        parts.push(format!("findings weigh {}", merit.findings_weight));
    }
    match ranked.peers {
        Some(Peers { scores: 1, version, .. }) => parts.push(format!("1 peer score (v{version})")),
        Some(Peers { scores, version, .. }) => {
            parts.push(format!("mean of {scores} peer scores (v{version})"))
        }
        None if reviewed => parts.push("no peer score, placed at the others' mean".to_owned()),
        None => {}
    }
    if let Some(tiebreak) = tiebreak {
        parts.extend(told_apart(&ranked.author, tiebreak));
    }
    if let Some(other) = &ranked.like {
        parts.push(format!("nearly the same as {other}"));
    }
    if parts.is_empty() { "none".into() } else { parts.join(" + ") }
}

/// Why the first of a ranking won, or why nobody did.
pub(super) fn why(ranking: &[Ranked], tiebreak: Option<&Tiebreak>) -> String {
    let Some(first) = ranking.first() else { return "there is no proposal".into() };
    let fate = fate(first);
    if let Some(by) = tiebreak.and_then(|tiebreak| why_of_near_ties(first, tiebreak)) {
        return format!("it {fate}; {by}");
    }
    let why = why_by_evidence(ranking, fate);
    match tiebreak.and_then(|tiebreak| tiebreak.failure.as_ref()) {
        Some(failure) => {
            format!("{why}; the architect was to choose and gave no choice: {}", failure.message)
        }
        None => why,
    }
}

/// How a proposal behaves under tests by others.
fn under_others(Behaviour { tests, passed, group }: &Behaviour) -> String {
    let alike = match group.saturating_sub(1) {
        0 => ", as no other".to_owned(),
        1 => ", as 1 other does".to_owned(),
        others => format!(", as {others} others do"),
    };
    format!("{passed} of {tests} tests by others passed{alike}")
}

/// What judges and an architect say of a near tie.
fn told_apart(author: &AgentId, tiebreak: &Tiebreak) -> Vec<String> {
    let strength = tiebreak.strengths.iter().find(|strength| strength.author == *author);
    let strength = strength.map(|strength| {
        let tied = if strength.ties > 0 { format!(", {} tied", strength.ties) } else { String::new() };
        let (won, lost) = (strength.wins, strength.losses);
        format!("judges {won} to {lost}{tied} ({:.2} ± {:.2})", strength.strength, strength.error)
    });
    let chosen = tiebreak.choice.as_ref().filter(|choice| choice.author == *author);
    let chosen = chosen.map(|choice| format!("chosen by the architect, citing {}", choice.cites.join(", ")));
    strength.into_iter().chain(chosen).collect()
}

/// Why the first of near ties is the first, if judges or an architect placed it there.
fn why_of_near_ties(first: &Ranked, tiebreak: &Tiebreak) -> Option<String> {
    let near = tiebreak.computed.len();
    if let Some(choice) = &tiebreak.choice {
        let architect = tiebreak.architect.as_ref().map_or("the architect", AgentId::as_str);
        let computed = match tiebreak.computed.first() {
            Some(computed) if *computed != choice.author => {
                format!("; the computed order had {computed} first")
            }
            _ => String::new(),
        };
        let cites = choice.cites.join(", ");
        return Some(format!("{architect} chose it among {near} near ties, citing {cites}{computed}"));
    }
    let strength = tiebreak.strengths.first().filter(|strength| strength.author == first.author)?;
    let next = tiebreak.strengths.get(1)?;
    if strength.strength <= next.strength {
        return None;
    }
    let failed = match &tiebreak.failure {
        Some(failure) => format!("; the architect was to choose and gave no choice: {}", failure.message),
        None => String::new(),
    };
    Some(format!(
        "of {near} near ties judges prefer it: {:.2} ± {:.2} against {:.2} of {}{failed}",
        strength.strength, strength.error, next.strength, next.author
    ))
}

fn why_by_evidence(ranking: &[Ranked], fate: String) -> String {
    let Some(first) = ranking.first() else { return fate };
    if first.standing == Standing::Failed {
        return match ranking.len() {
            1 => format!("no proposal is acceptable: the only one, of {}, {fate}", first.author),
            n => format!(
                "no proposal is acceptable: each of the {n} failed a check that decides; the best effort, of {}, \
                 {fate}",
                first.author
            ),
        };
    }
    let Some(second) = ranking.get(1) else { return format!("it is the only proposal, and it {fate}") };
    let next = &second.author;
    if first.standing != second.standing {
        return format!("it {fate}; the next, {next}, {}", self::fate(second));
    }
    let (Some(won), Some(lost)) = (&first.merit, &second.merit) else { return format!("it {fate}") };
    let tests = |merit: &Merit| match merit.tests {
        0 => "none".to_owned(),
        tests => format!("{} of {tests}", merit.tests_passed),
    };
    if won.by_others != lost.by_others {
        let behaves = |merit: &Merit| match &merit.by_others {
            Some(others) => under_others(others),
            None => "no test by others counts for it, placed at the others' mean".to_owned(),
        };
        return format!("it {fate}, and {}; of the next, {next}, {}", behaves(won), behaves(lost));
    }
    if tests(won) != tests(lost) {
        return format!("it passed {} tests, and the next, {next}, {}", tests(won), tests(lost));
    }
    let both = match self::fate(second) {
        same if same == fate => format!("it {fate}, as did the next, {next}"),
        other => format!("it {fate}; the next, {next}, {other}"),
    };
    if won.findings_weight != lost.findings_weight {
        return format!(
            "{both}; what peers found with evidence weighs {} here and {} there",
            won.findings_weight, lost.findings_weight
        );
    }
    if (won.soft_failures, won.passes) != (lost.soft_failures, lost.passes) {
        let checks = |merit: &Merit| format!("{} passed and {} failed", merit.passes, merit.soft_failures);
        return format!("{both}; of its checks {}, of the next's {}", checks(won), checks(lost));
    }
    if let (Some(a), Some(b)) = (first.peers, second.peers)
        && a.mean > b.mean
    {
        return format!("{both}; peers gave it {:.2} and {next} {:.2}", a.mean, b.mean);
    }
    if first.score > second.score {
        return format!("{both}; the peers' scores place it before, one of them at the mean of the others'");
    }
    format!("it {fate} and ties with {next}; the earlier seat decides")
}

fn fate(ranked: &Ranked) -> String {
    match (ranked.standing, &ranked.merit) {
        (Standing::Passed, Some(merit)) if merit.soft_failures > 0 => {
            "passed the checks that decide".to_owned()
        }
        (Standing::Passed, Some(merit)) if !merit.no_result.is_empty() => {
            format!("passed its other checks, while {} gave no result", names(&merit.no_result))
        }
        (Standing::Passed, _) => "passed its checks".to_owned(),
        (Standing::Unchecked, Some(merit)) if merit.soft_failures > 0 => {
            "failed checks that do not decide".to_owned()
        }
        (Standing::Unchecked, _) => "went unchecked".to_owned(),
        (Standing::Failed, Some(merit)) if !merit.hard_failures.is_empty() => {
            format!("failed {}", names(&merit.hard_failures))
        }
        (Standing::Failed, _) => "failed its checks".to_owned(),
    }
}

fn names(kinds: &[CheckKind]) -> String {
    kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" and ")
}

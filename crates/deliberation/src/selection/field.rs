//! Which proposals are near ties, and who compares which of them.

use crate::verdict::Entrant;
use crate::{AgentId, Comparison, Deliberation, Standing};

/// How much more the findings against a near tie may weigh: less than one of medium severity about the version in
/// force.
const WEIGHT_APART: u32 = 8;

/// Those of `entrants`, which stand in the order of the evidence, that are near ties with the first, itself included;
/// fewer than two where it has none. A proposal that failed badly is never one, nor one that is the same as another
/// before it but for comments and empty lines. More evidence against a proposal never makes it one.
pub(crate) fn near_ties<'a, 'b>(entrants: &'b [Entrant<'a>], top_k: u32) -> Vec<&'b Entrant<'a>> {
    let mut near: Vec<&Entrant<'_>> = Vec::new();
    let Some(first) = entrants.first().filter(|first| first.standing != Standing::Failed) else {
        return near;
    };
    for entrant in entrants {
        if hardly_worse(entrant, first) && !near.iter().any(|other| same(other, entrant)) {
            near.push(entrant);
        }
        if near.len() == top_k as usize {
            break;
        }
    }
    near
}

/// Whether an entrant is the same as the near tie `of`, and would itself be one of the `first` but for that.
pub(crate) fn is_copy(entrant: &Entrant<'_>, of: &Entrant<'_>, first: &Entrant<'_>) -> bool {
    same(of, entrant) && hardly_worse(entrant, first)
}

/// Whether an entrant stands hardly below the first one.
fn hardly_worse(entrant: &Entrant<'_>, first: &Entrant<'_>) -> bool {
    entrant.standing == first.standing
        && entrant.behaviour == first.behaviour
        && entrant.merit.failures() <= first.merit.failures()
        && entrant.merit.findings_weight < first.merit.findings_weight.saturating_add(WEIGHT_APART)
}

/// A single token may be what makes one of two right, so that only what is the same counts as such.
fn same(one: &Entrant<'_>, other: &Entrant<'_>) -> bool {
    one.sketch.is_same(other.sketch)
}

/// Every pair of `candidates` in both orders, with its judges.
pub(crate) fn comparisons(state: &Deliberation, candidates: &[AgentId]) -> Vec<Comparison> {
    let mut comparisons = Vec::new();
    for (place, first) in candidates.iter().enumerate() {
        for second in &candidates[place + 1..] {
            let judges = panel(state, first, second);
            if judges.is_empty() {
                continue;
            }
            let (a, b) = (first.clone(), second.clone());
            comparisons.push(Comparison { first: a.clone(), second: b.clone(), judges: judges.clone() });
            comparisons.push(Comparison { first: b, second: a, judges });
        }
    }
    comparisons
}

/// The judges of a pair: an odd number of those who answered at all, from as many families of models as there are,
/// the authors of the pair only where there are no others.
fn panel(state: &Deliberation, first: &AgentId, second: &AgentId) -> Vec<AgentId> {
    let members = state.submission().members.iter().zip(&state.lanes);
    let mut left: Vec<_> =
        members.filter(|(_, lane)| !lane.versions.is_empty()).map(|(member, _)| member).collect();
    let size = (state.submission().selection.judges as usize).min(left.len());
    let size = if size.is_multiple_of(2) { size.saturating_sub(1) } else { size };
    let mut panel: Vec<&crate::Member> = Vec::with_capacity(size);
    while panel.len() < size {
        let cost = |member: &&crate::Member| {
            let kin = panel.iter().filter(|other| other.profile.family() == member.profile.family()).count();
            (kin, member.agent == *first || member.agent == *second)
        };
        // Of equals the earliest seat.
        let Some(best) = (0..left.len()).min_by_key(|at| cost(&left[*at])) else { break };
        panel.push(left.remove(best));
    }
    panel.iter().map(|member| member.agent.clone()).collect()
}

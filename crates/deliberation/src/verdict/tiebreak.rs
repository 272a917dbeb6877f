//! How near ties are told apart: what judges and an architect said of them.

use super::rule::{Entrant, by_evidence};
use super::{Copied, Strength, Tiebreak, Votes};
use crate::selection::{is_copy, near_ties, strengths};
use crate::{AgentId, Deliberation, Judging};

/// The near ties there are to tell apart, in the order of the evidence; none where nobody is to.
pub(crate) fn candidates(state: &Deliberation) -> Vec<AgentId> {
    candidates_of(state, &by_evidence(state).0)
}

/// Those that judges leave as near ties, or that nobody judged, best first: fewer than two where there is nothing to
/// choose.
pub(crate) fn left(state: &Deliberation) -> Vec<AgentId> {
    order(state, &candidates(state)).left
}

/// How the near ties among `entrants`, which stand in the order of the evidence, were told apart.
pub(super) fn of(state: &Deliberation, entrants: &[Entrant<'_>]) -> Option<Tiebreak> {
    let candidates = candidates_of(state, entrants);
    if candidates.len() < 2 {
        return None;
    }
    let Order { computed, strengths, .. } = order(state, &candidates);
    let votes = state.judging.as_deref().map(|judging| votes(judging, &candidates));
    let choosing = state.choosing.as_deref();
    let outcome = choosing.and_then(|choosing| choosing.outcome.as_ref());
    Some(Tiebreak {
        copies: copies(entrants, &computed),
        computed,
        strengths,
        votes,
        architect: choosing.map(|choosing| choosing.architect.clone()),
        choice: outcome.and_then(|outcome| outcome.as_ref().ok().cloned()),
        failure: outcome.and_then(|outcome| outcome.as_ref().err().cloned()),
    })
}

impl Tiebreak {
    /// Where an author's proposal goes: near ties in the order of the verdict, each with its copies behind it, then
    /// all others. Where nothing told near ties apart, all share a place.
    pub(super) fn place(&self, author: &AgentId) -> (usize, bool) {
        if !self.told_apart() {
            return (0, false);
        }
        let copied = self.copies.iter().find(|copied| copied.author == *author);
        let of = copied.map_or(author, |copied| &copied.of);
        let place = self.order().into_iter().position(|near| near == of);
        (place.unwrap_or(usize::MAX), copied.is_some())
    }

    /// Whether judges or an architect said anything of the near ties.
    #[must_use]
    pub fn told_apart(&self) -> bool {
        self.choice.is_some() || self.votes.is_some_and(|votes| votes.seen > 0)
    }

    /// The near ties in the order of the verdict.
    fn order(&self) -> Vec<&AgentId> {
        let chosen = self.choice.iter().map(|choice| &choice.author);
        let is_chosen =
            |author: &&AgentId| self.choice.as_ref().is_some_and(|choice| choice.author == **author);
        chosen.chain(self.computed.iter().filter(|author| !is_chosen(author))).collect()
    }
}

/// Those of `entrants`, which stand in the order of the evidence, that are no near ties only because one of `near` is
/// the same.
fn copies(entrants: &[Entrant<'_>], near: &[AgentId]) -> Vec<Copied> {
    let Some(first) = entrants.first() else { return Vec::new() };
    let (near, others): (Vec<_>, Vec<_>) =
        entrants.iter().partition(|entrant| near.contains(&entrant.lane.author));
    let copied = |entrant: &&Entrant<'_>| {
        let of = near.iter().find(|near| is_copy(entrant, near, first))?;
        Some(Copied { author: entrant.lane.author.clone(), of: of.lane.author.clone() })
    };
    others.iter().filter_map(copied).collect()
}

fn candidates_of(state: &Deliberation, entrants: &[Entrant<'_>]) -> Vec<AgentId> {
    let selection = &state.submission().selection;
    if !selection.tells_apart() {
        return Vec::new();
    }
    let near = near_ties(entrants, selection.top_k);
    near.iter().map(|entrant| entrant.lane.author.clone()).collect()
}

struct Order {
    computed: Vec<AgentId>,
    strengths: Vec<Strength>,
    /// Those that are near ties still.
    left: Vec<AgentId>,
}

fn order(state: &Deliberation, candidates: &[AgentId]) -> Order {
    let Some(judging) = state.judging.as_deref() else {
        return Order { computed: candidates.to_vec(), strengths: Vec::new(), left: candidates.to_vec() };
    };
    let fitted = strengths(candidates, judging);
    let mut places: Vec<usize> = (0..candidates.len()).collect();
    // Stable: those that are as strong stay in the order of the evidence.
    places.sort_by(|a, b| fitted.strength(*b).total_cmp(&fitted.strength(*a)));
    let author = |place: usize| candidates[place].clone();
    let strength = |place: usize| Strength {
        author: author(place),
        strength: fitted.strength(place),
        error: fitted.error(place),
        wins: fitted.tallies[place].wins,
        losses: fitted.tallies[place].losses,
        ties: fitted.tallies[place].ties,
    };
    let left = places.iter().filter(|place| **place == places[0] || fitted.near(places[0], **place));
    Order {
        computed: places.iter().map(|place| author(*place)).collect(),
        strengths: places.iter().map(|place| strength(*place)).collect(),
        left: left.map(|place| author(*place)).collect(),
    }
}

fn votes(judging: &Judging, candidates: &[AgentId]) -> Votes {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let fitted = strengths(candidates, judging);
    Votes {
        asked: count(judging.comparisons.iter().map(|comparison| comparison.judges.len()).sum()),
        failed: count(judging.votes.iter().filter(|vote| vote.outcome.is_err()).count()),
        seen: fitted.seen,
        inconsistent: fitted.inconsistent,
    }
}

//! What fits into a budget: how many agents, whether a review, which judges, a choice.

use super::bounds::{Bounds, choice_among, committed, judgement_of, round, tests_by};
use super::{Budget, Cost, Cut};
use crate::{AgentId, Comparison, Deliberation, Event, Member, Opened, Rejection, Submission};

/// What is left for what was not begun yet; no bound where there is no budget.
pub(crate) fn left(state: &Deliberation) -> Budget {
    let spent = state.purse.as_ref().map_or_else(Cost::default, |purse| purse.spent);
    state.submission().budget.less(spent.plus(committed(state)))
}

/// That everybody who may be asked has a price, where money is bounded.
pub(crate) fn check_prices(submission: &Submission) -> Result<(), Rejection> {
    if submission.budget.money_micros.is_none() {
        return Ok(());
    }
    let mut asked = submission.members.iter().chain(&submission.selection.architect);
    let Some(Member { agent, profile }) = asked.find(|member| member.profile.prices.is_none()) else {
        return Ok(());
    };
    let reason = format!(
        "bounds what is spent, and what {agent} costs is not known: its profile {} has no prices for its model and \
         server; give it price_prompt and price_completion, or leave money unbounded",
        profile.name
    );
    Err(Rejection::Malformed { field: "budget_money".into(), reason })
}

/// Leaves out the agents, from the last seat on, whose proposals do not fit; refuses what leaves fewer than the
/// quorum.
pub(crate) fn agents(opened: &mut Opened) -> Result<Option<Event>, Rejection> {
    let budget = opened.submission.budget;
    if budget.is_none() {
        return Ok(None);
    }
    let bounds = Bounds::of(opened);
    let members = &opened.submission.members;
    let mut fits = 0;
    let (mut needed, mut of_quorum) = (Cost::default(), Cost::default());
    for (seat, member) in members.iter().enumerate() {
        needed = needed.plus(bounds.propose(&member.profile, seat).job());
        if seat < opened.submission.quorum as usize {
            of_quorum = needed;
        }
        if budget.covers(needed) {
            fits = seat + 1;
        }
    }
    if fits < opened.submission.quorum as usize {
        let quorum = opened.submission.quorum;
        let short = |bound: Option<u64>, needed: u64| bound.is_some_and(|bound| bound < needed);
        let field = if short(budget.tokens, of_quorum.tokens) { "budget_tokens" } else { "budget_money" };
        let reason = format!(
            "is too small: the budget is {budget}, and the proposals of the {quorum} {} that must answer may take up to \
             {}",
            if quorum == 1 { "agent" } else { "agents" },
            of_quorum.within(budget)
        );
        return Err(Rejection::Malformed { field: field.into(), reason });
    }
    if fits == members.len() {
        return Ok(None);
    }
    let left_out = opened.submission.members.split_off(fits);
    let left_out: Vec<AgentId> = left_out.into_iter().map(|member| member.agent).collect();
    Ok(Some(Event::Dropped { what: Cut::Agents { left_out }, needed, left: budget }))
}

/// The event that leaves out all reviews, if the first round of all proposals does not fit: one that was not reviewed
/// must not be better off than the others.
pub(crate) fn first_round(state: &Deliberation) -> Option<Event> {
    // With the ring formed and rounds to come, what a lane does next in its first round is committed already.
    let left = state.submission().budget.less(state.purse.as_ref()?.spent);
    let needed = committed(state);
    (state.rounds() > 0 && !left.covers(needed)).then_some(Event::Dropped {
        what: Cut::Review { round: 1, author: None },
        needed,
        left,
    })
}

/// The event that leaves out a later round of one proposal, if it does not fit.
pub(crate) fn next_round(state: &Deliberation, seat: usize, number: u32) -> Option<Event> {
    state.purse.as_ref()?;
    let (needed, left) = (round(state, seat), left(state));
    let author = Some(state.lanes[seat].author.clone());
    (!left.covers(needed)).then_some(Event::Dropped {
        what: Cut::Review { round: number, author },
        needed,
        left,
    })
}

/// Those of `writers`, from the first on, whose tests of the proposals of `authors` fit, with the event that leaves out
/// the others.
pub(crate) fn writers(
    state: &Deliberation,
    writers: Vec<AgentId>,
    authors: &[AgentId],
) -> (Vec<AgentId>, Option<Event>) {
    if state.purse.is_none() {
        return (writers, None);
    }
    let left = left(state);
    let (mut needed, mut fits) = (Cost::default(), 0);
    for (place, writer) in writers.iter().enumerate() {
        needed = needed.plus(tests_by(state, writer, authors));
        if left.covers(needed) {
            fits = place + 1;
        }
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let what = Cut::Tests { asked_for: count(writers.len()), asked: count(fits) };
    let dropped = (fits < writers.len()).then_some(Event::Dropped { what, needed, left });
    (writers.into_iter().take(fits).collect(), dropped)
}

/// What of a panel fits beside the choice of an architect: all judges, one for each pair, or none; with the event
/// that leaves out the others.
pub(crate) fn panel(state: &Deliberation, comparisons: Vec<Comparison>) -> (Vec<Comparison>, Option<Event>) {
    let all = |comparisons: &[Comparison]| -> Cost {
        let judgements = comparisons.iter().flat_map(|comparison| {
            let pair = [&comparison.first, &comparison.second];
            comparison.judges.iter().map(move |judge| judgement_of(state, judge, pair))
        });
        judgements.sum()
    };
    if state.purse.is_none() {
        return (comparisons, None);
    }
    let choice = choice_among(state, &crate::verdict::candidates(state));
    let (needed, left) = (all(&comparisons), left(state));
    if left.covers(needed.plus(choice)) {
        return (comparisons, None);
    }
    let asked_for = comparisons.iter().map(|comparison| comparison.judges.len()).max().unwrap_or(0);
    let asked_for = u32::try_from(asked_for).unwrap_or(u32::MAX);
    let single: Vec<Comparison> = comparisons
        .into_iter()
        .map(|comparison| Comparison {
            judges: comparison.judges.into_iter().take(1).collect(),
            ..comparison
        })
        .collect();
    let fits = asked_for > 1 && left.covers(all(&single).plus(choice));
    let what = Cut::Judges { asked_for, asked: u32::from(fits) };
    let dropped = Event::Dropped { what, needed, left: left.less(choice) };
    (if fits { single } else { Vec::new() }, Some(dropped))
}

/// The event that leaves out the architect's choice among `candidates`, if it does not fit.
pub(crate) fn choice(state: &Deliberation, architect: &AgentId, candidates: &[AgentId]) -> Option<Event> {
    // Nothing else is under way when it is asked for.
    let left = state.submission().budget.less(state.purse.as_ref()?.spent);
    let needed = choice_among(state, candidates);
    (!left.covers(needed)).then_some(Event::Dropped {
        what: Cut::Choice { architect: architect.clone() },
        needed,
        left,
    })
}

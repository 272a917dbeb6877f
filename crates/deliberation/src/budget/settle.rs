//! What came of a job counts: what it took as far as that is known, else the most that it may have taken.

use super::bounds::{Call, call};
use super::{Cost, Effort};
use crate::{Deliberation, Event, Failure, FailureKind, JobId, Report, Usage};

/// What an awaited job counts now that `report` came of it; `None` where there is no budget.
pub(crate) fn settled(state: &Deliberation, job: &JobId, report: &Report, effort: Effort) -> Option<Event> {
    state.purse.as_ref()?;
    let cost = call(state, job).map_or_else(Cost::default, |call| cost(call, report, effort));
    let (author, round, kind) = (job.subject.clone(), job.round, job.kind);
    Some(Event::Settled { author, round, kind, cost, bytes: effort.bytes })
}

fn cost(call: Call, report: &Report, effort: Effort) -> Cost {
    let last = match report {
        Report::Text { usage }
        | Report::Review { usage, .. }
        | Report::Judgement { usage, .. }
        | Report::Choice { usage, .. } => used(call, *usage, effort.calls_unknown),
        Report::Failed(failure) => match last_of(call, failure) {
            Some(cost) => cost,
            None => return call.job(),
        },
        // No model was asked for that.
        Report::Checks { .. } | Report::Trial { .. } => return call.job(),
    };
    // Why earlier attempts failed is not known here, nor what was paid for them.
    last.plus(call.times(effort.attempts.saturating_sub(1).saturating_mul(call.of_attempt)))
}

/// What a call took by its server's figures, beside `unknown` others.
fn used(call: Call, usage: Usage, unknown: u32) -> Cost {
    // An estimate knows nothing of what a server keeps to itself, such as hidden reasoning.
    if usage.estimated {
        return call.times(unknown.saturating_add(1));
    }
    let known = Cost::of(usage.prompt_tokens, usage.completion_tokens, call.prices);
    known.plus(call.times(unknown))
}

/// What the last attempt took before it failed; `None` where it is not known how many there were.
fn last_of(call: Call, failure: &Failure) -> Option<Cost> {
    use FailureKind as Kind;
    Some(match failure.kind {
        Kind::Deadline | Kind::WorkerLost => return None,
        _ if failure.attempts == 0 => return None,
        _ if !failure.usage.is_none() => used(call, failure.usage, call.of_attempt - 1),
        // A server takes nothing for what it refuses; a call beside it may have been answered.
        Kind::Unauthorized | Kind::NotFound | Kind::BadRequest | Kind::ContextTooLong => {
            call.times(call.of_attempt - 1)
        }
        Kind::Connection
        | Kind::Timeout
        | Kind::RateLimited
        | Kind::Server
        | Kind::Empty
        | Kind::Unreadable
        | Kind::Internal => call.times(call.of_attempt),
    })
}

//! A place at a server: taken before a call, given back after it, also when the call is dropped.

use std::sync::Arc;

use fleet_deliberation::Generation;

use super::breaker::Verdict;
use super::gate::Gate;
use super::line::Grant;
use super::standing::{End, Used};
use crate::openai::{Blame, Failed};

pub(super) struct Place {
    gate: Arc<Gate>,
    grant: Grant,
    /// How the call ends if nothing else is said.
    end: End,
}

impl Place {
    pub(super) fn new(gate: Arc<Gate>, grant: Grant) -> Place {
        Place { gate, grant, end: End::never_begun() }
    }

    pub(super) const fn server(&self) -> usize {
        self.grant.server
    }

    /// The call is made. From here on nobody knows what it takes, until it ends.
    pub(super) const fn begin(&mut self) {
        self.end.used = Used::AsReserved;
    }

    pub(super) fn end(mut self, came_of_it: &Result<Generation, Failed>) {
        self.end = match came_of_it {
            Ok(generation) => {
                let usage = generation.usage;
                let used = usage.prompt_tokens.saturating_add(usage.completion_tokens);
                End {
                    verdict: Verdict::Answered,
                    fault: None,
                    used: Used::Tokens(used),
                    retry_after_ms: None,
                }
            }
            Err(failed) => End::of(failed),
        };
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let end = std::mem::replace(&mut self.end, End::never_begun());
        self.gate.give_back(&self.grant, end);
    }
}

impl End {
    pub(super) const fn never_begun() -> End {
        End { verdict: Verdict::Unknown, fault: None, used: Used::Nothing, retry_after_ms: None }
    }

    fn of(failed: &Failed) -> End {
        use fleet_deliberation::FailureKind::{Empty, Unreadable};
        let verdict = match failed.blame {
            Blame::NotReached | Blame::Server => Verdict::Fault,
            Blame::Answered => Verdict::Answered,
            Blame::OutOfTime => Verdict::Unknown,
        };
        let used = match (failed.blame, failed.error.kind) {
            // Refused, or never sent.
            (Blame::NotReached, _) => Used::Nothing,
            (Blame::Answered, kind) if !matches!(kind, Empty | Unreadable) => Used::Nothing,
            _ => Used::AsReserved,
        };
        let fault = matches!(verdict, Verdict::Fault)
            .then(|| (failed.error.kind, Arc::from(failed.error.message.as_str())));
        End { verdict, fault, used, retry_after_ms: failed.error.retry_after_ms }
    }
}

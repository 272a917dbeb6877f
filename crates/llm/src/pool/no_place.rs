//! Why a call was not even made, as errors that name each server and say what to do.

use fleet_deliberation::{FailureKind, Timestamp};
use fleet_orchestrator::port::{ModelError, ModelRequest};

use super::Pool;
use super::gate::NoPlace;
use super::health::Condition;
use super::standing::{LastFault, Unusable};

/// When it is worth asking again while too many wait, in milliseconds.
const TOO_MANY_AGAIN_MS: u64 = 1_000;

/// A server that could not be reached in this attempt, and why.
pub(super) type NotReached = Vec<(usize, ModelError)>;

impl Pool {
    /// The error of a call that got no place after the servers in `not_reached` could not be reached.
    pub(super) fn no_place(
        &self,
        request: &ModelRequest,
        tokens: u64,
        no_place: NoPlace,
        not_reached: NotReached,
    ) -> ModelError {
        let name = &self.name;
        match no_place {
            NoPlace::Unusable(reasons) => self.unusable(reasons, not_reached),
            NoPlace::TooLarge => {
                let tokens_max = request.tokens_max;
                let message = format!(
                    "a call for up to {tokens} tokens ({tokens_max} of them of answer) is more than any server of \
                     {name} lets through in a minute; raise tokens_per_minute_max or lower tokens_max"
                );
                ModelError { kind: FailureKind::BadRequest, message, retry_after_ms: None }
            }
            NoPlace::TooMany => {
                let message = format!(
                    "too many calls wait for a place at the servers of {name} already ({}); raise calls_max, \
                     add a server, or lower worker.slots",
                    super::WAITING_MAX
                );
                let retry_after_ms = Some(TOO_MANY_AGAIN_MS);
                ModelError { kind: FailureKind::RateLimited, message, retry_after_ms }
            }
            NoPlace::TooLate { waited_ms } => {
                let full: Vec<String> = self
                    .members
                    .iter()
                    .map(|at| format!("{}: {}", self.label(*at), self.servers.gate.why_full(*at)))
                    .collect();
                let message = format!(
                    "no place at the servers of {name} was free within {waited_ms} ms, and the job has no more \
                     time ({}); raise calls_max or tokens_per_minute_max, or add a server",
                    full.join("; ")
                );
                ModelError { kind: FailureKind::Timeout, message, retry_after_ms: None }
            }
        }
    }

    /// The error of a call for which no server can be used.
    pub(super) fn unusable(
        &self,
        reasons: Vec<(usize, Unusable)>,
        mut not_reached: NotReached,
    ) -> ModelError {
        if reasons.is_empty() && not_reached.len() == 1 {
            return not_reached.remove(0).1;
        }
        let now = self.servers.gate.now();
        // The one that is back first says when to come again, and what kind of trouble it is.
        let first = reasons.iter().min_by_key(|(_, reason)| reason.again_ms(now));
        let retry_after_ms = first.map(|(_, reason)| reason.again_ms(now));
        let kind = match first {
            Some((_, Unusable::LeftAlone(_))) => FailureKind::RateLimited,
            Some((
                _,
                Unusable::Broken { last: Some((kind, _)), .. } | Unusable::OnTrial { last: Some((kind, _)) },
            )) => *kind,
            Some(_) | None => FailureKind::Connection,
        };
        let unusable =
            reasons.iter().map(|(at, reason)| format!("{} {}", self.label(*at), words(reason, now)));
        let said: Vec<String> =
            not_reached.iter().map(|(_, error)| error.message.clone()).chain(unusable).collect();
        let message = format!("no server of {} can be used now: {}", self.name, said.join("; "));
        ModelError { kind, message, retry_after_ms }
    }
}

fn words(reason: &Unusable, now: Timestamp) -> String {
    let again_ms = reason.again_ms(now);
    match reason {
        Unusable::LeftAlone(_) => format!("asked to be left alone for another {again_ms} ms"),
        Unusable::Broken { last, .. } => format!(
            "failed {} times in a row and is tried again in {again_ms} ms{}",
            super::FAULTS_TO_OPEN,
            at_last(last)
        ),
        Unusable::OnTrial { last } => {
            format!("failed several times in a row and is being tried with one call{}", at_last(last))
        }
        Unusable::Unwell { condition: Condition::Loading, why, .. } => {
            format!("is loading its model ({why}); the next look at it is in {again_ms} ms")
        }
        Unusable::Unwell { why, .. } => format!("is down ({why}); the next look at it is in {again_ms} ms"),
    }
}

fn at_last(last: &Option<LastFault>) -> String {
    last.as_ref().map(|(_, message)| format!(" (at last: {message})")).unwrap_or_default()
}

//! How one server stands: what is under way there, and what keeps further calls off.

use std::sync::Arc;

use fleet_deliberation::{FailureKind, Timestamp};

use super::breaker::{Breaker, Leave, Verdict};
use super::bucket::Bucket;
use super::choose::Candidate;
use super::health::{Condition, Health};
use super::status::{BreakerStatus, ServerStatus};
use crate::openai::Sight;

/// The longest a server is left alone because it asked for it, in milliseconds.
pub const LEFT_ALONE_MS_MAX: u64 = 600_000;

/// How long it is thought to take a trial call to come to its end, in milliseconds.
const TRIAL_MS: u64 = 1_000;

/// What one server may be burdened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bounds {
    pub(crate) calls_max: u32,
    pub(crate) tokens_per_minute_max: u64,
}

#[derive(Debug)]
pub(super) struct Standing {
    bounds: Bounds,
    health_every_ms: u64,
    under_way: u32,
    bucket: Bucket,
    breaker: Breaker,
    last_fault: Option<LastFault>,
    left_alone_until: Timestamp,
    health: Health,
}

/// Why a server takes no calls now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unusable {
    LeftAlone(Timestamp),
    Broken { until: Timestamp, last: Option<LastFault> },
    OnTrial { last: Option<LastFault> },
    Unwell { condition: Condition, why: String, until: Timestamp, next_look: Timestamp },
}

impl Unusable {
    /// When time alone makes it usable.
    pub(super) const fn until(&self) -> Option<Timestamp> {
        match self {
            Unusable::LeftAlone(until) | Unusable::Broken { until, .. } | Unusable::Unwell { until, .. } => {
                Some(*until)
            }
            Unusable::OnTrial { .. } => None,
        }
    }

    /// When it is worth asking again, in milliseconds from now.
    pub(super) fn again_ms(&self, now: Timestamp) -> u64 {
        match self {
            Unusable::LeftAlone(until) | Unusable::Broken { until, .. } => until.ms_since(now).max(1),
            Unusable::Unwell { next_look, .. } => next_look.ms_since(now).max(TRIAL_MS),
            Unusable::OnTrial { .. } => TRIAL_MS,
        }
    }
}

/// The fault a server showed last.
pub(super) type LastFault = (FailureKind, Arc<str>);

/// How a call came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) verdict: Verdict,
    /// What was wrong with the server, if it was.
    pub(super) fault: Option<LastFault>,
    pub(super) used: Used,
    /// How long the server asked to be left alone.
    pub(super) retry_after_ms: Option<u64>,
}

/// What is known of the tokens a call took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Used {
    Nothing,
    /// What was set aside for it, for want of better knowledge.
    AsReserved,
    Tokens(u64),
}

impl Standing {
    pub(super) fn new(bounds: Bounds, health_every_ms: u64, now: Timestamp) -> Standing {
        Standing {
            bounds,
            health_every_ms,
            under_way: 0,
            bucket: Bucket::new(bounds.tokens_per_minute_max, now),
            breaker: Breaker::Closed { faults: 0 },
            last_fault: None,
            left_alone_until: Timestamp::default(),
            health: Health::default(),
        }
    }

    pub(super) const fn bounds(&self) -> Bounds {
        self.bounds
    }

    pub(super) fn usable(&self, now: Timestamp) -> Result<(), Unusable> {
        if self.left_alone_until > now {
            return Err(Unusable::LeftAlone(self.left_alone_until));
        }
        match self.breaker.leave(now) {
            Leave::Go | Leave::Trial => {}
            Leave::NotBefore(until) => return Err(Unusable::Broken { until, last: self.last_fault.clone() }),
            Leave::AfterTrial => return Err(Unusable::OnTrial { last: self.last_fault.clone() }),
        }
        match self.health.keeps_off_until(self.health_every_ms, now) {
            None => Ok(()),
            Some(until) => {
                let Health { condition, why, looked_at, .. } = &self.health;
                let next_look = looked_at.unwrap_or(now).plus_ms(self.health_every_ms);
                Err(Unusable::Unwell { condition: *condition, why: why.clone(), until, next_look })
            }
        }
    }

    /// Whether the next call would be the one that tries it.
    pub(super) fn needs_trial(&self, now: Timestamp) -> bool {
        self.breaker.leave(now) == Leave::Trial
    }

    pub(super) const fn has_place(&self) -> bool {
        self.bounds.calls_max == 0 || self.under_way < self.bounds.calls_max
    }

    pub(super) fn ever_fits(&self, tokens: u64) -> bool {
        self.bucket.ever_fits(tokens)
    }

    pub(super) fn tokens_ready_at(&mut self, tokens: u64, now: Timestamp) -> Timestamp {
        self.bucket.ready_at(tokens, now)
    }

    pub(super) fn tokens_left(&mut self, now: Timestamp) -> Option<i64> {
        self.bucket.tokens_left(now)
    }

    pub(super) const fn under_way(&self) -> u32 {
        self.under_way
    }

    pub(super) fn candidate(&self, server: usize, model: &str) -> Candidate {
        let doubtful = self.health.is_doubtful(model);
        Candidate { server, under_way: self.under_way, calls_max: self.bounds.calls_max, doubtful }
    }

    /// A call begins; true if it is the one that tries whether the server is back.
    pub(super) fn take(&mut self, tokens: u64, now: Timestamp) -> bool {
        self.under_way = self.under_way.saturating_add(1);
        self.bucket.take(tokens, now);
        let trial = self.needs_trial(now);
        if trial {
            self.breaker.begin_trial();
        }
        trial
    }

    /// A call has come to its end that `take` began.
    pub(super) fn give_back(&mut self, tokens: u64, trial: bool, end: End, now: Timestamp, chance: f64) {
        self.under_way = self.under_way.saturating_sub(1);
        let used = match end.used {
            Used::Nothing => 0,
            Used::AsReserved => tokens,
            Used::Tokens(used) => used,
        };
        self.bucket.settle(tokens, used, now);
        self.breaker.ended(end.verdict, trial, now, chance);
        self.last_fault = end.fault.or(self.last_fault.take());
        if let Some(ms) = end.retry_after_ms {
            self.left_alone_until = self.left_alone_until.max(now.plus_ms(ms.min(LEFT_ALONE_MS_MAX)));
        }
    }

    /// Whether it failed too often and has not answered since.
    pub(super) const fn is_broken(&self) -> bool {
        !matches!(self.breaker, Breaker::Closed { .. })
    }

    pub(super) const fn health(&self) -> &Health {
        &self.health
    }

    pub(super) fn saw(&mut self, sight: Sight, now: Timestamp) {
        self.health.saw(sight, now);
    }

    pub(super) fn status(&mut self, server: &str, waiting: usize, now: Timestamp) -> ServerStatus {
        ServerStatus {
            server: server.into(),
            breaker: match self.breaker {
                Breaker::Closed { faults } => BreakerStatus::Closed { faults },
                Breaker::Open { until, .. } => BreakerStatus::Open { until },
                Breaker::Trying { .. } => BreakerStatus::Trying,
            },
            health: self.health.clone(),
            usable: self.usable(now).is_ok(),
            left_alone_until: Some(self.left_alone_until).filter(|until| *until > now),
            under_way: self.under_way,
            waiting,
            calls_max: self.bounds.calls_max,
            tokens_per_minute_max: self.bounds.tokens_per_minute_max,
            tokens_left: self.tokens_left(now),
        }
    }
}

//! What the deliberations that a council opens within an hour may cost together: reserved before one is opened,
//! settled once it has ended.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Budget, Cost, DeliberationId, Timestamp};

const HOUR_MS: u64 = 60 * 60 * 1000;

/// An hour of the clock, by its number since 1970, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub u64);

impl Hour {
    /// The hour in which a moment is.
    #[must_use]
    pub const fn of(moment: Timestamp) -> Hour {
        Hour(moment.0 / HOUR_MS)
    }

    /// When it is over.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        Timestamp(self.0.saturating_add(1).saturating_mul(HOUR_MS))
    }
}

/// A fact in the history of a council's hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum HourEvent {
    /// A deliberation is about to be opened with this as its budget. Once more of the same one: it is tried again.
    Reserved {
        /// Which.
        id: DeliberationId,
        /// What it may cost; 0 of what has no bound.
        amount: Cost,
        /// When it has ended, if it was opened at all.
        until: Timestamp,
    },
    /// It has ended, or was never opened.
    Settled {
        /// Which.
        id: DeliberationId,
        /// What it has cost.
        spent: Cost,
    },
    /// The hour is over, and so are all its deliberations.
    Closed,
}

/// What was reserved and not settled yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// How much; 0 of what has no bound.
    pub amount: Cost,
    /// Until when.
    pub until: Timestamp,
}

/// Where a council's hour stands: the fold of its history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HourLedger {
    /// What was reserved and not settled yet.
    pub open: BTreeMap<DeliberationId, Reservation>,
    /// What has been spent by those that are settled.
    pub spent: Cost,
    /// Whether its history has ended.
    pub closed: bool,
}

impl HourLedger {
    /// Takes in an event. Facts do not fail: one that fits nothing changes nothing.
    pub fn evolve(&mut self, event: &HourEvent) {
        match event {
            HourEvent::Reserved { id, amount, until } => {
                self.open.insert(id.clone(), Reservation { amount: *amount, until: *until });
            }
            HourEvent::Settled { id, spent } => {
                if self.open.remove(id).is_some() {
                    self.spent = self.spent.plus(*spent);
                }
            }
            HourEvent::Closed => self.closed = true,
        }
    }

    /// What is spent or reserved.
    #[must_use]
    pub fn used(&self) -> Cost {
        self.open.values().map(|open| open.amount).sum::<Cost>().plus(self.spent)
    }

    /// What a deliberation that may cost `wanted` is granted of `hourly`: what is left, or what it was granted before.
    #[must_use]
    pub fn grant(&self, hourly: Budget, id: &DeliberationId, wanted: Budget) -> Budget {
        match self.open.get(id) {
            Some(Reservation { amount, .. }) => wanted.min(amount.within(wanted.both(hourly))),
            None => wanted.min(hourly.less(self.used())),
        }
    }

    /// The event that reserves what was granted, from what `hourly` bounds.
    #[must_use]
    pub fn reserve(
        &self,
        hourly: Budget,
        id: &DeliberationId,
        granted: Budget,
        until: Timestamp,
    ) -> HourEvent {
        let bounded = granted.both(hourly);
        let amount = Cost {
            tokens: bounded.tokens.unwrap_or_default(),
            money_micros: bounded.money_micros.unwrap_or_default(),
        };
        let known = self.open.get(id);
        // What it was granted before may have been opened meanwhile.
        let amount = known.map_or(amount, |known| known.amount);
        let until = known.map_or(until, |known| known.until.max(until));
        HourEvent::Reserved { id: id.clone(), amount, until }
    }
}

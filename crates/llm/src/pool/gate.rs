//! Gives calls their places at servers, and takes them back whatever becomes of the call.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleet_deliberation::Timestamp;
use fleet_orchestrator::port::{Clock, Entropy};

use super::breaker::FAULTS_TO_OPEN;
use super::health::Condition;
use super::line::{Ask, Grant, Line, Reasons};
use super::place::Place;
use super::standing::{Bounds, End, Standing};
use super::status::ServerStatus;
use super::wait::Wait;
use crate::openai::Sight;

/// The most calls that wait for a place at once.
pub const WAITING_MAX: usize = 8_192;

/// Keeps the line of those who wait, for one or many servers.
pub(crate) struct Gate {
    labels: Vec<String>,
    line: Mutex<Line>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Why there is no place.
#[derive(Debug)]
pub(super) enum NoPlace {
    /// None of the servers can be used now.
    Unusable(Reasons),
    /// None of the servers ever lets through so many tokens.
    TooLarge,
    /// Too many wait already.
    TooMany,
    /// None was free in time.
    TooLate { waited_ms: u64 },
}

impl Gate {
    /// A gate before servers, each with its label and what it may be burdened with.
    pub(crate) fn new(
        servers: impl IntoIterator<Item = (String, Bounds)>,
        health_every_ms: u64,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Gate {
        let now = clock.now();
        let (labels, servers) = servers
            .into_iter()
            .map(|(label, bounds)| (label, Standing::new(bounds, health_every_ms, now)))
            .unzip();
        Gate { labels, line: Mutex::new(Line::new(servers)), clock, entropy }
    }

    /// Waits for a place until `deadline`. Dropping the future gives up the wait, or the place.
    pub(super) async fn place(self: &Arc<Self>, mut ask: Ask, deadline: Timestamp) -> Result<Place, NoPlace> {
        let began = self.clock.now();
        let ticket = self.change(|line, _| {
            ask.servers.retain(|server| line.servers()[*server].ever_fits(ask.tokens));
            match (ask.servers.is_empty(), line.waiting() < WAITING_MAX) {
                (true, _) => Err(NoPlace::TooLarge),
                (false, false) => Err(NoPlace::TooMany),
                (false, true) => Ok(line.join(ask)),
            }
        })?;
        let wait = Wait::new(self, ticket);
        loop {
            let until = wait.looks_at(deadline);
            tokio::select! {
                biased;
                came = wait.came(until, deadline) => if let Some(came) = came {
                    return came;
                },
                () = self.clock.sleep_until(until) => {
                    let now = self.clock.now();
                    if now >= deadline {
                        return Err(NoPlace::TooLate { waited_ms: now.ms_since(began) });
                    }
                    self.change(|_, _| ());
                }
            }
        }
    }

    /// A place that nobody waits for, if there is one now.
    pub(super) fn place_at_once(self: &Arc<Self>, ask: &Ask) -> Option<Place> {
        let grant = self.change(|line, now| line.at_once(ask, now))?;
        Some(Place::new(Arc::clone(self), grant))
    }

    pub(super) fn give_back(&self, grant: &Grant, end: End) {
        let chance = self.entropy.unit();
        let why = end.fault.as_ref().map(|(_, message)| Arc::clone(message)).unwrap_or_default();
        let (was_open, is_open) = self.change(|line, now| {
            let was_open = line.servers()[grant.server].is_broken();
            line.give_back(grant, end, now, chance);
            (was_open, line.servers()[grant.server].is_broken())
        });
        let server = &self.labels[grant.server];
        match (was_open, is_open) {
            (false, true) => {
                tracing::warn!(%server, %why,
                    "the server failed {FAULTS_TO_OPEN} times in a row; it is left for a while")
            }
            (true, false) => tracing::info!(%server, "the server answers again"),
            (true, true) | (false, false) => {}
        }
    }

    /// Takes in what a look at a server has found.
    pub(crate) fn saw(&self, server: usize, sight: Sight) {
        let (before, after) = self.change(|line, now| {
            let standing = &mut line.servers()[server];
            let before = standing.health().condition;
            standing.saw(sight, now);
            (before, standing.health().clone())
        });
        let (server, condition) = (&self.labels[server], after.condition);
        match condition {
            same if same == before => {}
            Condition::Down | Condition::Loading => {
                tracing::warn!(%server, why = after.why, "the server is {}", condition.as_str());
            }
            Condition::Up | Condition::Unknown => {
                tracing::info!(%server, "the server is {}", condition.as_str())
            }
        }
    }

    pub(crate) fn status(&self, server: usize) -> ServerStatus {
        self.change(|line, now| {
            let waiting = line.waiting_for(server);
            line.servers()[server].status(&self.labels[server], waiting, now)
        })
    }

    /// Why a call for `tokens` would have to wait at a server, in words.
    pub(super) fn why_full(&self, server: usize) -> String {
        self.change(|line, now| {
            let standing = &mut line.servers()[server];
            let (under_way, bounds) = (standing.under_way(), standing.bounds());
            if standing.has_place() {
                let left = standing.tokens_left(now).unwrap_or_default();
                format!("{left} of {} tokens a minute are left", bounds.tokens_per_minute_max)
            } else {
                format!("{under_way} of {} calls are under way", bounds.calls_max)
            }
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Changes the line, serves those who can be served then, and wakes them.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Line, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut line = self.lock();
        let result = change(&mut line, now);
        let woken = line.serve(now);
        drop(line);
        woken.into_iter().for_each(std::task::Waker::wake);
        result
    }

    #[cfg(test)]
    pub(super) fn books(&self) -> super::line::Books {
        self.lock().books()
    }

    /// Whether somebody could be served or refused who was not told yet, or nobody keeps the time.
    #[cfg(test)]
    pub(super) fn would_serve(&self) -> bool {
        let now = self.clock.now();
        let mut line = self.lock();
        let before = line.books();
        !line.serve(now).is_empty() || line.books() != before
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

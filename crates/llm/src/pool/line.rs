//! Who waits for a place, and who is next: by priority, then who has the least under way, then who came first.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use fleet_deliberation::{DeliberationId, Priority, Timestamp};

use super::choose::choose;
use super::standing::{End, Standing, Unusable};

/// What a call asks for.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) deliberation: DeliberationId,
    pub(super) priority: Priority,
    /// The tokens it may take, by our estimate.
    pub(super) tokens: u64,
    pub(super) model: Arc<str>,
    /// The servers it may go to, in order of preference.
    pub(super) servers: Vec<usize>,
}

/// A place at a server, taken.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) server: usize,
    pub(super) deliberation: DeliberationId,
    pub(super) tokens: u64,
    /// Whether it is for the one call that tries a server whose breaker was open.
    pub(super) trial: bool,
}

/// Why a call that could wait got no place.
pub(super) type Reasons = Vec<(usize, Unusable)>;

/// What has come of waiting.
#[derive(Debug)]
pub(super) enum Came {
    Nothing,
    Granted(Grant),
    Refused(Reasons),
}

pub(super) struct Waiter {
    ask: Ask,
    came: Came,
    pub(super) waker: Option<Waker>,
}

/// All servers, and all who wait for one of them.
pub(super) struct Line {
    servers: Vec<Standing>,
    waiting: BTreeMap<u64, Waiter>,
    tickets: u64,
    under_way: BTreeMap<DeliberationId, u32>,
    /// The one waiter that wakes when time alone may have made a place free, and when that is.
    keeper: Option<(u64, Timestamp)>,
}

impl Line {
    pub(super) const fn new(servers: Vec<Standing>) -> Line {
        Line { servers, waiting: BTreeMap::new(), tickets: 0, under_way: BTreeMap::new(), keeper: None }
    }

    pub(super) fn servers(&mut self) -> &mut [Standing] {
        &mut self.servers
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn waiting_for(&self, server: usize) -> usize {
        self.waiting.values().filter(|waiter| waiter.waits() && waiter.ask.servers.contains(&server)).count()
    }

    /// Puts a call at the end of the line.
    pub(super) fn join(&mut self, ask: Ask) -> u64 {
        self.tickets += 1;
        self.waiting.insert(self.tickets, Waiter { ask, came: Came::Nothing, waker: None });
        self.tickets
    }

    /// Takes a call out of the line with what has come of it.
    pub(super) fn leave(&mut self, ticket: u64) -> Option<Came> {
        self.waiting.remove(&ticket).map(|waiter| waiter.came)
    }

    pub(super) fn waiter(&mut self, ticket: u64) -> Option<&mut Waiter> {
        self.waiting.get_mut(&ticket)
    }

    /// When `ticket` has to look at the line, if it is the one that keeps the time.
    pub(super) fn keeps_time(&self, ticket: u64) -> Option<Timestamp> {
        self.keeper.filter(|(keeper, _)| *keeper == ticket).map(|(_, at)| at)
    }

    /// A place for a call that does not wait: one that nobody waits for, at a server that is above doubt.
    pub(super) fn at_once(&mut self, ask: &Ask, now: Timestamp) -> Option<Grant> {
        let free = |line: &mut Line, server: usize| {
            let wanted = line.waiting_for(server) > 0;
            let standing = &mut line.servers[server];
            !wanted
                && standing.usable(now).is_ok()
                && !standing.needs_trial(now)
                && standing.has_place()
                && standing.tokens_ready_at(ask.tokens, now) <= now
        };
        let free: Vec<usize> = ask.servers.iter().copied().filter(|server| free(self, *server)).collect();
        let candidates: Vec<_> = free.iter().map(|at| self.servers[*at].candidate(*at, &ask.model)).collect();
        let server = choose(&candidates)?;
        Some(self.grant(ask, server, now))
    }

    /// Gives a place back.
    pub(super) fn give_back(&mut self, grant: &Grant, end: End, now: Timestamp, chance: f64) {
        self.servers[grant.server].give_back(grant.tokens, grant.trial, end, now, chance);
        if let Some(under_way) = self.under_way.get_mut(&grant.deliberation) {
            *under_way -= 1;
            if *under_way == 0 {
                self.under_way.remove(&grant.deliberation);
            }
        }
    }

    /// Gives places to those who wait, as far as there are any, and refuses those for whom there can be
    /// none. Returns whom to wake.
    pub(super) fn serve(&mut self, now: Timestamp) -> Vec<Waker> {
        let mut woken = Vec::new();
        if self.waiting.is_empty() {
            self.keeper = None;
            return woken;
        }
        let usable: Vec<Result<(), Unusable>> =
            self.servers.iter().map(|server| server.usable(now)).collect();
        self.refuse(&usable, &mut woken);
        let mut again = usable.iter().filter_map(|usable| usable.as_ref().err()?.until()).min();
        let mut open: Vec<bool> = self
            .servers
            .iter()
            .zip(&usable)
            .map(|(server, usable)| usable.is_ok() && server.has_place())
            .collect();
        while let Some(ticket) = self.next(&open) {
            let ask = self.waiting[&ticket].ask.clone();
            let here: Vec<usize> = ask.servers.iter().copied().filter(|at| open[*at]).collect();
            let ready: Vec<Timestamp> =
                here.iter().map(|at| self.servers[*at].tokens_ready_at(ask.tokens, now)).collect();
            let candidates: Vec<_> = here
                .iter()
                .zip(&ready)
                .filter(|(_, ready)| **ready <= now)
                .map(|(at, _)| self.servers[*at].candidate(*at, &ask.model))
                .collect();
            match choose(&candidates) {
                Some(server) => {
                    let grant = self.grant(&ask, server, now);
                    open[server] = !grant.trial && self.servers[server].has_place();
                    self.tell(ticket, Came::Granted(grant), &mut woken);
                }
                // Those behind it do not overtake it there, or a large call might wait for ever.
                None => {
                    here.iter().for_each(|at| open[*at] = false);
                    again = again.into_iter().chain(ready).min();
                }
            }
        }
        self.keep_time(again, now, &mut woken);
        woken
    }

    fn grant(&mut self, ask: &Ask, server: usize, now: Timestamp) -> Grant {
        let trial = self.servers[server].take(ask.tokens, now);
        *self.under_way.entry(ask.deliberation.clone()).or_default() += 1;
        Grant { server, deliberation: ask.deliberation.clone(), tokens: ask.tokens, trial }
    }

    /// Who is next of those who could go to one of the open servers.
    fn next(&self, open: &[bool]) -> Option<u64> {
        if !open.contains(&true) {
            return None;
        }
        let could = |waiter: &Waiter| waiter.waits() && waiter.ask.servers.iter().any(|at| open[*at]);
        let turn = |(ticket, waiter): &(&u64, &Waiter)| {
            let under_way = self.under_way.get(&waiter.ask.deliberation).copied().unwrap_or(0);
            (Reverse(waiter.ask.priority), under_way, **ticket)
        };
        self.waiting.iter().filter(|(_, waiter)| could(waiter)).min_by_key(turn).map(|(ticket, _)| *ticket)
    }

    fn refuse(&mut self, usable: &[Result<(), Unusable>], woken: &mut Vec<Waker>) {
        if usable.iter().all(Result::is_ok) {
            return;
        }
        for waiter in self.waiting.values_mut().filter(|waiter| waiter.waits()) {
            let reasons: Option<Reasons> = waiter
                .ask
                .servers
                .iter()
                .map(|at| Some((*at, usable[*at].as_ref().err()?.clone())))
                .collect();
            if let Some(reasons) = reasons {
                waiter.came = Came::Refused(reasons);
                woken.extend(waiter.waker.take());
            }
        }
    }

    fn tell(&mut self, ticket: u64, came: Came, woken: &mut Vec<Waker>) {
        if let Some(waiter) = self.waiting.get_mut(&ticket) {
            waiter.came = came;
            woken.extend(waiter.waker.take());
        }
    }

    /// Sees to it that one of those who wait looks again at `again`. One does: if all did, each free place
    /// would wake them all.
    fn keep_time(&mut self, again: Option<Timestamp>, now: Timestamp, woken: &mut Vec<Waker>) {
        let waits = |ticket: &u64| self.waiting.get(ticket).is_some_and(Waiter::waits);
        let keeper = self.keeper.filter(|(ticket, _)| waits(ticket));
        self.keeper = match (again, keeper) {
            (None, _) => None,
            // It looks early enough, and then says anew who looks when.
            (Some(at), Some((_, kept))) if now < kept && kept <= at => keeper,
            (Some(at), _) => {
                let first =
                    || self.waiting.iter().find(|(_, waiter)| waiter.waits()).map(|(ticket, _)| *ticket);
                keeper.map(|(ticket, _)| ticket).or_else(first).map(|ticket| (ticket, at))
            }
        };
        if let Some((ticket, _)) = self.keeper
            && self.keeper != keeper
            && let Some(waiter) = self.waiting.get_mut(&ticket)
        {
            woken.extend(waiter.waker.take());
        }
    }
}

/// What the line says of itself, to be checked against what is known otherwise.
#[cfg(test)]
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Books {
    pub(super) by_server: Vec<u32>,
    pub(super) by_deliberation: u32,
    /// For how many deliberations something is counted.
    pub(super) deliberations: usize,
    /// The servers of places that were given and not taken yet.
    pub(super) granted: Vec<usize>,
    pub(super) waiting: usize,
}

#[cfg(test)]
impl Line {
    pub(super) fn books(&self) -> Books {
        let granted = |waiter: &Waiter| match &waiter.came {
            Came::Granted(grant) => Some(grant.server),
            Came::Nothing | Came::Refused(_) => None,
        };
        Books {
            by_server: self.servers.iter().map(Standing::under_way).collect(),
            by_deliberation: self.under_way.values().sum(),
            deliberations: self.under_way.len(),
            granted: self.waiting.values().filter_map(granted).collect(),
            waiting: self.waiting.values().filter(|waiter| waiter.waits()).count(),
        }
    }
}

impl Waiter {
    pub(super) const fn waits(&self) -> bool {
        matches!(self.came, Came::Nothing)
    }
}

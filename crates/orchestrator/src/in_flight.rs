//! How many deliberations are under way: counted as they come and go, and put right from the log.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The number that admission goes by.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    figures: Mutex<Figures>,
}

#[derive(Debug, Default)]
struct Figures {
    open: usize,
    /// Comings and goings that are being stored at this moment: the log may show them or not.
    moving: usize,
    /// Comings and goings so far.
    moves: u64,
}

/// A moment at which nothing was coming or going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quiet(u64);

/// One deliberation that is coming or going; dropped before it is [`Move::done`], it did neither.
#[derive(Debug)]
pub(crate) struct Move<'a> {
    of: &'a InFlight,
    comes: bool,
    done: bool,
}

impl InFlight {
    /// How many are under way, those that are coming included.
    pub(crate) fn open(&self) -> usize {
        self.figures().open
    }

    /// One more, if fewer than `limit` are under way.
    pub(crate) fn enter(&self, limit: usize) -> Option<Move<'_>> {
        let mut figures = self.figures();
        if figures.open >= limit {
            return None;
        }
        figures.open += 1;
        figures.moving += 1;
        Some(Move { of: self, comes: true, done: false })
    }

    /// One less, once it is done.
    pub(crate) fn leave(&self) -> Move<'_> {
        self.figures().moving += 1;
        Move { of: self, comes: false, done: false }
    }

    /// To be asked before the log is: what it shows may be compared only if nothing is moving.
    pub(crate) fn quiet(&self) -> Option<Quiet> {
        let figures = self.figures();
        (figures.moving == 0).then_some(Quiet(figures.moves))
    }

    /// Takes over what the log showed, if all has been quiet since before it was asked. Otherwise the
    /// figure stays: it is right but for moves whose outcome was not known.
    pub(crate) fn put_right(&self, since: Option<Quiet>, open: usize) {
        let mut figures = self.figures();
        if figures.moving == 0 && since == Some(Quiet(figures.moves)) {
            figures.open = open;
        }
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Move<'_> {
    /// It is stored.
    pub(crate) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Move<'_> {
    fn drop(&mut self) {
        let mut figures = self.of.figures();
        figures.moving -= 1;
        figures.moves += 1;
        if self.comes != self.done {
            figures.open = figures.open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_kept_once_its_deliberation_is_stored_and_given_back_otherwise() {
        let flight = InFlight::default();
        flight.enter(1).expect("there is room").done();
        assert!(flight.enter(1).is_none(), "one is the limit");
        drop(flight.enter(2));
        assert_eq!(flight.open(), 1, "what was not stored does not count");
        drop(flight.leave());
        assert_eq!(flight.open(), 1, "what has not ended still counts");
        flight.leave().done();
        assert_eq!(flight.open(), 0);
    }

    #[test]
    fn the_log_puts_the_figure_right_when_all_is_quiet() {
        let flight = InFlight::default();
        let quiet = flight.quiet();
        flight.put_right(quiet, 7);
        assert_eq!(flight.open(), 7);
    }

    #[test]
    fn what_came_while_the_log_was_read_is_not_forgotten() {
        let flight = InFlight::default();
        let quiet = flight.quiet();
        flight.enter(1).expect("there is room").done();
        flight.put_right(quiet, 0);
        assert_eq!(flight.open(), 1);
        let coming = flight.enter(2);
        let quiet = flight.quiet();
        flight.put_right(quiet, 1);
        assert_eq!((quiet, flight.open()), (None, 2), "the log may not show it yet");
        drop(coming);
    }

    #[test]
    fn what_ends_while_the_log_is_read_is_not_counted_off_twice() {
        let flight = InFlight::default();
        flight.enter(2).expect("there is room").done();
        flight.enter(2).expect("there is room").done();
        let quiet = flight.quiet();
        let going = flight.leave();
        // The log shows the end already.
        flight.put_right(quiet, 1);
        going.done();
        assert_eq!(flight.open(), 1);
    }
}

//! What is known of the hour of one council.

use fleet_deliberation::{Digest, Hour, HourEvent, HourLedger, Timestamp};

use crate::port::Sequence;

/// How long after its time a deliberation that is not in the log may still come to it, in milliseconds: an append
/// takes its time.
pub(super) const LATE_MS: u64 = 60_000;
/// How often the log is asked, at the most, what others have ended meanwhile, in milliseconds. What this process ends
/// it hears of at once.
const LOOK_MS: u64 = 10_000;

/// The hour of a council that is going on, as far as it is known.
#[derive(Default)]
pub(super) struct Book {
    pub(super) hour: Option<Hour>,
    pub(super) page: Page,
    /// What is known beyond the page: settlements that are written with the next reservation.
    pub(super) news: Vec<HourEvent>,
    /// Where the hour stands by both.
    pub(super) ledger: HourLedger,
    /// When the log was asked last for those that are not settled.
    pub(super) looked_at: Option<Timestamp>,
}

/// The history of an hour, as far as it is read.
#[derive(Default)]
pub(super) struct Page {
    pub(super) ledger: HourLedger,
    pub(super) sequence: Sequence,
    pub(super) digest: Digest,
}

impl Book {
    /// The book of an hour whose history is read, with what is known beyond it.
    pub(super) fn of(hour: Hour, page: Page, news: Vec<HourEvent>) -> Book {
        let ledger = after(&page.ledger, &news);
        Book { hour: Some(hour), page, news, ledger, looked_at: None }
    }

    /// Takes in settlements that are not in the history yet.
    pub(super) fn learn(&mut self, news: Vec<HourEvent>) {
        news.iter().for_each(|event| self.ledger.evolve(event));
        self.news.extend(news);
    }

    /// Whether the log may know of an end that is not known here.
    pub(super) fn must_look(&self, now: Timestamp) -> bool {
        let Some(last) = self.looked_at else { return !self.ledger.open.is_empty() };
        // What was never opened is only known to be none once its time is over.
        let lapsed = |until: Timestamp| (last..=now).contains(&until.plus_ms(LATE_MS));
        !self.ledger.open.is_empty()
            && (now.ms_since(last) >= LOOK_MS || self.ledger.open.values().any(|open| lapsed(open.until)))
    }
}

/// A ledger after further events.
pub(super) fn after(ledger: &HourLedger, events: &[HourEvent]) -> HourLedger {
    let mut ledger = ledger.clone();
    events.iter().for_each(|event| ledger.evolve(event));
    ledger
}

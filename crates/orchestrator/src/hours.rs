//! What each council may spend in an hour: reserved before a deliberation is opened, settled when the next one asks.
//!
//! An hour of a council is a history of its own. A deliberation counts to the hour in which it is opened. Its
//! reservation stands for all that it may spend, until it is known what it has spent: from the coordinator that ended
//! it, or from its own history once its time is over.

mod book;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleet_deliberation::{
    Budget, Command, Cost, Deliberation, DeliberationId, Digest, Hour, HourEvent, HourLedger, Record,
    Rejection, Role, Submission, Timestamp, decide,
};

use self::book::{Book, LATE_MS, Page, after};
use crate::port::{Clock, Entry, HistoryId, HistoryKind, Listing, StoreError};
use crate::{HandleError, Histories, chain};

/// How often a decision is taken anew when the history has moved on in between.
const CONFLICTS_MAX: usize = 16;
/// The shortest time after which it is worth to come back, in milliseconds.
const RETRY_MS_MIN: u64 = 1_000;

/// The hours of all councils.
pub(crate) struct Hours {
    histories: Arc<Histories>,
    clock: Arc<dyn Clock>,
    /// What holds for every council, but for those of which something else does.
    hourly: (Budget, BTreeMap<Role, Budget>),
    books: Mutex<BTreeMap<Role, SharedBook>>,
    /// Deliberations that ended and are not settled yet.
    ended: Mutex<Endings>,
}

/// Where the hour of a council stands that is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourStanding {
    /// Whose.
    pub role: Role,
    /// When it is over.
    pub until: Timestamp,
    /// What the council may spend in it.
    pub hourly: Budget,
    /// What is reserved by deliberations that have not ended, or of which that is not known.
    pub reserved: Cost,
    /// What those have spent that have ended.
    pub spent: Cost,
}

/// One council's reservations are made one after the other.
type SharedBook = Arc<tokio::sync::Mutex<Book>>;
type Endings = BTreeMap<(Role, Hour), Vec<(DeliberationId, Cost)>>;

impl Hours {
    pub(crate) fn new(
        histories: Arc<Histories>,
        clock: Arc<dyn Clock>,
        hourly: (Budget, BTreeMap<Role, Budget>),
    ) -> Hours {
        Hours { histories, clock, hourly, books: Mutex::default(), ended: Mutex::default() }
    }

    /// What a council may spend in an hour.
    fn hourly(&self, role: &Role) -> Budget {
        self.hourly.1.get(role).copied().unwrap_or(self.hourly.0)
    }

    /// Whether a deliberation with this budget is bounded by its council's hour.
    pub(crate) fn bound(&self, role: &Role, budget: Budget) -> bool {
        !budget.both(self.hourly(role)).is_none()
    }

    /// Where the hours that are going on stand, of those of `roles` that may only spend so much in one.
    pub(crate) async fn standing(
        &self,
        roles: impl Iterator<Item = &Role>,
    ) -> Result<Vec<HourStanding>, StoreError> {
        let hour = Hour::of(self.clock.now());
        let mut standing = Vec::new();
        for role in roles {
            let hourly = self.hourly(role);
            if hourly.is_none() {
                continue;
            }
            let book = Arc::clone(lock(&self.books).entry(role.clone()).or_default());
            let mut book = book.lock().await;
            self.turn_to(&mut book, role, hour).await?;
            let HourLedger { open, spent, .. } = &book.ledger;
            let reserved = open.values().map(|open| open.amount).sum();
            standing.push(HourStanding {
                role: role.clone(),
                until: hour.end(),
                hourly,
                reserved,
                spent: *spent,
            });
        }
        Ok(standing)
    }

    /// Opens the book at an hour, with what is known of the ends of its deliberations.
    async fn turn_to(&self, book: &mut Book, role: &Role, hour: Hour) -> Result<(), StoreError> {
        if book.hour != Some(hour) {
            let page = self.read(role, hour, Page::default()).await?;
            self.close_earlier(role, hour).await;
            *book = Book::of(hour, page, Vec::new());
        }
        let ended = self.drained(role, hour, &book.ledger);
        book.learn(ended);
        Ok(())
    }

    /// Notes that a deliberation has ended, so that its hour has back what it did not spend.
    pub(crate) fn ended(&self, state: &Deliberation) {
        let Some(purse) =
            state.purse.as_ref().filter(|_| self.bound(&state.submission().role, state.submission().budget))
        else {
            return;
        };
        let key = (state.submission().role.clone(), Hour::of(state.opened.at));
        // Of hours that nobody asks for any more the log knows as well.
        let mut ended = lock(&self.ended);
        let now = Hour::of(self.clock.now());
        ended.retain(|(_, hour), _| *hour >= now);
        ended.entry(key).or_default().push((state.id().clone(), purse.spent));
    }

    /// Reserves what the deliberation may cost: all of its budget, or what is left of the hour if that can open it.
    /// Gives the budget to open it with.
    pub(crate) async fn reserve(
        &self,
        submission: &Submission,
        at: Timestamp,
    ) -> Result<Budget, HandleError> {
        let (role, hour) = (&submission.role, Hour::of(at));
        let book = Arc::clone(lock(&self.books).entry(role.clone()).or_default());
        let mut book = book.lock().await;
        for _ in 0..CONFLICTS_MAX {
            self.turn_to(&mut book, role, hour).await?;
            let mut granted = self.opens(&book.ledger, submission, at)?;
            let now = self.clock.now();
            if granted.is_none() && book.must_look(now) {
                let found = self.looked_up(&book.ledger).await?;
                book.learn(found);
                book.looked_at = Some(now);
                granted = self.opens(&book.ledger, submission, at)?;
            }
            // What was learnt stays in the book: whoever is refused next has nothing read for it again.
            let Some(budget) = granted else { return Err(self.exhausted(role, hour, &book.ledger)) };
            let until = at.plus_ms(submission.timeout_ms);
            let mut news = book.news.clone();
            news.push(book.ledger.reserve(self.hourly(role), &submission.id, budget, until));
            match self.append(role, hour, &mut book.page, news).await {
                Ok(()) => {
                    book.ledger = book.page.ledger.clone();
                    book.news.clear();
                    return Ok(budget);
                }
                Err(StoreError::Conflict) => {
                    let (page, mut news) = (std::mem::take(&mut book.page), std::mem::take(&mut book.news));
                    book.hour = None;
                    let page = self.read(role, hour, page).await?;
                    // Whoever wrote meanwhile may have settled some of them.
                    news.retain(|event| match event {
                        HourEvent::Settled { id, .. } => page.ledger.open.contains_key(id),
                        HourEvent::Reserved { .. } | HourEvent::Closed => false,
                    });
                    *book = Book { looked_at: book.looked_at, ..Book::of(hour, page, news) };
                }
                Err(error) => {
                    // Whether it is there is not known.
                    book.hour = None;
                    return Err(error.into());
                }
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// The budget that the hour can give, if that opens the deliberation; an error if even all of its own would not.
    fn opens(
        &self,
        ledger: &HourLedger,
        submission: &Submission,
        at: Timestamp,
    ) -> Result<Option<Budget>, Rejection> {
        let opened = |budget: Budget| {
            let submission = Box::new(Submission { budget, ..submission.clone() });
            decide(None, Command::Submit { submission, at }).map(|_| budget)
        };
        let hourly = self.hourly(&submission.role);
        let granted = ledger.grant(hourly, &submission.id, submission.budget);
        match opened(granted) {
            Ok(budget) => Ok(Some(budget)),
            Err(_) if granted != submission.budget => opened(submission.budget).map(|_| None),
            Err(rejection) => Err(rejection),
        }
    }

    fn exhausted(&self, role: &Role, hour: Hour, ledger: &HourLedger) -> HandleError {
        let now = self.clock.now();
        let lapses = ledger.open.values().map(|open| open.until);
        let next = lapses.filter(|until| *until > now).fold(hour.end(), Timestamp::min);
        let hourly = self.hourly(role);
        HandleError::Exhausted {
            role: role.clone(),
            hourly,
            left: hourly.less(ledger.used()),
            retry_after_ms: next.ms_since(now).max(RETRY_MS_MIN),
        }
    }

    /// What is known of the end of those that are not settled.
    fn drained(&self, role: &Role, hour: Hour, ledger: &HourLedger) -> Vec<HourEvent> {
        let ended = lock(&self.ended).remove(&(role.clone(), hour)).unwrap_or_default();
        let known = ended.into_iter().filter(|(id, _)| ledger.open.contains_key(id));
        known.map(|(id, spent)| HourEvent::Settled { id, spent }).collect()
    }

    /// What the log knows of those that are not settled.
    async fn looked_up(&self, ledger: &HourLedger) -> Result<Vec<HourEvent>, StoreError> {
        let now = self.clock.now();
        let mut news = Vec::new();
        for (id, reservation) in &ledger.open {
            let known = match self.histories.refresh(id).await {
                Err(StoreError::Corrupt(..)) => continue,
                other => other?,
            };
            let spent = match known {
                Some(known) if known.state.ended.is_none() => continue,
                Some(known) => known.state.purse.as_ref().map_or_else(Cost::default, |purse| purse.spent),
                // It may be on its way to the log.
                None if now < reservation.until.plus_ms(LATE_MS) => continue,
                None => Cost::default(),
            };
            news.push(HourEvent::Settled { id: id.clone(), spent });
        }
        Ok(news)
    }

    /// Ends the histories of hours that are over as soon as all is settled, so that the janitor finds them. What
    /// cannot be done now is done in the next hour.
    async fn close_earlier(&self, role: &Role, hour: Hour) {
        if let Err(error) = self.try_close_earlier(role, hour).await {
            tracing::warn!(council.role = %role, error = chain(&error), "earlier hours could not be closed");
        }
    }

    async fn try_close_earlier(&self, role: &Role, hour: Hour) -> Result<(), StoreError> {
        for info in self.histories.store().histories(Listing::Open(HistoryKind::Hour)).await? {
            let Some((of, earlier)) = info.id.as_hour().filter(|(of, other)| of == role && *other < hour)
            else {
                continue;
            };
            let mut page = self.read(&of, earlier, Page::default()).await?;
            let mut news = self.looked_up(&page.ledger).await?;
            if after(&page.ledger, &news).open.is_empty() {
                news.push(HourEvent::Closed);
                self.append(&of, earlier, &mut page, news).await?;
            }
        }
        Ok(())
    }

    /// The history of an hour from where it was read to.
    async fn read(&self, role: &Role, hour: Hour, mut page: Page) -> Result<Page, StoreError> {
        for stored in self.histories.store().read(&HistoryId::hour(role, hour), page.sequence).await? {
            let record = Record::<HourEvent>::decode(&stored.entry.body)
                .map_err(|error| StoreError::Corrupt(stored.sequence, error.into()))?;
            if record.previous != page.digest {
                let cause = format!("it does not follow the record before it ({})", page.digest);
                return Err(StoreError::Corrupt(stored.sequence, cause.into()));
            }
            record.events.iter().for_each(|event| page.ledger.evolve(event));
            page.sequence = stored.sequence;
            page.digest = Digest::of(&stored.entry.body);
        }
        Ok(page)
    }

    async fn append(
        &self,
        role: &Role,
        hour: Hour,
        page: &mut Page,
        events: Vec<HourEvent>,
    ) -> Result<(), StoreError> {
        let at = self.clock.now();
        let ends = events.contains(&HourEvent::Closed);
        let ledger = after(&page.ledger, &events);
        let body = Record::new(at, page.digest, events).encode();
        let digest = Digest::of(&body);
        let entry = Entry { body: body.into(), at, ends };
        let sequence =
            self.histories.store().append(&HistoryId::hour(role, hour), page.sequence, entry).await?;
        *page = Page { ledger, sequence, digest };
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What no panic can leave half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

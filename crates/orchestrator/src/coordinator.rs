//! Takes commands, lets the rules decide, stores what they decided.

mod reading;
mod request;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use fleet_deliberation::{
    AgentId, Budget, Command, Decision, DeliberationId, IdError, Rejection, Role, Submission,
};
use tokio_util::sync::CancellationToken;

use crate::histories::{Histories, Loaded};
use crate::hours::Hours;
use crate::in_flight::{InFlight, Move};
use crate::port::{Answers, Clock, Entropy, HistoryKind, Listing, Observer, StoreError};
use crate::{Councils, HandleError};

pub use reading::{Filter, LOOKED_AT_MAX};
pub use request::Request;

/// How often a decision is taken anew when the history has moved on in between.
const CONFLICTS_MAX: usize = 16;
/// When whoever was refused may come back, in milliseconds.
const RETRY_MS: u64 = 1_000;

/// What the coordinator goes by where a request does not say.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Rounds of review.
    pub rounds: u32,
    /// Agents that must have answered.
    pub quorum: u32,
    /// Judges that compare each pair of near ties; an odd number, or 0.
    pub judges: u32,
    /// Near ties that are told apart at most.
    pub top_k: u32,
    /// Agents that write tests where a task brings none.
    pub test_writers: u32,
    /// Whether an architect chooses among those that are left.
    pub architect: bool,
    /// What a deliberation may cost.
    pub budget: Budget,
    /// What the deliberations may cost together that a council opens within an hour of the clock. It bounds those
    /// whose own budget is bounded in the same.
    pub hourly: Budget,
    /// Both for councils of which something else holds.
    pub budgets: BTreeMap<Role, CouncilBudget>,
    /// The longest a deliberation may take, in milliseconds.
    pub timeout_ms: u64,
    /// How many deliberations may be under way at once.
    pub in_flight_max: usize,
    /// How long a result is served after the end, in milliseconds.
    pub served_ms: u64,
    /// How many deliberations are kept in memory.
    pub cached_max: NonZeroUsize,
}

/// What the deliberations of one council may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CouncilBudget {
    /// Each of them, unless a task says otherwise.
    pub each: Budget,
    /// Those together that are opened within an hour of the clock.
    pub hourly: Budget,
}

/// A submission that was accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// Its id.
    pub id: DeliberationId,
    /// The agents that work on it.
    pub agents: Vec<AgentId>,
}

/// Takes commands.
pub struct Coordinator {
    histories: Arc<Histories>,
    answers: Arc<dyn Answers>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    observer: Arc<dyn Observer>,
    councils: Arc<Councils>,
    settings: Settings,
    hours: Hours,
    in_flight: InFlight,
    closing: CancellationToken,
}

impl Coordinator {
    /// A coordinator over these parts.
    #[must_use]
    pub fn new(
        histories: Arc<Histories>,
        answers: Arc<dyn Answers>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        observer: Arc<dyn Observer>,
        councils: Arc<Councils>,
        settings: Settings,
    ) -> Coordinator {
        let (in_flight, closing) = (InFlight::default(), CancellationToken::new());
        let hourly = settings.budgets.iter().map(|(role, budget)| (role.clone(), budget.hourly)).collect();
        let hours = Hours::new(Arc::clone(&histories), Arc::clone(&clock), (settings.hourly, hourly));
        Coordinator {
            histories,
            answers,
            clock,
            entropy,
            observer,
            councils,
            settings,
            hours,
            in_flight,
            closing,
        }
    }

    /// Opens nothing further from here on. What comes of what was begun is still taken in.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Cancelled once nothing further is opened. Work that is not begun is not to be begun then, and not to
    /// run out of time.
    pub fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// The histories behind.
    pub fn histories(&self) -> &Arc<Histories> {
        &self.histories
    }

    /// The deliberations that the log holds open. Admission goes by their number from here on, unless some
    /// came or went meanwhile: what was counted before may be off by decisions whose outcome was not known.
    pub async fn count_open(&self) -> Result<Vec<DeliberationId>, StoreError> {
        let quiet = self.in_flight.quiet();
        let open = self.histories.store().histories(Listing::Open(HistoryKind::Deliberation)).await?;
        let ids: Vec<DeliberationId> = open.iter().filter_map(|info| info.id.as_deliberation()).collect();
        self.in_flight.put_right(quiet, ids.len());
        Ok(ids)
    }

    /// How many deliberations are under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.open()
    }

    /// The councils there are.
    pub fn councils(&self) -> &Arc<Councils> {
        &self.councils
    }

    /// An id that no deliberation has.
    pub fn new_id(&self) -> Result<DeliberationId, HandleError> {
        let malformed =
            |error: IdError| Rejection::Malformed { field: "task_id".into(), reason: error.to_string() };
        Ok(DeliberationId::new(&self.entropy.id()).map_err(malformed)?)
    }

    /// Opens a deliberation. Its id is given back once its first record is durable. The same request
    /// under the same id is accepted again and changes nothing.
    pub async fn submit(&self, request: Request) -> Result<Accepted, HandleError> {
        let accepted = self.open(request).await;
        if let Err(error) = &accepted {
            self.observer.refused(error.kind());
        }
        accepted
    }

    async fn open(&self, request: Request) -> Result<Accepted, HandleError> {
        let mut submission = self.submission(request)?;
        let id = submission.id.clone();
        // The log is not asked whether the id is new: the append says so, and nearly all are.
        if let Some(known) = self.histories.in_memory(&id) {
            return self.submitted_again(&known, submission);
        }
        let room = match self.room() {
            Ok(room) => room,
            // What was accepted before is accepted again, whatever keeps others out.
            Err(refusal) => match self.histories.load(&id).await? {
                Some(known) => return self.submitted_again(&known, submission),
                None => return Err(refusal),
            },
        };
        let at = self.clock.now();
        if self.hours.bound(&submission.role, submission.budget) {
            // What was accepted before needs nothing reserved.
            if let Some(known) = self.histories.refresh(&id).await? {
                return self.submitted_again(&known, submission);
            }
            submission.budget = self.hours.reserve(&submission, at).await?;
        }
        let mut decision = Decision::default();
        decision.take(Command::Submit { submission: Box::new(submission.clone()), at })?;
        match self.histories.commit(None, decision, at).await {
            Ok(opened) => {
                room.done();
                self.observer.accepted(opened.state.submission());
                // Not all of them, if the budget is too small.
                let agents = opened.state.lanes.iter().map(|lane| lane.author.clone()).collect();
                Ok(Accepted { id, agents })
            }
            // It was submitted before.
            Err(StoreError::Conflict) => match self.histories.refresh(&id).await? {
                Some(known) => self.submitted_again(&known, submission),
                None => Err(StoreError::Conflict.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Brings commands before the rules and stores what they decide, as one record; nothing is stored
    /// when they decide nothing.
    pub async fn handle(
        &self,
        id: &DeliberationId,
        commands: &[Command],
    ) -> Result<Arc<Loaded>, HandleError> {
        let mut loaded = self.known(id).await?;
        for _ in 0..CONFLICTS_MAX {
            let at = self.clock.now();
            let mut decision = Decision::on(Some(loaded.state.clone()));
            for command in commands {
                decision.take(command.clone())?;
            }
            if decision.events.is_empty() {
                return Ok(loaded);
            }
            let ends = decision.state.as_ref().is_some_and(|state| state.ended.is_some());
            let going = ends.then(|| self.in_flight.leave());
            match self.histories.commit(Some(&loaded), decision, at).await {
                Ok(now) => {
                    if now.state.ended.is_some() {
                        if let Some(going) = going {
                            going.done();
                        }
                        self.hours.ended(&now.state);
                        self.observer.ended(&now.state);
                    }
                    return Ok(now);
                }
                Err(StoreError::Conflict) => {
                    let fresh = self.histories.refresh(id).await?;
                    loaded = fresh.ok_or_else(|| Rejection::Unknown(id.clone()))?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Ends a deliberation without a verdict; one that has ended stays as it is.
    pub async fn cancel(&self, id: &DeliberationId, reason: String) -> Result<Arc<Loaded>, HandleError> {
        let at = self.clock.now();
        self.handle(id, &[Command::Cancel { reason, at }]).await
    }

    async fn known(&self, id: &DeliberationId) -> Result<Arc<Loaded>, HandleError> {
        let loaded = self.histories.load(id).await?;
        loaded.ok_or_else(|| Rejection::Unknown(id.clone()).into())
    }

    fn submitted_again(&self, known: &Loaded, submission: Submission) -> Result<Accepted, HandleError> {
        let mut decision = Decision::on(Some(known.state.clone()));
        decision.take(Command::Submit { submission: Box::new(submission), at: self.clock.now() })?;
        let agents = known.state.lanes.iter().map(|lane| lane.author.clone()).collect();
        Ok(Accepted { id: known.state.id().clone(), agents })
    }

    /// A place among those under way, given back unless it is done.
    fn room(&self) -> Result<Move<'_>, HandleError> {
        if self.closing.is_cancelled() {
            return Err(HandleError::Closing { retry_after_ms: RETRY_MS });
        }
        let limit = self.settings.in_flight_max;
        self.in_flight.enter(limit).ok_or(HandleError::Busy { limit, retry_after_ms: RETRY_MS })
    }
}

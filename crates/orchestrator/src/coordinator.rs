//! Takes commands, lets the rules decide, stores what they decided.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use fleet_deliberation::{
    AGENTS_MAX, AgentId, Budget, Command, Decision, Deliberation, DeliberationId, Digest, Ended, IdError,
    Priority, Rejection, Role, Selection, Status, Submission, Task, Timestamp, check_agents, check_judges,
    check_rounds, check_test_writers, check_timeout, check_top_k,
};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::announcement::error_type;
use crate::histories::{Histories, Loaded};
use crate::hours::{HourStanding, Hours};
use crate::in_flight::{InFlight, Move};
use crate::past::Recording;
use crate::port::{Answers, Clock, Entropy, HistoryInfo, HistoryKind, Listing, Observer, StoreError};
use crate::updates::Updates;
use crate::view::{self, View};
use crate::{AtWork, Councils, HandleError, chain, rfc3339};

/// How often a decision is taken anew when the history has moved on in between.
const CONFLICTS_MAX: usize = 16;
/// How many deliberations are looked at for a list of some of them.
pub const LOOKED_AT_MAX: usize = 10_000;

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

/// A task as a client submits it. What is `None` was not said.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Request {
    /// The id, if the client chose one.
    #[serde(skip)]
    pub id: Option<DeliberationId>,
    /// The task.
    pub task: Task,
    /// The council's role.
    pub role: String,
    /// Rounds of review.
    pub rounds: Option<u32>,
    /// An upper bound on the rounds, whoever says how many there are.
    pub rounds_max: Option<u32>,
    /// Agents at work.
    pub agents: Option<u32>,
    /// The longest it may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Judges that compare each pair of near ties; an odd number, or 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judges: Option<u32>,
    /// Near ties that are told apart at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Agents that write tests where the task brings none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_writers: Option<u32>,
    /// Whether an architect chooses among those that are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architect: Option<bool>,
    /// What it may cost.
    #[serde(skip_serializing_if = "Budget::is_none")]
    pub budget: Budget,
    /// Who goes first where not all can be served at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Who submits it, as far as the edge knows.
    #[serde(skip)]
    pub submitter: String,
    /// The trace it belongs to, as the header `traceparent` writes it; empty if it belongs to none.
    #[serde(skip)]
    pub trace: String,
}

impl Request {
    /// Checks every bound that holds wherever it is brought, naming the first field that is out of its own.
    pub fn validate(&self) -> Result<(), Rejection> {
        self.task.validate()?;
        self.rounds.map_or(Ok(()), |rounds| check_rounds("rounds", rounds))?;
        self.agents.map_or(Ok(()), |agents| check_agents("num_agents", agents as usize))?;
        self.judges.map_or(Ok(()), |judges| check_judges("judges", judges))?;
        self.top_k.map_or(Ok(()), |top_k| check_top_k("top_k", top_k))?;
        self.test_writers.map_or(Ok(()), |writers| check_test_writers("test_writers", writers))?;
        self.timeout_ms.map_or(Ok(()), |ms| check_timeout("constraints.timeout_seconds", ms))
    }
}

/// Which deliberations are to be listed. What is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// How it stands.
    pub status: Option<Status>,
    /// The council's role, in small or in capital letters.
    pub role: Option<String>,
    /// What kind of end it was, such as `cancelled`, of those that gave no verdict.
    pub error_type: Option<String>,
}

impl Filter {
    fn lets_through(&self, state: &Deliberation) -> bool {
        let role = &state.submission().role;
        self.status.is_none_or(|status| status == state.status())
            && self.role.as_deref().is_none_or(|wanted| role.as_str().eq_ignore_ascii_case(wanted))
            && self.error_type.as_deref().is_none_or(|wanted| error_type(state) == Some(wanted))
    }
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

    /// A deliberation with the texts of its results, as long as it is served.
    pub async fn view(&self, id: &DeliberationId) -> Result<View, HandleError> {
        let loaded = self.served(id).await?;
        Ok(view::of(&loaded.state, &*self.answers).await?)
    }

    /// The updates of a deliberation behind `after`, which is 0 or the sequence of one of them, as long as it
    /// is served.
    pub async fn updates(&self, id: &DeliberationId, after: u64) -> Result<Updates, HandleError> {
        self.served(id).await?;
        let (histories, answers) = (Arc::clone(&self.histories), Arc::clone(&self.answers));
        Updates::open(histories, answers, Arc::clone(&self.clock), id.clone(), after).await
    }

    /// What was recorded of a deliberation, however long ago it ended.
    pub async fn recording(&self, id: &DeliberationId) -> Result<Recording, HandleError> {
        let recording = Recording::read(id, &**self.histories.store(), &self.answers).await?;
        recording.ok_or_else(|| Rejection::Unknown(id.clone()).into())
    }

    /// The deliberations that are kept, newest first, whether or not their results are still served: up to
    /// `limit`.
    pub async fn kept(&self, limit: usize) -> Result<Vec<HistoryInfo>, HandleError> {
        let listing = Listing::Newest { kind: HistoryKind::Deliberation, limit };
        Ok(self.histories.store().histories(listing).await?)
    }

    /// Follows a deliberation.
    pub async fn watch(&self, id: &DeliberationId) -> Result<watch::Receiver<Arc<Loaded>>, HandleError> {
        let receiver = self.histories.watch(id).await?;
        receiver.ok_or_else(|| Rejection::Unknown(id.clone()).into())
    }

    /// Waits until a deliberation has ended, or until `moment`.
    pub async fn ended(&self, id: &DeliberationId, moment: Timestamp) -> Result<(), HandleError> {
        let mut watched = self.watch(id).await?;
        tokio::select! {
            biased;
            // The sender goes only with the coordinator; then there is nothing to wait for.
            _ = watched.wait_for(|loaded| loaded.state.ended.is_some()) => {}
            () = self.clock.sleep_until(moment) => {}
        }
        Ok(())
    }

    /// Up to `limit` deliberations that a filter lets through, those opened last first. Of those that have
    /// ended, only the last [`LOOKED_AT_MAX`] are looked at.
    pub async fn newest(&self, limit: usize, filter: &Filter) -> Result<Vec<Arc<Loaded>>, HandleError> {
        let kind = HistoryKind::Deliberation;
        let infos = match filter.status {
            Some(Status::Pending | Status::InProgress) => {
                let mut open = self.histories.store().histories(Listing::Open(kind)).await?;
                open.reverse();
                open
            }
            _ => {
                let looked_at = if *filter == Filter::default() { limit } else { LOOKED_AT_MAX };
                self.histories.store().histories(Listing::Newest { kind, limit: looked_at }).await?
            }
        };
        let mut newest = Vec::new();
        for info in infos {
            if newest.len() == limit {
                break;
            }
            if let Some(id) = info.id.as_deliberation()
                && let Some(loaded) = self.readable(&id).await?
                && filter.lets_through(&loaded.state)
            {
                newest.push(loaded);
            }
        }
        Ok(newest)
    }

    /// Where the hours of the councils stand that may only spend so much in one, by role.
    pub async fn hours(&self) -> Result<Vec<HourStanding>, StoreError> {
        self.hours.standing(self.councils.all().iter().map(|council| &council.role)).await
    }

    /// What the councils are busy with.
    pub async fn at_work(&self) -> Result<AtWork, HandleError> {
        let mut at_work = AtWork::default();
        let open = Listing::Open(HistoryKind::Deliberation);
        for info in self.histories.store().histories(open).await? {
            if let Some(id) = info.id.as_deliberation()
                && let Some(loaded) = self.readable(&id).await?
            {
                at_work.count(&loaded.state);
            }
        }
        Ok(at_work)
    }

    /// A deliberation, unless its history cannot be read: one of them must not hide the others.
    async fn readable(&self, id: &DeliberationId) -> Result<Option<Arc<Loaded>>, StoreError> {
        match self.histories.load(id).await {
            Err(error @ StoreError::Corrupt(..)) => {
                tracing::error!(deliberation.id = %id, error = chain(&error), "a history cannot be read");
                Ok(None)
            }
            other => other,
        }
    }

    async fn served(&self, id: &DeliberationId) -> Result<Arc<Loaded>, HandleError> {
        let loaded = self.known(id).await?;
        if let Some(Ended { at, .. }) = &loaded.state.ended
            && self.clock.now() > at.plus_ms(self.settings.served_ms)
        {
            return Err(HandleError::NoLongerServed {
                id: id.clone(),
                ended_at: rfc3339(*at),
                served_s: self.settings.served_ms / 1000,
            });
        }
        Ok(loaded)
    }

    async fn known(&self, id: &DeliberationId) -> Result<Arc<Loaded>, HandleError> {
        let loaded = self.histories.load(id).await?;
        loaded.ok_or_else(|| Rejection::Unknown(id.clone()).into())
    }

    fn submission(&self, request: Request) -> Result<Submission, HandleError> {
        let council = self.councils.get(&request.role)?;
        let agents = request.agents.map_or(council.agents.len(), |n| n as usize);
        // The rules name the bound; the list must not grow beyond it before they do.
        let members = self.councils.members(&council, agents.min(AGENTS_MAX + 1))?;
        #[expect(clippy::expect_used, reason = "a request holds only what JSON can hold, with text as keys")]
        let content = serde_json::to_vec(&request).expect("a request can be written");
        let id = match request.id {
            Some(id) => id,
            None => self.new_id()?,
        };
        let selection = Selection {
            judges: request.judges.unwrap_or(self.settings.judges),
            top_k: request.top_k.unwrap_or(self.settings.top_k),
            test_writers: request.test_writers.unwrap_or(self.settings.test_writers),
            architect: match request.architect.unwrap_or(self.settings.architect) {
                true => self.councils.architect(&members)?,
                false => None,
            },
        };
        let budget =
            self.settings.budgets.get(&council.role).map_or(self.settings.budget, |budget| budget.each);
        let rounds = request.rounds.or(council.settings.rounds).unwrap_or(self.settings.rounds);
        Ok(Submission {
            id,
            task: request.task,
            role: council.role.clone(),
            rounds: rounds.min(request.rounds_max.unwrap_or(u32::MAX)),
            quorum: self.settings.quorum.min(u32::try_from(members.len()).unwrap_or(u32::MAX)).max(1),
            members,
            timeout_ms: request.timeout_ms.unwrap_or(self.settings.timeout_ms),
            selection,
            budget: Budget {
                tokens: request.budget.tokens.or(budget.tokens),
                money_micros: request.budget.money_micros.or(budget.money_micros),
            },
            fingerprint: Digest::of(&content).to_string(),
            submitter: request.submitter,
            priority: request.priority.unwrap_or_default(),
            trace: request.trace,
        })
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

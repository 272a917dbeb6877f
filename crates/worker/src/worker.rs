//! Leases jobs, does them, records what came of them. Decides nothing.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fleet_deliberation::{
    ATTEMPTS_MAX, Answer, Assignment, Deliberation, Failure, FailureKind, JobId, JobKind, Outcome, Timestamp,
};
use fleet_orchestrator::port::{
    Answers, Attempted, Checker, Clock, Entropy, JobQueue, LanguageModel, Lease, ModelError, Observer,
    Progress, StoreError,
};
use fleet_orchestrator::{Histories, Loaded, chain, persist};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::work::{Fault, perform};

/// How often a job is looked after while it is done, in milliseconds: whether it is still wanted.
const LOOK_MS: u64 = 1_000;

/// How a worker behaves.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Jobs done at once; at least 1. They wait for models most of the time.
    pub slots: usize,
    /// How often a job is tried; at least 1. With more than [`ATTEMPTS_MAX`] budgets may be exceeded.
    pub attempts_max: u32,
    /// The pause before the second attempt, in milliseconds; it doubles with each one. Half of it is
    /// certain, the rest up to one and a half is chance.
    pub backoff_ms: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { slots: 256, attempts_max: ATTEMPTS_MAX, backoff_ms: 500 }
    }
}

/// What a worker works with.
#[derive(Clone)]
pub struct Parts {
    /// Where deliberations are read.
    pub histories: Arc<Histories>,
    /// Where answers are found and recorded.
    pub answers: Arc<dyn Answers>,
    /// Where jobs come from.
    pub queue: Arc<dyn JobQueue>,
    /// What proposals, reviews and revisions are asked of.
    pub model: Arc<dyn LanguageModel>,
    /// What checks them.
    pub checker: Arc<dyn Checker>,
    /// What is shown of the work.
    pub progress: Arc<dyn Progress>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
}

/// Does jobs.
pub struct Worker {
    parts: Parts,
    settings: Settings,
    at_work: Arc<AtomicUsize>,
}

/// What became of an attempt at a job.
enum Attempt {
    /// The job is answered, by this attempt or an earlier one, or nobody wants it any more.
    Over,
    /// It is to be tried again, not before a moment.
    Again(Timestamp),
}

impl Worker {
    /// A worker made of these parts.
    #[must_use]
    pub fn new(parts: Parts, settings: Settings) -> Worker {
        Worker { parts, settings, at_work: Arc::default() }
    }

    /// How many jobs it does at the moment, to be looked at while it runs.
    #[must_use]
    pub fn at_work(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.at_work)
    }

    /// Works until told to stop, then ends the jobs it has begun. Dropping the future leaves them; their
    /// leases run out.
    pub async fn run(self, stop: CancellationToken) {
        let mut at_work = FuturesUnordered::new();
        let mut leased = pin!(self.lease(self.settings.slots));
        loop {
            self.at_work.store(at_work.len(), Ordering::Relaxed);
            let leases = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(()) = at_work.next(), if !at_work.is_empty() => continue,
                // Taken only with a slot free, though asked for earlier: a lease is never dropped.
                leases = &mut leased, if at_work.len() < self.settings.slots => leases,
            };
            at_work.extend(leases.into_iter().map(|lease| self.work(lease)));
            let free = self.settings.slots.saturating_sub(at_work.len()).max(1);
            leased.set(self.lease(free));
        }
        while at_work.next().await.is_some() {
            self.at_work.store(at_work.len(), Ordering::Relaxed);
        }
    }

    async fn lease(&self, slots: usize) -> Vec<Lease> {
        persist(&*self.parts.clock, "leasing jobs", || self.parts.queue.lease(slots)).await
    }

    async fn work(&self, lease: Lease) {
        // A store that is away for a while is no fault of the job's, and must not use up its attempts.
        let attempt = || self.attempt(&lease);
        let given_back = match persist(&*self.parts.clock, "reading what a job needs", attempt).await {
            Attempt::Over => self.parts.queue.finish(&lease).await,
            Attempt::Again(not_before) => self.parts.queue.release(&lease, not_before).await,
        };
        if let Err(error) = given_back {
            // It will run out, and the job comes again.
            tracing::warn!(job.id = %lease.job, error = chain(&error), "a lease was not given back");
        }
    }

    async fn attempt(&self, lease: &Lease) -> Result<Attempt, StoreError> {
        match self.begin(lease).await {
            // Waiting would not help. The deliberation goes on without, when the job's time is over.
            Err(error @ StoreError::Corrupt(..)) => {
                tracing::error!(job.id = %lease.job, error = chain(&error), "what a job needs cannot be read");
                Ok(Attempt::Over)
            }
            other => other,
        }
    }

    async fn begin(&self, lease: &Lease) -> Result<Attempt, StoreError> {
        if self.parts.answers.find(&lease.job).await?.is_some() {
            return Ok(Attempt::Over);
        }
        let Some((loaded, assignment)) = self.assignment(&lease.job).await? else { return Ok(Attempt::Over) };
        // Beating goes on while the answer is recorded, or a lease that runs out meanwhile would have it
        // paid for again.
        tokio::select! {
            biased;
            attempt = self.answer(lease, &loaded, &assignment) => attempt,
            () = self.unwanted(lease) => Ok(Attempt::Over),
        }
    }

    async fn answer(
        &self,
        lease: &Lease,
        loaded: &Loaded,
        assignment: &Assignment,
    ) -> Result<Attempt, StoreError> {
        let started_at = self.parts.clock.now();
        if started_at >= assignment.window.until {
            // An answer would come too late; the timers end the step.
            return Ok(Attempt::Over);
        }
        let outcome = if lease.attempt > self.settings.attempts_max {
            let message = format!("{} attempts did not come to their end", self.settings.attempts_max);
            Outcome::Failed(Failure::new(FailureKind::WorkerLost, message, lease.attempt - 1))
        } else {
            if loaded.state.purse.is_some() && lease.job.kind != JobKind::Check {
                // A budget reserves so many attempts, so none may be forgotten that is paid for.
                self.parts.queue.counted(lease).await?;
            }
            match perform(&self.parts, lease, &loaded.state, assignment).await {
                Ok(outcome) => outcome,
                Err(Fault::Store(error)) => return Err(error),
                Err(Fault::Model(error)) => match self.again_at(&error, lease.attempt, assignment) {
                    Some(moment) => {
                        self.observe(lease, loaded, assignment, started_at, Err(&error));
                        return Ok(Attempt::Again(moment));
                    }
                    None => Outcome::Failed(error.into_failure(lease.attempt)),
                },
            }
        };
        self.observe(lease, loaded, assignment, started_at, Ok(&outcome));
        let ended_at = self.parts.clock.now();
        let answer = Answer { job: lease.job.clone(), attempt: lease.attempt, started_at, ended_at, outcome };
        // What was paid for is not given up because the store is away for a while.
        let record = || self.parts.answers.record(answer.clone());
        persist(&*self.parts.clock, "recording an answer", record).await;
        Ok(Attempt::Over)
    }

    fn observe(
        &self,
        lease: &Lease,
        loaded: &Loaded,
        assignment: &Assignment,
        started_at: Timestamp,
        came_of_it: Result<&Outcome, &ModelError>,
    ) {
        let Some(member) = loaded.state.member(assignment) else { return };
        self.parts.observer.attempted(&Attempted {
            state: &loaded.state,
            job: &lease.job,
            attempt: lease.attempt,
            agent: &member.agent,
            started_at,
            ended_at: self.parts.clock.now(),
            came_of_it,
        });
    }

    /// What the job needs, as long as it is wanted.
    async fn assignment(&self, job: &JobId) -> Result<Option<(Arc<Loaded>, Assignment)>, StoreError> {
        let wanted = |loaded: Option<Arc<Loaded>>| {
            let loaded = loaded?;
            let assignment = loaded.state.assignment(job)?;
            Some((loaded, assignment))
        };
        if let Some(found) = wanted(self.parts.histories.load(&job.deliberation).await?) {
            return Ok(Some(found));
        }
        // What is in memory may be older than the job.
        Ok(wanted(self.parts.histories.refresh(&job.deliberation).await?))
    }

    /// Returns once nobody wants the job of `lease` any more, or the lease has run out; beats until then.
    async fn unwanted(&self, lease: &Lease) {
        let Parts { clock, queue, histories, .. } = &self.parts;
        let mut beat_at = clock.now().plus_ms(queue.beat_ms());
        loop {
            let look_at = clock.now().plus_ms(LOOK_MS).min(beat_at);
            clock.sleep_until(look_at).await;
            // Looked at twice, as what is in memory may be older than the job, and what is given up was paid for.
            if let Ok(Some(loaded)) = histories.load(&lease.job.deliberation).await
                && !wants(&loaded.state, &lease.job)
                && let Ok(Some(fresh)) = histories.refresh(&lease.job.deliberation).await
                && !wants(&fresh.state, &lease.job)
            {
                return;
            }
            if clock.now() >= beat_at {
                if let Err(StoreError::Conflict) = queue.beat(lease).await {
                    return;
                }
                beat_at = clock.now().plus_ms(queue.beat_ms());
            }
        }
    }

    /// When a job is to be tried again after `error`: not at all if that cannot help, if it was tried
    /// often enough, or if its time would be over.
    fn again_at(&self, error: &ModelError, attempt: u32, assignment: &Assignment) -> Option<Timestamp> {
        if !error.kind.may_pass() || attempt >= self.settings.attempts_max {
            return None;
        }
        let asked =
            error.retry_after_ms.map_or(Timestamp::default(), |ms| self.parts.clock.now().plus_ms(ms));
        let moment = self.later(attempt).max(asked);
        (moment < assignment.window.until).then_some(moment)
    }

    fn later(&self, attempt: u32) -> Timestamp {
        let doubled = self.settings.backoff_ms.saturating_mul(1 << (attempt.saturating_sub(1)).min(6));
        let jittered = doubled as f64 * (0.5 + self.parts.entropy.unit());
        self.parts.clock.now().plus_ms(jittered as u64)
    }
}

fn wants(state: &Deliberation, job: &JobId) -> bool {
    state.assignment(job).is_some()
}

//! The ports as one life of one process has them: every operation may be late, refused, doubled, lost,
//! or the last one.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use fleet_deliberation::Generation;
use fleet_deliberation::{
    Answer, CheckKind, CheckOutcome, CheckReport, CheckResult, DeliberationId, Fault, JobId, Timestamp,
};
use fleet_llm::SimulatedModel;
use fleet_orchestrator::port::{
    Announcement, Announcements, Answers, Checker, Clock, Entropy, Entry, EventStore, HistoryId, HistoryInfo,
    JobQueue, LanguageModel, Lease, Listing, ModelError, ModelRequest, Position, Recorded, Sequence,
    StoreError, Stored, Tokens,
};

use crate::invariants;
use crate::world::{History, Queued, State, Topic, World};

/// How long a lease lasts, in milliseconds.
const LEASE_MS: u64 = 5_000;

/// The ports of one life of one process.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) world: World,
    pub(crate) process: usize,
    pub(crate) life: u64,
}

/// What happens to an operation.
enum Fate {
    Well,
    Refused,
    Unacknowledged,
    CrashBefore,
    CrashAfter,
}

impl Link {
    fn alive(&self, state: &State) -> bool {
        state.lives[self.process] == self.life
    }

    /// Does an operation, as well as the faults let it.
    async fn operate<T: Send>(
        &self,
        name: &str,
        effect: impl FnOnce(&mut State) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let (fate, there, back) = {
            let mut state = self.world.lock();
            let faults = state.faults;
            let rng = &mut state.rng;
            let fate = match () {
                () if rng.chance(faults.refused) => Fate::Refused,
                () if rng.chance(faults.unacknowledged) => Fate::Unacknowledged,
                () if rng.chance(faults.crash) && rng.chance(500) => Fate::CrashBefore,
                () if rng.chance(faults.crash) => Fate::CrashAfter,
                () => Fate::Well,
            };
            (fate, rng.below(faults.delay_ms + 1), rng.below(faults.delay_ms + 1))
        };
        self.world.pause(there).await;
        let result = {
            let mut state = self.world.lock();
            let process = self.process;
            let now = state.now;
            let done = if !self.alive(&state) {
                // It was under way when its process died: it may still arrive.
                if state.rng.chance(500) {
                    let _ = effect(&mut state);
                }
                Err(unavailable("the process is dead"))
            } else {
                match fate {
                    Fate::Refused => Err(unavailable("refused")),
                    Fate::CrashBefore => {
                        state.crash(process);
                        Err(unavailable("crashed before"))
                    }
                    Fate::CrashAfter => {
                        let _ = effect(&mut state);
                        state.crash(process);
                        Err(unavailable("crashed after"))
                    }
                    Fate::Unacknowledged => effect(&mut state).and(Err(unavailable("acknowledgement lost"))),
                    Fate::Well => effect(&mut state),
                }
            };
            let outcome = match &done {
                Ok(_) => "ok".to_owned(),
                Err(error) => fleet_orchestrator::chain(error),
            };
            state.trace.note(now, &format!("{process} {name}: {outcome}"));
            done
        };
        self.world.pause(back).await;
        result
    }

    /// Waits until `look` finds something about `topic`.
    async fn wait<T: Send>(&self, topic: Topic, mut look: impl FnMut(&mut State) -> Option<T> + Send) -> T {
        poll_fn(|context| {
            let mut state = self.world.lock();
            match look(&mut state) {
                Some(found) => Poll::Ready(found),
                None => {
                    state.waiting.entry(topic).or_default().push(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl World {
    pub(crate) async fn pause(&self, ms: u64) {
        let moment = self.lock().now.plus_ms(ms);
        self.until(moment).await;
    }

    pub(crate) fn until(&self, moment: Timestamp) -> impl Future<Output = ()> + Send + use<> {
        Sleep { world: self.clone(), moment, number: None }
    }
}

struct Sleep {
    world: World,
    moment: Timestamp,
    number: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let world = self.world.clone();
        let mut state = world.lock();
        if state.now >= self.moment {
            return Poll::Ready(());
        }
        let number = *self.number.get_or_insert_with(|| {
            state.timers_made += 1;
            state.timers_made
        });
        state.timers.insert((self.moment, number), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.world.lock().timers.remove(&(self.moment, number));
        }
    }
}

fn unavailable(why: &'static str) -> StoreError {
    StoreError::Unavailable(why.into())
}

#[async_trait]
impl EventStore for Link {
    async fn append(
        &self,
        history: &HistoryId,
        after: Sequence,
        entry: Entry,
    ) -> Result<Sequence, StoreError> {
        self.operate(&format!("append {history} after {}", after.0), |state| {
            let last = state.histories.get(history).map_or(Sequence::default(), |known| known.last);
            let ended = state.histories.get(history).is_some_and(|known| known.ended_at.is_some());
            if last != after || ended {
                return Err(StoreError::Conflict);
            }
            // Sequences are not consecutive, as with a log that all histories share.
            let position = state.log.last().map_or(0, |stored| stored.position.0) + 1 + state.rng.below(2);
            let stored = Stored {
                position: Position(position),
                history: history.clone(),
                sequence: Sequence(position),
                entry,
            };
            let known = state.histories.entry(history.clone()).or_insert_with(|| History {
                last,
                opened_at: stored.entry.at,
                ended_at: None,
                digest: fleet_deliberation::Digest::default(),
                state: None,
            });
            known.last = stored.sequence;
            known.ended_at = stored.entry.ends.then_some(stored.entry.at);
            invariants::appended(state, &stored);
            state.log.push(stored);
            state.wake(Topic::Log);
            Ok(Sequence(position))
        })
        .await
    }

    async fn read(&self, history: &HistoryId, after: Sequence) -> Result<Vec<Stored>, StoreError> {
        self.operate(&format!("read {history} after {}", after.0), |state| {
            let of = |stored: &&Stored| stored.history == *history && stored.sequence > after;
            Ok(state.log.iter().filter(of).cloned().collect())
        })
        .await
    }

    async fn histories(&self, listing: Listing) -> Result<Vec<HistoryInfo>, StoreError> {
        self.operate("list", |state| {
            let mut infos: Vec<HistoryInfo> = state
                .histories
                .iter()
                .map(|(id, known)| HistoryInfo {
                    id: id.clone(),
                    opened_at: known.opened_at,
                    ended_at: known.ended_at,
                })
                .collect();
            match listing {
                Listing::Open => infos.retain(|info| info.ended_at.is_none()),
                Listing::Newest { limit } => {
                    infos.sort_by_key(|info| std::cmp::Reverse(info.opened_at));
                    infos.truncate(limit);
                }
                Listing::Expired { ended_before, limit, .. } => {
                    infos.retain(|info| info.ended_at.is_some_and(|at| at < ended_before));
                    infos.truncate(limit);
                }
            }
            Ok(infos)
        })
        .await
    }

    async fn end(&self) -> Result<Position, StoreError> {
        self.operate("end of log", |state| {
            Ok(state.log.last().map_or(Position::default(), |stored| stored.position))
        })
        .await
    }

    async fn tail(&self, after: Position, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let behind = |state: &State| state.log.partition_point(|stored| stored.position <= after);
        self.wait(Topic::Log, |state| (behind(state) < state.log.len()).then_some(())).await;
        self.operate("tail log", |state| {
            let some = 1 + state.rng.below(limit as u64);
            Ok(state.log[behind(state)..].iter().take(usize::try_from(some).unwrap_or(1)).cloned().collect())
        })
        .await
    }

    async fn forget(&self, history: &HistoryId) -> Result<(), StoreError> {
        self.operate("forget", |state| {
            state.histories.remove(history);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Answers for Link {
    async fn record(&self, answer: Answer) -> Result<Recorded, StoreError> {
        self.operate(&format!("record {}", answer.job), |state| {
            if state.by_job.contains_key(&answer.job) {
                return Ok(Recorded::Already);
            }
            state.by_job.insert(answer.job.clone(), state.answers.len());
            state.paid.remove(&answer.job);
            state.answers.push(Arc::new(answer));
            state.wake(Topic::Answers);
            Ok(Recorded::First)
        })
        .await
    }

    async fn find(&self, job: &JobId) -> Result<Option<Arc<Answer>>, StoreError> {
        self.operate(&format!("find {job}"), |state| {
            let found = state.by_job.get(job).map(|at| Arc::clone(&state.answers[*at]));
            if found.is_none() {
                state.found_none.insert((self.process, job.clone()), state.answers.len());
            }
            Ok(found)
        })
        .await
    }

    async fn end(&self) -> Result<Position, StoreError> {
        self.operate("end of answers", |state| Ok(Position(state.answers.len() as u64))).await
    }

    async fn tail(&self, after: Position, limit: usize) -> Result<Vec<(Position, Arc<Answer>)>, StoreError> {
        let place = usize::try_from(after.0).unwrap_or(usize::MAX);
        self.wait(Topic::Answers, |state| (place < state.answers.len() && !state.deaf).then_some(())).await;
        self.operate("tail answers", |state| {
            let some = usize::try_from(1 + state.rng.below(limit as u64)).unwrap_or(1);
            let behind = state.answers[place..].iter().take(some).cloned();
            Ok((after.0 + 1..).map(Position).zip(behind).collect())
        })
        .await
    }

    async fn forget(&self, deliberation: &DeliberationId) -> Result<(), StoreError> {
        self.operate(&format!("forget answers of {deliberation}"), |state| {
            state.by_job.retain(|job, _| job.deliberation != *deliberation);
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl JobQueue for Link {
    async fn put(&self, jobs: &[JobId]) -> Result<(), StoreError> {
        self.operate(&format!("put {} jobs", jobs.len()), |state| {
            for job in jobs {
                if !state.rng.chance(state.faults.job_lost) {
                    state.queue.jobs.entry(job.clone()).or_insert(Queued::Ready);
                }
            }
            state.wake(Topic::Queue);
            Ok(())
        })
        .await
    }

    async fn lease(&self, slots: usize) -> Result<Vec<Lease>, StoreError> {
        loop {
            let next_due = {
                let state = self.world.lock();
                let due = state.queue.jobs.values().map(|queued| match queued {
                    Queued::Ready => state.now,
                    Queued::Delayed(moment) | Queued::Leased { until: moment, .. } => *moment,
                });
                due.min().unwrap_or(Timestamp(u64::MAX))
            };
            let mut first = true;
            let changed = self.wait(Topic::Queue, |_| (!std::mem::take(&mut first)).then_some(()));
            if next_due > self.world.lock().now {
                race(changed, self.world.until(next_due)).await;
            }
            let leases = self.operate("lease", |state| Ok(lease(state, slots))).await?;
            if !leases.is_empty() {
                return Ok(leases);
            }
        }
    }

    async fn beat(&self, held: &Lease) -> Result<(), StoreError> {
        self.operate(&format!("beat {}", held.job), |state| {
            let until = state.now.plus_ms(LEASE_MS);
            match state.queue.jobs.get_mut(&held.job) {
                Some(Queued::Leased { token, until: old }) if *token == held.token => {
                    *old = until;
                    Ok(())
                }
                _ => Err(StoreError::Conflict),
            }
        })
        .await
    }

    async fn release(&self, held: &Lease, not_before: Timestamp) -> Result<(), StoreError> {
        self.operate(&format!("release {}", held.job), |state| {
            if holds(state, held) {
                state.queue.jobs.insert(held.job.clone(), Queued::Delayed(not_before));
                state.wake(Topic::Queue);
            }
            Ok(())
        })
        .await
    }

    async fn finish(&self, held: &Lease) -> Result<(), StoreError> {
        self.operate(&format!("finish {}", held.job), |state| {
            if holds(state, held) {
                state.queue.jobs.remove(&held.job);
                state.queue.attempts.remove(&held.job);
            }
            Ok(())
        })
        .await
    }

    fn beat_ms(&self) -> u64 {
        LEASE_MS / 3
    }
}

fn holds(state: &State, held: &Lease) -> bool {
    matches!(state.queue.jobs.get(&held.job), Some(Queued::Leased { token, .. }) if *token == held.token)
}

/// Leases jobs in an order of chance.
fn lease(state: &mut State, slots: usize) -> Vec<Lease> {
    let now = state.now;
    let mut free: Vec<JobId> = Vec::new();
    for (job, queued) in &state.queue.jobs {
        let doubled = state.rng.chance(state.faults.job_doubled);
        match queued {
            Queued::Ready => free.push(job.clone()),
            Queued::Delayed(moment) if *moment <= now => free.push(job.clone()),
            Queued::Leased { until, .. } if *until <= now || doubled => free.push(job.clone()),
            Queued::Delayed(_) | Queued::Leased { .. } => {}
        }
    }
    let mut leases = Vec::new();
    while leases.len() < slots && !free.is_empty() {
        let at = usize::try_from(state.rng.below(free.len() as u64)).unwrap_or(0);
        let job = free.swap_remove(at);
        if matches!(state.queue.jobs.get(&job), Some(Queued::Leased { .. })) {
            state.doubled.insert(job.clone());
        }
        invariants::leased(state, &job);
        let attempts = state.queue.attempts.entry(job.clone()).or_default();
        *attempts += 1;
        state.queue.tokens += 1;
        let token = state.queue.tokens;
        leases.push(Lease { job: job.clone(), attempt: *attempts, token });
        state.queue.jobs.insert(job, Queued::Leased { token, until: now.plus_ms(LEASE_MS) });
    }
    leases
}

#[async_trait]
impl Announcements for Link {
    async fn publish(&self, announcements: &[(Announcement, Position)]) -> Result<(), StoreError> {
        self.operate(&format!("publish {}", announcements.len()), |state| {
            // After an error the first ones may be published, and the others not.
            let some = state.rng.below(announcements.len() as u64 * 4);
            let some = usize::try_from(some).unwrap_or(0).max(1).min(announcements.len());
            for (announcement, position) in &announcements[..some] {
                invariants::announced(state, announcement);
                state.announced_to = state.announced_to.max(position.0);
            }
            if some < announcements.len() { Err(unavailable("half published")) } else { Ok(()) }
        })
        .await
    }

    async fn published_to(&self) -> Result<Position, StoreError> {
        self.operate("published to", |state| Ok(Position(state.announced_to))).await
    }
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    async fn sleep_until(&self, moment: Timestamp) {
        self.until(moment).await;
    }
}

impl Entropy for World {
    fn bits(&self) -> u64 {
        self.lock().rng.bits()
    }
}

/// The simulated model, watched.
pub(crate) struct WatchedModel {
    pub(crate) link: Link,
    pub(crate) model: SimulatedModel,
}

#[async_trait]
impl LanguageModel for WatchedModel {
    async fn complete(
        &self,
        request: &ModelRequest,
        heard: &(dyn Fn(Tokens) + Send + Sync),
    ) -> Result<Generation, ModelError> {
        let hangs = {
            let mut state = self.link.world.lock();
            invariants::called(&mut state, self.link.process, &request.job);
            let hangs = chance_of(&request.job.to_string()).is_multiple_of(40);
            if hangs {
                state.hung.insert(request.job.clone());
            }
            hangs
        };
        if hangs {
            pending::<()>().await;
        }
        let answer = self.model.complete(request, heard).await;
        let dead = {
            let mut state = self.link.world.lock();
            if answer.is_ok() && !state.by_job.contains_key(&request.job) {
                state.paid.insert(request.job.clone(), (self.link.process, self.link.life));
            }
            !self.link.alive(&state)
        };
        if dead {
            pending::<()>().await;
        }
        answer
    }
}

/// A checker that finds what chance, fixed by the text, tells it to.
pub(crate) struct SimChecker;

#[async_trait]
impl Checker for SimChecker {
    async fn check(&self, proposal: &str) -> CheckReport {
        let chance =
            proposal.bytes().fold(7u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let outcome = match chance % 8 {
            0 => CheckOutcome::Skipped,
            1 => CheckOutcome::Error,
            2..=4 => CheckOutcome::Fail,
            _ => CheckOutcome::Pass,
        };
        let fault = Fault {
            language: "simulated".into(),
            line: 1,
            column: 1,
            message: "a fault of chance".into(),
            excerpt: String::new(),
        };
        let faults =
            if outcome == CheckOutcome::Fail { vec![fault; 1 + (chance / 8 % 3) as usize] } else { vec![] };
        let lint =
            CheckResult { outcome, message: "simulated".into(), faults, tools: vec![], duration_ms: 0 };
        CheckReport { checks: [(CheckKind::Lint, lint)].into() }
    }
}

/// A number that is always the same for the same text.
fn chance_of(text: &str) -> u64 {
    text.bytes().fold(7u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)))
}

/// Waits for the first of two.
async fn race(a: impl Future<Output = ()> + Send, b: impl Future<Output = ()> + Send) {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    poll_fn(|context| match (a.as_mut().poll(context), b.as_mut().poll(context)) {
        (Poll::Pending, Poll::Pending) => Poll::Pending,
        _ => Poll::Ready(()),
    })
    .await;
}

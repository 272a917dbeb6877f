//! Jobs on one stream: how each stands is the last message on its subject, and whoever moves it on says from where.

use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_nats::HeaderMap;
use async_trait::async_trait;
use fleet_deliberation::{JobId, Priority, Timestamp};
use fleet_orchestrator::port::{Clock, JobQueue, Lease, StoreError};
use futures_util::stream::FuturesOrdered;
use futures_util::{StreamExt, TryStreamExt, future};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::error::{Nonsense, readable, unavailable};
use crate::held::{Held, HeldLeases};
use crate::job_state::{Is, JobState};
use crate::jobs::{Jobs, Picked};
use crate::link::Link;
use crate::message::Message;
use crate::names::Names;
use crate::place::Placed;
use crate::read::LIMIT_MAX;
use crate::wakes::Wakes;

/// How many jobs are put at once.
const PUTS: usize = 64;
/// How often a job is put anew that others end meanwhile.
const PUT_TRIES: usize = 16;
/// How long it can be heard that a job is done. Whoever hears nothing for longer finds out when it wants to lease it.
const DONE_TTL: &str = "60s";
/// The longest pause after others were faster, in milliseconds.
const LOST_MS_MAX: u64 = 32;
/// The pause before jobs are followed again after NATS was away.
const FOLLOW_AGAIN: Duration = Duration::from_millis(100);

pub(crate) struct JetStreamJobQueue {
    inner: Arc<Inner>,
    /// Started by the first lease: who only puts jobs does not follow them.
    follower: OnceLock<JoinHandle<()>>,
}

struct Inner {
    link: Link,
    names: Arc<Names>,
    wakes: Wakes,
    clock: Arc<dyn Clock>,
    lease_ms: u64,
    jobs: Mutex<Jobs>,
    /// Something can be leased, or can be sooner than those who wait believe.
    changed: Notify,
    held: HeldLeases,
    followed: watch::Sender<Followed>,
    /// How often in a row others were faster.
    lost: AtomicU32,
}

/// How well this process knows how jobs stand.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Followed {
    NotYet,
    UpToDate,
    Away(String),
}

impl JetStreamJobQueue {
    pub(crate) fn new(
        link: Link,
        names: Arc<Names>,
        wakes: Wakes,
        clock: Arc<dyn Clock>,
        lease_ms: u64,
    ) -> JetStreamJobQueue {
        let inner = Inner {
            link,
            names,
            wakes,
            clock,
            lease_ms,
            jobs: Mutex::new(Jobs::new(lease_ms)),
            changed: Notify::new(),
            held: HeldLeases::default(),
            followed: watch::Sender::new(Followed::NotYet),
            lost: AtomicU32::new(0),
        };
        JetStreamJobQueue { inner: Arc::new(inner), follower: OnceLock::new() }
    }

    /// Tells the index how a job stands, if there is anyone who leases by it.
    fn note(&self, sequence: u64, state: JobState) {
        if self.follower.get().is_some() {
            self.inner.note([(sequence, state)]);
        }
    }

    async fn put_one(&self, job: &JobId, priority: Priority) -> Result<(), StoreError> {
        let waiting = JobState { job: job.clone(), priority, attempt: 0, is: Is::Waiting };
        let mut after = 0;
        for _ in 0..PUT_TRIES {
            if let Placed::At(sequence) = self.inner.write(after, &waiting).await? {
                self.note(sequence, waiting);
                return Ok(());
            }
            match self.inner.stands(job).await? {
                Some((sequence, JobState { is: Is::Done, .. })) => after = sequence,
                Some((sequence, state)) => {
                    self.note(sequence, state);
                    return Ok(());
                }
                None => after = 0,
            }
        }
        Err(unavailable(Nonsense(format!("{job} was ended by others each time it was put"))))
    }

    /// Moves a lease of this process on to another state; false when it has run out.
    async fn move_on(&self, lease: &Lease, is: Is) -> Result<bool, StoreError> {
        let Some(held) = self.inner.held.get(lease.token) else { return Ok(false) };
        let mut held = held.lock().await;
        let next = held.state.now(is);
        let placed = self.inner.write(held.sequence, &next).await?;
        if let Placed::At(sequence) = placed {
            held.sequence = sequence;
            self.note(sequence, next);
        }
        if is != Is::Leased || placed == Placed::Elsewhere {
            self.inner.held.remove(lease.token);
        }
        Ok(placed != Placed::Elsewhere)
    }
}

impl Drop for JetStreamJobQueue {
    fn drop(&mut self) {
        if let Some(follower) = self.follower.get() {
            follower.abort();
        }
    }
}

impl Inner {
    /// The index as it is now, which is when leases may have run out.
    fn now(&self) -> MutexGuard<'_, Jobs> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.advance(self.clock.now());
        jobs
    }

    fn note(&self, states: impl IntoIterator<Item = (u64, JobState)>) {
        let mut jobs = self.now();
        for (sequence, state) in states {
            jobs.take(sequence, state);
        }
        drop(jobs);
        self.changed.notify_waiters();
    }

    async fn write(&self, after: u64, state: &JobState) -> Result<Placed, StoreError> {
        let mut headers = HeaderMap::new();
        if state.is == Is::Done {
            headers.insert(async_nats::header::NATS_MESSAGE_TTL, DONE_TTL);
        }
        let body = serde_json::to_vec(state).map_err(unavailable)?;
        let subject = self.names.job(&state.job);
        self.link.place(self.names.jobs, &subject, after, headers, body.into()).await
    }

    /// How a job stands, as the leader has it.
    async fn stands(&self, job: &JobId) -> Result<Option<(u64, JobState)>, StoreError> {
        let last = self.link.last(self.names.jobs, &self.names.job(job)).await?;
        last.map(|message| Ok((message.sequence, JobState::read(&message)?))).transpose()
    }

    /// Leases a job that was picked; `None` when someone else was faster.
    async fn claim(&self, picked: &Picked) -> Result<Option<Lease>, StoreError> {
        let attempt = picked.state.attempt.saturating_add(1);
        let leased = JobState { attempt, is: Is::Leased, ..picked.state.clone() };
        if let Placed::At(token) = self.write(picked.sequence, &leased).await? {
            let held = Held { state: leased.clone(), sequence: token };
            let lease = Lease { job: leased.job.clone(), attempt, token };
            self.note([(token, leased)]);
            let jobs = self.now();
            self.held.add(token, held, |held| jobs.is_at(&held.state.job, held.sequence));
            return Ok(Some(lease));
        }
        match self.stands(&picked.state.job).await? {
            Some(stands) => self.note([stands]),
            None => self.now().gone(picked),
        }
        Ok(None)
    }

    /// Follows how jobs stand, for as long as it is polled.
    async fn follow(self: Arc<Self>) {
        let mut after = 0;
        loop {
            let Err(error) = self.follow_from(&mut after).await;
            self.followed.send_replace(Followed::Away(fleet_orchestrator::chain(&error).to_string()));
            self.changed.notify_waiters();
            sleep(FOLLOW_AGAIN).await;
        }
    }

    async fn follow_from(&self, after: &mut u64) -> Result<std::convert::Infallible, StoreError> {
        let stream = self.names.jobs;
        let end = self.link.state(stream).await?.state.last_sequence;
        if end < *after {
            // Another stream, or an older one: after a restore of what NATS keeps.
            self.now().clear();
            *after = 0;
        }
        loop {
            let messages = match *after < end {
                true => self.link.behind(stream, ">", *after, LIMIT_MAX).await?,
                false => {
                    self.followed.send_if_modified(|followed| {
                        std::mem::replace(followed, Followed::UpToDate) != Followed::UpToDate
                    });
                    self.wakes.tail(&self.link, stream, ">", *after, LIMIT_MAX).await?
                }
            };
            // Up to the end there may be nothing any more.
            *after = messages.last().map_or((*after).max(end), |message| message.sequence);
            let read = |message: &Message| Some((message.sequence, readable(JobState::read(message))?));
            self.note(messages.iter().filter_map(read));
        }
    }

    async fn until(&self, moment: Option<Timestamp>) {
        match moment {
            Some(moment) => self.clock.sleep_until(moment).await,
            None => pending().await,
        }
    }

    /// Leaves a job to those who were faster, for a random while: all who wait hear of a job at once.
    async fn after_a_race(&self, won: bool) {
        if won {
            return self.lost.store(0, Ordering::Relaxed);
        }
        let lost = self.lost.fetch_add(1, Ordering::Relaxed).min(5);
        let bound_ms = (1 << lost).min(LOST_MS_MAX);
        let bits = getrandom::u64().unwrap_or_default();
        sleep(Duration::from_micros(bits % (bound_ms * 1_000))).await;
    }
}

/// Jobs that were picked, put back when nobody waits for them any more.
struct Picking<'a> {
    inner: &'a Inner,
    picked: Vec<Picked>,
}

impl Drop for Picking<'_> {
    fn drop(&mut self) {
        let mut jobs = self.inner.now();
        self.picked.iter().for_each(|picked| jobs.put_back(picked));
        drop(jobs);
        if !self.picked.is_empty() {
            self.inner.changed.notify_waiters();
        }
    }
}

#[async_trait]
impl JobQueue for JetStreamJobQueue {
    async fn put(&self, jobs: &[JobId], priority: Priority) -> Result<(), StoreError> {
        // They leave in their order, and the stream keeps it.
        let mut puts = FuturesOrdered::new();
        for job in jobs {
            if puts.len() == PUTS
                && let Some(put) = puts.next().await
            {
                put?;
            }
            puts.push_back(self.put_one(job, priority));
        }
        puts.try_collect().await
    }

    async fn lease(&self, slots: usize) -> Result<Vec<Lease>, StoreError> {
        let inner = &self.inner;
        self.follower.get_or_init(|| tokio::spawn(Arc::clone(inner).follow()));
        let mut followed = inner.followed.subscribe();
        loop {
            let changed = inner.changed.notified();
            tokio::pin!(changed);
            // Listen before looking, or a job put in between is missed.
            changed.as_mut().enable();
            let known = followed.wait_for(|followed| *followed != Followed::NotYet).await;
            if let Followed::Away(why) = known.map_err(unavailable)?.clone() {
                return Err(unavailable(Nonsense(why)));
            }
            // One look for both, or a job that is due in between is neither leased nor waited for.
            let (picking, next_at) = {
                let mut jobs = inner.now();
                let picked = jobs.pick(slots.max(1));
                (Picking { inner, picked }, jobs.next_at())
            };
            if picking.picked.is_empty() {
                tokio::select! {
                    biased;
                    () = changed => {}
                    () = inner.until(next_at) => {}
                }
                continue;
            }
            let claimed = future::join_all(picking.picked.iter().map(|picked| inner.claim(picked))).await;
            drop(picking);
            let (mut leases, mut failed) = (Vec::new(), None);
            for claimed in claimed {
                match claimed {
                    Ok(lease) => leases.extend(lease),
                    Err(error) => failed = Some(error),
                }
            }
            inner.after_a_race(!leases.is_empty()).await;
            match failed {
                _ if !leases.is_empty() => return Ok(leases),
                Some(error) => return Err(error),
                None => {}
            }
        }
    }

    async fn beat(&self, lease: &Lease) -> Result<(), StoreError> {
        if self.move_on(lease, Is::Leased).await? { Ok(()) } else { Err(StoreError::Conflict) }
    }

    async fn release(&self, lease: &Lease, not_before: Timestamp) -> Result<(), StoreError> {
        let is = if not_before > self.inner.clock.now() { Is::Delayed { not_before } } else { Is::Waiting };
        self.move_on(lease, is).await.map(|_| ())
    }

    async fn finish(&self, lease: &Lease) -> Result<(), StoreError> {
        self.move_on(lease, Is::Done).await.map(|_| ())
    }

    fn beat_ms(&self) -> u64 {
        self.inner.lease_ms / 3
    }
}

//! Progress on its way to whoever watches: one bounded feed a watched deliberation.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use async_trait::async_trait;
use fleet_deliberation::DeliberationId;
use fleet_orchestrator::port::{Progress, Seen, Tick, TickWatch, Watching};
use tokio::sync::watch;

/// The most ticks of a deliberation a watcher may lag behind; beyond that it loses the oldest.
pub const TICKS_MAX: usize = 1024;

/// The most bytes of text in them. A single tick may hold more.
pub const TICK_BYTES_MAX: usize = 256 * 1024;

/// Shows ticks to all who watch their deliberation at the moment.
#[derive(Default)]
pub struct Ticks {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    feeds: RwLock<BTreeMap<DeliberationId, Arc<Feed>>>,
    /// How many feeds there are: most of the time none, and then nobody takes the lock.
    watched: AtomicUsize,
}

/// The ticks of one deliberation.
#[derive(Default)]
struct Feed {
    ring: Mutex<Ring>,
    /// How many ticks have come.
    end: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    ticks: VecDeque<Arc<Tick>>,
    bytes: usize,
    /// How many ticks came before those that are kept.
    gone: u64,
}

impl Ticks {
    /// Ticks that nobody watches yet.
    #[must_use]
    pub fn new() -> Ticks {
        Ticks::default()
    }
}

impl Progress for Ticks {
    fn is_watched(&self, deliberation: &DeliberationId) -> bool {
        self.shared.watched.load(Ordering::Relaxed) > 0 && self.shared.feed(deliberation).is_some()
    }

    fn tick(&self, tick: Tick) {
        if let Some(feed) = self.shared.feed(&tick.job.deliberation) {
            feed.push(tick);
        }
    }
}

impl Watching for Ticks {
    fn watch(&self, deliberation: &DeliberationId) -> Box<dyn TickWatch> {
        let mut feeds = self.shared.feeds.write().unwrap_or_else(PoisonError::into_inner);
        let feed = Arc::clone(feeds.entry(deliberation.clone()).or_default());
        let end = feed.end.subscribe();
        let next = *end.borrow();
        self.shared.watched.store(feeds.len(), Ordering::Relaxed);
        let (shared, deliberation) = (Arc::clone(&self.shared), deliberation.clone());
        Box::new(Watch { shared, deliberation, feed, end, next })
    }
}

impl Shared {
    fn feed(&self, deliberation: &DeliberationId) -> Option<Arc<Feed>> {
        self.feeds.read().unwrap_or_else(PoisonError::into_inner).get(deliberation).cloned()
    }
}

impl Feed {
    fn push(&self, tick: Tick) {
        let mut ring = self.ring();
        ring.bytes += tick.text.len();
        ring.ticks.push_back(Arc::new(tick));
        while ring.ticks.len() > TICKS_MAX || (ring.bytes > TICK_BYTES_MAX && ring.ticks.len() > 1) {
            let Some(oldest) = ring.ticks.pop_front() else { break };
            ring.bytes -= oldest.text.len();
            ring.gone += 1;
        }
        let end = ring.gone + ring.ticks.len() as u64;
        self.end.send_replace(end);
    }

    /// What has come behind `next`, which then is where it ends.
    fn behind(&self, next: &mut u64) -> Seen {
        let ring = self.ring();
        let left_out = ring.gone.saturating_sub(*next);
        let from = usize::try_from(next.saturating_sub(ring.gone)).unwrap_or(usize::MAX);
        *next = ring.gone + ring.ticks.len() as u64;
        Seen { ticks: ring.ticks.iter().skip(from).cloned().collect(), left_out }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who watches.
struct Watch {
    shared: Arc<Shared>,
    deliberation: DeliberationId,
    feed: Arc<Feed>,
    end: watch::Receiver<u64>,
    /// How many ticks have been seen or lost.
    next: u64,
}

#[async_trait]
impl TickWatch for Watch {
    async fn seen(&mut self) -> Seen {
        while *self.end.borrow_and_update() <= self.next {
            // The sender is in the feed, which is held here.
            _ = self.end.changed().await;
        }
        self.feed.behind(&mut self.next)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut feeds = self.shared.feeds.write().unwrap_or_else(PoisonError::into_inner);
        if feeds.get(&self.deliberation).is_some_and(|feed| feed.end.receiver_count() <= 1) {
            feeds.remove(&self.deliberation);
            self.shared.watched.store(feeds.len(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use fleet_deliberation::{AgentId, JobId, JobKind};

    use super::*;

    #[test]
    fn nobody_who_stands_still_makes_a_feed_grow_beyond_its_bounds() {
        let ticks = Ticks::new();
        let deliberation = DeliberationId::new("a").unwrap();
        let _watch = ticks.watch(&deliberation);
        let feed = ticks.shared.feed(&deliberation).unwrap();
        let agent = AgentId::new("x").unwrap();
        let job = JobId { deliberation, round: 0, kind: JobKind::Propose, subject: agent.clone() };
        for bytes in [0, 1, 100, 10_000, 3 * TICK_BYTES_MAX, 7] {
            for tokens in 0..3 * TICKS_MAX as u64 {
                let (job, agent, text) = (job.clone(), agent.clone(), "x".repeat(bytes).into());
                ticks.tick(Tick { job, agent, attempt: 1, tokens, reasoning: false, text });
                let ring = feed.ring();
                assert!(ring.ticks.len() <= TICKS_MAX);
                assert!(ring.bytes <= TICK_BYTES_MAX || ring.ticks.len() == 1);
                assert_eq!(ring.bytes, ring.ticks.iter().map(|tick| tick.text.len()).sum::<usize>());
            }
        }
    }
}

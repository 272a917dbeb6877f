//! What the writer has done so far, in figures.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The commits whose times are kept for percentiles.
const TIMES_MAX: usize = 4096;

/// Figures of the writer since it was started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions that were synced; those that hold nothing but counts of attempts are not.
    pub commits: u64,
    /// Writes that were answered, refused ones left out.
    pub operations: u64,
    /// The most writes that shared one commit.
    pub batch_max: usize,
    /// How long the last commit took with its sync.
    pub commit_last: Duration,
    /// Half of the last few thousand commits were no slower.
    pub commit_p50: Duration,
    /// 99 in 100 of the last few thousand commits were no slower.
    pub commit_p99: Duration,
    /// Times the log was taken over into the file.
    pub checkpoints: u64,
    /// The most pages the log has held.
    pub log_pages_max: usize,
}

/// Where the writer counts.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    stats: Stats,
    times: VecDeque<Duration>,
}

impl Counters {
    pub(crate) fn stats(&self) -> Stats {
        let (mut stats, mut times) =
            self.with(|counted| (counted.stats.clone(), counted.times.iter().copied().collect::<Vec<_>>()));
        times.sort_unstable();
        let at = |percent: usize| times.get(times.len() * percent / 100).or(times.last()).copied();
        stats.commit_p50 = at(50).unwrap_or_default();
        stats.commit_p99 = at(99).unwrap_or_default();
        stats
    }

    pub(crate) fn committed(&self, operations: usize, took: Option<Duration>, log_pages: usize) {
        self.with(|Counted { stats, times }| {
            stats.operations += operations as u64;
            stats.batch_max = stats.batch_max.max(operations);
            stats.log_pages_max = stats.log_pages_max.max(log_pages);
            if let Some(took) = took {
                stats.commits += 1;
                stats.commit_last = took;
                if times.len() == TIMES_MAX {
                    times.pop_front();
                }
                times.push_back(took);
            }
        });
    }

    pub(crate) fn checkpointed(&self) {
        self.with(|counted| counted.stats.checkpoints += 1);
    }

    fn with<T>(&self, count: impl FnOnce(&mut Counted) -> T) -> T {
        count(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

//! How often each job was tried: in memory at once, on disk with the next commit.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::jobs_of::JobRange;

/// Counts the attempts of jobs that are not finished.
///
/// A job that takes its process down with it must not be tried for ever, so counts outlive the process.
/// Nobody waits for that: a job done before the next commit never reaches the disk.
#[derive(Default)]
pub(crate) struct Attempts {
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    now: BTreeMap<Arc<str>, u32>,
    stored: BTreeMap<Arc<str>, u32>,
    /// Jobs for which `now` and `stored` may differ.
    changed: BTreeSet<Arc<str>>,
}

/// What a commit has to do about one job: store a count, or delete it.
pub(crate) type Change = (Arc<str>, Option<u32>);

impl Attempts {
    /// The counts as they are stored.
    pub(crate) fn stored(rows: impl IntoIterator<Item = (String, u32)>) -> Attempts {
        let stored: BTreeMap<Arc<str>, u32> = rows.into_iter().map(|(job, n)| (job.into(), n)).collect();
        let counts = Counts { now: stored.clone(), stored, changed: BTreeSet::new() };
        Attempts { counts: Mutex::new(counts) }
    }

    /// A further attempt begins; says which it is, from 1.
    pub(crate) fn begin(&self, job: &Arc<str>) -> u32 {
        let mut counts = self.counts();
        let count = counts.now.entry(Arc::clone(job)).or_default();
        *count = count.saturating_add(1);
        let attempt = *count;
        counts.changed.insert(Arc::clone(job));
        attempt
    }

    /// The job came to its end.
    pub(crate) fn finish(&self, job: &Arc<str>) {
        let mut counts = self.counts();
        counts.now.remove(job);
        if counts.stored.contains_key(job) {
            counts.changed.insert(Arc::clone(job));
        } else {
            counts.changed.remove(job);
        }
    }

    /// The jobs of a deliberation are forgotten.
    pub(crate) fn forget(&self, jobs: &JobRange) {
        let mut counts = self.counts();
        let range = (Bound::Included(jobs.from.as_str()), Bound::Excluded(jobs.to.as_str()));
        let gone: Vec<Arc<str>> = counts.now.range::<str, _>(range).map(|(job, _)| Arc::clone(job)).collect();
        for job in gone {
            counts.now.remove(&job);
            counts.changed.insert(job);
        }
    }

    /// What the next commit has to do. Hand it back to [`Attempts::settle`].
    pub(crate) fn take_changes(&self) -> Vec<Change> {
        let mut counts = self.counts();
        let changed = std::mem::take(&mut counts.changed);
        let differs = |job: Arc<str>| {
            let now = counts.now.get(&job).copied();
            (counts.stored.get(&job).copied() != now).then_some((job, now))
        };
        changed.into_iter().filter_map(differs).collect()
    }

    /// The commit took place, or did not.
    pub(crate) fn settle(&self, changes: Vec<Change>, committed: bool) {
        let mut counts = self.counts();
        for (job, count) in changes {
            match count {
                _ if !committed => {}
                Some(count) => _ = counts.stored.insert(Arc::clone(&job), count),
                None => _ = counts.stored.remove(&job),
            }
            // It may have been finished, or begun again, while the commit was under way.
            if counts.now.get(&job) != counts.stored.get(&job) {
                counts.changed.insert(job);
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Arc<str> {
        "a/0/propose/x".into()
    }

    #[test]
    fn a_job_finished_before_the_commit_leaves_nothing_to_do() {
        let attempts = Attempts::default();
        attempts.begin(&job());
        attempts.finish(&job());
        assert_eq!(attempts.take_changes(), []);
    }

    #[test]
    fn a_job_finished_during_the_commit_is_deleted_by_the_next() {
        let attempts = Attempts::default();
        attempts.begin(&job());
        let changes = attempts.take_changes();
        assert_eq!(changes, [(job(), Some(1))]);
        attempts.finish(&job());
        attempts.settle(changes, true);
        assert_eq!(attempts.take_changes(), [(job(), None)]);
    }

    #[test]
    fn what_was_not_committed_is_tried_again() {
        let attempts = Attempts::stored([("a/0/propose/x".into(), 1)]);
        assert_eq!(attempts.begin(&job()), 2);
        let changes = attempts.take_changes();
        attempts.settle(changes, false);
        let changes = attempts.take_changes();
        assert_eq!(changes, [(job(), Some(2))]);
        attempts.settle(changes, true);
        assert_eq!(attempts.take_changes(), []);
    }
}

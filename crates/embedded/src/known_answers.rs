//! Answers in memory: to give them again without asking SQLite, and to know which are not there.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleet_deliberation::{Answer, DeliberationId, JobId};
use lru::LruCache;

/// The most bytes of answers kept.
pub(crate) const BYTES_MAX: usize = 48 * 1024 * 1024;

/// The most deliberations whose answers are kept.
const DELIBERATIONS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// What a deliberation without answers takes, about.
const DELIBERATION_BYTES: usize = 256;

/// Answers by deliberation; whole deliberations go when room is needed, those not asked for longest.
pub(crate) struct KnownAnswers {
    known: Mutex<Known>,
}

struct Known {
    deliberations: LruCache<DeliberationId, Deliberation>,
    bytes: usize,
    /// How often something was forgotten; see [`KnownAnswers::learn`].
    forgotten: u64,
}

struct Deliberation {
    answers: BTreeMap<JobId, Arc<Answer>>,
    /// Whether `answers` holds all there are: it was opened since we began, with no answer then.
    whole: bool,
    bytes: usize,
}

/// What is known of a job's answer.
#[derive(Debug)]
pub(crate) enum Lookup {
    There(Arc<Answer>),
    NotThere,
    /// Ask SQLite, and hand this back to [`KnownAnswers::learn`].
    Unknown(u64),
}

impl KnownAnswers {
    pub(crate) fn new() -> KnownAnswers {
        let known = Known { deliberations: LruCache::new(DELIBERATIONS_MAX), bytes: 0, forgotten: 0 };
        KnownAnswers { known: Mutex::new(known) }
    }

    pub(crate) fn find(&self, job: &JobId) -> Lookup {
        let mut known = self.known();
        let forgotten = known.forgotten;
        match known.deliberations.get(&job.deliberation) {
            Some(Deliberation { answers, whole, .. }) => match answers.get(job) {
                Some(answer) => Lookup::There(Arc::clone(answer)),
                None if *whole => Lookup::NotThere,
                None => Lookup::Unknown(forgotten),
            },
            None => Lookup::Unknown(forgotten),
        }
    }

    /// A deliberation was opened that has no answers yet.
    pub(crate) fn opened(&self, id: DeliberationId) {
        let mut known = self.known();
        known.deliberation(id, true);
        known.shrink();
    }

    /// An answer was recorded.
    pub(crate) fn recorded(&self, answer: Arc<Answer>, bytes: usize) {
        let mut known = self.known();
        known.add(answer, bytes);
        known.shrink();
    }

    /// An answer was read after `unknown` was given. Nothing is kept if anything was forgotten since:
    /// it might have been this one.
    pub(crate) fn learn(&self, answer: Arc<Answer>, bytes: usize, unknown: u64) {
        let mut known = self.known();
        if known.forgotten == unknown {
            known.add(answer, bytes);
            known.shrink();
        }
    }

    /// A deliberation's answers were deleted.
    pub(crate) fn forget(&self, id: &DeliberationId) {
        let mut known = self.known();
        known.forgotten += 1;
        if let Some(gone) = known.deliberations.pop(id) {
            known.bytes -= gone.bytes;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn deliberation(&mut self, id: DeliberationId, whole: bool) -> &mut Deliberation {
        if !self.deliberations.contains(&id) {
            let new = Deliberation { answers: BTreeMap::new(), whole, bytes: DELIBERATION_BYTES };
            self.bytes += new.bytes;
            // At the most deliberations, the one not asked for longest goes here.
            if let Some((_, gone)) = self.deliberations.push(id.clone(), new) {
                self.bytes -= gone.bytes;
            }
        }
        self.deliberations.get_mut(&id).expect("was put there if it was not")
    }

    fn add(&mut self, answer: Arc<Answer>, bytes: usize) {
        let deliberation = self.deliberation(answer.job.deliberation.clone(), false);
        if deliberation.answers.insert(answer.job.clone(), answer).is_none() {
            deliberation.bytes += bytes;
            self.bytes += bytes;
        }
    }

    fn shrink(&mut self) {
        while self.bytes > BYTES_MAX {
            let Some((_, gone)) = self.deliberations.pop_lru() else { return };
            self.bytes -= gone.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use fleet_deliberation::{AgentId, Failure, FailureKind, JobKind, Outcome, Timestamp};

    use super::*;

    fn answer(name: &str) -> Arc<Answer> {
        let failure = Failure::new(FailureKind::Internal, "", 0);
        Arc::new(Answer {
            job: JobId {
                deliberation: DeliberationId::new(name).unwrap(),
                round: 0,
                kind: JobKind::Propose,
                subject: AgentId::new("x").unwrap(),
            },
            attempt: 1,
            started_at: Timestamp(1),
            ended_at: Timestamp(2),
            outcome: Outcome::Failed(failure),
        })
    }

    #[test]
    fn only_of_a_deliberation_opened_here_is_it_known_what_is_not_there() {
        let known = KnownAnswers::new();
        let (a, b) = (answer("a"), answer("b"));
        known.opened(a.job.deliberation.clone());
        assert!(matches!(known.find(&a.job), Lookup::NotThere));
        assert!(matches!(known.find(&b.job), Lookup::Unknown(_)));
        known.recorded(Arc::clone(&a), 10);
        known.recorded(Arc::clone(&b), 10);
        assert!(matches!(known.find(&a.job), Lookup::There(_)));
        assert!(matches!(known.find(&b.job), Lookup::There(_)));
        assert!(matches!(known.find(&JobId { round: 1, ..b.job.clone() }), Lookup::Unknown(_)));
    }

    #[test]
    fn what_was_read_before_it_was_forgotten_is_not_kept() {
        let known = KnownAnswers::new();
        let a = answer("a");
        let Lookup::Unknown(unknown) = known.find(&a.job) else { panic!("nothing is known") };
        known.forget(&a.job.deliberation);
        known.learn(Arc::clone(&a), 10, unknown);
        assert!(matches!(known.find(&a.job), Lookup::Unknown(_)));
    }

    #[test]
    fn what_makes_room_is_unknown_and_not_absent() {
        let known = KnownAnswers::new();
        let (a, b) = (answer("a"), answer("b"));
        for answer in [&a, &b] {
            known.opened(answer.job.deliberation.clone());
            known.recorded(Arc::clone(answer), BYTES_MAX / 2);
        }
        assert!(matches!(known.find(&a.job), Lookup::Unknown(_)));
        assert!(matches!(known.find(&b.job), Lookup::There(_)));
    }
}

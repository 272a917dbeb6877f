//! What survives every crash, the clock, and the faults between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use fleet_deliberation::{Answer, Deliberation, DeliberationId, Digest, JobId, Timestamp};
use fleet_orchestrator::port::{HistoryId, Sequence, Stored};

use crate::executor::{Owner, Task};
use crate::faults::Faults;
use crate::rng::Rng;

/// The world, shared by all who live in it.
#[derive(Clone)]
pub(crate) struct World(Arc<Mutex<State>>);

/// What tasks wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    Log,
    Answers,
    Queue,
}

pub(crate) struct State {
    pub(crate) rng: Rng,
    pub(crate) faults: Faults,
    pub(crate) now: Timestamp,
    pub(crate) timers: BTreeMap<(Timestamp, u64), Waker>,
    pub(crate) timers_made: u64,
    pub(crate) waiting: BTreeMap<Topic, Vec<Waker>>,
    /// The life each process is in; a link of an earlier life is dead.
    pub(crate) lives: Vec<u64>,
    /// Processes that are to die before anything else happens.
    pub(crate) dying: BTreeSet<usize>,
    pub(crate) spawned: Vec<(Owner, Task)>,
    pub(crate) log: Vec<Stored>,
    /// How often a history was read.
    pub(crate) reads: u64,
    pub(crate) histories: BTreeMap<HistoryId, History>,
    pub(crate) answers: Vec<Arc<Answer>>,
    pub(crate) by_job: BTreeMap<JobId, usize>,
    pub(crate) queue: Queue,
    pub(crate) announced: BTreeMap<String, (&'static str, Bytes)>,
    pub(crate) announced_to: u64,
    /// What calls really took, in tokens, those under way at their worst.
    pub(crate) took: BTreeMap<DeliberationId, u64>,
    /// How many answers there were when a process last found none for a job.
    pub(crate) found_none: BTreeMap<(usize, JobId), usize>,
    /// Answers that a model gave and that are not recorded yet, with the life that holds each.
    pub(crate) paid: BTreeMap<JobId, (usize, u64)>,
    /// Jobs that may be leased to two at once: a lease ran out, or the queue forgot it, or by a fault.
    pub(crate) doubled: BTreeSet<JobId>,
    /// Jobs to which the model never says anything.
    pub(crate) hung: BTreeSet<JobId>,
    /// When the faults stopped.
    pub(crate) healed_at: Option<Timestamp>,
    pub(crate) given_up: u64,
    /// Whether the tail of the answers gives nothing.
    pub(crate) deaf: bool,
    pub(crate) calls: u64,
    pub(crate) crashes: u64,
    /// Tasks that were refused because their council's hour was used up.
    pub(crate) refused: BTreeSet<DeliberationId>,
    pub(crate) accepted: BTreeSet<DeliberationId>,
    pub(crate) broken: Option<String>,
    pub(crate) trace: Trace,
}

/// A history as an observer who sees everything folds it.
pub(crate) struct History {
    pub(crate) last: Sequence,
    pub(crate) opened_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) digest: Digest,
    pub(crate) state: Option<Deliberation>,
}

#[derive(Default)]
pub(crate) struct Queue {
    pub(crate) jobs: BTreeMap<JobId, Queued>,
    pub(crate) attempts: BTreeMap<JobId, u32>,
    pub(crate) tokens: u64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Queued {
    Ready,
    Delayed(Timestamp),
    Leased { token: u64, until: Timestamp },
}

/// What happened, as a hash, and as text where somebody wants to read it.
pub(crate) struct Trace {
    pub(crate) hash: u64,
    pub(crate) steps: u64,
    pub(crate) shown: bool,
}

impl Trace {
    pub(crate) fn note(&mut self, now: Timestamp, line: &str) {
        // FNV-1a, 64 bits.
        for byte in now.0.to_le_bytes().iter().chain(line.as_bytes()) {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.shown {
            println!("{:>8} {line}", now.0 - crate::BEGINNING.0);
        }
    }
}

impl World {
    pub(crate) fn new(seed: u64, processes: usize, shown: bool) -> World {
        let mut rng = Rng::new(seed);
        let faults = Faults::draw(&mut rng);
        World(Arc::new(Mutex::new(State {
            rng,
            faults,
            now: crate::BEGINNING,
            timers: BTreeMap::new(),
            timers_made: 0,
            waiting: BTreeMap::new(),
            lives: vec![0; processes],
            dying: BTreeSet::new(),
            spawned: Vec::new(),
            log: Vec::new(),
            reads: 0,
            histories: BTreeMap::new(),
            answers: Vec::new(),
            by_job: BTreeMap::new(),
            queue: Queue::default(),
            announced: BTreeMap::new(),
            announced_to: 0,
            took: BTreeMap::new(),
            found_none: BTreeMap::new(),
            paid: BTreeMap::new(),
            doubled: BTreeSet::new(),
            hung: BTreeSet::new(),
            healed_at: None,
            given_up: 0,
            deaf: false,
            calls: 0,
            crashes: 0,
            refused: BTreeSet::new(),
            accepted: BTreeSet::new(),
            broken: None,
            trace: Trace { hash: 0xcbf2_9ce4_8422_2325, steps: 0, shown },
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(crate) fn wake(&mut self, topic: Topic) {
        self.waiting.remove(&topic).into_iter().flatten().for_each(Waker::wake);
    }

    /// Moves the clock to the next timer and wakes whatever is due; `false` if there is no timer.
    pub(crate) fn advance(&mut self) -> bool {
        let Some(((next, _), _)) = self.timers.first_key_value() else { return false };
        self.now = self.now.max(*next);
        while let Some(entry) = self.timers.first_entry().filter(|entry| entry.key().0 <= self.now) {
            entry.remove().wake();
        }
        true
    }

    pub(crate) fn crash(&mut self, process: usize) {
        self.dying.insert(process);
        self.lives[process] += 1;
        self.crashes += 1;
        if self.faults.queue_forgets {
            let forgotten: Vec<JobId> =
                self.queue.jobs.keys().filter(|_| !self.rng.chance(300)).cloned().collect();
            self.queue.jobs.retain(|job, _| !forgotten.contains(job));
            self.doubled.extend(forgotten);
        }
        self.trace.note(self.now, &format!("process {process} dies"));
    }

    /// Remembers that a promise was broken; the run ends there.
    pub(crate) fn broken(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }
}

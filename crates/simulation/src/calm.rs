//! A world without faults, for rules of the loop that are told as small stories.

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use fleet_deliberation::{Answer, Budget, Deliberation, DeliberationId, JobId, Timestamp};
use fleet_orchestrator::port::{Clock as _, HistoryId, LanguageModel};
use fleet_orchestrator::{Coordinator, OrchestratorSettings, Retention, Scope, Settings, begin};
use tokio_util::sync::CancellationToken;

use crate::executor::{Executor, Owner};
use crate::faults::Faults;
use crate::link::Link;
use crate::rng::Rng;
use crate::run::councils;
use crate::work;
use crate::world::{Topic, World};

/// A world in which nothing fails and time passes only when everything waits for it.
pub struct Calm {
    world: World,
    executor: Mutex<(Executor, Rng)>,
}

/// The settings of a calm world; tests change what they are about.
#[must_use]
pub fn settings() -> OrchestratorSettings {
    OrchestratorSettings {
        coordinator: Settings {
            rounds: 0,
            quorum: 1,
            judges: 0,
            top_k: 2,
            test_writers: 0,
            architect: false,
            budget: Budget::default(),
            hourly: Budget::default(),
            budgets: BTreeMap::new(),
            timeout_ms: 300_000,
            in_flight_max: 100,
            served_ms: 3_600_000,
            cached_max: NonZeroUsize::new(100).unwrap_or(NonZeroUsize::MIN),
        },
        retention: Retention { history_ms: 30 * 24 * 3_600_000, bytes_max: u64::MAX, every_ms: 600_000 },
        scope: Scope::All,
        sweep_ms: 5_000,
        overdue_ms: 15_000,
    }
}

impl Calm {
    /// A world in which nothing has happened yet.
    #[must_use]
    pub fn new() -> Calm {
        let world = World::new(1, 1, false);
        world.lock().faults = Faults::default();
        Calm { world, executor: Mutex::new((Executor::default(), Rng::new(1))) }
    }

    /// Starts a process: all parts, and a worker that speaks through `model`. The one that ran before is
    /// gone as if it had been killed.
    pub fn start(&self, settings: OrchestratorSettings, model: Arc<dyn LanguageModel>) -> Arc<Coordinator> {
        self.kill();
        let life = self.world.lock().lives[0];
        let link = Link { world: self.world.clone(), process: 0, life };
        let ports = link.ports();
        let stop = CancellationToken::new();
        let of_parts = ports.clone();
        let begun = self.run(async move { begin(&of_parts, councils(&of_parts), settings, &stop).await });
        #[expect(clippy::expect_used, reason = "nothing fails here")]
        let (coordinator, parts) = begun.expect("the log can be read");
        let worker = work::worker(&ports, &coordinator, model, fleet_worker::Settings::default());
        let mut executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, part) in parts {
            executor.0.spawn(Owner::Process(0), part);
        }
        executor.0.spawn(Owner::Process(0), Box::pin(worker.run(coordinator.closing().clone())));
        coordinator
    }

    /// Whether nobody who follows the answers hears of new ones.
    pub fn deaf(&self, deaf: bool) {
        self.world.lock().deaf = deaf;
    }

    /// Kills the process.
    pub fn kill(&self) {
        let mut state = self.world.lock();
        state.lives[0] += 1;
        // As with one process for everything: its queue dies with it, its count of attempts does not.
        state.queue.jobs.clear();
        drop(state);
        self.executor.lock().unwrap_or_else(PoisonError::into_inner).0.kill(Owner::Process(0));
    }

    /// Lets everything run until `future` is done.
    ///
    /// # Panics
    /// When nothing moves any more and it is not.
    pub fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let slot = Arc::new(Mutex::new(None));
        let result = Arc::clone(&slot);
        let mut executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        let (executor, rng) = &mut *executor;
        executor.spawn(
            Owner::Client,
            Box::pin(async move {
                let done = future.await;
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            }),
        );
        loop {
            let polled = executor.step(rng);
            if let Some(done) = result.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return done;
            }
            if polled.is_none() {
                let mut state = self.world.lock();
                assert!(state.advance(), "nothing moves any more");
                state.wake(Topic::Queue);
            }
        }
    }

    /// Lets everything run for a while of the virtual clock.
    pub fn pass_ms(&self, ms: u64) {
        let world = self.world.clone();
        self.run(async move { world.pause(ms).await });
    }

    /// How often a history has been read from the log.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.world.lock().reads
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// A deliberation as the log has it.
    #[must_use]
    pub fn state(&self, id: &DeliberationId) -> Option<Deliberation> {
        let state = self.world.lock();
        state.histories.get(&HistoryId::deliberation(id)).and_then(|history| history.state.clone())
    }

    /// A recorded answer.
    #[must_use]
    pub fn answer(&self, job: &JobId) -> Option<Arc<Answer>> {
        let state = self.world.lock();
        state.by_job.get(job).map(|at| Arc::clone(&state.answers[*at]))
    }

    /// The subjects of everything announced so far.
    #[must_use]
    pub fn announced(&self) -> Vec<&'static str> {
        self.world.lock().announced.values().map(|(subject, _)| *subject).collect()
    }
}

impl Default for Calm {
    fn default() -> Calm {
        Calm::new()
    }
}

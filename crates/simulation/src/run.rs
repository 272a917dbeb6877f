//! One run: processes that live and die, clients that submit, ask again and cancel.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use fleet_deliberation::{Budget, Council, CouncilSettings, DeliberationId, Profile, Role, Task};
use fleet_llm::{SimulatedModel, SimulatedSettings};
use fleet_orchestrator::port::Clock as _;
use fleet_orchestrator::{
    Coordinator, Councils, HandleError, OrchestratorSettings, Ports, Request, Retention, Scope, Settings,
    begin,
};
use tokio_util::sync::CancellationToken;

use crate::executor::{Executor, Owner};
use crate::faults::Faults;
use crate::invariants;
use crate::link::Link;
use crate::operator::{self, Operator};
use crate::rng::Rng;
use crate::watcher::Watcher;
use crate::work::{self, WatchedModel};
use crate::world::{Topic, World};

/// The most steps a run may take before it counts as stuck.
const STEPS_MAX: u64 = 400_000;
/// How long faults go on, in milliseconds of the virtual clock.
const FAULTS_MS: u64 = 60_000;
/// How long everything may take to end after that.
const HEALING_MS: u64 = 900_000;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// A hash over everything that happened, in order.
    pub trace: u64,
    /// Tasks polled.
    pub steps: u64,
    /// Times a process died.
    pub crashes: u64,
    /// Times a model was called.
    pub calls: u64,
    /// Jobs given up because their time was over.
    pub given_up: u64,
    /// Deliberations accepted.
    pub accepted: usize,
    /// Of these, those that ended with a verdict.
    pub completed: usize,
    /// Of these, those where tests by others were tried.
    pub tried: usize,
    /// Of these, those where judges compared near ties.
    pub judged: usize,
    /// Of these, those where an architect chose.
    pub chosen: usize,
    /// Of these, those whose budget did not allow for something.
    pub cut: usize,
    /// Tasks refused because their council's hour was used up.
    pub refused: u64,
}

/// Where the coordinator of a process is found while it lives.
pub(crate) type Door = Arc<Mutex<Option<Arc<Coordinator>>>>;

/// Runs `seed` to its end. The same seed gives the same report; an error says which promise was broken.
pub fn run(seed: u64, shown: bool) -> Result<Report, String> {
    let mut rng = Rng::new(!seed);
    let processes = 1 + usize::try_from(rng.below(2)).unwrap_or(0);
    let world = World::new(seed, processes, shown);
    let doors: Vec<Door> = (0..processes).map(|_| Door::default()).collect();
    let mut executor = Executor::default();
    for (process, door) in doors.iter().enumerate() {
        executor
            .spawn(Owner::Process(process), Box::pin(live(world.clone(), process, Arc::clone(door), seed)));
    }
    for number in 0..1 + rng.below(4) {
        let client = Client::draw(&mut rng, number);
        if rng.chance(500) {
            let watcher = Watcher::draw(&mut rng, client.id.clone());
            executor.spawn(Owner::Client, Box::pin(watcher.run(world.clone(), doors.clone())));
        }
        executor.spawn(Owner::Client, Box::pin(client.run(world.clone(), doors.clone())));
    }
    for number in 0..rng.below(3) {
        let operator = Operator::draw(&mut rng, number);
        executor.spawn(Owner::Client, Box::pin(operator.run(world.clone(), doors.clone())));
    }

    let mut healed = false;
    for step in 0.. {
        if step > STEPS_MAX {
            return Err("does not come to rest".into());
        }
        let polled = executor.step(&mut rng);
        {
            let mut state = world.lock();
            state.trace.steps += 1;
            if let Some(broken) = &state.broken {
                return Err(broken.clone());
            }
            if let Some(task) = polled {
                let now = state.now;
                state.trace.note(now, &format!("task {task}"));
            }
        }
        bury_and_raise(&world, &doors, &mut executor, seed);
        let elapsed = world.now().ms_since(crate::BEGINNING);
        if !healed && elapsed > FAULTS_MS {
            let mut state = world.lock();
            state.faults = Faults { delay_ms: 5, ..Faults::default() };
            state.healed_at = Some(state.now);
            healed = true;
        }
        let at_rest = || {
            let state = world.lock();
            invariants::at_rest(&state).and_then(|()| operator::all_agree(&state, &doors))
        };
        if healed && !executor.owns_tasks(Owner::Client) && at_rest().is_ok() {
            break;
        }
        if elapsed > FAULTS_MS + HEALING_MS {
            return Err(at_rest().err().unwrap_or("a client waits for ever".into()));
        }
        if polled.is_none() {
            let mut state = world.lock();
            if !state.advance() {
                return Err("nothing moves, and no timer is set".into());
            }
            state.wake(Topic::Queue);
        }
    }
    let state = world.lock();
    let ended = state.histories.values().filter_map(|history| history.state.as_ref());
    let completed: Vec<_> =
        ended.filter(|known| known.status() == fleet_deliberation::Status::Completed).collect();
    let chose = |known: &&fleet_deliberation::Deliberation| {
        known.choosing.as_ref().is_some_and(|choosing| matches!(choosing.outcome, Some(Ok(_))))
    };
    let tried = |known: &&fleet_deliberation::Deliberation| {
        known.testing.as_ref().is_some_and(|testing| testing.tried.iter().any(|(_, trial)| trial.is_ok()))
    };
    let tried = completed.iter().copied().filter(tried).count();
    let judged = completed.iter().filter(|known| known.judging.is_some()).count();
    let chosen = completed.iter().copied().filter(chose).count();
    let dropped = |known: &&fleet_deliberation::Deliberation| {
        known.purse.as_ref().is_some_and(|purse| !purse.dropped.is_empty())
    };
    let cut = completed.iter().copied().filter(dropped).count();
    let completed = completed.len();
    Ok(Report {
        trace: state.trace.hash,
        steps: state.trace.steps,
        crashes: state.crashes,
        calls: state.calls,
        given_up: state.given_up,
        accepted: state.accepted.len(),
        completed,
        tried,
        judged,
        chosen,
        cut,
        refused: state.refused.len() as u64,
    })
}

/// Drops what died, starts it anew, and takes in tasks that were begun.
fn bury_and_raise(world: &World, doors: &[Door], executor: &mut Executor, seed: u64) {
    let dying = std::mem::take(&mut world.lock().dying);
    for process in dying {
        shut(&doors[process]);
        executor.kill(Owner::Process(process));
        world.lock().spawned.retain(|(owner, _)| *owner != Owner::Process(process));
        let door = Arc::clone(&doors[process]);
        executor.spawn(Owner::Process(process), Box::pin(live(world.clone(), process, door, seed)));
    }
    let spawned = std::mem::take(&mut world.lock().spawned);
    for (owner, task) in spawned {
        executor.spawn(owner, task);
    }
}

fn shut(door: &Door) {
    *door.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// One life of a process.
async fn live(world: World, process: usize, door: Door, seed: u64) {
    let pause = {
        let mut state = world.lock();
        state.rng.below(3_000)
    };
    world.pause(pause).await;
    let link = Link { world: world.clone(), process, life: world.lock().lives[process] };
    let ports = link.ports();
    let stop = CancellationToken::new();
    let (coordinator, parts) = loop {
        match begin(&ports, councils(&ports), settings(), &stop).await {
            Ok(begun) => break begun,
            Err(_) => world.pause(100).await,
        }
    };
    let model = SimulatedModel::new(
        SimulatedSettings { seed, failure_rate: 0.1, malformed_rate: 0.05, ..SimulatedSettings::default() },
        Arc::clone(&ports.clock),
    );
    let model = Arc::new(WatchedModel { link, model });
    let settings = fleet_worker::Settings { slots: 6, ..fleet_worker::Settings::default() };
    let worker = work::worker(&ports, &coordinator, model, settings);
    let owner = Owner::Process(process);
    let mut state = world.lock();
    state.spawned.extend(parts.into_iter().map(|(_, part)| (owner, part)));
    state.spawned.push((owner, Box::pin(worker.run(stop))));
    *door.lock().unwrap_or_else(PoisonError::into_inner) = Some(coordinator);
}

pub(crate) fn councils(ports: &Ports) -> Arc<Councils> {
    let profile = Profile::new("default", "simulated", 0.7, 2048);
    let configured =
        [configured("DEV", 3), configured("QA", 2), configured("ARCHITECT", 1)].into_iter().flatten();
    Arc::new(Councils::new(Arc::clone(&ports.events), Arc::clone(&ports.clock), configured, [profile]))
}

/// A council as the configuration of every process has it.
pub(crate) fn configured(role: &str, agents: u32) -> Option<Council> {
    let settings = CouncilSettings {
        agents,
        rounds: None,
        profile: "default".into(),
        temperature: None,
        tokens_max: None,
        parameters: Arc::default(),
    };
    Council::configured(Role::new(role).ok()?, settings).ok()
}

fn settings() -> OrchestratorSettings {
    OrchestratorSettings {
        coordinator: Settings {
            rounds: 1,
            quorum: 1,
            judges: 1,
            top_k: 3,
            test_writers: 2,
            architect: true,
            budget: Budget::default(),
            hourly: Budget { tokens: Some(invariants::TOKENS_PER_HOUR), money_micros: None },
            budgets: std::collections::BTreeMap::new(),
            timeout_ms: 120_000,
            in_flight_max: 16,
            served_ms: 3_600_000,
            // Small enough that states are dropped and loaded again.
            cached_max: NonZeroUsize::new(2).unwrap_or(NonZeroUsize::MIN),
        },
        retention: Retention { history_ms: u64::MAX, bytes_max: u64::MAX, every_ms: 600_000 },
        scope: Scope::All,
        sweep_ms: 2_000,
        overdue_ms: 4_000,
    }
}

/// Somebody who submits a task, with whatever goes wrong on the way.
struct Client {
    id: DeliberationId,
    request: Request,
    pause_ms: u64,
    cancel_after_ms: Option<u64>,
    again: bool,
}

impl Client {
    fn draw(rng: &mut Rng, number: u64) -> Client {
        let id = format!("task/{number}/before");
        let task = Task { description: format!("Write function number {number}"), ..Task::default() };
        let request = Request {
            id: DeliberationId::new(&id).ok(),
            task,
            role: if rng.chance(700) { "DEV".into() } else { "QA".into() },
            rounds: Some(u32::try_from(rng.below(4)).unwrap_or(0)),
            rounds_max: None,
            agents: rng.chance(500).then(|| 1 + u32::try_from(rng.below(4)).unwrap_or(0)),
            timeout_ms: Some(5_000 + rng.below(600_000)),
            budget: Budget {
                tokens: rng.chance(400).then(|| 20_000 + rng.below(600_000)),
                money_micros: None,
            },
            ..Request::default()
        };
        #[expect(clippy::expect_used, reason = "the text above is a name")]
        let id = DeliberationId::new(&id).expect("a name");
        let cancel_after_ms = rng.chance(150).then(|| rng.below(20_000));
        Client { id, request, pause_ms: rng.below(30_000), cancel_after_ms, again: rng.chance(400) }
    }

    async fn run(self, world: World, doors: Vec<Door>) {
        let (client, world) = (&self, &world);
        world.pause(self.pause_ms).await;
        if !self.submit(world, &doors).await {
            return;
        }
        if self.again {
            self.submit(world, &doors).await;
        }
        if let Some(after_ms) = self.cancel_after_ms {
            world.pause(after_ms).await;
            self.patiently(world, &doors, |coordinator| async move {
                coordinator.cancel(&client.id, "changed my mind".into()).await.map(drop)
            })
            .await;
        }
        self.patiently(world, &doors, |coordinator| async move {
            let until = world.now().plus_ms(30_000);
            coordinator.ended(&client.id, until).await?;
            let view = coordinator.view(&client.id).await?;
            match view.state.ended {
                Some(_) => Ok(()),
                None => Err(HandleError::Busy { limit: 0, retry_after_ms: 100 }),
            }
        })
        .await;
    }

    /// Whether it is accepted: it is not where its council's hour is used up.
    async fn submit(&self, world: &World, doors: &[Door]) -> bool {
        self.patiently(world, doors, |coordinator| async move {
            let accepted = match coordinator.submit(self.request.clone()).await {
                Err(HandleError::Exhausted { .. }) => return Ok(()),
                other => other?,
            };
            let mut state = world.lock();
            let history = fleet_orchestrator::port::HistoryId::deliberation(&accepted.id);
            if !state.histories.contains_key(&history) {
                state.broken(format!("{} was accepted before it was recorded", accepted.id));
            }
            state.accepted.insert(accepted.id);
            Ok(())
        })
        .await;
        let mut state = world.lock();
        let accepted = state.accepted.contains(&self.id);
        if !accepted {
            state.refused.insert(self.id.clone());
        }
        accepted
    }

    /// Asks whichever process lives until one has done it; another one may be asked each time.
    async fn patiently<F, Fut>(&self, world: &World, doors: &[Door], ask: F)
    where
        F: Fn(Arc<Coordinator>) -> Fut,
        Fut: Future<Output = Result<(), HandleError>>,
    {
        loop {
            let door = {
                let n = world.lock().rng.below(doors.len() as u64);
                &doors[usize::try_from(n).unwrap_or(0)]
            };
            let coordinator = door.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(coordinator) = coordinator {
                match ask(coordinator).await {
                    Ok(()) => return,
                    Err(HandleError::Busy { .. } | HandleError::Store(_)) => {}
                    Err(error) => return world.lock().broken(format!("{}: {error}", self.id)),
                }
            }
            world.pause(500).await;
        }
    }
}

//! Everything at work in this process: started in one place, stopped in one place.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::Context as _;
use fleet_checks::{Cluster, Linters, Policies, RunBounds, Runs, Suite, Surroundings};
use fleet_deliberation::{Budget, Council, CouncilSettings, Profile};
use fleet_embedded::{Embedded, Settings as EmbeddedSettings, SystemClock, Ticks};
use fleet_llm::Models;
use fleet_orchestrator::port::{Answers, Checker, Clock, EventStore, NoObserver};
use fleet_orchestrator::{
    Coordinator, CouncilBudget, Councils, Histories, OrchestratorSettings, Ports, Retention, Scope, Settings,
    begin,
};
use fleet_sandbox::Sandbox;
use fleet_server::Scrape;
use fleet_worker::Worker;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Council as ConfiguredCouncil, DEFAULT_PROFILE, Loaded};
use crate::model::{self, Chosen};
use crate::telemetry::Telemetry;

/// How many deliberations are kept in memory.
const CACHED_MAX: usize = 16_384;
/// How often lost jobs are looked for, in milliseconds.
const SWEEP_MS: u64 = 5_000;
/// How long ago a job must have been asked for to be looked after, in milliseconds.
const OVERDUE_MS: u64 = 15_000;
/// How often old histories are looked for, in milliseconds.
const JANITOR_MS: u64 = 600_000;
/// How long parts may take to end what they have begun.
const GRACE: Duration = Duration::from_secs(5);

/// Everything at work.
pub(crate) struct Running {
    pub(crate) coordinator: Arc<Coordinator>,
    pub(crate) ticks: Arc<Ticks>,
    pub(crate) models: Arc<Models>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) checker: Arc<dyn Checker>,
    pub(crate) answers: Arc<dyn Answers>,
    pub(crate) stop: CancellationToken,
    pub(crate) parts: Parts,
    workers: Parts,
    /// How many jobs each worker does at the moment.
    at_work: Vec<Arc<AtomicUsize>>,
    pub(crate) telemetry: Telemetry,
    embedded: Arc<Embedded>,
    dir: PathBuf,
}

/// Parts at work, each with its name.
type Parts = JoinSet<(&'static str, anyhow::Result<()>)>;
type Ended = Result<(&'static str, anyhow::Result<()>), JoinError>;

impl Running {
    /// Opens the state and starts all parts.
    pub(crate) async fn start(
        loaded: &Loaded,
        chosen: Chosen,
        telemetry: Telemetry,
        scope: Scope,
    ) -> anyhow::Result<Running> {
        let config = &loaded.config;
        let suite = Arc::new(suite(loaded)?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let observer = telemetry.observer();
        let embedded = Arc::new(open(loaded, Arc::clone(&clock)).await?);
        let stop = CancellationToken::new();
        let ports = Ports {
            events: Arc::clone(&embedded.events),
            answers: Arc::clone(&embedded.answers),
            queue: Arc::clone(&embedded.jobs),
            announcements: Arc::clone(&embedded.announcements),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&embedded.entropy),
            observer: Arc::clone(&observer),
        };
        let for_all = matches!(scope, Scope::All);
        let settings = OrchestratorSettings {
            coordinator: coordinator_settings(config),
            retention: Retention {
                history_ms: config.state.history_days * 24 * 60 * 60 * 1000,
                bytes_max: config.state.history_bytes_max,
                every_ms: JANITOR_MS,
            },
            scope,
            sweep_ms: SWEEP_MS,
            overdue_ms: OVERDUE_MS,
        };
        let councils = councils(config, &chosen.profiles, &embedded.events, &clock)?;
        let (coordinator, begun) =
            begin(&ports, councils, settings, &stop).await.context("opening the log")?;

        let mut parts = JoinSet::new();
        for (name, part) in begun {
            parts.spawn(async move {
                part.await;
                (name, Ok(()))
            });
        }
        if for_all {
            know_endpoints(coordinator.councils(), &chosen.models);
        }
        let health = Arc::clone(&chosen.models).watch_health(stop.clone());
        parts.spawn(async move {
            health.await;
            ("health of model servers", Ok(()))
        });
        // One worker a core, so that reading many streams of tokens is not the work of one core.
        let cores = available_parallelism().map_or(1, NonZeroUsize::get).min(config.worker.slots);
        let (mut workers, mut at_work) = (JoinSet::new(), Vec::new());
        for nth in 0..cores {
            let worker = Worker::new(
                fleet_worker::Parts {
                    histories: Arc::clone(coordinator.histories()),
                    answers: Arc::clone(&embedded.answers),
                    queue: Arc::clone(&embedded.jobs),
                    model: Arc::clone(&chosen.models) as _,
                    checker: Arc::clone(&suite) as _,
                    progress: Arc::clone(&embedded.ticks) as _,
                    clock: Arc::clone(&clock),
                    entropy: Arc::clone(&embedded.entropy),
                    observer: Arc::clone(&observer),
                },
                fleet_worker::Settings {
                    slots: share(config.worker.slots, cores, nth),
                    ..fleet_worker::Settings::default()
                },
            );
            at_work.push(worker.at_work());
            let closing = coordinator.closing().clone();
            workers.spawn(async move {
                worker.run(closing).await;
                ("worker", Ok(()))
            });
        }
        let ticks = Arc::clone(&embedded.ticks);
        Ok(Running {
            coordinator,
            ticks,
            models: chosen.models,
            clock,
            checker: suite,
            answers: Arc::clone(&embedded.answers),
            stop,
            parts,
            workers,
            at_work,
            telemetry,
            embedded,
            dir: loaded.state_dir()?,
        })
    }

    /// Says what this process is, to others who would like to work on the same state.
    pub(crate) fn describe(&self, holder: &str) -> anyhow::Result<()> {
        self.embedded.describe(holder).context("writing into the lock file")
    }

    /// Writes the metrics of this process.
    pub(crate) fn scrape(&self, in_flight_max: usize) -> Scrape {
        let embedded = Arc::clone(&self.embedded);
        self.telemetry.scrape(&self.coordinator, in_flight_max, move || embedded.stats())
    }

    /// What fails when the state cannot be written.
    pub(crate) fn writing(&self) -> String {
        writing(&self.dir)
    }

    /// Whether the state could not be written when it was tried last.
    pub(crate) fn is_failing(&self) -> bool {
        self.embedded.is_failing()
    }

    /// Waits until a part ends, which none does by itself.
    pub(crate) async fn broken(&mut self) -> anyhow::Error {
        tokio::select! {
            biased;
            Some(ended) = self.parts.join_next() => broken(ended),
            Some(ended) = self.workers.join_next() => broken(ended),
            else => anyhow::anyhow!("nothing runs"),
        }
    }

    /// Begins nothing further: no deliberation is opened, no job is leased. Says how many jobs are under way.
    pub(crate) fn close(&self) -> usize {
        self.coordinator.close();
        self.at_work.iter().map(|jobs| jobs.load(Ordering::Relaxed)).sum()
    }

    /// Waits until the jobs under way have ended, once nothing further is begun. What comes of them is
    /// recorded.
    pub(crate) async fn drained(&mut self) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                biased;
                Some(ended) = self.parts.join_next() => return Err(broken(ended)),
                ended = self.workers.join_next() => match ended {
                    None => return Ok(()),
                    Some(Ok((_, Ok(())))) => {}
                    Some(ended) => return Err(broken(ended)),
                },
            }
        }
    }

    /// Stops all parts, gives them a while to end what they have begun, closes the state and sends the last
    /// traces.
    pub(crate) async fn stop(mut self, grace: Option<Duration>) {
        self.close();
        self.stop.cancel();
        let ended = async {
            while self.parts.join_next().await.is_some() {}
            while self.workers.join_next().await.is_some() {}
        };
        if tokio::time::timeout(grace.unwrap_or(GRACE), ended).await.is_err() {
            self.workers.shutdown().await;
            self.parts.shutdown().await;
        }
        tokio::join!(self.telemetry.flush(), self.embedded.close());
    }

    /// Lets go of the jobs under way. They come again when somebody works on the state.
    pub(crate) async fn leave_jobs(&mut self) {
        self.workers.shutdown().await;
    }
}

/// The policies that are built in, and those of the folder that is named.
pub(crate) fn policies(loaded: &Loaded) -> anyhow::Result<Policies> {
    let folder = Some(&loaded.config.checks.policies).filter(|folder| !folder.is_empty());
    Policies::load(folder.map(Path::new)).with_context(|| match loaded.origin("checks.policies") {
        Some(origin) => format!("the policies that checks.policies names ({origin}) cannot be used"),
        None => "the policies that are built in cannot be used".to_owned(),
    })
}

/// What proposals are checked by.
fn suite(loaded: &Loaded) -> anyhow::Result<Suite> {
    let runs = runs(loaded);
    let suite = Suite::new(policies(loaded)?).with_runs(runs.clone());
    Ok(if loaded.config.checks.tools { suite.with_linters(Linters::new(runs)) } else { suite })
}

/// What runs the code of proposals.
pub(crate) fn runs(loaded: &Loaded) -> Runs {
    let checks = &loaded.config.checks;
    let bounds = RunBounds::default();
    let bounds = RunBounds {
        at_once: NonZeroUsize::new(checks.run_at_once).unwrap_or(bounds.at_once),
        dry_run_ms: checks.dry_run_timeout_s * 1000,
        tests_ms: checks.tests_timeout_s * 1000,
    };
    let cluster = Some(&checks.kubeconfig).filter(|path| !path.is_empty()).map(|path| Cluster {
        kubeconfig: path.into(),
        context: Some(checks.kube_context.clone()).filter(|context| !context.is_empty()),
    });
    let surroundings = Surroundings {
        cluster,
        folder: loaded.state_dir().ok().map(|dir| dir.join("toolchains")),
        ..Surroundings::default()
    };
    Runs::new(Sandbox::new(checks.sandbox), bounds, surroundings)
}

/// Has the servers that agents were registered with looked at from the start.
fn know_endpoints(councils: &Councils, models: &Models) {
    for council in councils.all() {
        for agent in &council.agents {
            let Some(endpoint) = &agent.endpoint else { continue };
            if let Err(error) = models.know(endpoint) {
                let (role, agent) = (&council.role, &agent.id);
                tracing::warn!(council.role = %role, agent.id = %agent, %error, "an agent cannot be called");
            }
        }
    }
}

/// Why a part that was to go on ended.
fn broken(ended: Ended) -> anyhow::Error {
    match ended {
        Ok((name, Ok(()))) => anyhow::anyhow!("{name} ended by itself"),
        Ok((name, Err(error))) => error.context(name),
        Err(error) => anyhow::anyhow!(error).context("a part panicked"),
    }
}

/// A coordinator without parts: nothing is sent, and only what is asked for is done.
pub(crate) async fn reader(
    loaded: &Loaded,
    events: Arc<dyn EventStore>,
    answers: Arc<dyn Answers>,
) -> anyhow::Result<Coordinator> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let councils = councils(&loaded.config, &model::profiles(loaded), &events, &clock)?;
    councils.load().await.context("reading the councils")?;
    let settings = coordinator_settings(&loaded.config);
    let histories = Arc::new(Histories::new(events, settings.cached_max));
    let (entropy, observer) = (Arc::new(fleet_embedded::SystemEntropy), Arc::new(NoObserver));
    Ok(Coordinator::new(histories, answers, clock, entropy, observer, councils, settings))
}

/// Opens the state for this process alone.
pub(crate) async fn open(loaded: &Loaded, clock: Arc<dyn Clock>) -> anyhow::Result<Embedded> {
    let dir = loaded.state_dir()?;
    let settings =
        EmbeddedSettings { lease_ms: loaded.config.worker.lease_s * 1000, ..EmbeddedSettings::default() };
    let at = dir.clone();
    let opened = tokio::task::spawn_blocking(move || Embedded::open(&dir, settings, clock)).await?;
    let embedded = opened.with_context(|| format!("opening the state in {}", at.display()))?;
    // Said before anything is asked of a model.
    let writable = embedded.events.writable().await;
    writable.with_context(|| writing(&at))?;
    Ok(embedded)
}

fn writing(dir: &Path) -> String {
    format!("writing the state in {}", dir.display())
}

fn coordinator_settings(config: &Config) -> Settings {
    Settings {
        rounds: config.deliberation.rounds,
        quorum: config.deliberation.quorum,
        judges: config.selection.judges,
        top_k: config.selection.top_k,
        test_writers: config.selection.test_writers,
        architect: config.selection.architect,
        budget: budget(config.budget.tokens, config.budget.money),
        hourly: budget(config.budget.tokens_per_hour, config.budget.money_per_hour),
        budgets: config
            .councils
            .iter()
            .map(|(role, council)| (role.clone(), own_budget(config, council)))
            .collect(),
        timeout_ms: config.deliberation.timeout_s * 1000,
        in_flight_max: config.server.in_flight_max,
        served_ms: config.state.results_served_s * 1000,
        cached_max: NonZeroUsize::new(CACHED_MAX).unwrap_or(NonZeroUsize::MIN),
    }
}

/// What a council's deliberations may cost: what it does not say is as for all of them.
fn own_budget(config: &Config, council: &ConfiguredCouncil) -> CouncilBudget {
    let all = &config.budget;
    CouncilBudget {
        each: budget(council.budget_tokens.unwrap_or(all.tokens), council.budget_money.unwrap_or(all.money)),
        hourly: budget(
            council.budget_tokens_per_hour.unwrap_or(all.tokens_per_hour),
            council.budget_money_per_hour.unwrap_or(all.money_per_hour),
        ),
    }
}

/// A budget of which 0 is no bound.
fn budget(tokens: u64, money: f64) -> Budget {
    let money_micros = Budget::micros(money).filter(|micros| *micros > 0);
    Budget { tokens: Some(tokens).filter(|tokens| *tokens > 0), money_micros }
}

/// The councils of the configuration.
pub(crate) fn configured(config: &Config) -> anyhow::Result<Vec<Council>> {
    let mut councils = Vec::new();
    for (role, council) in &config.councils {
        let settings = CouncilSettings {
            agents: u32::try_from(council.agents).unwrap_or(u32::MAX),
            rounds: council.rounds,
            profile: council.profile.clone().unwrap_or_else(|| DEFAULT_PROFILE.to_owned()),
            temperature: None,
            tokens_max: None,
            parameters: Arc::default(),
        };
        let council = Council::configured(role.clone(), settings);
        councils.push(council.with_context(|| format!("naming the agents of role {role}"))?);
    }
    Ok(councils)
}

/// The councils of the configuration, with the profiles their agents may speak through.
fn councils(
    config: &Config,
    profiles: &[Profile],
    events: &Arc<dyn EventStore>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Arc<Councils>> {
    let councils = configured(config)?;
    let profiles = profiles.iter().cloned();
    Ok(Arc::new(Councils::new(Arc::clone(events), Arc::clone(clock), councils, profiles)))
}

/// The `nth` of `parts` nearly equal shares of `whole`.
fn share(whole: usize, parts: usize, nth: usize) -> usize {
    whole / parts + usize::from(nth < whole % parts)
}

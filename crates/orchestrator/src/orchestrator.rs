//! All parts together, over one set of ports.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::coordinator::Settings;
use crate::histories::Histories;
use crate::janitor::Retention;
use crate::port::{Announcements, Answers, Clock, Entropy, EventStore, JobQueue, Observer, StoreError};
use crate::sweep::Scope;
use crate::{Announcer, Collector, Coordinator, Councils, Dispatcher, Janitor, Sweep, Timers};

/// What the work stands on.
#[derive(Clone)]
pub struct Ports {
    /// The log.
    pub events: Arc<dyn EventStore>,
    /// What came of jobs.
    pub answers: Arc<dyn Answers>,
    /// The way to the workers.
    pub queue: Arc<dyn JobQueue>,
    /// The way to the world.
    pub announcements: Arc<dyn Announcements>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
}

/// How the parts behave.
#[derive(Debug, Clone)]
pub struct OrchestratorSettings {
    /// What the coordinator goes by.
    pub coordinator: Settings,
    /// What is kept, and how long.
    pub retention: Retention,
    /// Which deliberations are worked on.
    pub scope: Scope,
    /// How often lost jobs are looked for, in milliseconds.
    pub sweep_ms: u64,
    /// How long ago a job must have been asked for to be looked after, in milliseconds.
    pub overdue_ms: u64,
}

/// A part at work, with its name.
pub type Part = (&'static str, Pin<Box<dyn Future<Output = ()> + Send>>);

/// Begins the work: gives the coordinator, which takes commands from here on, and the parts, which are
/// to be run side by side until `stop`.
pub async fn begin(
    ports: &Ports,
    councils: Arc<Councils>,
    settings: OrchestratorSettings,
    stop: &CancellationToken,
) -> Result<(Arc<Coordinator>, Vec<Part>), StoreError> {
    let Ports { events, answers, queue, announcements, clock, entropy, observer } = ports.clone();
    let histories = Arc::new(Histories::new(Arc::clone(&events), settings.coordinator.cached_max));
    let coordinator = Arc::new(Coordinator::new(
        Arc::clone(&histories),
        Arc::clone(&answers),
        Arc::clone(&clock),
        entropy,
        observer,
        councils,
        settings.coordinator,
    ));
    coordinator.count_open().await?;

    // The places are taken before anyone looks: what is recorded later is seen by those who follow the log,
    // what was recorded before is seen by the sweep and when the councils are loaded.
    let (log_end, answers_end) = (events.end().await?, answers.end().await?);
    coordinator.councils().load().await?;
    let dispatcher = Dispatcher::new(
        Arc::clone(&coordinator),
        Arc::clone(&queue),
        Arc::clone(&clock),
        settings.scope.clone(),
    );
    let collector = Collector::new(Arc::clone(&answers), Arc::clone(&coordinator), Arc::clone(&clock));
    let timers = Timers::new(
        Arc::clone(&coordinator),
        Arc::clone(&answers),
        Arc::clone(&clock),
        settings.scope.clone(),
    );
    let announcer =
        Announcer::new(Arc::clone(&histories), Arc::clone(&answers), announcements, Arc::clone(&clock));
    let janitor = Janitor::new(histories, Arc::clone(&answers), Arc::clone(&clock), settings.retention);
    let times = (settings.sweep_ms, settings.overdue_ms);
    let sweep = Sweep::new(Arc::clone(&coordinator), answers, queue, clock, settings.scope, times);

    let parts: Vec<Part> = vec![
        ("dispatcher", Box::pin(dispatcher.run(log_end, stop.clone()))),
        ("collector", Box::pin(collector.run(answers_end, stop.clone()))),
        ("timers", Box::pin(timers.run(log_end, stop.clone()))),
        ("announcer", Box::pin(announcer.run(stop.clone()))),
        ("janitor", Box::pin(janitor.run(stop.clone()))),
        ("sweep", Box::pin(sweep.run(stop.clone()))),
    ];
    Ok((coordinator, parts))
}

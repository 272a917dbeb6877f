//! Time, chance and an observer that writes everything down.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use fleet_deliberation::{FailureKind, Timestamp};
use fleet_llm::{Limits, Models, ModelsSettings, PoolStatus, ProfileSettings, ServerSettings};
use fleet_orchestrator::port::{Called, Clock, Entropy, Observer};

pub(crate) struct WallClock;

#[async_trait]
impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp(
            u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis())
                .unwrap_or(u64::MAX),
        )
    }

    async fn sleep_until(&self, moment: Timestamp) {
        tokio::time::sleep(Duration::from_millis(moment.ms_since(self.now()))).await;
    }
}

pub(crate) struct NoChance;

impl Entropy for NoChance {
    fn bits(&self) -> u64 {
        0
    }
}

/// A call as it was told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) server: String,
    pub(crate) nth: u32,
    pub(crate) hedge: bool,
    /// `None` if it was given up, else what it failed with, if it did.
    pub(crate) came_of_it: Option<Result<(), FailureKind>>,
}

#[derive(Default)]
pub(crate) struct Notes(Mutex<Vec<Told>>);

impl Notes {
    pub(crate) fn calls(&self) -> Vec<Told> {
        self.0.lock().expect("no panic").clone()
    }
}

impl Observer for Notes {
    fn called(&self, called: &Called<'_>) {
        assert!(called.started_at <= called.ended_at);
        self.0.lock().expect("no panic").push(Told {
            server: called.server.into(),
            nth: called.nth,
            hedge: called.hedge,
            came_of_it: called.came_of_it.map(|came| came.map(|_| ()).map_err(|error| error.kind)),
        });
    }
}

pub(crate) fn server(url: &str) -> ServerSettings {
    ServerSettings { url: url.into(), ..ServerSettings::default() }
}

pub(crate) fn server_within(url: &str, limits: Limits) -> ServerSettings {
    ServerSettings { limits, ..server(url) }
}

pub(crate) fn profile(servers: impl IntoIterator<Item = ServerSettings>) -> ProfileSettings {
    ProfileSettings { servers: servers.into_iter().collect(), hedge_after_ms: 0 }
}

/// Settings with one profile, `default`.
pub(crate) fn settings(profile: ProfileSettings) -> ModelsSettings {
    ModelsSettings { profiles: [("default".to_owned(), profile)].into(), ..ModelsSettings::default() }
}

pub(crate) fn models_told(settings: ModelsSettings) -> (Arc<Models>, Arc<Notes>) {
    super::ring();
    let notes = Arc::new(Notes::default());
    let models = Models::new(settings, Arc::new(WallClock), Arc::new(NoChance), notes.clone());
    (Arc::new(models.expect("valid settings")), notes)
}

/// Models of one profile with these servers.
pub(crate) fn models(servers: impl IntoIterator<Item = ServerSettings>) -> Arc<Models> {
    models_told(settings(profile(servers))).0
}

/// The only pool's status.
pub(crate) fn status(models: &Models) -> PoolStatus {
    models.status().remove(0)
}

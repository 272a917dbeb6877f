//! All models there are: each request goes to the pool of its profile, to its agent's own server, or to the
//! simulated model.

mod build;
mod endpoints;
mod settings;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use fleet_deliberation::{FailureKind, Generation, Profile};
use fleet_orchestrator::port::{Clock, Entropy, Heard, LanguageModel, ModelError, ModelRequest, Observer};

use crate::openai::{check, error};
use crate::pool::{Health, Pool, PoolStatus, Servers, Telling, World};
use crate::{OpenAi, SIMULATED, SimulatedModel};
pub use endpoints::ENDPOINTS_MAX;
use endpoints::Endpoints;
pub use settings::{BadModels, HEALTH_EVERY_MS, ModelsSettings, ProfileSettings, ServerSettings};
pub use watch::LOOK_MS_MAX;

/// The models of a process. Nothing runs by itself: [`Models::watch_health`] wants to be run.
pub struct Models {
    pools: BTreeMap<String, Pool>,
    servers: Arc<Servers>,
    endpoints: Endpoints,
    simulated: SimulatedModel,
    health_every_ms: u64,
    world: World,
}

impl Models {
    /// Models as the settings say. Nothing is sent yet. `observer` is told of every call of a server.
    pub fn new(
        settings: ModelsSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        observer: Arc<dyn Observer>,
    ) -> Result<Models, BadModels> {
        let world = World { clock, entropy, observer };
        let (pools, servers) = build::pools(&settings, &world)?;
        Ok(Models {
            pools,
            servers,
            endpoints: Endpoints::new(&settings, world.clone()),
            simulated: SimulatedModel::new(settings.simulated, world.clock.clone())
                .with_keys(settings.keys.clone()),
            health_every_ms: settings.health_every_ms,
            world,
        })
    }

    /// The names of the profiles, in order.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.pools.keys().map(String::as_str)
    }

    /// The servers of a profile in the order of its settings, to list their models or to make a test call.
    #[must_use]
    pub fn servers(&self, profile: &str) -> Vec<Arc<OpenAi>> {
        self.pools.get(profile).map(|pool| pool.clients().cloned().collect()).unwrap_or_default()
    }

    /// How every pool stands: those of the profiles in order, then the agents' own servers.
    #[must_use]
    pub fn status(&self) -> Vec<PoolStatus> {
        let endpoints = self.endpoints.all();
        self.pools.values().map(Pool::status).chain(endpoints.iter().map(|pool| pool.status())).collect()
    }

    /// Keeps an eye on an agent's own server from now on, also before it is called.
    pub fn know(&self, url: &str) -> Result<(), ModelError> {
        self.endpoints.pool(&url.into()).map(drop)
    }

    fn unknown(&self, request: &ModelRequest) -> ModelError {
        let known: Vec<&str> = self.profiles().collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        let (profile, deliberation) = (&request.profile, &request.job.deliberation);
        error(
            FailureKind::NotFound,
            format!(
                "there is no profile {profile:?} here (known: {known}), and deliberation {deliberation} was begun \
                 with it; put [profiles.{profile}] with its url back into the configuration and start again, or \
                 cancel the deliberation"
            ),
        )
    }

    async fn simulate(&self, request: &ModelRequest, heard: Heard<'_>) -> Result<Generation, ModelError> {
        let telling = Telling::begin(&self.world, request, SIMULATED, 1, false);
        let result = self.simulated.complete(request, heard).await;
        telling.end(result.as_ref());
        result
    }
}

#[async_trait]
impl LanguageModel for Models {
    async fn complete(&self, request: &ModelRequest, heard: Heard<'_>) -> Result<Generation, ModelError> {
        check(request)?;
        if let Some(url) = &request.endpoint {
            return self.endpoints.pool(url)?.complete(request, heard).await;
        }
        if &*request.profile == SIMULATED || &*request.model == SIMULATED {
            return self.simulate(request, heard).await;
        }
        let Some(pool) = self.pools.get(&*request.profile) else { return Err(self.unknown(request)) };
        if !request.model.is_empty() {
            return pool.complete(request, heard).await;
        }
        // No server answered when the deliberation was opened, so no name is recorded.
        let request = ModelRequest { model: pool.first_model().await?, ..request.clone() };
        pool.complete(&request, heard).await
    }

    fn reachable(&self, profile: &Profile) -> bool {
        if let Some(url) = &profile.endpoint {
            return self.endpoints.known(url).is_none_or(|pool| pool.usable());
        }
        if profile.name == SIMULATED || profile.model == SIMULATED {
            return true;
        }
        self.pools.get(&profile.name).is_some_and(Pool::usable)
    }

    async fn look(&self, profile: &Profile) -> Option<String> {
        let url = profile.endpoint.as_deref()?;
        let pool = match self.endpoints.pool(&url.into()) {
            Ok(pool) => pool,
            Err(error) => return Some(error.message),
        };
        pool.servers().look(0, LOOK_MS_MAX).await;
        let status = pool.status().servers.into_iter().next()?;
        let Health { why, .. } = &status.health;
        if !why.is_empty() {
            let named = why.contains(&status.server);
            return Some(if named { why.clone() } else { format!("{}: {why}", status.server) });
        }
        let unlisted = status.health.lists(&profile.model) == Some(false);
        unlisted.then(|| format!("{} does not list the model {}", status.server, profile.model))
    }
}

//! Agents' own servers: a pool for each, made when it is first called, the latest ones kept.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use fleet_deliberation::FailureKind;
use fleet_orchestrator::port::ModelError;
use lru::LruCache;

use super::settings::ModelsSettings;
use crate::openai::error;
use crate::pool::{Bounds, Gate, Pool, Servers, World};
use crate::{Limits, OpenAi, ServerConfig};

/// The most agents' own servers that are kept; what the one called longest ago showed is forgotten.
pub const ENDPOINTS_MAX: usize = 256;

pub(super) struct Endpoints {
    limits: Limits,
    calls_max: u32,
    health_every_ms: u64,
    world: World,
    pools: Mutex<LruCache<Arc<str>, Arc<Pool>>>,
}

impl Endpoints {
    pub(super) fn new(settings: &ModelsSettings, world: World) -> Endpoints {
        let kept = NonZeroUsize::new(ENDPOINTS_MAX).unwrap_or(NonZeroUsize::MIN);
        Endpoints {
            limits: settings.endpoint_limits,
            calls_max: settings.endpoint_calls_max,
            health_every_ms: settings.health_every_ms,
            world,
            pools: Mutex::new(LruCache::new(kept)),
        }
    }

    /// The pool of the server at `url`. It gets no key: whoever registers an agent may name any server.
    pub(super) fn pool(&self, url: &Arc<str>) -> Result<Arc<Pool>, ModelError> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.get(url) {
            return Ok(Arc::clone(pool));
        }
        let config = ServerConfig { url: url.to_string(), api_key: None, limits: self.limits };
        let client = OpenAi::new(config).map_err(|bad| {
            error(FailureKind::BadRequest, format!("the agent's own server cannot be called: {bad}"))
        })?;
        let bounds = Bounds { calls_max: self.calls_max, tokens_per_minute_max: 0 };
        let bounds = [(client.label().to_owned(), bounds)];
        let World { clock, entropy, .. } = self.world.clone();
        let gate = Arc::new(Gate::new(bounds, self.health_every_ms, clock, entropy));
        let servers = Arc::new(Servers { clients: vec![Arc::new(client)], gate });
        let pool = Arc::new(Pool::new(None, servers, vec![0], 0, self.world.clone()));
        pools.put(Arc::clone(url), Arc::clone(&pool));
        Ok(pool)
    }

    /// The pool of the server at `url`, if it was called of late.
    pub(super) fn known(&self, url: &str) -> Option<Arc<Pool>> {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.peek(url).map(Arc::clone)
    }

    /// The pools that are kept, the one called last first.
    pub(super) fn all(&self) -> Vec<Arc<Pool>> {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.iter().map(|(_, pool)| Arc::clone(pool)).collect()
    }
}

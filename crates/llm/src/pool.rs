//! Several servers behind one profile: each call goes to one that can take it.

mod attempt;
mod breaker;
mod bucket;
mod choose;
mod gate;
mod health;
mod hedge;
mod line;
mod no_place;
mod place;
mod standing;
mod status;
#[cfg(test)]
mod tests;
mod told;
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fleet_deliberation::{DeliberationId, FailureKind, Generation};
use fleet_orchestrator::port::{Clock, Entropy, Heard, ModelError, ModelRequest, Observer};

use crate::openai::{OpenAi, error};
use attempt::Attempt;
pub use breaker::{FAULTS_TO_OPEN, PAUSE_MS, PAUSE_MS_MAX};
pub use choose::{BUSIER_MORE_MAX, BUSIER_TIMES_MAX};
pub(crate) use gate::Gate;
pub use gate::WAITING_MAX;
pub use health::{Condition, Health, SILENT_LOOKS_TO_DOWN};
pub(crate) use standing::Bounds;
pub use standing::LEFT_ALONE_MS_MAX;
pub use status::{BreakerStatus, PoolStatus, ServerStatus};
pub(crate) use told::Telling;

/// Servers with the line of those who wait for them. A server that several profiles name is in it once.
pub(crate) struct Servers {
    pub(crate) clients: Vec<Arc<OpenAi>>,
    pub(crate) gate: Arc<Gate>,
}

impl Servers {
    /// Looks at one of them, and keeps what was found.
    pub(crate) async fn look(&self, server: usize, timeout_ms: u64) {
        let sight = self.clients[server].look(timeout_ms).await;
        self.gate.saw(server, sight);
    }
}

/// What pools need of the world.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) observer: Arc<dyn Observer>,
}

/// The servers of one profile, or an agent's own.
pub(crate) struct Pool {
    /// The pool as messages name it.
    name: String,
    profile: Option<String>,
    servers: Arc<Servers>,
    /// Which of the servers are in it.
    members: Vec<usize>,
    hedge_after_ms: u64,
    world: World,
    hedges: AtomicU64,
    hedges_won: AtomicU64,
    failovers: AtomicU64,
}

impl Pool {
    /// The pool of a profile; of an agent's own server if there is none.
    pub(crate) fn new(
        profile: Option<&str>,
        servers: Arc<Servers>,
        members: Vec<usize>,
        hedge_after_ms: u64,
        world: World,
    ) -> Pool {
        Pool {
            name: profile.map_or_else(|| "the agent's own server".into(), |name| format!("profile {name}")),
            profile: profile.map(Into::into),
            servers,
            members,
            hedge_after_ms,
            world,
            hedges: AtomicU64::new(0),
            hedges_won: AtomicU64::new(0),
            failovers: AtomicU64::new(0),
        }
    }

    /// Calls a model at one of the servers, once.
    pub(crate) async fn complete(
        &self,
        request: &ModelRequest,
        heard: Heard<'_>,
    ) -> Result<Generation, ModelError> {
        Attempt::new(self, request, heard).run().await
    }

    pub(crate) const fn servers(&self) -> &Arc<Servers> {
        &self.servers
    }

    pub(crate) fn clients(&self) -> impl Iterator<Item = &Arc<OpenAi>> {
        self.members.iter().map(|at| &self.servers.clients[*at])
    }

    /// Its members in the order in which an attempt at a job of a deliberation prefers them.
    fn preference(&self, deliberation: &DeliberationId, attempt: u32) -> Vec<usize> {
        let labels: Vec<&str> = self.clients().map(|client| client.label()).collect();
        let order = choose::preference(deliberation, attempt, &labels);
        order.into_iter().map(|at| self.members[at]).collect()
    }

    fn label(&self, server: usize) -> &str {
        self.servers.clients[server].label()
    }

    /// The first model that the first of its servers which answers lists.
    pub(crate) async fn first_model(&self) -> Result<Arc<str>, ModelError> {
        let mut last = None;
        for client in self.clients() {
            match client.models().await.map(|models| models.into_iter().next()) {
                Ok(Some(model)) => return Ok(model.into()),
                Ok(None) => {
                    let message = format!("{} lists no model; load one there, or name one", client.label());
                    last = Some(error(FailureKind::NotFound, message));
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| error(FailureKind::NotFound, format!("{} has no server", self.name))))
    }

    /// Whether any of its servers would be called now.
    pub(crate) fn usable(&self) -> bool {
        self.status().servers.iter().any(|server| server.usable)
    }

    pub(crate) fn status(&self) -> PoolStatus {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PoolStatus {
            profile: self.profile.clone(),
            hedge_after_ms: self.hedge_after_ms,
            hedges: count(&self.hedges),
            hedges_won: count(&self.hedges_won),
            failovers: count(&self.failovers),
            servers: self.members.iter().map(|at| self.servers.gate.status(*at)).collect(),
        }
    }
}

//! Looks at all servers again and again.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::Models;

/// How long a server may take to answer a look, in milliseconds.
pub const LOOK_MS_MAX: u64 = 2_000;

/// The shortest pause between looks, in milliseconds.
const PAUSE_MS_MIN: u64 = 1_000;

impl Models {
    /// Looks at every server until told to stop; what it finds is used for the choice of servers.
    pub async fn watch_health(self: Arc<Self>, stop: CancellationToken) {
        let watching = async {
            loop {
                self.look().await;
                let next = self.world.clock.now().plus_ms(self.health_every_ms.max(PAUSE_MS_MIN));
                self.world.clock.sleep_until(next).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = watching => {}
        }
    }

    /// Looks at every server once, at all of them at the same time: those of the profiles, and the agents'
    /// own that were called of late.
    pub async fn look(&self) {
        let agents = self.endpoints.all();
        let agents = agents.iter().map(|pool| pool.servers());
        let looks: FuturesUnordered<_> = std::iter::once(&self.servers)
            .chain(agents)
            .flat_map(|servers| (0..servers.clients.len()).map(move |at| servers.look(at, LOOK_MS_MAX)))
            .collect();
        looks.collect::<()>().await;
    }
}

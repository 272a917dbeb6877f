//! `fleet cancel`: end a deliberation without a verdict.

use std::sync::Arc;

use fleet_deliberation::{Ended, Ending};
use fleet_embedded::SystemClock;

use crate::cli::Cancel;
use crate::config::Loaded;
use crate::state::{Source, source};
use crate::{Exit, running, show};

pub(super) async fn run(loaded: &Loaded, asked: Cancel) -> anyhow::Result<Exit> {
    let id = show::parse_id(&asked.id)?;
    let message = match source(loaded, asked.server.as_deref()).await? {
        Source::Server(remote) => remote.cancel(id.as_str(), &asked.reason).await?.message,
        Source::Files(_) => {
            // Nobody serves, so this process takes the state for a moment.
            let embedded = running::open(loaded, Arc::new(SystemClock)).await?;
            let events = Arc::clone(&embedded.events);
            let coordinator = running::reader(loaded, events, Arc::clone(&embedded.answers)).await?;
            let cancelled = coordinator.cancel(&id, asked.reason).await;
            embedded.close().await;
            match &cancelled?.state.ended {
                Some(Ended { ending: Ending::Cancelled { .. }, .. }) => {
                    format!("deliberation {id} is cancelled")
                }
                _ => format!("deliberation {id} had ended before; it stays as it was"),
            }
        }
    };
    show::say(message);
    Ok(Exit::Done)
}

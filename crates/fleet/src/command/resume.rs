//! `fleet resume`: go on with what was left.

use std::sync::Arc;

use fleet_orchestrator::Scope;

use crate::cli::Resume;
use crate::config::Loaded;
use crate::running::Running;
use crate::show::{self, follow};
use crate::{model, show::parse_id};

pub(super) async fn run(loaded: &Loaded, asked: Resume) -> anyhow::Result<crate::Exit> {
    let id = parse_id(&asked.id)?;
    let chosen = model::choose(loaded, Arc::new(fleet_embedded::SystemClock)).await?;
    let label = chosen.label.clone();
    let mut running = Running::start(loaded, chosen, Scope::Only(id.clone())).await?;
    let signals = follow::Signals::listen()?;
    show::introduce(&id, &label);
    let outcome = follow::here(&mut running, &id, signals).await;
    show::conclude(running, outcome, &id, &label, asked.json).await
}

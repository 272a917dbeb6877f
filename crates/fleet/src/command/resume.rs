//! `fleet resume`: go on with what was left.

use fleet_deliberation::{DeliberationId, Rejection};
use fleet_embedded::ReadOnly;
use fleet_orchestrator::{HandleError, Scope};

use crate::cli::Resume;
use crate::config::Loaded;
use crate::running::{self, Running};
use crate::show::{self, follow, parse_id};
use crate::telemetry::Telemetry;
use crate::{Exit, Problem, model, state};

pub(super) async fn run(loaded: &Loaded, asked: Resume) -> anyhow::Result<Exit> {
    let id = parse_id(&asked.id)?;
    if let Some(address) = state::server(loaded)? {
        let message = format!("a server works on it ({address}); follow it with: fleet watch {id}");
        return Err(Problem::new(Exit::Busy, message).into());
    }
    let recorded = model_of(loaded, &id).await?;
    let telemetry = Telemetry::start()?;
    let chosen =
        model::choose(loaded, model::World::told(telemetry.observer()), model::For::Recorded(&recorded))
            .await?;
    let label = chosen.label.clone();
    let mut running = Running::start(loaded, chosen, telemetry, Scope::Only(id.clone())).await?;
    let signals = follow::Signals::listen()?;
    show::introduce(&id, &label);
    let outcome = follow::here(&mut running, &id, signals).await;
    show::conclude(running, outcome, loaded, (&id, &label), asked.json).await
}

/// The model a deliberation was opened with: it goes on with the same one.
async fn model_of(loaded: &Loaded, id: &DeliberationId) -> anyhow::Result<String> {
    let files = ReadOnly::open(&loaded.state_dir()?)?;
    let coordinator = running::reader(loaded, files.events, files.answers).await?;
    let known = coordinator.histories().load(id).await.map_err(HandleError::Store)?;
    let known = known.ok_or_else(|| HandleError::Rejected(Rejection::Unknown(id.clone())))?;
    let first = known.state.submission().members.first();
    Ok(first.map(|member| member.profile.model.clone()).unwrap_or_default())
}

//! Which model the agents speak through.

use std::sync::Arc;

use anyhow::Context as _;
use fleet_deliberation::{FailureKind, Profile};
use fleet_llm::{
    Limits, OpenAi, PROBE_MS, SIMULATED, ServerConfig, SimulatedModel, SimulatedSettings, USUAL_PORTS,
    discover,
};
use fleet_orchestrator::port::{Clock, LanguageModel};

use crate::config::{DEFAULT_PROFILE, Loaded, ModelKind, SIMULATED_PROFILE};
use crate::{Exit, Problem};

/// A model that was chosen.
pub(crate) struct Chosen {
    pub(crate) model: Arc<dyn LanguageModel>,
    /// The profiles that agents may speak through.
    pub(crate) profiles: Vec<Profile>,
    /// What it is, for people.
    pub(crate) label: String,
}

/// Chooses as the configuration says: the server that is named, else one that is found on this machine,
/// else the simulated model. What was begun with a `recorded` model goes on with that one.
pub(crate) async fn choose(
    loaded: &Loaded,
    clock: Arc<dyn Clock>,
    recorded: Option<&str>,
) -> anyhow::Result<Chosen> {
    let model = &loaded.config.model;
    if recorded == Some(SIMULATED) {
        return Ok(simulated(loaded, clock, "the deliberation was begun with it"));
    }
    let name = recorded.unwrap_or(&model.name);
    if model.kind == ModelKind::Simulated {
        return match recorded {
            None => Ok(simulated(loaded, clock, "as asked for")),
            Some(name) => {
                let message = format!(
                    "it was begun with {name}, and model.kind says simulated; name its server with --url"
                );
                Err(Problem::new(Exit::Unavailable, message).into())
            }
        };
    }
    if let Some(url) = model.url.first() {
        return server(loaded, url.clone(), name).await;
    }
    let ports = USUAL_PORTS.map(|port| port.to_string()).join(", ");
    match discover(&USUAL_PORTS, PROBE_MS).await.context("looking for a model server on this machine")? {
        Some(found) => {
            let name = match name {
                "" => found.models.first().cloned().unwrap_or_default(),
                name => name.to_owned(),
            };
            // A key that was meant for another server must not go to whatever was found.
            let mut chosen = server_named(loaded, found.url, name, false)?;
            chosen.label = format!("{} (found on a usual port; --url names another)", chosen.label);
            Ok(chosen)
        }
        None if model.kind == ModelKind::Openai || !name.is_empty() => Err(Problem::new(
            Exit::Unavailable,
            format!("no model server answers on the local ports {ports}; start one, or name one with --url"),
        )
        .into()),
        None => Ok(simulated(
            loaded,
            clock,
            &format!("no model server answers on the local ports {ports}; --url names one"),
        )),
    }
}

/// The profiles of the configuration, with the names of models as far as it says them.
pub(crate) fn profiles(loaded: &Loaded) -> Vec<Profile> {
    named(loaded, &loaded.config.model.name)
}

fn named(loaded: &Loaded, name: &str) -> Vec<Profile> {
    let model = &loaded.config.model;
    [(DEFAULT_PROFILE, name), (SIMULATED_PROFILE, SIMULATED)]
        .map(|(profile, name)| Profile::new(profile, name, model.temperature, model.tokens_max))
        .into()
}

fn simulated(loaded: &Loaded, clock: Arc<dyn Clock>, why: &str) -> Chosen {
    let settings = &loaded.config.simulated;
    let settings = SimulatedSettings {
        seed: settings.seed,
        latency_ms: settings.latency_ms,
        failure_rate: settings.failure_rate,
        malformed_rate: settings.malformed_rate,
        ..SimulatedSettings::default()
    };
    Chosen {
        model: Arc::new(SimulatedModel::new(settings, clock)),
        profiles: named(loaded, SIMULATED),
        label: format!("the SIMULATED model: its answers are not real ({why})"),
    }
}

async fn server(loaded: &Loaded, url: String, name: &str) -> anyhow::Result<Chosen> {
    if !name.is_empty() {
        return server_named(loaded, url, name.to_owned(), true);
    }
    let server = open(loaded, url.clone(), true)?;
    let asked = server.models().await.map_err(|error| {
        let advice = match error.kind {
            FailureKind::Unauthorized => {
                "set its key: model.api_key_file, or the variable model.api_key_env names"
            }
            FailureKind::NotFound => "name the model with --model if the server does not list its models",
            _ => "start it, or name another with --url",
        };
        Problem::new(Exit::Unavailable, format!("asking {url} for its models: {error}; {advice}"))
    })?;
    let name = asked.into_iter().next().ok_or_else(|| {
        Problem::new(
            Exit::Unavailable,
            format!("{url} lists no model; load one there, or name one with --model"),
        )
    })?;
    Ok(chosen(loaded, server, name))
}

fn server_named(loaded: &Loaded, url: String, name: String, with_key: bool) -> anyhow::Result<Chosen> {
    Ok(chosen(loaded, open(loaded, url, with_key)?, name))
}

fn chosen(loaded: &Loaded, server: OpenAi, name: String) -> Chosen {
    let label = format!("{name} at {}", server.label());
    Chosen { model: Arc::new(server), profiles: named(loaded, &name), label }
}

fn open(loaded: &Loaded, url: String, with_key: bool) -> anyhow::Result<OpenAi> {
    let model = &loaded.config.model;
    let limits = Limits {
        connect_ms: model.connect_timeout_s * 1000,
        first_token_ms: model.first_token_timeout_s * 1000,
        between_tokens_ms: model.between_tokens_timeout_s * 1000,
        total_ms: model.request_timeout_s * 1000,
    };
    let api_key = loaded.api_key(DEFAULT_PROFILE).filter(|_| with_key).map(|key| key.secret.clone());
    OpenAi::new(ServerConfig { url, api_key, limits })
        .map_err(|error| Problem::new(Exit::Refused, fleet_orchestrator::chain(&error)).into())
}

//! How a council is to work, from the words of the wire.

use std::collections::HashMap;
use std::sync::Arc;

use fleet_api::v1 as wire;
use fleet_deliberation::{CouncilSettings, PARAMETERS_BYTES_MAX, Parameters, Rejection};
use fleet_orchestrator::{Councils, HandleError};
use serde_json::Value;
use tonic::Status;

use super::ask;
use super::status::{malformed, status};

/// The profile of agents when nobody says.
const PROFILE_DEFAULT: &str = "default";
/// The profile of agents that are not real, and the name of their model.
const PROFILE_SIMULATED: &str = "simulated";

pub(super) fn settings(
    councils: &Councils,
    agents: u32,
    config: Option<wire::CouncilConfig>,
) -> Result<CouncilSettings, Status> {
    let mut settings = CouncilSettings {
        agents,
        rounds: None,
        profile: PROFILE_DEFAULT.into(),
        temperature: None,
        tokens_max: None,
        parameters: Arc::default(),
    };
    let Some(config) = config else { return Ok(settings) };
    let rounds = ask::number("config.deliberation_rounds", config.deliberation_rounds, i32::MAX as usize)?;
    settings.rounds = match config.enable_peer_review {
        true => rounds.map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
        false => Some(0),
    };
    settings.profile = profile(councils, &config.agent_type, &config.model_profile)?;
    custom(&mut settings, config.custom_params)?;
    Ok(settings)
}

/// That a profile is not known, and which ones are.
pub(super) fn unknown_profile(councils: &Councils, name: &str) -> String {
    let known: Vec<&str> = councils.profiles().map(|profile| profile.name.as_str()).collect();
    format!("is {name:?}, which is not configured; there are {}", known.join(", "))
}

/// The profile that a type of agent and the name of a profile mean together.
fn profile(councils: &Councils, agent_type: &str, named: &str) -> Result<String, Status> {
    let kind = agent_type.to_ascii_uppercase();
    let chosen = match (kind.as_str(), named) {
        ("MOCK", "" | PROFILE_SIMULATED) => PROFILE_SIMULATED,
        ("MOCK", named) => {
            let reason = format!(
                "is {named:?}; agents of type MOCK speak through the simulated model, so leave it out"
            );
            return Err(malformed("config.model_profile", reason));
        }
        ("" | "VLLM" | "RAY_VLLM", "") => PROFILE_DEFAULT,
        ("" | "VLLM" | "RAY_VLLM", named) => named,
        (_, _) => {
            let reason = format!("is {agent_type:?}; it must be MOCK, VLLM or RAY_VLLM");
            return Err(malformed("config.agent_type", reason));
        }
    };
    let Some(profile) = councils.profiles().find(|profile| profile.name == chosen) else {
        return Err(malformed("config.model_profile", unknown_profile(councils, chosen)));
    };
    if !kind.is_empty() && kind != "MOCK" && profile.model == PROFILE_SIMULATED {
        let message = format!(
            "agents of type {agent_type} need a model server, and profile {chosen} has only the simulated \
             model; configure model.url"
        );
        return Err(status(HandleError::Rejected(Rejection::NotNow(message))));
    }
    Ok(chosen.to_owned())
}

/// Takes over custom parameters, which the wire has as texts: each is read as JSON where it is JSON.
fn custom(settings: &mut CouncilSettings, custom: HashMap<String, String>) -> Result<(), Status> {
    let mut parameters = Parameters::new();
    for (name, text) in custom {
        let field = format!("config.custom_params.{name}");
        if text.len() > PARAMETERS_BYTES_MAX {
            let reason = format!("has {} bytes; at most {PARAMETERS_BYTES_MAX} are accepted", text.len());
            return Err(malformed(&field, reason));
        }
        match name.as_str() {
            "temperature" => {
                let heat = text.trim().parse();
                settings.temperature = Some(heat.map_err(|_| malformed(&field, "must be a number"))?);
            }
            "max_tokens" => {
                let tokens = text.trim().parse();
                settings.tokens_max = Some(tokens.map_err(|_| malformed(&field, "must be a whole number"))?);
            }
            _ => {
                let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
                parameters.insert(name, value);
            }
        }
    }
    settings.parameters = Arc::new(parameters);
    Ok(())
}

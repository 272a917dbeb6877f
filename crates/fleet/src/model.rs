//! Which models the agents speak through: the profiles of the configuration, each with its servers.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use fleet_deliberation::{Budget, FailureKind, Prices, Profile};
use fleet_embedded::{SystemClock, SystemEntropy};
use fleet_llm::{
    AnswerKeys, BadModels, Found, Limits, Models, ModelsSettings, OpenAi, PROBE_MS, ProfileSettings,
    SIMULATED, ServerConfig, ServerSettings, SimulatedSettings, USUAL_PORTS, discover,
};
use fleet_orchestrator::chain;
use fleet_orchestrator::port::{Clock, Entropy, NoObserver, Observer};

use crate::config::{Config, DEFAULT_PROFILE, Loaded, Model, ModelKind, SIMULATED_PROFILE, Setting};
use crate::{Exit, Problem};

/// What models work with.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) observer: Arc<dyn Observer>,
}

impl World {
    /// The clock and the chance of this machine, with nobody who is told what happens.
    pub(crate) fn new() -> World {
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        World { clock, entropy, observer: Arc::new(NoObserver) }
    }

    /// The same, with somebody who is.
    pub(crate) fn told(observer: Arc<dyn Observer>) -> World {
        World { observer, ..World::new() }
    }
}

/// The models that were chosen.
pub(crate) struct Chosen {
    pub(crate) models: Arc<Models>,
    /// The profiles that agents may speak through, each with the name of its model.
    pub(crate) profiles: Vec<Profile>,
    /// What they are, for people, a line a profile.
    pub(crate) label: String,
    /// The same, each with the name of its profile.
    pub(crate) named: Vec<String>,
}

/// Where a profile leads to.
struct Way {
    /// None for the simulated model.
    servers: Vec<ServerSettings>,
    /// The model's name as its server knows it.
    name: String,
    label: String,
}

/// For what models are chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum For<'a> {
    /// For a server: it begins also while model servers are away, and says so.
    Serving,
    /// For a task of a role, whose model server must answer.
    Task { role: &'a str },
    /// To go on with what was begun with this model.
    Recorded(&'a str),
}

/// Chooses as the configuration says: for each profile the servers that are named, else one that is found on
/// this machine, else the simulated model.
pub(crate) async fn choose(loaded: &Loaded, world: World, purpose: For<'_>) -> anyhow::Result<Chosen> {
    let recorded = match purpose {
        For::Recorded(model) => Some(model),
        For::Serving | For::Task { .. } => None,
    };
    let needed = match purpose {
        For::Task { role } => Some(profile_of(&loaded.config, role)),
        For::Serving | For::Recorded(_) => None,
    };
    let config = &loaded.config;
    let found = if looks_around(config, recorded) {
        discover(&USUAL_PORTS, PROBE_MS).await.context("looking for a model server on this machine")?
    } else {
        None
    };
    let mut ways = BTreeMap::new();
    for (name, model) in profiles_of(config) {
        let recorded = recorded.filter(|_| name == DEFAULT_PROFILE);
        let way = way(loaded, name, model, recorded, found.as_ref(), needed == Some(name)).await?;
        ways.insert(name, way);
    }
    let label = ways
        .iter()
        .map(|(name, Way { label, .. })| match *name {
            DEFAULT_PROFILE => label.clone(),
            name => format!("profile {name}: {label}"),
        })
        .collect::<Vec<_>>()
        .join("\n");
    let labels = ways.iter().map(|(name, Way { label, .. })| format!("profile {name}: {label}")).collect();
    let names: BTreeMap<&str, String> = ways.iter().map(|(name, way)| (*name, way.name.clone())).collect();
    let settings = settings(config, ways);
    let models = Models::new(settings, world.clock, world.entropy, world.observer)
        .map_err(|bad| refused(loaded, bad))?;
    Ok(Chosen { models: Arc::new(models), profiles: named(config, &names), label, named: labels })
}

/// The simulated model for every profile, erring by its error model and without taking time.
pub(crate) fn erring(
    loaded: &Loaded,
    world: World,
    seed: u64,
    keys: Arc<dyn AnswerKeys>,
) -> anyhow::Result<Chosen> {
    let label = "the SIMULATED model, erring by its error model".to_owned();
    let way = || Way { servers: Vec::new(), name: SIMULATED.into(), label: label.clone() };
    let ways: BTreeMap<&str, Way> = profiles_of(&loaded.config).map(|(name, _)| (name, way())).collect();
    let names = ways.iter().map(|(name, way)| (*name, way.name.clone())).collect();
    let mut settings = ModelsSettings { keys: Some(keys), ..settings(&loaded.config, ways) };
    settings.simulated.latency_ms = 0;
    settings.simulated.seed = seed;
    let models = Models::new(settings, world.clock, world.entropy, world.observer)
        .map_err(|bad| refused(loaded, bad))?;
    let profiles = named(&loaded.config, &names);
    Ok(Chosen { models: Arc::new(models), profiles, label, named: Vec::new() })
}

/// The profiles of the configuration, with the names of models as far as it says them.
pub(crate) fn profiles(loaded: &Loaded) -> Vec<Profile> {
    named(&loaded.config, &BTreeMap::new())
}

/// The servers that the configuration names or that are found, whatever they serve: for those who want to
/// know how they do. Profiles without one are left out.
pub(crate) async fn servers(loaded: &Loaded, world: World) -> anyhow::Result<Models> {
    let config = &loaded.config;
    let found = match looks_around(config, None) {
        true => {
            discover(&USUAL_PORTS, PROBE_MS).await.context("looking for a model server on this machine")?
        }
        false => None,
    };
    let mut ways = BTreeMap::new();
    for (name, model) in profiles_of(config).filter(|(_, model)| model.kind != ModelKind::Simulated) {
        let servers = servers_of(loaded, name, model, found.as_ref());
        if !servers.is_empty() {
            ways.insert(name, Way { servers, name: String::new(), label: String::new() });
        }
    }
    let settings = settings(config, ways);
    Models::new(settings, world.clock, world.entropy, world.observer).map_err(|bad| refused(loaded, bad))
}

/// Models that know no server but those that agents are registered with: to look at these.
pub(crate) fn endpoints_only(loaded: &Loaded) -> anyhow::Result<Models> {
    let World { clock, entropy, observer } = World::new();
    Models::new(settings(&loaded.config, BTreeMap::new()), clock, entropy, observer)
        .map_err(|bad| refused(loaded, bad))
}

/// `[model]` and the further profiles, by name.
pub(crate) fn profiles_of(config: &Config) -> impl Iterator<Item = (&str, &Model)> {
    let further = config.profiles.iter().map(|(name, model)| (name.as_str(), model));
    std::iter::once((DEFAULT_PROFILE, &config.model)).chain(further)
}

/// The profile of a role's council, as far as the configuration says.
pub(crate) fn profile_of<'a>(config: &'a Config, role: &str) -> &'a str {
    let council = config.councils.iter().find(|(known, _)| known.as_str().eq_ignore_ascii_case(role));
    council.and_then(|(_, council)| council.profile.as_deref()).unwrap_or(DEFAULT_PROFILE)
}

/// Whether a profile takes a server that is found by looking.
fn looks_around(config: &Config, recorded: Option<&str>) -> bool {
    recorded != Some(SIMULATED)
        && profiles_of(config).any(|(_, model)| model.url.is_empty() && model.kind != ModelKind::Simulated)
}

async fn way(
    loaded: &Loaded,
    profile: &str,
    model: &Model,
    recorded: Option<&str>,
    found: Option<&Found>,
    is_needed: bool,
) -> anyhow::Result<Way> {
    if recorded == Some(SIMULATED) {
        return Ok(simulated("the deliberation was begun with it"));
    }
    let name = recorded.unwrap_or(&model.name);
    if model.kind == ModelKind::Simulated {
        return match recorded {
            None => Ok(simulated("as asked for")),
            Some(name) => {
                let message = format!(
                    "it was begun with {name}, and model.kind says simulated; name its server with --url"
                );
                Err(Problem::new(Exit::Unavailable, message).into())
            }
        };
    }
    let servers = servers_of(loaded, profile, model, found);
    if servers.is_empty() {
        let ports = USUAL_PORTS.map(|port| port.to_string()).join(", ");
        if model.kind == ModelKind::Openai || !name.is_empty() {
            let message = format!(
                "no model server answers on the local ports {ports}; start one, or name one with --url"
            );
            return Err(Problem::new(Exit::Unavailable, message).into());
        }
        return Ok(simulated(&format!(
            "no model server answers on the local ports {ports}; --url names one"
        )));
    }
    let listed = found.filter(|_| model.url.is_empty()).and_then(|found| found.models.first().cloned());
    let name = match (name, listed) {
        ("", Some(listed)) => listed,
        ("", None) => match first_model(profile, &servers).await {
            Ok(name) => name,
            Err(error) if is_needed => return Err(error.into()),
            // It may come while others work; the first model it lists is taken then.
            Err(error) => {
                let label = format!("NOT REACHED YET: {}", error.message);
                return Ok(Way { servers, name: String::new(), label });
            }
        },
        (name, _) => name.to_owned(),
    };
    let places: Vec<String> = servers.iter().map(|server| server.url.clone()).collect();
    let how = if model.url.is_empty() { " (found on a usual port; --url names another)" } else { "" };
    let label = format!("{name} at {}{how}", places.join(", "));
    Ok(Way { servers, name, label })
}

fn simulated(why: &str) -> Way {
    let label = format!("the SIMULATED model: its answers are not real ({why})");
    Way { servers: Vec::new(), name: SIMULATED.into(), label }
}

fn servers_of(loaded: &Loaded, profile: &str, model: &Model, found: Option<&Found>) -> Vec<ServerSettings> {
    let limits = limits(model);
    let calls_max = u32::try_from(model.calls_max).unwrap_or(u32::MAX);
    let tokens_per_minute_max = model.tokens_per_minute_max;
    let server = |url: &String, with_key: bool| ServerSettings {
        url: url.clone(),
        // A key that was meant for another server must not go to whatever was found.
        api_key: loaded.api_key(profile).filter(|_| with_key).map(|key| key.secret.clone()),
        limits,
        calls_max,
        tokens_per_minute_max,
    };
    match (model.url.as_slice(), found) {
        ([], Some(found)) => vec![server(&found.url, false)],
        (urls, _) => urls.iter().map(|url| server(url, true)).collect(),
    }
}

/// The first model that the first server which answers lists.
async fn first_model(profile: &str, servers: &[ServerSettings]) -> Result<String, Problem> {
    let mut refusals = Vec::new();
    let (section, named, url_named) = match profile {
        DEFAULT_PROFILE => ("model".to_owned(), "--model".to_owned(), "--url".to_owned()),
        profile => {
            let section = format!("profiles.{profile}");
            (section.clone(), format!("{section}.name"), format!("{section}.url"))
        }
    };
    for server in servers {
        let ServerSettings { url, api_key, limits, .. } = server.clone();
        let client = OpenAi::new(ServerConfig { url: url.clone(), api_key, limits });
        let client = client.map_err(|error| Problem::new(Exit::Refused, chain(&error)))?;
        match client.models().await {
            Ok(models) => match models.into_iter().next() {
                Some(model) => return Ok(model),
                None => {
                    refusals.push(format!("{url} lists no model; load one there, or name one with --model"))
                }
            },
            Err(error) => {
                let advice = match error.kind {
                    FailureKind::Unauthorized => {
                        format!(
                            "set its key: {section}.api_key_file, or the variable {section}.api_key_env names"
                        )
                    }
                    FailureKind::NotFound => {
                        format!("name the model with {named} if the server does not list its models")
                    }
                    _ => format!("start it, or name another with {url_named}"),
                };
                refusals.push(format!("asking {url} for its models: {error}; {advice}"));
            }
        }
    }
    let which = if profile == DEFAULT_PROFILE { String::new() } else { format!("profile {profile}: ") };
    Err(Problem::new(Exit::Unavailable, which + &refusals.join("; ")))
}

fn settings(config: &Config, ways: BTreeMap<&str, Way>) -> ModelsSettings {
    let hedge = |name: &str| {
        let model = profiles_of(config).find(|(known, _)| *known == name);
        model.map_or(0, |(_, model)| model.hedge_after_ms)
    };
    let simulated = &config.simulated;
    ModelsSettings {
        profiles: ways
            .into_iter()
            .filter(|(_, way)| !way.servers.is_empty())
            .map(|(name, way)| {
                let hedge_after_ms = hedge(name);
                (name.to_owned(), ProfileSettings { servers: way.servers, hedge_after_ms })
            })
            .collect(),
        simulated: SimulatedSettings {
            seed: simulated.seed,
            latency_ms: simulated.latency_ms,
            failure_rate: simulated.failure_rate,
            malformed_rate: simulated.malformed_rate,
            ..SimulatedSettings::default()
        },
        endpoint_limits: limits(&config.model),
        ..ModelsSettings::default()
    }
}

/// The profiles with the names of their models; what is not known is as the configuration says.
fn named(config: &Config, names: &BTreeMap<&str, String>) -> Vec<Profile> {
    let profile = |(name, model): (&str, &Model)| {
        let known = names.get(name).unwrap_or(&model.name);
        let mut profile = Profile::new(name, known, model.temperature, model.tokens_max);
        profile.parameters = Arc::new(model.parameters.clone());
        let micros = |price: Option<f64>| price.and_then(Budget::micros);
        let prices = micros(model.price_prompt).zip(micros(model.price_completion));
        profile.prices = prices.map(|(prompt, completion)| Prices { prompt, completion });
        profile.hedged = model.hedge_after_ms > 0;
        profile
    };
    let Model { temperature, tokens_max, .. } = config.model;
    let simulated = Profile::new(SIMULATED_PROFILE, SIMULATED, temperature, tokens_max);
    profiles_of(config).map(profile).chain([simulated]).collect()
}

fn limits(model: &Model) -> Limits {
    Limits {
        connect_ms: model.connect_timeout_s * 1000,
        first_token_ms: model.first_token_timeout_s * 1000,
        between_tokens_ms: model.between_tokens_timeout_s * 1000,
        total_ms: model.request_timeout_s * 1000,
    }
}

/// What servers that several profiles name must have in common, by the names of the configuration.
const COMMON: [&str; 6] = [
    "calls_max",
    "tokens_per_minute_max",
    "connect_timeout_s",
    "first_token_timeout_s",
    "between_tokens_timeout_s",
    "request_timeout_s",
];

/// Why models cannot be set up, with the keys that say so and where they do.
fn refused(loaded: &Loaded, error: BadModels) -> anyhow::Error {
    let setting = |profile: &str, what: &str| {
        let key = match profile {
            DEFAULT_PROFILE => format!("model.{what}"),
            profile => format!("profiles.{profile}.{what}"),
        };
        loaded.settings.iter().find(|setting| setting.key == key)
    };
    let said = |setting: &Setting| format!("{} is {} ({})", setting.key, setting.value, setting.origin);
    let place = |profile: &str| {
        let origin = setting(profile, "url").map(|setting| format!("{} ({})", setting.key, setting.origin));
        origin.unwrap_or_else(|| format!("profile {profile}"))
    };
    let message = match &error {
        BadModels::Disagree { one, other, server } => {
            let pairs = COMMON.iter().filter_map(|what| setting(one, what).zip(setting(other, what)));
            let different: Vec<String> = pairs
                .filter(|(one, other)| one.value != other.value)
                .map(|(one, other)| format!("{}, and {}", said(one), said(other)))
                .collect();
            format!(
                "both {} and {} name {server}, so they must agree on it: {}",
                place(one),
                place(other),
                different.join("; ")
            )
        }
        BadModels::Twice { profile, server } => format!("{} names {server} twice", place(profile)),
        BadModels::Server { profile, source } => format!("{}: {}", place(profile), chain(source)),
        BadModels::Reserved(_) | BadModels::NoServer(_) => chain(&error).to_string(),
    };
    Problem::new(Exit::Refused, message).into()
}

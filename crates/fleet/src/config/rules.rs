//! Which values make sense: bounds by key, and what values must be to each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use fleet_deliberation::{
    AGENTS_MAX, BASE_URL_BOUND, JUDGES_MAX, MONEY_MAX, ROUNDS_MAX, Role, TEST_WRITERS_MAX, TIMEOUT_MS_MAX,
    TIMEOUT_MS_MIN, TOP_K_MAX, check_parameters, is_base_url,
};
use fleet_llm::check_url;
use tracing_subscriber::EnvFilter;

use super::key::{Key, canonical};
use super::profiles;
use super::{ConfigError, Origin, Scalar, Setting};

/// The settings in effect, by key.
pub(super) type Settings = BTreeMap<String, Setting>;

const DAY_S: i64 = 24 * 60 * 60;
const MIB: i64 = 1024 * 1024;

/// The least and the most of every key that is a whole number.
const WHOLE: [(&str, i64, i64); 34] = [
    ("budget.tokens", 0, i64::MAX),
    ("budget.tokens_per_hour", 0, i64::MAX),
    ("checks.dry_run_timeout_s", 1, 10 * 60),
    ("checks.run_at_once", 0, 1_000),
    ("checks.tests_timeout_s", 1, 10 * 60),
    ("councils.*.agents", 0, AGENTS_MAX as i64),
    ("councils.*.budget_tokens", 0, i64::MAX),
    ("councils.*.budget_tokens_per_hour", 0, i64::MAX),
    ("councils.*.rounds", 0, ROUNDS_MAX as i64),
    ("deliberation.quorum", 1, AGENTS_MAX as i64),
    ("deliberation.rounds", 0, ROUNDS_MAX as i64),
    ("deliberation.timeout_s", (TIMEOUT_MS_MIN / 1000) as i64, (TIMEOUT_MS_MAX / 1000) as i64),
    ("model.between_tokens_timeout_s", 1, DAY_S),
    ("model.calls_max", 0, 100_000),
    ("model.connect_timeout_s", 1, DAY_S),
    ("model.first_token_timeout_s", 1, DAY_S),
    ("model.hedge_after_ms", 0, DAY_S * 1000),
    ("model.request_timeout_s", 1, DAY_S),
    ("model.tokens_max", 1, 1_000_000),
    ("model.tokens_per_minute_max", 0, i64::MAX),
    ("selection.judges", 0, JUDGES_MAX as i64),
    ("selection.test_writers", 0, TEST_WRITERS_MAX as i64),
    ("selection.top_k", 2, TOP_K_MAX as i64),
    ("server.in_flight_max", 1, 1_000_000),
    ("server.message_bytes_max", 64 * 1024, 64 * MIB),
    ("server.shutdown_grace_s", 0, 60 * 60),
    ("server.streams_max", 1, 100_000),
    ("simulated.latency_ms", 0, DAY_S * 1000),
    ("simulated.seed", 0, i64::MAX),
    ("state.history_bytes_max", MIB, i64::MAX),
    ("state.history_days", 0, 36_500),
    ("state.results_served_s", 1, 36_500 * DAY_S),
    ("worker.lease_s", 1, 60 * 60),
    ("worker.slots", 1, 100_000),
];

/// The least and the most of every key that is another number.
const NUMBERS: [(&str, f64, f64); 9] = [
    ("budget.money", 0.0, MONEY_MAX),
    ("budget.money_per_hour", 0.0, MONEY_MAX),
    ("councils.*.budget_money", 0.0, MONEY_MAX),
    ("councils.*.budget_money_per_hour", 0.0, MONEY_MAX),
    ("model.price_completion", 0.0, MONEY_MAX),
    ("model.price_prompt", 0.0, MONEY_MAX),
    ("model.temperature", 0.0, 2.0),
    ("simulated.failure_rate", 0.0, 1.0),
    ("simulated.malformed_rate", 0.0, 1.0),
];

/// Checks every value, and then what they are to each other.
pub(super) fn check(settings: &Settings) -> Result<(), ConfigError> {
    for setting in settings.values() {
        if let Some(bound) = broken(setting) {
            return Err(out_of_bounds(setting, bound));
        }
    }
    let whole = |key: &str| match settings.get(key).map(|setting| &setting.value) {
        Some(Scalar::Whole(value)) => *value,
        _ => 0,
    };
    few_agents(settings, whole("deliberation.quorum"))?;
    let judges = whole("selection.judges");
    if let Some(setting) = settings.get("selection.judges").filter(|_| judges > 0 && judges % 2 == 0) {
        return Err(out_of_bounds(setting, "be 0 or an odd number, so that a panel cannot be split".into()));
    }
    if let Some(error) = lone_bound(settings).or_else(|| lone_price(settings)) {
        return Err(error);
    }
    if let Some(error) = doubled_role(settings) {
        return Err(error);
    }
    if let Some(error) = profiles::unknown(settings) {
        return Err(error);
    }
    let kept_s = whole("state.history_days") * DAY_S;
    if let Some(served) =
        settings.get("state.results_served_s").filter(|_| whole("state.results_served_s") > kept_s)
    {
        return Err(out_of_bounds(served, format!("be at most state.history_days, {kept_s} s")));
    }
    Ok(())
}

/// That an hour is bounded and a deliberation is not, so that it cannot be known what to reserve; of all councils, and
/// of each that says something of its own.
fn lone_bound(settings: &Settings) -> Option<ConfigError> {
    let is_set = |key: &str| match settings.get(key).map(|setting| &setting.value) {
        Some(Scalar::Whole(value)) => *value > 0,
        Some(Scalar::Number(value)) => *value > 0.0,
        _ => false,
    };
    let roles = settings.keys().filter_map(|key| match Key::of(key) {
        Key::Council { role, .. } => Some(role),
        _ => None,
    });
    let councils: BTreeSet<Option<&str>> = roles.map(Some).chain([None]).collect();
    for (role, of) in councils.iter().flat_map(|role| ["tokens", "money"].map(|of| (role, of))) {
        // What a council does not say is as for all of them.
        let key = |name: String| {
            let own = role.map(|role| format!("councils.{role}.budget_{name}"));
            own.filter(|own| settings.contains_key(own)).unwrap_or_else(|| format!("budget.{name}"))
        };
        let (hourly, each) = (key(format!("{of}_per_hour")), key(of.to_owned()));
        if is_set(&hourly) && !is_set(&each) {
            let bound = format!(
                "be 0 where {each} is: what an hour has left is reserved by what a deliberation may cost"
            );
            return Some(out_of_bounds(settings.get(&hourly)?, bound));
        }
    }
    None
}

/// That only prompts or only answers have a price.
fn lone_price(settings: &Settings) -> Option<ConfigError> {
    settings.values().find_map(|setting| {
        let (of, other) = match setting.key.rsplit_once('.')? {
            (of, "price_prompt") => (of, "price_completion"),
            (of, "price_completion") => (of, "price_prompt"),
            _ => return None,
        };
        let other = format!("{of}.{other}");
        let bound = format!("stand beside {other}: half a price is none");
        (!settings.contains_key(&other)).then(|| out_of_bounds(setting, bound))
    })
}

/// That two councils differ only in the case of their role: a task could not tell them apart.
fn doubled_role(settings: &Settings) -> Option<ConfigError> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut said: Vec<&Setting> = settings.values().collect();
    // Whoever says it later than the defaults is told.
    said.sort_by_key(|setting| setting.origin != Origin::Default);
    for setting in said {
        let Key::Council { role, .. } = Key::of(&setting.key) else { continue };
        let known = *seen.entry(role.to_ascii_uppercase()).or_insert(role);
        if known != role {
            let bound = format!("be said of {known}, which is the same role in other letters");
            return Some(out_of_bounds(setting, bound));
        }
    }
    None
}

/// That a council has fewer agents than have to answer. Whoever said something, and not a default, is told.
fn few_agents(settings: &Settings, quorum: i64) -> Result<(), ConfigError> {
    for setting in settings.values() {
        if let (Key::Council { name: "agents", .. }, Scalar::Whole(agents @ 1..)) =
            (Key::of(&setting.key), &setting.value)
            && *agents < quorum
        {
            return Err(match settings.get("deliberation.quorum") {
                Some(said) if setting.origin == Origin::Default => {
                    out_of_bounds(said, format!("be at most {}, which is {agents}", setting.key))
                }
                _ => out_of_bounds(setting, format!("be 0 or at least deliberation.quorum, {quorum}")),
            });
        }
    }
    Ok(())
}

/// What a setting must be and is not.
fn broken(setting: &Setting) -> Option<String> {
    match Key::of(&setting.key) {
        Key::Council { role, .. } => {
            if let Err(error) = Role::new(role) {
                return Some(format!("name a role; {role:?} {error}"));
            }
        }
        Key::Profile { profile, .. } | Key::Parameter { profile, .. }
            if setting.key.starts_with("profiles.") =>
        {
            if let Some(bound) = profiles::bad_name(profile) {
                return Some(bound.to_owned());
            }
        }
        Key::Profile { .. } | Key::Parameter { .. } | Key::Plain => {}
    }
    let key = &*canonical(&setting.key);
    match &setting.value {
        Scalar::Bool(_) => None,
        Scalar::Whole(value) => {
            let (min, max) = WHOLE
                .iter()
                .find(|(name, ..)| *name == key)
                .map_or((0, i64::MAX), |(_, min, max)| (*min, *max));
            let bound = if max == i64::MAX {
                format!("be at least {min}")
            } else {
                format!("lie between {min} and {max}")
            };
            (!(min..=max).contains(value)).then_some(bound)
        }
        Scalar::Number(value) => {
            let (_, min, max) = NUMBERS.iter().find(|(name, ..)| *name == key)?;
            // Written so that what is not a number is refused, too.
            (!(*min..=*max).contains(value)).then(|| format!("lie between {min:?} and {max:?}"))
        }
        Scalar::Text(value) => broken_text(key, value),
        Scalar::Texts(values) => {
            let right =
                key != "model.url" || values.iter().all(|url| is_base_url(url) && check_url(url).is_ok());
            (!right).then(|| BASE_URL_BOUND.to_owned())
        }
        Scalar::Any(value) => {
            let Key::Parameter { path, .. } = Key::of(&setting.key) else { return None };
            let name = path.split('.').next().unwrap_or_default();
            // Of a value further in only the name can be judged.
            let value = if name == path { value.clone() } else { serde_json::json!({}) };
            check_parameters(&[(name.to_owned(), value)].into()).err().map(|bad| bad.must())
        }
    }
}

fn broken_text(key: &str, value: &str) -> Option<String> {
    if key == "log.filter" {
        let bad = bad_directive(value)?;
        return Some(format!(
            "be a level such as info, or directives such as fleet_worker=debug; {bad:?} is neither"
        ));
    }
    let right = match key {
        "server.listen" => value.parse::<SocketAddr>().is_ok(),
        "model.kind" => ["auto", "openai", "simulated"].contains(&value),
        "log.format" => ["text", "json"].contains(&value),
        "checks.sandbox" => ["auto", "bubblewrap", "landlock", "off"].contains(&value),
        _ => true,
    };
    let bound = match key {
        "server.listen" => "be an IP address and a port, such as 127.0.0.1:50055 or [::]:50055",
        "model.kind" => "be \"auto\", \"openai\" or \"simulated\"",
        "log.format" => "be \"text\" or \"json\"",
        "checks.sandbox" => "be \"auto\", \"bubblewrap\", \"landlock\" or \"off\"",
        _ => return None,
    };
    (!right).then(|| bound.to_owned())
}

/// The first part of a filter of logs that is none.
fn bad_directive(filter: &str) -> Option<&str> {
    // The whole may be right though its parts are not: fields of a span may hold commas.
    if filter.is_empty() || EnvFilter::try_new(filter).is_ok() {
        return None;
    }
    let bad = filter.split(',').find(|part| EnvFilter::try_new(part).is_err());
    Some(bad.unwrap_or(filter).trim())
}

fn out_of_bounds(setting: &Setting, bound: String) -> ConfigError {
    // A URL with a password in it is refused because it would be shown, so it is not shown here.
    let hidden = matches!(&setting.value, Scalar::Texts(urls) if urls.iter().any(|url| url.contains('@')));
    let value = if hidden { Scalar::Text("…".to_owned()) } else { setting.value.clone() };
    ConfigError::OutOfBounds { key: setting.key.clone(), value, origin: setting.origin.clone(), bound }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sources::Known;

    #[test]
    fn every_number_has_a_bound() {
        let (known, defaults) = Known::from_defaults().unwrap();
        let bounded =
            |key: &str| WHOLE.iter().any(|b| b.0 == canonical(key)) || NUMBERS.iter().any(|b| b.0 == key);
        for setting in &defaults {
            let number = matches!(setting.value, Scalar::Whole(_) | Scalar::Number(_));
            assert!(!number || bounded(&setting.key), "{}", setting.key);
        }
        for key in WHOLE.iter().map(|b| b.0).chain(NUMBERS.iter().map(|b| b.0)) {
            assert!(known.has(key), "{key} is bounded and does not exist");
        }
    }
}

//! Which values make sense: bounds by key, and what values must be to each other.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use fleet_deliberation::{AGENTS_MAX, ROUNDS_MAX, Role, TIMEOUT_MS_MAX, TIMEOUT_MS_MIN};

use super::sources::role_of;
use super::{ConfigError, Scalar, Setting};

/// The settings in effect, by key.
pub(super) type Settings = BTreeMap<String, Setting>;

const DAY_S: i64 = 24 * 60 * 60;
const MIB: i64 = 1024 * 1024;

/// The least and the most of every key that is a whole number.
const WHOLE: [(&str, i64, i64); 18] = [
    ("deliberation.quorum", 1, AGENTS_MAX as i64),
    ("deliberation.rounds", 0, ROUNDS_MAX as i64),
    ("deliberation.timeout_s", (TIMEOUT_MS_MIN / 1000) as i64, (TIMEOUT_MS_MAX / 1000) as i64),
    ("model.between_tokens_timeout_s", 1, DAY_S),
    ("model.connect_timeout_s", 1, DAY_S),
    ("model.first_token_timeout_s", 1, DAY_S),
    ("model.request_timeout_s", 1, DAY_S),
    ("model.tokens_max", 1, 1_000_000),
    ("server.in_flight_max", 1, 1_000_000),
    ("server.message_bytes_max", 64 * 1024, 64 * MIB),
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
const NUMBERS: [(&str, f64, f64); 3] = [
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
    let quorum = whole("deliberation.quorum");
    for setting in settings.values().filter(|setting| role_of(&setting.key).is_some()) {
        if let Scalar::Whole(agents @ 1..) = setting.value
            && agents < quorum
        {
            return Err(out_of_bounds(setting, format!("be 0 or at least deliberation.quorum, {quorum}")));
        }
    }
    let kept_s = whole("state.history_days") * DAY_S;
    if let Some(served) =
        settings.get("state.results_served_s").filter(|_| whole("state.results_served_s") > kept_s)
    {
        return Err(out_of_bounds(served, format!("be at most state.history_days, {kept_s} s")));
    }
    Ok(())
}

/// What a setting must be and is not.
fn broken(setting: &Setting) -> Option<String> {
    let key = setting.key.as_str();
    match &setting.value {
        Scalar::Bool(_) => None,
        Scalar::Whole(value) => {
            let (min, max) = match role_of(key) {
                Some(role) => {
                    if let Err(error) = Role::new(role) {
                        return Some(format!("name a role; {role:?} {error}"));
                    }
                    (0, AGENTS_MAX as i64)
                }
                None => WHOLE
                    .iter()
                    .find(|(name, ..)| *name == key)
                    .map_or((0, i64::MAX), |(_, min, max)| (*min, *max)),
            };
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
    }
}

fn broken_text(key: &str, value: &str) -> Option<String> {
    let right = match key {
        "server.listen" => value.parse::<SocketAddr>().is_ok(),
        "model.kind" => ["auto", "openai", "simulated"].contains(&value),
        "model.url" => value.is_empty() || is_plain_url(value),
        _ => true,
    };
    let bound = match key {
        "server.listen" => "be an IP address and a port, such as 127.0.0.1:50055 or [::]:50055",
        "model.kind" => "be \"auto\", \"openai\" or \"simulated\"",
        "model.url" => "begin with http:// or https:// and a host, without user, password, ? or #",
        _ => return None,
    };
    (!right).then(|| bound.to_owned())
}

/// A base URL to which paths can be added, and which holds no secret: it is shown and logged.
fn is_plain_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || "@?#".contains(c);
    !host.is_empty() && !host.starts_with(':') && !rest.contains(odd)
}

fn out_of_bounds(setting: &Setting, bound: String) -> ConfigError {
    // A URL with a password in it is refused because it would be shown, so it is not shown here.
    let hidden =
        setting.key == "model.url" && matches!(&setting.value, Scalar::Text(url) if url.contains('@'));
    let value = if hidden { Scalar::Text("…".to_owned()) } else { setting.value.clone() };
    ConfigError::OutOfBounds { key: setting.key.clone(), value, origin: setting.origin.clone(), bound }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sources::Known;

    #[test]
    fn every_number_has_a_bound() {
        let (_, defaults) = Known::from_defaults().unwrap();
        let bounded = |key: &str| {
            role_of(key).is_some() || WHOLE.iter().any(|b| b.0 == key) || NUMBERS.iter().any(|b| b.0 == key)
        };
        for setting in &defaults {
            let number = matches!(setting.value, Scalar::Whole(_) | Scalar::Number(_));
            assert!(!number || bounded(&setting.key), "{}", setting.key);
        }
        for key in WHOLE.iter().map(|b| b.0).chain(NUMBERS.iter().map(|b| b.0)) {
            assert!(defaults.iter().any(|setting| setting.key == key), "{key} is bounded and does not exist");
        }
    }
}

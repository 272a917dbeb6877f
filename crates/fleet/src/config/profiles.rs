//! Model profiles: what one does not say is as in `[model]`.

use std::collections::BTreeSet;

use super::key::{DEFAULT_PROFILE, Key};
use super::rules::Settings;
use super::{ConfigError, Origin, Scalar, Setting};

/// The profile of the simulated model, which needs no configuration.
pub(crate) const SIMULATED_PROFILE: &str = "simulated";

/// The longest name of a profile, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// The profiles that are configured besides `[model]`.
pub(super) fn names(settings: &Settings) -> BTreeSet<&str> {
    let name = |key| match Key::of(key) {
        Key::Profile { profile, .. } | Key::Parameter { profile, .. } if profile != DEFAULT_PROFILE => {
            Some(profile)
        }
        _ => None,
    };
    settings.keys().filter_map(|key| name(key.as_str())).collect()
}

/// What is wrong with the name of a profile.
pub(super) fn bad_name(name: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    match name {
        DEFAULT_PROFILE => Some("be said in [model], which is the profile named default"),
        SIMULATED_PROFILE => Some("be said in [simulated]; the profile of that name is built in"),
        name if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(plain) => {
            Some("name a profile by at most 64 letters, digits, - and _")
        }
        _ => None,
    }
}

/// Adds what a profile does not say itself. One with a server of its own takes neither the name of the model
/// nor the key from `[model]`: they belong to that one's server.
pub(super) fn inherit(settings: &mut Settings) {
    let names: Vec<String> = names(settings).into_iter().map(str::to_owned).collect();
    let model: Vec<Setting> =
        settings.values().filter(|setting| setting.key.starts_with("model.")).cloned().collect();
    for name in names {
        let own_server = settings.contains_key(&format!("profiles.{name}.url"));
        let says = |what: &str| settings.contains_key(&format!("profiles.{name}.{what}"));
        // What another model costs, or the same one elsewhere, is not what this one does.
        let own_prices = own_server || says("name") || says("price_prompt") || says("price_completion");
        for setting in &model {
            let Some(what) = setting.key.strip_prefix("model.") else { continue };
            if own_prices && what.starts_with("price_") {
                continue;
            }
            let key = format!("profiles.{name}.{what}");
            let value = match what {
                "kind" if own_server => Scalar::Text("openai".into()),
                "name" | "api_key_file" | "api_key_env" if own_server => Scalar::Text(String::new()),
                _ => setting.value.clone(),
            };
            let origin = setting.origin.clone();
            settings.entry(key.clone()).or_insert(Setting { key, value, origin });
        }
    }
}

/// That a council's profile is none that is configured.
pub(super) fn unknown(settings: &Settings) -> Option<ConfigError> {
    let names = names(settings);
    let known = |name: &str| name == DEFAULT_PROFILE || name == SIMULATED_PROFILE || names.contains(name);
    let wrong = |setting: &&Setting| {
        matches!(Key::of(&setting.key), Key::Council { name: "profile", .. })
            && matches!(&setting.value, Scalar::Text(profile) if !known(profile))
    };
    let setting = settings.values().find(wrong)?;
    let mut there: Vec<&str> =
        [DEFAULT_PROFILE, SIMULATED_PROFILE].into_iter().chain(names.iter().copied()).collect();
    there.sort_unstable();
    Some(ConfigError::OutOfBounds {
        key: setting.key.clone(),
        value: setting.value.clone(),
        origin: setting.origin.clone(),
        bound: format!("name a profile; there are {}", there.join(", ")),
    })
}

/// Where a profile's key is said: the setting that names its file, or its variable.
pub(super) fn said<'a>(settings: &'a Settings, profile: &str, what: &str) -> (&'a str, Option<&'a Origin>) {
    let key = match profile {
        DEFAULT_PROFILE => format!("model.{what}"),
        profile => format!("profiles.{profile}.{what}"),
    };
    match settings.get(&key) {
        Some(Setting { value: Scalar::Text(text), origin, .. }) => (text, Some(origin)),
        _ => ("", None),
    }
}

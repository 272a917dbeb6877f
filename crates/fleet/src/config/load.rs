//! Lays the sources over one another and checks what comes of it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::key::{DEFAULT_PROFILE, Key};
use super::rules::{Settings, check};
use super::sources::{Flag, Known};
use super::{Config, ConfigError, Environment, Origin, Scalar, Setting, paths, profiles};

/// Everything that can say something, apart from the defaults.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file that was asked for; without one, the user's own is read if it is there.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: Environment,
    /// What flags say; a later one counts more.
    pub flags: Vec<Flag>,
}

/// The configuration in effect.
#[derive(Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Every value with where it came from, sorted by key.
    pub settings: Vec<Setting>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// The keys of model servers, by profile; that of `[model]` is `default`.
    pub api_keys: BTreeMap<String, ApiKey>,
    /// What was said in vain: sentences for whoever started the command.
    pub warnings: Vec<String>,
    state_dir: Option<PathBuf>,
}

/// The key of the model's server.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The key itself; it does not print.
    pub secret: SecretString,
    /// The file or variable it was read from.
    pub origin: Origin,
}

impl Loaded {
    /// Reads every source and checks every value.
    pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
        let (known, defaults) = Known::from_defaults()?;
        let mut settings = Settings::new();
        lay(&mut settings, defaults);
        let file = file(sources)?;
        if let Some((path, text)) = &file {
            let said = known.read_file(path, text)?;
            lay(&mut settings, said.into_iter().map(|setting| paths::beside(setting, path)));
        }
        let Sources { environment, flags, .. } = sources;
        let listen = match settings.get("server.listen").map(|setting| &setting.value) {
            Some(Scalar::Text(listen)) => listen.as_str(),
            _ => "",
        };
        let earlier = environment.said_in_earlier_names(listen)?;
        for said in earlier.into_iter().chain(environment.said()).chain(flags.iter().map(Into::into)) {
            lay(&mut settings, [known.read_text(said)?]);
        }

        check(&settings)?;
        let warnings = environment.said_in_vain()?;
        let mut in_effect = settings.clone();
        profiles::inherit(&mut in_effect);
        let mut config = values(&in_effect)?;
        config.councils.retain(|_, council| council.agents > 0);
        Ok(Loaded {
            api_keys: api_keys(&config, &in_effect, environment)?,
            state_dir: paths::state_dir(&config.state.dir, environment),
            config,
            settings: settings.into_values().collect(),
            file: file.map(|(path, _)| path),
            warnings,
        })
    }

    /// From here on, `dir` is the directory for what must outlive the process.
    pub(crate) fn work_in(&mut self, dir: PathBuf) {
        self.state_dir = Some(dir);
    }

    /// The directory for what must outlive the process; an error where nothing says which.
    pub fn state_dir(&self) -> Result<PathBuf, ConfigError> {
        let nowhere = ConfigError::NoHome { key: "state.dir", variable: "XDG_STATE_HOME" };
        self.state_dir.clone().ok_or(nowhere)
    }

    /// The key of a profile's servers; that of `[model]` is `default`.
    #[must_use]
    pub fn api_key(&self, profile: &str) -> Option<&ApiKey> {
        self.api_keys.get(profile)
    }

    /// Where a key's value came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.settings.iter().find(|setting| setting.key == key).map(|setting| &setting.origin)
    }
}

/// Lays a layer over what was said before.
fn lay(settings: &mut Settings, layer: impl IntoIterator<Item = Setting>) {
    settings.extend(layer.into_iter().map(|setting| (setting.key.clone(), setting)));
}

/// The configuration file and its text: the one asked for, or the user's own if it is there.
fn file(sources: &Sources) -> Result<Option<(PathBuf, String)>, ConfigError> {
    if let Some(path) = &sources.file {
        return Ok(Some((path.clone(), read(path, None)?)));
    }
    let Some(path) = paths::user_file(&sources.environment) else { return Ok(None) };
    match read(&path, None) {
        Ok(text) => Ok(Some((path, text))),
        Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(path: &Path, named_by_key: Option<&str>) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        named_by_key: named_by_key.map(str::to_owned),
        source,
    })
}

/// The variable that is looked into without being named: it need not be there.
const KEY_VARIABLE: &str = "FLEET_API_KEY";

/// The keys of all profiles.
fn api_keys(
    config: &Config,
    settings: &Settings,
    environment: &Environment,
) -> Result<BTreeMap<String, ApiKey>, ConfigError> {
    let mut keys = BTreeMap::new();
    for profile in config.profiles.keys().map(String::as_str).chain([DEFAULT_PROFILE]) {
        if let Some(key) = api_key(profile, settings, environment)? {
            keys.insert(profile.to_owned(), key);
        }
    }
    Ok(keys)
}

/// The key of a profile, from the file that is named, else from the variable that is named.
fn api_key(
    profile: &str,
    settings: &Settings,
    environment: &Environment,
) -> Result<Option<ApiKey>, ConfigError> {
    let (file, _) = profiles::said(settings, profile, "api_key_file");
    let (text, origin) = if file.is_empty() {
        let (variable, said) = profiles::said(settings, profile, "api_key_env");
        let Some(text) = environment.get(variable) else {
            return match said {
                // A variable that was named on purpose is missed at once, not by a server that refuses.
                Some(origin) if ![KEY_VARIABLE, ""].contains(&variable) && *origin != Origin::Default => {
                    Err(ConfigError::NoKey { variable: variable.to_owned(), origin: origin.clone() })
                }
                _ => Ok(None),
            };
        };
        (text.to_owned(), Origin::Environment(variable.to_owned()))
    } else {
        let path = PathBuf::from(file);
        let named_by = match profile {
            DEFAULT_PROFILE => "model.api_key_file".to_owned(),
            profile => format!("profiles.{profile}.api_key_file"),
        };
        (read(&path, Some(&named_by))?, Origin::File { path, line: None })
    };
    // What an editor or a shell leaves around a key is no part of it.
    let key = text.trim();
    if key.is_empty() {
        return Err(ConfigError::WrongKind {
            key: "the key of the model's server".to_owned(),
            value: "empty".to_owned(),
            origin,
            expected: "there, or not be named",
        });
    }
    Ok(Some(ApiKey { secret: SecretString::from(key), origin }))
}

/// The settings as the struct the program uses.
fn values(settings: &Settings) -> Result<Config, ConfigError> {
    let mut root = Map::new();
    for (key, setting) in settings {
        let path: Vec<&str> = match Key::of(key) {
            Key::Council { role, name } => vec!["councils", role, name],
            Key::Profile { .. } | Key::Parameter { .. } => key.split('.').collect(),
            Key::Plain => key.splitn(2, '.').collect(),
        };
        put(&mut root, &path, setting.value.to_json());
    }
    serde_json::from_value(Value::Object(root)).map_err(|error| ConfigError::Internal(error.to_string()))
}

fn put(table: &mut Map<String, Value>, path: &[&str], value: Value) {
    let [name, rest @ ..] = path else { return };
    if rest.is_empty() {
        table.insert((*name).to_owned(), value);
        return;
    }
    let inner = table.entry((*name).to_owned()).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
    }
}

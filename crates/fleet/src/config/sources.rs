//! What can be said, and what each source says: the defaults, a file, texts from environment and flags.

use std::collections::BTreeMap;
use std::path::Path;

use config::{FileFormat, Value, ValueKind};

use super::key::canonical;
use super::{ConfigError, Origin, Scalar, Setting};

/// `fleet.toml`: the reference and the defaults.
pub const DEFAULTS: &str = include_str!("../../fleet.toml");

/// A flag of the command line that sets a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The flag as it was written, such as `--rounds`.
    pub flag: String,
    /// The key it sets.
    pub key: String,
    /// The value, as text.
    pub value: String,
}

/// A key and a text for its value, whose kind the key decides.
pub(super) struct Said {
    pub(super) key: String,
    pub(super) text: String,
    pub(super) origin: Origin,
}

impl From<&Flag> for Said {
    fn from(flag: &Flag) -> Said {
        Said { key: flag.key.clone(), text: flag.value.clone(), origin: Origin::Flag(flag.flag.clone()) }
    }
}

/// Every key there is with its default, which also shows what kind of value it takes.
pub(super) struct Known(BTreeMap<String, Scalar>);

impl Known {
    pub(super) fn from_defaults() -> Result<(Known, Vec<Setting>), ConfigError> {
        let mut settings = Vec::new();
        for (key, value) in leaves(DEFAULTS).map_err(|error| ConfigError::Internal(error.to_string()))? {
            let value = scalar(value.kind).map_err(ConfigError::Internal)?;
            let value = if key == "model.url" { Scalar::Texts(Vec::new()) } else { value };
            settings.push(Setting { key, value, origin: Origin::Default });
        }
        let mut known: BTreeMap<String, Scalar> = settings
            .iter()
            .map(|setting| (canonical(&setting.key).into_owned(), setting.value.clone()))
            .collect();
        // What has no default of its own.
        known.insert("councils.*.profile".into(), Scalar::Text(String::new()));
        known.insert("councils.*.rounds".into(), Scalar::Whole(0));
        known.insert("councils.*.budget_tokens".into(), Scalar::Whole(0));
        known.insert("councils.*.budget_tokens_per_hour".into(), Scalar::Whole(0));
        known.insert("councils.*.budget_money".into(), Scalar::Number(0.0));
        known.insert("councils.*.budget_money_per_hour".into(), Scalar::Number(0.0));
        known.insert("model.price_prompt".into(), Scalar::Number(0.0));
        known.insert("model.price_completion".into(), Scalar::Number(0.0));
        known.insert("model.parameters.*".into(), Scalar::Any(serde_json::Value::Null));
        known.insert("model.url".into(), Scalar::Texts(Vec::new()));
        Ok((Known(known), settings))
    }

    #[cfg(test)]
    pub(super) fn has(&self, canonical: &str) -> bool {
        self.0.contains_key(canonical)
    }

    /// What a file says, checked against the keys there are.
    pub(super) fn read_file(&self, path: &Path, text: &str) -> Result<Vec<Setting>, ConfigError> {
        let leaves = leaves(text).map_err(|source| ConfigError::Syntax { path: path.to_owned(), source })?;
        let setting = |(key, value): (String, Value)| {
            let origin = Origin::File { path: path.to_owned(), line: line_of(text, &key) };
            let pattern = self.pattern(&key, &origin)?;
            let wrong = |value: String| wrong_kind(&key, value, &origin, pattern);
            let scalar = scalar(value.kind).map_err(wrong)?;
            let shown = scalar.to_string();
            let value = scalar.like(pattern).ok_or_else(|| wrong(shown))?;
            Ok(Setting { key, value, origin })
        };
        leaves.into_iter().map(setting).collect()
    }

    /// What a text says, checked against the keys there are.
    pub(super) fn read_text(&self, said: Said) -> Result<Setting, ConfigError> {
        let Said { key, text, origin } = said;
        let pattern = self.pattern(&key, &origin)?;
        let value = Scalar::read(&text, pattern)
            .ok_or_else(|| wrong_kind(&key, format!("{text:?}"), &origin, pattern))?;
        Ok(Setting { key, value, origin })
    }

    /// A value of the kind that `key` takes.
    fn pattern(&self, key: &str, origin: &Origin) -> Result<&Scalar, ConfigError> {
        // Roles and profiles are free; what can be said of each is not.
        self.0.get(&*canonical(key)).ok_or_else(|| ConfigError::UnknownKey {
            key: key.to_owned(),
            origin: origin.clone(),
            known: self.known_near(key),
        })
    }

    /// The keys of the section `key` is in, or the sections there are.
    fn known_near(&self, key: &str) -> String {
        let section = match key.split('.').next().unwrap_or_default() {
            "profiles" => "model",
            section => section,
        };
        let inside = self.0.keys().filter_map(|known| known.split_once('.')).filter(|(of, _)| *of == section);
        let names: Vec<&str> = inside.map(|(_, name)| name.trim_start_matches("*.")).collect();
        let (head, names) = match (section, names.join(", ")) {
            ("councils", names) => ("a council has".to_owned(), names),
            ("model", names) if key.starts_with("profiles") => {
                ("a profile has what [model] has:".to_owned(), names)
            }
            (_, names) if names.is_empty() => {
                let mut sections: Vec<&str> =
                    self.0.keys().filter_map(|known| known.split('.').next()).collect();
                sections.push("profiles");
                sections.sort_unstable();
                sections.dedup();
                return format!("the sections are {}", sections.join(", "));
            }
            (section, names) => (format!("[{section}] has"), names),
        };
        format!("{head} {names}")
    }
}

fn wrong_kind(key: &str, value: String, origin: &Origin, pattern: &Scalar) -> ConfigError {
    ConfigError::WrongKind { key: key.to_owned(), value, origin: origin.clone(), expected: pattern.kind() }
}

/// Every value of a TOML text with its key, sorted by key; a table without anything in it is one, too,
/// unless it stands at the top and is known by name alone.
fn leaves(text: &str) -> Result<Vec<(String, Value)>, Box<dyn std::error::Error + Send + Sync>> {
    let parsed = config::Config::builder()
        .add_source(config::File::from_str(text, FileFormat::Toml))
        .build()
        .map_err(|error| match error {
            config::ConfigError::FileParse { cause, .. } => cause,
            other => Box::new(other),
        })?;
    let mut found = Vec::new();
    let mut open = vec![(String::new(), parsed.cache)];
    while let Some((key, value)) = open.pop() {
        match value.kind {
            ValueKind::Table(table) if key.is_empty() || !table.is_empty() => {
                let dot = if key.is_empty() { "" } else { "." };
                open.extend(table.into_iter().map(|(name, value)| (format!("{key}{dot}{name}"), value)));
            }
            // An empty section says nothing; an empty table further in is a slip.
            ValueKind::Table(_) if !key.contains('.') && DEFAULTS.contains(&format!("\n[{key}]\n")) => {}
            kind => found.push((key, Value::new(None, kind))),
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

fn scalar(kind: ValueKind) -> Result<Scalar, String> {
    match kind {
        ValueKind::Boolean(value) => Ok(Scalar::Bool(value)),
        ValueKind::I64(value) => Ok(Scalar::Whole(value)),
        ValueKind::Float(value) => Ok(Scalar::Number(value)),
        ValueKind::String(value) => Ok(Scalar::Text(value)),
        ValueKind::Table(_) => Err("a table".to_owned()),
        ValueKind::Array(list) => {
            let values = list.into_iter().map(|value| Ok(scalar(value.kind)?.to_json()));
            Ok(Scalar::Any(serde_json::Value::Array(values.collect::<Result<_, String>>()?)))
        }
        other => Err(other.to_string()),
    }
}

/// The line in which a TOML text says `key`, if it says it in one of the plain ways: under its section's
/// header, with or without dots in its name.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let plain = |name: &str| {
        name.split('.').map(|part| part.trim().trim_matches(['"', '\''])).collect::<Vec<_>>().join(".")
    };
    let mut section = String::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            section = plain(header.split(']').next().unwrap_or_default());
            if section == key {
                return Some(number + 1);
            }
        } else if let Some((name, _)) = line.split_once('=') {
            let name = plain(name);
            if key == name
                || key.strip_prefix(&section).and_then(|rest| rest.strip_prefix('.')) == Some(&name)
            {
                return Some(number + 1);
            }
        }
    }
    None
}

//! One value of the configuration, and where it came from.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

/// A key, its value and where that was said.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The key, such as `deliberation.rounds`.
    pub key: String,
    /// Its value.
    pub value: Scalar,
    /// Where it was said.
    pub origin: Origin,
}

/// A value as a configuration file writes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Whole(i64),
    /// Another number.
    Number(f64),
    /// A text.
    Text(String),
    /// One text or several.
    Texts(Vec<String>),
    /// Whatever can be written as JSON.
    Any(Value),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Bool(value) => write!(f, "{value}"),
            Scalar::Whole(value) => write!(f, "{value}"),
            Scalar::Number(value) => write!(f, "{value:?}"),
            Scalar::Text(value) => write!(f, "{value:?}"),
            Scalar::Texts(values) => match values.as_slice() {
                [value] => write!(f, "{value:?}"),
                values => write!(f, "{values:?}"),
            },
            Scalar::Any(value) => write!(f, "{value}"),
        }
    }
}

impl Scalar {
    /// What values of this kind are called.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Scalar::Bool(_) => "true or false",
            Scalar::Whole(_) => "a whole number",
            Scalar::Number(_) => "a number",
            Scalar::Text(_) => "a text",
            Scalar::Texts(_) => "a text or a list of texts",
            Scalar::Any(_) => "a value",
        }
    }

    /// This value as one of the kind of `pattern`, if it is one without guessing.
    pub(crate) fn like(self, pattern: &Scalar) -> Option<Scalar> {
        match (self, pattern) {
            // There are no whole numbers in a configuration that a float cannot hold.
            #[expect(clippy::cast_precision_loss, reason = "bounds come next, and they are small")]
            (Scalar::Whole(value), Scalar::Number(_)) => Some(Scalar::Number(value as f64)),
            (Scalar::Text(value), Scalar::Texts(_)) => Some(Scalar::texts(Some(value))),
            (Scalar::Any(Value::Array(list)), Scalar::Texts(_)) => {
                let text = |value: Value| match value {
                    Value::String(text) => Some(text),
                    _ => None,
                };
                list.into_iter().map(text).collect::<Option<Vec<_>>>().map(Scalar::texts)
            }
            (value, Scalar::Any(_)) => Some(Scalar::Any(value.to_json())),
            (value, pattern) => (value.kind() == pattern.kind()).then_some(value),
        }
    }

    /// Texts, of which empty ones say nothing.
    fn texts(texts: impl IntoIterator<Item = String>) -> Scalar {
        Scalar::Texts(texts.into_iter().filter(|text| !text.is_empty()).collect())
    }

    /// The value as JSON.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Scalar::Bool(value) => Value::from(*value),
            Scalar::Whole(value) => Value::from(*value),
            Scalar::Number(value) => Value::from(*value),
            Scalar::Text(value) => Value::from(value.as_str()),
            Scalar::Texts(values) => Value::from(values.clone()),
            Scalar::Any(value) => value.clone(),
        }
    }

    /// A text from the environment or a flag as a value of the kind of `pattern`.
    pub(crate) fn read(text: &str, pattern: &Scalar) -> Option<Scalar> {
        match pattern {
            Scalar::Text(_) => Some(Scalar::Text(text.to_owned())),
            Scalar::Texts(_) => Some(Scalar::texts(text.split(',').map(|text| text.trim().to_owned()))),
            Scalar::Any(_) => {
                let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
                Some(Scalar::Any(value))
            }
            Scalar::Whole(_) => text.trim().parse().ok().map(Scalar::Whole),
            Scalar::Number(_) => text.trim().parse().ok().map(Scalar::Number),
            Scalar::Bool(_) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Some(Scalar::Bool(true)),
                "false" | "0" | "no" | "off" => Some(Scalar::Bool(false)),
                _ => None,
            },
        }
    }
}

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the file that is built in.
    Default,
    /// In a configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, where it is known.
        line: Option<usize>,
    },
    /// In this environment variable.
    Environment(String),
    /// By this flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Origin::File { path, line: None } => write!(f, "{}", path.display()),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

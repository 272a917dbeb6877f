//! Why a configuration is refused.

use std::path::PathBuf;

use super::{Origin, Scalar};

/// Why a configuration is refused. Each says what and where, so that it can be put right.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {}{}", path.display(), named_by(named_by_key.as_deref()))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The key that names it; nothing for the configuration file itself.
        named_by_key: Option<String>,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is not TOML; the source says in which line.
    #[error("{} is not a configuration file", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no such key.
    #[error("there is no key {key} ({origin}); {known}")]
    UnknownKey {
        /// What was said.
        key: String,
        /// Where.
        origin: Origin,
        /// What could have been said instead.
        known: String,
    },
    /// A value is of another kind than its key's.
    #[error("{key} is {value} ({origin}); it must be {expected}")]
    WrongKind {
        /// The key.
        key: String,
        /// What was said.
        value: String,
        /// Where.
        origin: Origin,
        /// What would be right.
        expected: &'static str,
    },
    /// A value is out of its bounds.
    #[error("{key} is {value} ({origin}); it must {bound}")]
    OutOfBounds {
        /// The key.
        key: String,
        /// What was said.
        value: Scalar,
        /// Where.
        origin: Origin,
        /// What would be right: "lie between 0 and 10".
        bound: String,
    },
    /// Something is asked for that this version does not have.
    #[error("{name} asks for {what}, which is not built yet; {instead}")]
    NotBuilt {
        /// What asks for it.
        name: &'static str,
        /// What it asks for.
        what: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// The variable that is to hold a key does not.
    #[error(
        "the environment variable {variable}, which is to hold a server's key ({origin}), is not set; set it, or name no variable"
    )]
    NoKey {
        /// The variable.
        variable: String,
        /// Where it was named.
        origin: Origin,
    },
    /// There is no place for files.
    #[error("{key} is empty, and neither {variable} nor HOME says where such files go; set one of them")]
    NoHome {
        /// The key that could name the place.
        key: &'static str,
        /// The variable that could.
        variable: &'static str,
    },
    /// The file and the struct do not agree, which is a mistake in the program.
    #[error("the configuration cannot be taken over: {0}")]
    Internal(String),
}

fn named_by(key: Option<&str>) -> String {
    key.map(|key| format!(", which {key} names")).unwrap_or_default()
}

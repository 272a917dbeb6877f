//! How a command is shut in: what was chosen, and what is in force.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which level a [`Sandbox`](crate::Sandbox) may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The best that works here.
    #[default]
    Auto,
    /// Bubblewrap or nothing.
    Bubblewrap,
    /// Landlock and seccomp or nothing.
    Landlock,
    /// Nothing is run.
    Off,
}

/// A level that is in force, with its version, for reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Name spaces made by Bubblewrap, and seccomp.
    Bubblewrap {
        /// What it says its version is.
        version: String,
    },
    /// The kernel's access control and seccomp.
    Landlock {
        /// The version of the kernel's interface that is used.
        abi: u32,
    },
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bubblewrap { version } => write!(f, "bubblewrap {version}"),
            Self::Landlock { abi } => write!(f, "landlock abi {abi} + seccomp"),
        }
    }
}

//! How a command came to its end.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::level::Level;
use crate::output::Output;

/// How a command came to its end, and what it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Its end.
    pub end: End,
    /// What it wrote to standard output.
    pub stdout: Output,
    /// What it wrote to standard error.
    pub stderr: Output,
    /// From its start to its end.
    pub duration: Duration,
    /// What it was shut in by.
    pub level: Level,
}

impl Ended {
    /// Whether it ended by itself and said that all is well.
    #[must_use]
    pub fn success(&self) -> bool {
        self.end == End::Exit(0)
    }
}

/// The end of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It ended with this code.
    Exit(i32),
    /// A signal ended it, which the sandbox did not send.
    Signal(i32),
    /// It used more than it may.
    Limit(Limit),
}

/// What a command used too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `wall_ms`
    Time,
    /// `cpu_s`
    Cpu,
    /// `memory_bytes`
    Memory,
    /// `processes`
    Processes,
    /// `file_bytes`
    FileBytes,
    /// `files`; or a folder or a process is hidden, so that nobody can count
    Files,
    /// `output_bytes`
    Output,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Limit(limit) => write!(f, "ended: {limit}"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => "it took too long",
            Self::Cpu => "it used too much processor time",
            Self::Memory => "it used too much memory",
            Self::Processes => "it had too many processes",
            Self::FileBytes => "it wrote too much to files",
            Self::Files => "it made too many files",
            Self::Output => "it wrote too much output",
        })
    }
}

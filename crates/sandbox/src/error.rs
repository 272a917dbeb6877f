//! What can keep a command from being run.

use std::path::PathBuf;

use crate::level::Level;

/// Why a command was not run, or its end is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// Nothing here can shut a command in.
    #[error("no sandbox: {reason}")]
    Unavailable {
        /// Why, for each level.
        reason: String,
    },
    /// The job is not one that can be run anywhere.
    #[error("the job cannot be run")]
    Job(#[from] JobError),
    /// The program is not there, or not one that can be started.
    #[error("{program} could not be started: {reason}")]
    Program {
        /// As the job names it.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// The sandbox could not be set up for this job, or broke.
    #[error("the sandbox ({level}) failed: {reason}")]
    Broken {
        /// Which it was.
        level: Level,
        /// What happened.
        reason: String,
    },
}

/// What is wrong with a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// A program, argument or variable that no system takes.
    #[error("{what} {value:?} {reason}")]
    Words {
        /// What it is.
        what: &'static str,
        /// As the job says it, shortened.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file that has no place in the scratch folder.
    #[error("the file {path:?} {reason}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More than is taken.
    #[error("{what}: {value} is more than {max}")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// So much.
        value: u64,
        /// What is taken.
        max: u64,
    },
    /// A limit that cannot be kept.
    #[error("the limit {name} = {value} is not between {min} and {max}")]
    Limit {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: u64,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// A folder that cannot be shown to the command.
    #[error("the read-only path {} {reason}", path.display())]
    ReadOnly {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
}

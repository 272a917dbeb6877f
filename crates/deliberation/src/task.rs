//! What is asked of a council, and by which bounds it is accepted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{AgentId, Budget, DeliberationId, Profile, Rejection, Role, Selection};

/// The longest description of a task, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 256 * 1024;
/// The longest rubric, in bytes.
pub const RUBRIC_BYTES_MAX: usize = 64 * 1024;
/// The most requirements a task may list.
pub const REQUIREMENTS_MAX: usize = 200;
/// The longest single requirement, in bytes.
pub const REQUIREMENT_BYTES_MAX: usize = 16 * 1024;
/// The most entries a task's metadata may hold.
pub const METADATA_MAX: usize = 100;
/// The longest key or value of a task's metadata, in bytes.
pub const METADATA_BYTES_MAX: usize = 64 * 1024;
/// The most rounds of review; 0 is allowed.
pub const ROUNDS_MAX: u32 = 10;
/// The most agents before which one task is brought; at least 1.
pub const AGENTS_MAX: usize = 64;
/// The longest a deliberation may take, in milliseconds: one day.
pub const TIMEOUT_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// The shortest timeout of a deliberation, in milliseconds.
pub const TIMEOUT_MS_MIN: u64 = 1000;

/// A task as its council sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Task {
    /// What is to be done.
    pub description: String,
    /// How proposals are to be judged; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rubric: String,
    /// What every proposal must fulfil.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requirements: Vec<String>,
    /// Further context by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Who goes first where not all can be served at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// After all others.
    Low,
    /// As most are.
    #[default]
    Normal,
    /// Before all others.
    High,
}

impl Priority {
    fn is_normal(&self) -> bool {
        *self == Priority::Normal
    }
}

/// One seat of the council that works on a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// The agent in this seat.
    pub agent: AgentId,
    /// The model it speaks through.
    pub profile: Profile,
}

/// Everything that is fixed when a deliberation opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// The id of the deliberation.
    pub id: DeliberationId,
    /// What is asked.
    pub task: Task,
    /// The council's role.
    pub role: Role,
    /// The council, in the order of its seats. The first agent answers plainly, the others in
    /// diversity mode.
    pub members: Vec<Member>,
    /// Rounds of review and revision.
    pub rounds: u32,
    /// How many agents must have answered for a verdict to count.
    pub quorum: u32,
    /// The longest the deliberation may take, in milliseconds.
    pub timeout_ms: u64,
    /// Who goes first where not all can be served at once.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// How near ties are told apart.
    #[serde(default, skip_serializing_if = "Selection::is_none")]
    pub selection: Selection,
    /// What it may cost.
    #[serde(default, skip_serializing_if = "Budget::is_none")]
    pub budget: Budget,
    /// Identifies the request as it was sent, so that a repeated submission is told from another one
    /// under the same id.
    pub fingerprint: String,
    /// Who submitted it, as far as the edge knows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub submitter: String,
    /// The trace it belongs to, as the header `traceparent` of W3C Trace Context writes it; empty if it
    /// belongs to none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace: String,
}

impl Submission {
    /// Checks every bound, naming the first field that is out of its own.
    pub fn validate(&self) -> Result<(), Rejection> {
        self.task.validate()?;
        check_rounds("rounds", self.rounds)?;
        check_agents("num_agents", self.members.len())?;
        count("quorum", self.quorum as usize, 1, self.members.len())?;
        check_timeout("constraints.timeout_seconds", self.timeout_ms)?;
        self.selection.validate()?;
        for (seat, member) in self.members.iter().enumerate() {
            if self.members[..seat].iter().any(|other| other.agent == member.agent) {
                return Err(malformed("agents", format!("{} has two seats", member.agent)));
            }
        }
        Ok(())
    }
}

/// The name under which a task's metadata brings tests.
pub const TESTS: &str = "tests";

impl Task {
    /// The tests that the task brings, in the form that docs/checks.md says.
    #[must_use]
    pub fn tests(&self) -> Option<&str> {
        self.metadata.get(TESTS).map(String::as_str).filter(|tests| !tests.trim().is_empty())
    }

    /// Checks every bound, naming the first field that is out of its own.
    pub fn validate(&self) -> Result<(), Rejection> {
        let Task { description, rubric, requirements, metadata } = self;
        if description.trim().is_empty() {
            return Err(malformed("task_description", "is empty; say what is to be done"));
        }
        bytes("task_description", description, DESCRIPTION_BYTES_MAX)?;
        bytes("constraints.rubric", rubric, RUBRIC_BYTES_MAX)?;
        count("constraints.requirements", requirements.len(), 0, REQUIREMENTS_MAX)?;
        for requirement in requirements {
            bytes("constraints.requirements", requirement, REQUIREMENT_BYTES_MAX)?;
        }
        count("constraints.metadata", metadata.len(), 0, METADATA_MAX)?;
        for (key, value) in metadata {
            bytes("constraints.metadata", key, METADATA_BYTES_MAX)?;
            bytes("constraints.metadata", value, METADATA_BYTES_MAX)?;
        }
        if metadata.get(TESTS).is_some_and(|tests| tests.trim().is_empty()) {
            let reason = "tests is empty; give the tests, or leave it out";
            return Err(malformed("constraints.metadata", reason));
        }
        Ok(())
    }
}

/// Checks how many rounds `field` asks for.
pub fn check_rounds(field: &str, rounds: u32) -> Result<(), Rejection> {
    count(field, rounds as usize, 0, ROUNDS_MAX as usize)
}

/// Checks before how many agents `field` wants a task brought.
pub fn check_agents(field: &str, agents: usize) -> Result<(), Rejection> {
    count(field, agents, 1, AGENTS_MAX)
}

/// Checks how long `field` allows, in milliseconds.
pub fn check_timeout(field: &str, timeout_ms: u64) -> Result<(), Rejection> {
    if (TIMEOUT_MS_MIN..=TIMEOUT_MS_MAX).contains(&timeout_ms) {
        return Ok(());
    }
    let (given, min, max) = (timeout_ms as f64 / 1000.0, TIMEOUT_MS_MIN / 1000, TIMEOUT_MS_MAX / 1000);
    Err(malformed(field, format!("is {given} s; it must lie between {min} s and {max} s")))
}

fn malformed(field: &str, reason: impl Into<String>) -> Rejection {
    Rejection::Malformed { field: field.into(), reason: reason.into() }
}

fn bytes(field: &str, text: &str, max: usize) -> Result<(), Rejection> {
    if text.len() <= max {
        return Ok(());
    }
    Err(malformed(field, format!("has {} bytes; at most {max} bytes are accepted", text.len())))
}

fn count(field: &str, n: usize, min: usize, max: usize) -> Result<(), Rejection> {
    if (min..=max).contains(&n) {
        return Ok(());
    }
    Err(malformed(field, format!("is {n}; it must lie between {min} and {max}")))
}

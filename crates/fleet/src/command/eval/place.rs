//! Where an evaluation keeps its deliberations: a state of its own.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use fleet_deliberation::{Digest, Profile};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::plan::Plan;
use crate::config::{Loaded, Origin};
use crate::{Exit, Problem};

/// What says that a state is an evaluation's, and of which.
const STAMP: &str = "evaluation.json";

/// A state for an evaluation.
pub(super) enum Place {
    /// One that is thrown away.
    Temporary(TempDir),
    /// One that was named, and is kept.
    Kept(PathBuf),
}

/// What an evaluation must have in common with the one that it goes on with. How many tasks, arms and
/// repetitions are run, and at which rates, may differ.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    /// The hash of the file of tasks.
    tasks: String,
    models: Vec<String>,
    /// What the error model draws depends on it; `None` with a real model.
    seed: Option<u64>,
    agents: Option<u32>,
    rounds: u32,
    /// How near ties are told apart in arm judged.
    selection: String,
}

impl Place {
    /// The directory that `--state` names, else a temporary one. What the environment or a file names is for
    /// other deliberations.
    pub(super) fn find(loaded: &Loaded) -> anyhow::Result<Place> {
        match loaded.origin("state.dir") {
            Some(Origin::Flag(_)) => Ok(Place::Kept(loaded.state_dir()?)),
            _ => Ok(Place::Temporary(TempDir::new().context("making a temporary directory for the state")?)),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        match self {
            Place::Temporary(dir) => dir.path(),
            Place::Kept(dir) => dir,
        }
    }

    pub(super) const fn is_kept(&self) -> bool {
        matches!(self, Place::Kept(_))
    }

    /// Takes the place for this evaluation; refuses one that is another's, or that holds something else.
    pub(super) fn claim(&self, plan: &Plan, profiles: &[Profile]) -> anyhow::Result<()> {
        let Place::Kept(dir) = self else { return Ok(()) };
        let path = dir.join(STAMP);
        let stamp = Stamp {
            tasks: Digest::of(plan.text.as_bytes()).to_string(),
            models: profiles.iter().map(model).collect(),
            seed: plan.simulated.then_some(plan.seed),
            agents: plan.agents,
            rounds: plan.rounds,
            selection: plan.selection.clone(),
        };
        let unusable = |what: &str, error: std::io::Error| {
            Problem::new(Exit::Unavailable, format!("{} cannot be {what}: {error}", path.display()))
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let known: Stamp = serde_json::from_str(&text).map_err(|error| {
                    let message = format!("{} is not a file of fleet eval: {error}", path.display());
                    Problem::new(Exit::Refused, message)
                })?;
                Ok(known.goes_with(&stamp, dir)?)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::create_dir_all(dir).map_err(|error| unusable("written", error))?;
                let mut entries = std::fs::read_dir(dir).map_err(|error| unusable("read", error))?;
                if entries.next().is_some() {
                    let message = format!(
                        "{} holds something else than an evaluation; give --state a directory of its own",
                        dir.display()
                    );
                    return Err(Problem::new(Exit::Refused, message).into());
                }
                let text = serde_json::to_string_pretty(&stamp)?;
                Ok(std::fs::write(&path, text + "\n").map_err(|error| unusable("written", error))?)
            }
            Err(error) => Err(unusable("read", error).into()),
        }
    }
}

impl Stamp {
    fn goes_with(&self, now: &Stamp, dir: &Path) -> Result<(), Problem> {
        let differs = [
            ("the file of tasks", self.tasks != now.tasks),
            ("the models", self.models != now.models),
            ("--seed", self.seed != now.seed),
            ("--agents", self.agents != now.agents),
            ("--rounds", self.rounds != now.rounds),
            ("judges or [selection]", self.selection != now.selection),
        ];
        let different: Vec<&str> = differs.iter().filter(|(_, is)| *is).map(|(what, _)| *what).collect();
        if different.is_empty() {
            return Ok(());
        }
        let message = format!(
            "the evaluation in {} was begun with something else: {} differ; give --state another directory",
            dir.display(),
            different.join(", ")
        );
        Err(Problem::new(Exit::Conflict, message))
    }
}

/// What an answer of a profile depends on.
fn model(profile: &Profile) -> String {
    let Profile { name, model, temperature, tokens_max, parameters, .. } = profile;
    let parameters = serde_json::to_string(&**parameters).unwrap_or_default();
    format!("{name}: {model}, temperature {temperature}, tokens_max {tokens_max}, {parameters}")
}

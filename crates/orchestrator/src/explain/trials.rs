//! How the tests that agents wrote came out against each other's proposals.

use std::collections::BTreeMap;

use fleet_deliberation::{AgentId, Behaviour, Event};
use serde::Serialize;

use crate::past::Past;

/// A proposal under the tests by others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrialShown {
    /// Whose proposal.
    pub agent_id: String,
    /// How each test came out, by `{writer}/{test}`.
    pub tests: BTreeMap<String, bool>,
    /// What counts of them: those that split the field; `None` where none does.
    pub counted: Option<Behaviour>,
    /// Why there is no result, where there is none.
    pub error: String,
}

/// How many agents would have been asked for tests, had any code been run.
pub(super) fn skipped(past: &Past) -> Option<u32> {
    past.events().find_map(|past| match past.event {
        Event::TestsSkipped { asked_for } => Some(*asked_for),
        _ => None,
    })
}

pub(super) fn of(past: &Past) -> Vec<TrialShown> {
    let Some(testing) = past.state.testing.as_deref() else { return Vec::new() };
    let counted = |author: &AgentId| {
        let ranked = past.verdict()?.ranking.iter().find(|ranked| ranked.author == *author)?;
        ranked.merit.as_ref()?.by_others
    };
    let shown = testing.tried.iter().map(|(author, outcome)| TrialShown {
        agent_id: author.to_string(),
        tests: outcome.as_ref().map(|trial| trial.0.clone()).unwrap_or_default(),
        counted: counted(author),
        error: outcome.as_ref().err().map(|failure| failure.message.clone()).unwrap_or_default(),
    });
    shown.collect()
}

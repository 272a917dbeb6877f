//! The deliberations of an evaluation: begun, gone on with, and read.

use fleet_deliberation::{AgentId, Deliberation, Ending, Timestamp, Verdict, text_job};
use fleet_evaluation::{Proposal, Revisions, Task, Trial};
use fleet_orchestrator::port::StoreError;
use fleet_orchestrator::{HandleError, Request};

use super::runs::Runs;

/// How often a deliberation is begun anew that ran out of time while nobody worked on it.
const TURNS_MAX: u32 = 100;

impl Runs {
    /// Runs a deliberation to its end. One that has ended stays as it is, unless its time was up before this process
    /// began: then nobody had worked on it, and it is begun anew.
    pub(super) async fn ended(&self, request: &Request, mut trial: Trial) -> anyhow::Result<Deliberation> {
        loop {
            let id = trial.id()?;
            self.coordinator.submit(Request { id: Some(id.clone()), ..request.clone() }).await?;
            self.coordinator.ended(&id, Timestamp(u64::MAX)).await?;
            let loaded = self.coordinator.histories().load(&id).await.map_err(HandleError::Store)?;
            let Some(loaded) = loaded else { anyhow::bail!("deliberation {id} is gone") };
            let state = &loaded.state;
            let timed_out = matches!(&state.ended, Some(ended) if matches!(ended.ending, Ending::TimedOut));
            if !timed_out || state.opened.at >= self.began || trial.turn >= TURNS_MAX {
                return Ok(state.clone());
            }
            trial.turn += 1;
        }
    }

    /// Every version of every proposal, scored, with its author, and the place of `winner`'s among them.
    pub(super) async fn proposals(
        &self,
        task: &Task,
        state: &Deliberation,
        winner: Option<(&AgentId, u32)>,
    ) -> anyhow::Result<(Vec<Proposal>, Option<usize>)> {
        let (mut proposals, mut place) = (Vec::new(), None);
        for lane in &state.lanes {
            let current = lane.current().map(|version| version.round);
            for version in &lane.versions {
                let job = text_job(state.id(), &lane.author, version.round);
                let answer = self.answers.find(&job).await?;
                let Some(text) = answer
                    .as_ref()
                    .and_then(|answer| answer.text())
                    .map(|generation| generation.text.clone())
                else {
                    let why = format!("the answer to {job} is missing");
                    return Err(StoreError::Corrupt(Default::default(), why.into()).into());
                };
                if winner == Some((&lane.author, version.round)) {
                    place = Some(proposals.len());
                }
                let score = self.hidden.score(task, &text).await;
                let in_force = current == Some(version.round);
                proposals.push(Proposal { text, score, in_force });
            }
        }
        Ok((proposals, place))
    }
}

/// The verdict, if there is one.
pub(super) fn verdict(state: &Deliberation) -> Option<&Verdict> {
    match &state.ended.as_ref()?.ending {
        Ending::Completed(verdict) => Some(verdict),
        Ending::NoQuorum { .. } | Ending::TimedOut | Ending::Cancelled { .. } => None,
    }
}

/// Why there is no verdict.
pub(super) fn failure(state: &Deliberation) -> Option<String> {
    match &state.ended.as_ref()?.ending {
        Ending::Completed(_) => None,
        Ending::NoQuorum { .. } => {
            let first = state.lanes.iter().find_map(|lane| lane.failures.last());
            let why = first.map_or(String::new(), |(_, failure)| {
                format!(": {} ({})", failure.message, failure.kind.as_str())
            });
            Some(format!("too few agents answered{why}"))
        }
        Ending::TimedOut => Some("its time was up".into()),
        Ending::Cancelled { reason } => Some(format!("it was cancelled: {reason}")),
    }
}

/// How long it took, in seconds.
pub(super) fn seconds(state: &Deliberation) -> f64 {
    state.ended.as_ref().map_or(0.0, |ended| ended.at.ms_since(state.opened.at) as f64 / 1000.0)
}

/// Tokens read and written.
pub(super) fn tokens(state: &Deliberation) -> u64 {
    state.usage.prompt_tokens.saturating_add(state.usage.completion_tokens)
}

/// The revisions that were written and checked.
pub(super) fn revisions(state: &Deliberation) -> Revisions {
    let mut revisions = Revisions::default();
    for version in state.lanes.iter().flat_map(|lane| &lane.versions) {
        if version.round > 0 && version.checks.is_some() {
            revisions.written += 1;
            revisions.accepted += u32::from(version.accepted);
        }
    }
    revisions
}

/// Whether a proposal solves its task, for people.
pub(super) fn in_words(solved: Result<bool, &str>) -> &'static str {
    match solved {
        Ok(true) => "solved",
        Ok(false) => "not solved",
        Err(_) => "not scored",
    }
}

//! A deliberation with the texts of its results, for whoever asks and for the announcement.

use std::sync::Arc;

use fleet_deliberation::{
    AgentId, Answer, CheckReport, Deliberation, Ending, Generation, JobId, Lane, Outcome, Ranked, Timestamp,
    check_job, text_job,
};

use crate::port::{Answers, Sequence, StoreError};

/// A deliberation as it stands, with the results of its verdict if it has one.
#[derive(Debug, Clone)]
pub struct View {
    /// Where it stands.
    pub state: Deliberation,
    /// The proposals in the order of the verdict; none before there is one.
    pub results: Vec<ResultView>,
}

/// A ranked proposal with its text.
#[derive(Debug, Clone)]
pub struct ResultView {
    /// Its place in the verdict.
    pub ranked: Ranked,
    /// What was written, and by which model.
    pub generation: Generation,
    /// When the first version was written.
    pub created_at: Timestamp,
    /// The texts this one replaced, oldest first.
    pub earlier: Vec<String>,
    /// What the checks of this version found; `None` where they gave no result.
    pub checks: Option<CheckReport>,
}

impl View {
    /// The winner's id, if there is a verdict.
    #[must_use]
    pub fn winner(&self) -> Option<&AgentId> {
        self.state.winner()
    }

    /// Why the winner won, if there is a verdict.
    #[must_use]
    pub fn why(&self) -> Option<&str> {
        match &self.state.ended.as_ref()?.ending {
            Ending::Completed(verdict) => Some(&verdict.why),
            Ending::NoQuorum { .. } | Ending::TimedOut | Ending::Cancelled { .. } => None,
        }
    }
}

/// The view of `state`.
pub(crate) async fn of(state: &Deliberation, answers: &dyn Answers) -> Result<View, StoreError> {
    let mut results = Vec::new();
    if let Some(Ending::Completed(verdict)) = state.ended.as_ref().map(|ended| &ended.ending) {
        for ranked in &verdict.ranking {
            let lane = state.lanes.iter().find(|lane| lane.author == ranked.author);
            let lane = lane.ok_or_else(|| missing(&text_job(state.id(), &ranked.author, ranked.version)))?;
            results.push(result(state, ranked, lane, answers).await?);
        }
    }
    Ok(View { state: state.clone(), results })
}

async fn result(
    state: &Deliberation,
    ranked: &Ranked,
    lane: &Lane,
    answers: &dyn Answers,
) -> Result<ResultView, StoreError> {
    let mut texts = Vec::new();
    let mut created_at = None;
    for version in lane.versions.iter().filter(|version| version.accepted && version.round <= ranked.version)
    {
        let job = text_job(state.id(), &ranked.author, version.round);
        let answer = answers.find(&job).await?.ok_or_else(|| missing(&job))?;
        created_at.get_or_insert(answer.ended_at);
        texts.push(generation(&answer).cloned().ok_or_else(|| missing(&job))?);
    }
    let (Some(generation), Some(created_at)) = (texts.pop(), created_at) else {
        return Err(missing(&text_job(state.id(), &ranked.author, ranked.version)));
    };
    // A report that came after its time is there, but did not count.
    let counted = lane
        .current()
        .and_then(|version| version.checks.as_ref())
        .is_some_and(|summary| !summary.0.is_empty());
    let checks = match counted {
        true => answers.find(&check_job(state.id(), &ranked.author, ranked.version)).await?,
        false => None,
    };
    Ok(ResultView {
        ranked: ranked.clone(),
        generation,
        created_at,
        earlier: texts.into_iter().map(|text| text.text).collect(),
        checks: checks.as_ref().and_then(report).cloned(),
    })
}

/// The text an answer holds, if it is one.
#[must_use]
pub fn generation(answer: &Arc<Answer>) -> Option<&Generation> {
    match &answer.outcome {
        Outcome::Text(generation) => Some(generation),
        Outcome::Review { .. } | Outcome::Checks(_) | Outcome::Failed(_) => None,
    }
}

/// The check report an answer holds, if it is one.
#[must_use]
pub fn report(answer: &Arc<Answer>) -> Option<&CheckReport> {
    match &answer.outcome {
        Outcome::Checks(report) => Some(report),
        Outcome::Text(_) | Outcome::Review { .. } | Outcome::Failed(_) => None,
    }
}

/// The log says that a job was answered, and the answer is not there.
fn missing(job: &JobId) -> StoreError {
    StoreError::Corrupt(Sequence::default(), format!("the answer to {job} is missing").into())
}

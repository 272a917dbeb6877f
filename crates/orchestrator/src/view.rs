//! A deliberation with the texts of its results, for whoever asks and for the announcement.

use fleet_deliberation::{
    AgentId, CheckReport, Choice, Deliberation, Ending, Generation, JobId, JobKind, Lane, Ranked, Role,
    Timestamp, check_job, text_job,
};

use crate::port::{Answers, Sequence, StoreError};

/// A deliberation as it stands, with the results of its verdict if it has one.
#[derive(Debug, Clone)]
pub struct View {
    /// Where it stands.
    pub state: Deliberation,
    /// The proposals in the order of the verdict; none before there is one.
    pub results: Vec<ResultView>,
    /// What an architect chose among near ties, and why, if one did.
    pub choice: Option<Choice>,
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

/// A proposal with its text, at some step of its deliberation.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Who wrote it.
    pub author: AgentId,
    /// The author's role.
    pub role: Role,
    /// Its place in the verdict, once there is one.
    pub ranked: Option<Ranked>,
    /// What was written, and by which model.
    pub generation: Generation,
    /// When the first version was written.
    pub created_at: Timestamp,
    /// The texts this one replaced, oldest first.
    pub earlier: Vec<String>,
    /// What the checks of this version found; `None` while they run, and where they gave no result.
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
            let draft = draft(state, &ranked.author, Some(ranked), answers).await?;
            let Draft { generation, created_at, earlier, checks, .. } = draft;
            results.push(ResultView { ranked: ranked.clone(), generation, created_at, earlier, checks });
        }
    }
    Ok(View { state: state.clone(), results, choice: choice(state, answers).await? })
}

/// What the architect answered, if it counted.
async fn choice(state: &Deliberation, answers: &dyn Answers) -> Result<Option<Choice>, StoreError> {
    let Some(choosing) = state.choosing.as_deref() else { return Ok(None) };
    if !matches!(choosing.outcome, Some(Ok(_))) {
        return Ok(None);
    }
    let deliberation = state.id().clone();
    let job = JobId { deliberation, round: 0, kind: JobKind::Select, subject: choosing.architect.clone() };
    let answer = answers.find(&job).await?.ok_or_else(|| missing(&job))?;
    Ok(answer.choice().cloned())
}

/// The winner's proposal, if there is a verdict with one.
pub(crate) async fn winner(state: &Deliberation, answers: &dyn Answers) -> Result<Option<Draft>, StoreError> {
    let Some(Ending::Completed(verdict)) = state.ended.as_ref().map(|ended| &ended.ending) else {
        return Ok(None);
    };
    match verdict.winner() {
        Some(ranked) => draft(state, &ranked.author, Some(ranked), answers).await.map(Some),
        None => Ok(None),
    }
}

/// An author's proposal: the version that was ranked, else the one in force.
pub(crate) async fn draft(
    state: &Deliberation,
    author: &AgentId,
    ranked: Option<&Ranked>,
    answers: &dyn Answers,
) -> Result<Draft, StoreError> {
    let lane = state.lanes.iter().find(|lane| lane.author == *author);
    let current = lane.and_then(Lane::current).map_or(0, |version| version.round);
    let version = ranked.map_or(current, |ranked| ranked.version);
    let lane = lane.ok_or_else(|| missing(&text_job(state.id(), author, version)))?;
    let mut texts = Vec::new();
    let mut created_at = None;
    for version in lane.versions.iter().filter(|known| known.accepted && known.round <= version) {
        let job = text_job(state.id(), author, version.round);
        let answer = answers.find(&job).await?.ok_or_else(|| missing(&job))?;
        created_at.get_or_insert(answer.ended_at);
        texts.push(answer.text().cloned().ok_or_else(|| missing(&job))?);
    }
    let (Some(generation), Some(created_at)) = (texts.pop(), created_at) else {
        return Err(missing(&text_job(state.id(), author, version)));
    };
    // A report that came after its time is there, but did not count.
    let counted =
        lane.current().and_then(|version| version.checks.as_ref()).is_some_and(|summary| !summary.is_empty());
    let checks = match counted {
        true => answers.find(&check_job(state.id(), author, version)).await?,
        false => None,
    };
    Ok(Draft {
        author: author.clone(),
        role: state.submission().role.clone(),
        ranked: ranked.cloned(),
        generation,
        created_at,
        earlier: texts.into_iter().map(|text| text.text).collect(),
        checks: checks.as_ref().and_then(|answer| answer.checks()).cloned(),
    })
}

/// The log says that a job was answered, and the answer is not there.
fn missing(job: &JobId) -> StoreError {
    StoreError::Corrupt(Sequence::default(), format!("the answer to {job} is missing").into())
}

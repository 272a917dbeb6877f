//! How near ties were told apart: what each judge said, and what the architect chose.

use fleet_deliberation::{Comparison, JobId, JobKind, Preference, Tiebreak, Vote};
use serde::Serialize;

use crate::past::Past;

/// How near ties were told apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NearTiesShown {
    /// Whose proposals they are, in the computed order, how judges placed them, and what was chosen.
    #[serde(flatten)]
    pub tiebreak: Tiebreak,
    /// What each judge said of each comparison, in the order in which it came.
    pub judgements: Vec<JudgementShown>,
    /// Why the architect chose what it chose, in its words; empty where none did.
    pub reason: String,
}

/// What a judge said of two proposals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JudgementShown {
    /// Who judged.
    pub judge_id: String,
    /// Whose proposal was shown first.
    pub first: String,
    /// Whose was shown second.
    pub second: String,
    /// Whose it prefers; empty where it prefers neither, or did not say.
    pub prefers: String,
    /// Why, in its words.
    pub reason: String,
    /// Why there is no judgement, where there is none.
    pub error: String,
}

pub(super) fn of(past: &Past) -> Option<NearTiesShown> {
    let tiebreak = past.verdict()?.tiebreak.as_deref()?.clone();
    let judging = past.state.judging.as_deref();
    let judged = judging.into_iter().flat_map(|judging| &judging.votes).filter_map(|vote| {
        let comparison = judging?.comparison(vote.comparison)?;
        Some(judgement(past, comparison, vote))
    });
    let choice = past.state.choosing.as_deref().and_then(|choosing| {
        let subject = choosing.architect.clone();
        let answer = past.answer(&JobId {
            deliberation: past.id().clone(),
            round: 0,
            kind: JobKind::Select,
            subject,
        })?;
        answer.choice().map(|choice| choice.reason.clone())
    });
    Some(NearTiesShown { tiebreak, judgements: judged.collect(), reason: choice.unwrap_or_default() })
}

fn judgement(past: &Past, comparison: &Comparison, vote: &Vote) -> JudgementShown {
    let (first, second) = (comparison.first.to_string(), comparison.second.to_string());
    let prefers = match vote.outcome {
        Ok(Preference::First) => first.clone(),
        Ok(Preference::Second) => second.clone(),
        Ok(Preference::Neither) | Err(_) => String::new(),
    };
    let job = JobId {
        deliberation: past.id().clone(),
        round: vote.comparison,
        kind: JobKind::Judge,
        subject: vote.judge.clone(),
    };
    let judgement = past.answer(&job).and_then(|answer| answer.judgement());
    let reason = judgement.map(|judgement| judgement.reason.clone());
    JudgementShown {
        judge_id: vote.judge.to_string(),
        first,
        second,
        prefers,
        reason: reason.unwrap_or_default(),
        error: vote.outcome.as_ref().err().map(|failure| failure.message.clone()).unwrap_or_default(),
    }
}

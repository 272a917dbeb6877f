//! What a job needs of earlier answers.

use std::sync::Arc;

use fleet_deliberation::prompts::Exhibit;
use fleet_deliberation::{Answer, CheckReport, Contestant, JobId};
use fleet_orchestrator::port::StoreError;

use crate::Parts;

/// What is compared of a proposal.
pub(crate) struct Fetched<'a> {
    pub(crate) text_job: &'a JobId,
    text: Option<Arc<Answer>>,
    checks: CheckReport,
    review: Option<Arc<Answer>>,
}

impl Fetched<'_> {
    pub(crate) async fn of<'a>(parts: &Parts, contestant: &'a Contestant) -> Result<Fetched<'a>, StoreError> {
        let review = match &contestant.review {
            Some(review) => find(parts, review).await?,
            None => None,
        };
        Ok(Fetched {
            text_job: &contestant.text,
            text: find(parts, &contestant.text).await?,
            checks: checked(parts, &contestant.checks).await?,
            review,
        })
    }

    pub(crate) async fn all<'a>(
        parts: &Parts,
        contestants: &'a [Contestant],
    ) -> Result<Vec<Fetched<'a>>, StoreError> {
        let mut fetched = Vec::with_capacity(contestants.len());
        for contestant in contestants {
            fetched.push(Fetched::of(parts, contestant).await?);
        }
        Ok(fetched)
    }

    /// As a judge sees it; `None` where its text is missing.
    pub(crate) fn blind(&self) -> Option<Exhibit<'_>> {
        let text = self.text.as_ref()?.text()?;
        Some(Exhibit { text: &text.text, checks: &self.checks, review: None })
    }

    /// As an architect sees it.
    pub(crate) fn with_review(&self) -> Option<Exhibit<'_>> {
        let review = self.review.as_ref().and_then(|answer| answer.review());
        Some(Exhibit { review, ..self.blind()? })
    }
}

/// What came of a job.
pub(crate) async fn find(parts: &Parts, job: &JobId) -> Result<Option<Arc<Answer>>, StoreError> {
    parts.answers.find(job).await
}

/// The report of a check job; an empty one where it gave none.
pub(crate) async fn checked(parts: &Parts, job: &JobId) -> Result<CheckReport, StoreError> {
    Ok(find(parts, job).await?.and_then(|answer| answer.checks().cloned()).unwrap_or_default())
}

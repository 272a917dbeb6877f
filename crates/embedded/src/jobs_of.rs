//! Where a deliberation's jobs lie in an order by their ids.

use fleet_deliberation::{AgentId, DeliberationId, JobId, JobKind};

/// Every id of a deliberation's jobs is from `from` up to, but not including, `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobRange {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// The range of a deliberation's jobs. A part of a job's id holds no `/` of its own, so what stands before
/// the first one names the deliberation.
pub(crate) fn jobs_of(deliberation: &DeliberationId) -> JobRange {
    let subject = AgentId::new("x").expect("is a name");
    let job = JobId { deliberation: deliberation.clone(), round: 0, kind: JobKind::Propose, subject };
    let text = job.to_string();
    let name = text.split('/').next().unwrap_or_default();
    // '0' follows '/'.
    JobRange { from: format!("{name}/"), to: format!("{name}0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_the_jobs_of_its_deliberation_alone() {
        for id in ["a", "a/b", "a%", "ü", "a0", "a-"] {
            let id = DeliberationId::new(id).unwrap();
            let JobRange { from, to } = jobs_of(&id);
            for other in ["a", "a/b", "a%", "ü", "a0", "a-", "b"] {
                let job = JobId {
                    deliberation: DeliberationId::new(other).unwrap(),
                    round: 3,
                    kind: JobKind::Revise,
                    subject: AgentId::new("agent/dev").unwrap(),
                };
                let text = job.to_string();
                let inside = from <= text && text < to;
                assert_eq!(inside, other == id.as_str(), "{text} in {from}..{to}");
            }
        }
    }
}

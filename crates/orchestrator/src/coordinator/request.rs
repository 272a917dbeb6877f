//! What a client asks for, and the submission it becomes.

use fleet_deliberation::{
    AGENTS_MAX, Budget, DeliberationId, Digest, Priority, Rejection, Selection, Submission, Task,
    check_agents, check_judges, check_rounds, check_test_writers, check_timeout, check_top_k,
};
use serde::Serialize;

use super::Coordinator;
use crate::HandleError;

/// A task as a client submits it. What is `None` was not said.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Request {
    /// The id, if the client chose one.
    #[serde(skip)]
    pub id: Option<DeliberationId>,
    /// The task.
    pub task: Task,
    /// The council's role.
    pub role: String,
    /// Rounds of review.
    pub rounds: Option<u32>,
    /// An upper bound on the rounds, whoever says how many there are.
    pub rounds_max: Option<u32>,
    /// Agents at work.
    pub agents: Option<u32>,
    /// The longest it may take, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Judges that compare each pair of near ties; an odd number, or 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judges: Option<u32>,
    /// Near ties that are told apart at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Agents that write tests where the task brings none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_writers: Option<u32>,
    /// Whether an architect chooses among those that are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architect: Option<bool>,
    /// What it may cost.
    #[serde(skip_serializing_if = "Budget::is_none")]
    pub budget: Budget,
    /// Who goes first where not all can be served at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Who submits it, as far as the edge knows.
    #[serde(skip)]
    pub submitter: String,
    /// The trace it belongs to, as the header `traceparent` writes it; empty if it belongs to none.
    #[serde(skip)]
    pub trace: String,
}

impl Request {
    /// Checks every bound that holds wherever it is brought, naming the first field that is out of its own.
    pub fn validate(&self) -> Result<(), Rejection> {
        self.task.validate()?;
        self.rounds.map_or(Ok(()), |rounds| check_rounds("rounds", rounds))?;
        self.agents.map_or(Ok(()), |agents| check_agents("num_agents", agents as usize))?;
        self.judges.map_or(Ok(()), |judges| check_judges("judges", judges))?;
        self.top_k.map_or(Ok(()), |top_k| check_top_k("top_k", top_k))?;
        self.test_writers.map_or(Ok(()), |writers| check_test_writers("test_writers", writers))?;
        self.timeout_ms.map_or(Ok(()), |ms| check_timeout("constraints.timeout_seconds", ms))
    }
}

impl Coordinator {
    pub(super) fn submission(&self, request: Request) -> Result<Submission, HandleError> {
        let council = self.councils.get(&request.role)?;
        let agents = request.agents.map_or(council.agents.len(), |n| n as usize);
        // The rules name the bound; the list must not grow beyond it before they do.
        let members = self.councils.members(&council, agents.min(AGENTS_MAX + 1))?;
        #[expect(clippy::expect_used, reason = "a request holds only what JSON can hold, with text as keys")]
        let content = serde_json::to_vec(&request).expect("a request can be written");
        let id = match request.id {
            Some(id) => id,
            None => self.new_id()?,
        };
        let selection = Selection {
            judges: request.judges.unwrap_or(self.settings.judges),
            top_k: request.top_k.unwrap_or(self.settings.top_k),
            test_writers: request.test_writers.unwrap_or(self.settings.test_writers),
            architect: match request.architect.unwrap_or(self.settings.architect) {
                true => self.councils.architect(&members)?,
                false => None,
            },
        };
        let budget =
            self.settings.budgets.get(&council.role).map_or(self.settings.budget, |budget| budget.each);
        let rounds = request.rounds.or(council.settings.rounds).unwrap_or(self.settings.rounds);
        Ok(Submission {
            id,
            task: request.task,
            role: council.role.clone(),
            rounds: rounds.min(request.rounds_max.unwrap_or(u32::MAX)),
            quorum: self.settings.quorum.min(u32::try_from(members.len()).unwrap_or(u32::MAX)).max(1),
            members,
            timeout_ms: request.timeout_ms.unwrap_or(self.settings.timeout_ms),
            selection,
            budget: Budget {
                tokens: request.budget.tokens.or(budget.tokens),
                money_micros: request.budget.money_micros.or(budget.money_micros),
            },
            fingerprint: Digest::of(&content).to_string(),
            submitter: request.submitter,
            priority: request.priority.unwrap_or_default(),
            trace: request.trace,
        })
    }
}

//! What councils and agents are busy with, and how they stand.

use std::collections::BTreeMap;

use fleet_deliberation::{Agent, AgentId, Council, Deliberation, JobKind, Role};

/// What is under way.
#[derive(Debug, Clone, Default)]
pub struct AtWork {
    /// Open deliberations of each role.
    deliberations: BTreeMap<Role, u32>,
    /// Jobs awaited of each agent of a role. Checks are not done by agents.
    jobs: BTreeMap<(Role, AgentId), u32>,
}

/// How an agent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentStatus {
    /// It could begin.
    Ready,
    /// It has as many jobs as it does at once.
    Busy,
    /// No server that speaks for it can be reached.
    Offline,
}

/// How a council stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CouncilStatus {
    /// Nothing is before it.
    Idle,
    /// Deliberations are before it, and some of its agents could begin.
    Active,
    /// All its agents that can be reached are busy.
    Busy,
}

impl AtWork {
    /// Counts an open deliberation.
    pub(crate) fn count(&mut self, state: &Deliberation) {
        let role = &state.submission().role;
        *self.deliberations.entry(role.clone()).or_default() += 1;
        for (job, _) in state.outstanding().filter(|(job, _)| job.kind != JobKind::Check) {
            let Some(assignment) = state.assignment(&job) else { continue };
            let Some(member) = state.member(&assignment) else { continue };
            *self.jobs.entry((role.clone(), member.agent.clone())).or_default() += 1;
        }
    }

    /// How many roles have an open deliberation.
    #[must_use]
    pub fn roles(&self) -> usize {
        self.deliberations.len()
    }

    /// Open deliberations of a role.
    #[must_use]
    pub fn deliberations(&self, role: &Role) -> u32 {
        self.deliberations.get(role).copied().unwrap_or(0)
    }

    /// How an agent stands, given whether a server that speaks for it can be reached.
    #[must_use]
    pub fn agent(&self, role: &Role, agent: &Agent, reachable: bool) -> AgentStatus {
        let jobs = self.jobs.get(&(role.clone(), agent.id.clone())).copied().unwrap_or(0);
        match (reachable, jobs >= agent.capabilities.concurrent_max.max(1)) {
            (false, _) => AgentStatus::Offline,
            (true, true) => AgentStatus::Busy,
            (true, false) => AgentStatus::Ready,
        }
    }

    /// How a council stands, given how its agents do.
    #[must_use]
    pub fn council(&self, council: &Council, agents: &[AgentStatus]) -> CouncilStatus {
        if self.deliberations(&council.role) == 0 {
            CouncilStatus::Idle
        } else if agents.contains(&AgentStatus::Busy) && !agents.contains(&AgentStatus::Ready) {
            CouncilStatus::Busy
        } else {
            CouncilStatus::Active
        }
    }
}

//! Who sits in which council.

use std::collections::BTreeMap;

use fleet_deliberation::{AgentId, IdError, Member, Profile, Role};

use crate::HandleError;

/// The agents of a role.
#[derive(Debug, Clone, PartialEq)]
pub struct Council {
    /// The role.
    pub role: Role,
    /// Its agents, in the order of their seats.
    pub agents: Vec<AgentId>,
    /// The model they speak through.
    pub profile: Profile,
}

impl Council {
    /// A council of `size` agents named after their role: `agent-dev-001` and so on.
    pub fn new(role: Role, size: usize, profile: Profile) -> Result<Council, IdError> {
        let agents = (1..=size).map(|n| agent(&role, n)).collect::<Result<_, _>>()?;
        Ok(Council { role, agents, profile })
    }

    /// The first `n` agents; beyond the council's size, temporary ones are added.
    pub fn members(&self, n: usize) -> Result<Vec<Member>, IdError> {
        (1..=n)
            .map(|seat| {
                let agent = match self.agents.get(seat - 1) {
                    Some(agent) => agent.clone(),
                    None => agent(&self.role, seat)?,
                };
                Ok(Member { agent, profile: self.profile.clone() })
            })
            .collect()
    }
}

fn agent(role: &Role, n: usize) -> Result<AgentId, IdError> {
    AgentId::new(&format!("agent-{}-{n:03}", role.as_str().to_lowercase()))
}

/// The councils there are.
#[derive(Debug, Clone, Default)]
pub struct Councils(BTreeMap<Role, Council>);

impl Councils {
    /// These councils, one a role; of two of the same role the later one counts.
    pub fn new(councils: impl IntoIterator<Item = Council>) -> Councils {
        Councils(councils.into_iter().map(|council| (council.role.clone(), council)).collect())
    }

    /// The council of a role, in small or in capital letters.
    pub fn get(&self, role: &str) -> Result<&Council, HandleError> {
        let named = |council: &&Council| council.role.as_str().eq_ignore_ascii_case(role);
        let exact = Role::new(role).ok().and_then(|role| self.0.get(&role));
        exact.or_else(|| self.0.values().find(named)).ok_or_else(|| HandleError::NoCouncil {
            role: role.to_owned(),
            existing: self.0.keys().cloned().collect(),
        })
    }

    /// Every council, by role.
    pub fn iter(&self) -> impl Iterator<Item = &Council> {
        self.0.values()
    }
}

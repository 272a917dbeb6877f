//! Who sits in which council: what the configuration says, with what was asked for by call laid over it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fleet_deliberation::{
    Agent, Council, CouncilCommand, CouncilEvent, Digest, Member, Profile, Record, Rejection, Role,
    decide_council, evolve_council,
};

use crate::port::{Clock, Entry, EventStore, HistoryId, HistoryKind, Listing, Sequence, StoreError, Stored};
use crate::{HandleError, chain};

/// How often a decision is taken anew when the history has moved on in between.
const CONFLICTS_MAX: usize = 16;
/// The role whose agents choose among near ties.
const ARCHITECT: &str = "ARCHITECT";
/// The most roles that may have a council or have had one.
const COUNCILS_MAX: usize = 1_000;

/// The councils there are. What is known is kept in memory; the log says what is so.
pub struct Councils {
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    profiles: BTreeMap<String, Profile>,
    known: Mutex<BTreeMap<Role, Known>>,
}

/// What is known of a role.
#[derive(Debug, Clone, Default)]
struct Known {
    /// Its council; `None` if it has none, or none any more.
    council: Option<Arc<Council>>,
    /// The place of the last record of its history.
    sequence: Sequence,
    /// The hash of that record.
    digest: Digest,
}

impl Councils {
    /// The councils of the configuration; of two of the same role the later one counts. `profiles` are the
    /// model profiles by name.
    #[must_use]
    pub fn new(
        store: Arc<dyn EventStore>,
        clock: Arc<dyn Clock>,
        configured: impl IntoIterator<Item = Council>,
        profiles: impl IntoIterator<Item = Profile>,
    ) -> Councils {
        let known = |council: Council| {
            (council.role.clone(), Known { council: Some(Arc::new(council)), ..Known::default() })
        };
        Councils {
            store,
            clock,
            profiles: profiles.into_iter().map(|profile| (profile.name.clone(), profile)).collect(),
            known: Mutex::new(configured.into_iter().map(known).collect()),
        }
    }

    /// Lays over the configuration what was ever asked for by call.
    pub async fn load(&self) -> Result<(), StoreError> {
        for info in self.store.histories(Listing::Open(HistoryKind::Council)).await? {
            let Some(role) = info.id.as_council() else { continue };
            match self.refresh(&role).await {
                // One of them must not take the others along.
                Err(error @ StoreError::Corrupt(..)) => {
                    tracing::error!(council.role = %role, error = chain(&error), "a council cannot be read");
                }
                other => other?,
            }
        }
        Ok(())
    }

    /// The council of a role, in small or in capital letters.
    pub fn get(&self, role: &str) -> Result<Arc<Council>, HandleError> {
        let known = self.lock();
        let council = find(&known, role).and_then(|(_, known)| known.council.clone());
        council.ok_or_else(|| {
            let councils = known.iter().filter(|(_, known)| known.council.is_some());
            HandleError::NoCouncil {
                role: role.to_owned(),
                existing: councils.map(|(role, _)| role.clone()).collect(),
            }
        })
    }

    /// Every council, by role.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Council>> {
        self.lock().values().filter_map(|known| known.council.clone()).collect()
    }

    /// The model profiles, by name.
    pub fn profiles(&self) -> impl Iterator<Item = &Profile> {
        self.profiles.values()
    }

    /// The profile an agent of a council speaks through.
    pub fn profile(&self, council: &Council, agent: &Agent) -> Result<Profile, Rejection> {
        council.profile(agent, |name| self.profiles.get(name))
    }

    /// The first `n` agents of a council as members of a deliberation, with temporary ones beyond its size.
    pub fn members(&self, council: &Council, n: usize) -> Result<Vec<Member>, Rejection> {
        council.members(n, |name| self.profiles.get(name))
    }

    /// Who chooses among near ties of `members`: the first agent of the ARCHITECT council that is none of them, else
    /// its first one. `None` where there is no such council, or nobody in it.
    pub fn architect(&self, members: &[Member]) -> Result<Option<Member>, Rejection> {
        let Ok(council) = self.get(ARCHITECT) else { return Ok(None) };
        let seated = |agent: &&Agent| members.iter().any(|member| member.agent == agent.id);
        let agent = council.agents.iter().find(|agent| !seated(agent)).or(council.agents.first());
        let Some(agent) = agent else { return Ok(None) };
        Ok(Some(Member { agent: agent.id.clone(), profile: self.profile(&council, agent)? }))
    }

    /// Brings a command before the rules and stores what it leads to. Gives the role as it is written, and
    /// its council, if it has one now.
    pub async fn handle(
        &self,
        role: &str,
        command: CouncilCommand,
    ) -> Result<(Role, Option<Arc<Council>>), HandleError> {
        let role = self.role(role, &command)?;
        for _ in 0..CONFLICTS_MAX {
            let known = self.lock().get(&role).cloned().unwrap_or_default();
            let at = self.clock.now();
            let Some(event) = decide_council(known.council.as_deref(), &role, command.clone(), at)? else {
                return Ok((role, known.council));
            };
            let council = evolve_council(known.council.as_deref().cloned(), &role, &event).map(Arc::new);
            let body = Record::new(at, known.digest, vec![event]).encode();
            let digest = Digest::of(&body);
            let entry = Entry { body: body.into(), at, ends: false };
            match self.store.append(&HistoryId::council(&role), known.sequence, entry).await {
                Ok(sequence) => {
                    self.keep(&role, Known { council: council.clone(), sequence, digest });
                    return Ok((role, council));
                }
                Err(StoreError::Conflict) => self.refresh(&role).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict.into())
    }

    /// Takes in a record that came by the log, so that what others decided is known here.
    pub(crate) async fn learn(&self, stored: &Stored) -> Result<(), StoreError> {
        let Some(role) = stored.history.as_council() else { return Ok(()) };
        let behind = self.lock().get(&role).is_none_or(|known| known.sequence < stored.sequence);
        if behind { self.refresh(&role).await } else { Ok(()) }
    }

    /// The role as it is known, or as it is written if it is new and may be.
    fn role(&self, role: &str, command: &CouncilCommand) -> Result<Role, HandleError> {
        let known = self.lock();
        if let Some((role, known)) = find(&known, role)
            && (known.council.is_some() || matches!(command, CouncilCommand::Create { .. }))
        {
            return Ok(role.clone());
        }
        let create = matches!(command, CouncilCommand::Create { .. });
        if !create {
            drop(known);
            return self.get(role).map(|council| council.role.clone());
        }
        if known.len() >= COUNCILS_MAX {
            let message =
                format!("there are, or were, councils for {COUNCILS_MAX} roles, the most there may be");
            return Err(Rejection::NotNow(message).into());
        }
        Role::new(role)
            .map_err(|error| Rejection::Malformed { field: "role".into(), reason: error.to_string() }.into())
    }

    async fn refresh(&self, role: &Role) -> Result<(), StoreError> {
        let mut known = self.lock().get(role).cloned().unwrap_or_default();
        let mut council = known.council.as_deref().cloned();
        for stored in self.store.read(&HistoryId::council(role), known.sequence).await? {
            let corrupt = |cause: String| StoreError::Corrupt(stored.sequence, cause.into());
            let record = Record::<CouncilEvent>::decode(&stored.entry.body)
                .map_err(|error| StoreError::Corrupt(stored.sequence, error.into()))?;
            if record.previous != known.digest {
                return Err(corrupt(format!("it does not follow the record before it ({})", known.digest)));
            }
            council =
                record.events.iter().fold(council, |council, event| evolve_council(council, role, event));
            known.sequence = stored.sequence;
            known.digest = Digest::of(&stored.entry.body);
        }
        known.council = council.map(Arc::new);
        self.keep(role, known);
        Ok(())
    }

    fn keep(&self, role: &Role, news: Known) {
        let mut known = self.lock();
        let now = known.entry(role.clone()).or_default();
        // Another one may have been quicker.
        if news.sequence > now.sequence {
            *now = news;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Role, Known>> {
        // What no panic can leave half changed.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find<'a>(known: &'a BTreeMap<Role, Known>, role: &str) -> Option<(&'a Role, &'a Known)> {
    let exact = Role::new(role).ok().and_then(|role| known.get_key_value(&role));
    exact.or_else(|| known.iter().find(|(known, _)| known.as_str().eq_ignore_ascii_case(role)))
}

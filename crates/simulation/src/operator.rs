//! Somebody who changes a council while it works, and what must hold of councils whatever goes wrong.

use std::sync::{Arc, PoisonError};

use fleet_deliberation::{
    Agent, AgentId, Capabilities, Council, CouncilCommand, CouncilEvent, Record, Rejection, evolve_council,
};
use fleet_orchestrator::HandleError;

use crate::rng::Rng;
use crate::run::{Door, configured};
use crate::world::{State, World};

/// The role whose council is changed.
const ROLE: &str = "DEV";

/// Registers an agent and, perhaps, takes it out again.
pub(crate) struct Operator {
    agent: AgentId,
    pause_ms: u64,
    unregister_after_ms: Option<u64>,
}

impl Operator {
    pub(crate) fn draw(rng: &mut Rng, number: u64) -> Operator {
        #[expect(clippy::expect_used, reason = "the text is a name")]
        let agent = AgentId::new(&format!("guest-{number}")).expect("a name");
        let unregister_after_ms = rng.chance(500).then(|| rng.below(20_000));
        Operator { agent, pause_ms: rng.below(30_000), unregister_after_ms }
    }

    pub(crate) async fn run(self, world: World, doors: Vec<Door>) {
        world.pause(self.pause_ms).await;
        let agent = Agent {
            id: self.agent.clone(),
            profile: Some("default".into()),
            endpoint: None,
            model: None,
            capabilities: Capabilities::default(),
        };
        self.patiently(&world, &doors, &CouncilCommand::Register { agent }).await;
        if let Some(after_ms) = self.unregister_after_ms {
            world.pause(after_ms).await;
            self.patiently(&world, &doors, &CouncilCommand::Unregister { agent: self.agent.clone() }).await;
        }
    }

    /// Asks whichever process lives until the command is carried out.
    async fn patiently(&self, world: &World, doors: &[Door], command: &CouncilCommand) {
        loop {
            let door = {
                let n = world.lock().rng.below(doors.len() as u64);
                &doors[usize::try_from(n).unwrap_or(0)]
            };
            let coordinator = door.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(coordinator) = coordinator {
                match coordinator.councils().handle(ROLE, command.clone()).await {
                    Ok(_) => return,
                    // An attempt whose outcome was not known was carried out, or another process has not
                    // heard of the registration yet.
                    Err(HandleError::Rejected(Rejection::NotThere(_))) if self.is_done(world, command) => {
                        return;
                    }
                    Err(HandleError::Rejected(Rejection::NotThere(_)) | HandleError::Store(_)) => {}
                    Err(error) => return world.lock().broken(format!("{}: {error}", self.agent)),
                }
            }
            world.pause(500).await;
        }
    }

    fn is_done(&self, world: &World, command: &CouncilCommand) -> bool {
        let there = |council: Council| council.agents.iter().any(|agent| agent.id == self.agent);
        let there = by_the_log(&world.lock()).is_ok_and(|council| council.is_some_and(there));
        there == matches!(command, CouncilCommand::Register { .. })
    }
}

/// Whether every process that lives knows the council as the log has it.
pub(crate) fn all_agree(state: &State, doors: &[Door]) -> Result<(), String> {
    let council = by_the_log(state)?.map(Arc::new);
    for door in doors {
        let door = door.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(coordinator) = door.as_ref() else { continue };
        let known = coordinator.councils().get(ROLE).ok();
        if known != council {
            return Err(format!("a process knows the council as {known:?}, the log has {council:?}"));
        }
    }
    Ok(())
}

fn by_the_log(state: &State) -> Result<Option<Council>, String> {
    let mut council = configured(ROLE, 3);
    for stored in &state.log {
        let Some(role) = stored.history.as_council() else { continue };
        let record = Record::<CouncilEvent>::decode(&stored.entry.body).map_err(|error| error.to_string())?;
        council = record.events.iter().fold(council, |council, event| evolve_council(council, &role, event));
    }
    Ok(council)
}

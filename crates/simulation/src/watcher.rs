//! Somebody who follows a deliberation through everything that happens to the processes, and writes down what
//! they were told.

use std::sync::{Arc, PoisonError};

use fleet_deliberation::{DeliberationId, Phase, Record, Rejection, Timestamp};
use fleet_orchestrator::port::{Clock as _, HistoryId};
use fleet_orchestrator::{Coordinator, HandleError, Update, Updates};

use crate::rng::Rng;
use crate::run::Door;
use crate::world::World;

/// How long an update may take to its watcher when nothing fails, in milliseconds.
const LATE_MS_MAX: u64 = 1_000;

/// An update, as far as it can be compared.
type Told = (u64, Phase, u32, String, Option<String>);

pub(crate) struct Watcher {
    id: DeliberationId,
    pause_ms: u64,
    /// How often in a thousand the connection breaks after an update.
    breaks: u64,
    told: Vec<Told>,
}

impl Watcher {
    pub(crate) fn draw(rng: &mut Rng, id: DeliberationId) -> Watcher {
        Watcher { id, pause_ms: rng.below(40_000), breaks: rng.below(300), told: Vec::new() }
    }

    pub(crate) async fn run(mut self, world: World, doors: Vec<Door>) {
        world.pause(self.pause_ms).await;
        while !self.is_over() {
            if world.lock().refused.contains(&self.id) {
                return;
            }
            if let Some((door, coordinator)) = living(&world, &doors) {
                tokio::select! {
                    biased;
                    outcome = self.follow(&world, &coordinator) => if let Err(broken) = outcome {
                        return world.lock().broken(format!("a watcher of {}: {broken}", self.id));
                    },
                    // What a process had to say goes with it.
                    () = dead(&world, &door, &coordinator) => {}
                }
            }
            world.pause(300).await;
        }
        let outcome = self.compare(&world, &doors).await;
        if let Err(broken) = outcome {
            world.lock().broken(format!("a watcher of {}: {broken}", self.id));
        }
    }

    fn is_over(&self) -> bool {
        self.told.last().is_some_and(|(_, phase, ..)| *phase == Phase::Complete)
    }

    /// Follows on from where the last connection broke, until this one does.
    async fn follow(&mut self, world: &World, coordinator: &Coordinator) -> Result<(), String> {
        let after = self.told.len() as u64;
        let Some(mut updates) = may_fail(coordinator.updates(&self.id, after).await)? else { return Ok(()) };
        loop {
            let asked_at = world.now();
            let Some(Some(update)) = may_fail(updates.next().await)? else { return Ok(()) };
            let told = told(update);
            if let Some(late_ms) = self.late_ms(world, told.0, asked_at).filter(|late| *late > LATE_MS_MAX) {
                return Err(format!("update {} came {late_ms} ms late, and nothing was in its way", told.0));
            }
            let expected = self.told.len() as u64 + 1;
            if told.0 != expected {
                return Err(format!("update {} came where {expected} was expected", told.0));
            }
            let before = self.told.last().map_or((Phase::Generating, 0), |last| (last.1, last.2));
            if (told.1, told.2) < before || (told.2 == 100) != (told.1 == Phase::Complete) {
                return Err(format!("it stood at {before:?}, then came {told:?}"));
            }
            self.told.push(told);
            if world.lock().rng.chance(self.breaks) {
                return Ok(());
            }
        }
    }

    /// How long the watcher waited for an update that was there; `None` while there are faults.
    fn late_ms(&self, world: &World, sequence: u64, asked_at: Timestamp) -> Option<u64> {
        let state = world.lock();
        let asked_at = asked_at.max(state.healed_at?);
        let history = HistoryId::deliberation(&self.id);
        let mut events = 0;
        let record = state.log.iter().filter(|stored| stored.history == history).find(|stored| {
            let record = <Record>::decode(&stored.entry.body).ok();
            events += record.map_or(0, |record| record.events.len() as u64);
            events >= sequence
        })?;
        Some(state.now.ms_since(asked_at.max(record.entry.at)))
    }

    /// Asks again from some of the sequences: the rest must be told, and nothing else.
    async fn compare(&self, world: &World, doors: &[Door]) -> Result<(), String> {
        let end = self.told.len() as u64;
        let some = world.lock().rng.below(end);
        for after in [0, some, end, end + 1] {
            let rest = loop {
                let Some((_, coordinator)) = living(world, doors) else {
                    world.pause(300).await;
                    continue;
                };
                let asked = self.rest(&coordinator, after).await;
                match asked {
                    Err(HandleError::Rejected(Rejection::Malformed { field, .. })) if after > end => {
                        break (field == "after_sequence").then(Vec::new).ok_or("the field is not named")?;
                    }
                    other => match may_fail(other)? {
                        Some(rest) => break rest,
                        None => world.pause(300).await,
                    },
                }
            };
            if rest != self.told[usize::try_from(after.min(end)).unwrap_or(0)..] {
                return Err(format!("behind {after} is told {rest:?}, but it was {:?}", self.told));
            }
        }
        Ok(())
    }

    async fn rest(&self, coordinator: &Coordinator, after: u64) -> Result<Vec<Told>, HandleError> {
        let mut updates: Updates = coordinator.updates(&self.id, after).await?;
        let mut rest = Vec::new();
        while let Some(update) = updates.next().await? {
            rest.push(told(update));
        }
        Ok(rest)
    }
}

/// `None` for what may be different next time.
fn may_fail<T>(asked: Result<T, HandleError>) -> Result<Option<T>, String> {
    match asked {
        Ok(given) => Ok(Some(given)),
        Err(HandleError::Store(_) | HandleError::Rejected(Rejection::Unknown(_))) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn told(update: Update) -> Told {
    let Update { place, step, draft, .. } = update;
    let text = draft.map(|draft| format!("{}: {}", draft.author, draft.generation.text));
    (place.sequence, place.phase, place.progress_percent, step, text)
}

fn living(world: &World, doors: &[Door]) -> Option<(Door, Arc<Coordinator>)> {
    let n = world.lock().rng.below(doors.len() as u64);
    let door = Arc::clone(&doors[usize::try_from(n).unwrap_or(0)]);
    let coordinator = door.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
    Some((door, coordinator))
}

async fn dead(world: &World, door: &Door, coordinator: &Arc<Coordinator>) {
    loop {
        world.pause(1_000).await;
        let lives = door.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !lives.is_some_and(|living| Arc::ptr_eq(&living, coordinator)) {
            return;
        }
    }
}

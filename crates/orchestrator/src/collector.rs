//! Turns recorded answers into commands.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use fleet_deliberation::{Answer, Command, DeliberationId};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use crate::persist::persist;
use crate::port::{Answers, Clock, Position, StoreError};
use crate::{Coordinator, HandleError, chain};

/// How many answers are taken at once.
const BATCH_MAX: usize = 512;
/// How many deliberations are decided on at once; no more answers are taken while that many wait.
const DECISIONS_MAX: usize = 1024;

/// Follows the answers and brings each before the coordinator. It keeps no place of its own: what it
/// missed, the sweep brings.
pub struct Collector {
    answers: Arc<dyn Answers>,
    coordinator: Arc<Coordinator>,
    clock: Arc<dyn Clock>,
}

impl Collector {
    /// A collector from `answers` to `coordinator`.
    #[must_use]
    pub fn new(answers: Arc<dyn Answers>, coordinator: Arc<Coordinator>, clock: Arc<dyn Clock>) -> Collector {
        Collector { answers, coordinator, clock }
    }

    /// Works on the answers behind `from` until told to stop.
    pub async fn run(self, from: Position, stop: CancellationToken) {
        stop.run_until_cancelled(self.follow(from)).await;
    }

    async fn follow(&self, mut place: Position) {
        // Answers to a deliberation that is being decided on wait here and are then taken together.
        let mut waiting: BTreeMap<DeliberationId, Vec<Arc<Answer>>> = BTreeMap::new();
        let mut busy: BTreeSet<DeliberationId> = BTreeSet::new();
        let mut decisions = FuturesUnordered::new();
        let mut tail = pin!(self.tail(place));
        loop {
            let decided = tokio::select! {
                biased;
                Some(id) = decisions.next(), if !decisions.is_empty() => vec![id],
                answers = &mut tail, if busy.len() < DECISIONS_MAX => {
                    place = answers.last().map_or(place, |(position, _)| *position);
                    tail.set(self.tail(place));
                    let mut news = Vec::new();
                    for (_, answer) in answers {
                        let id = answer.job.deliberation.clone();
                        let known = waiting.entry(id.clone()).or_default();
                        if known.is_empty() && !busy.contains(&id) {
                            news.push(id);
                        }
                        known.push(answer);
                    }
                    news
                }
            };
            for id in decided {
                busy.remove(&id);
                if let Some(answers) = waiting.remove(&id) {
                    busy.insert(id.clone());
                    decisions.push(self.decide(id, answers));
                }
            }
        }
    }

    async fn tail(&self, place: Position) -> Vec<(Position, Arc<Answer>)> {
        let tail = || self.answers.tail(place, BATCH_MAX);
        persist(&*self.clock, "reading new answers", tail).await
    }

    async fn decide(&self, id: DeliberationId, answers: Vec<Arc<Answer>>) -> DeliberationId {
        persist(&*self.clock, "taking in answers", || take(&self.coordinator, &*self.clock, &id, &answers))
            .await;
        id
    }
}

/// Brings answers to one deliberation before the rules. An error is worth another try; what another try
/// cannot mend is logged and left.
pub(crate) async fn take(
    coordinator: &Coordinator,
    clock: &dyn Clock,
    id: &DeliberationId,
    answers: &[Arc<Answer>],
) -> Result<(), StoreError> {
    let at = clock.now();
    let commands: Vec<Command> = answers.iter().map(|answer| answer.taken(at)).collect();
    match coordinator.handle(id, &commands).await {
        Ok(_) => Ok(()),
        Err(HandleError::Store(
            error @ (StoreError::Conflict | StoreError::Full | StoreError::Unavailable(_)),
        )) => Err(error),
        Err(error) => {
            tracing::error!(deliberation.id = %id, error = chain(&error), "answers could not be taken in");
            Ok(())
        }
    }
}

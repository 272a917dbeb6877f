//! One attempt: a call of one server; of another one only where a server could not be reached at all.

use std::sync::atomic::Ordering;

use fleet_deliberation::{Generation, Timestamp};
use fleet_orchestrator::port::{Heard, ModelError, ModelRequest, ResponseFormat, Tokens};

use super::hedge::{Came, Race};
use super::line::Ask;
use super::no_place::NotReached;
use super::place::Place;
use super::{Pool, Telling};
use crate::openai::Failed;

pub(super) struct Attempt<'a> {
    pub(super) pool: &'a Pool,
    pub(super) request: &'a ModelRequest,
    heard: Heard<'a>,
    deadline: Timestamp,
    /// What a place is asked for; servers that could not be reached are taken out.
    pub(super) ask: Ask,
    /// Calls made so far.
    calls: u32,
    /// Whether a call was made beside a slow one.
    pub(super) hedged: bool,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(pool: &'a Pool, request: &'a ModelRequest, heard: Heard<'a>) -> Attempt<'a> {
        let ask = Ask {
            deliberation: request.job.deliberation.clone(),
            priority: request.priority,
            tokens: estimate(request),
            model: request.model.clone(),
            servers: pool.preference(&request.job.deliberation, request.attempt),
        };
        let deadline = pool.world.clock.now().plus_ms(request.timeout_ms);
        Attempt { pool, request, heard, deadline, ask, calls: 0, hedged: false }
    }

    pub(super) async fn run(mut self) -> Result<Generation, ModelError> {
        let mut not_reached = NotReached::new();
        loop {
            let place = match self.pool.servers.gate.place(self.ask.clone(), self.deadline).await {
                Ok(place) => place,
                Err(why) => {
                    return Err(self.pool.no_place(self.request, self.ask.tokens, why, not_reached));
                }
            };
            if self.calls > 0 {
                self.pool.failovers.fetch_add(1, Ordering::Relaxed);
            }
            match self.call_or_two(place).await {
                Came::Answer(mut generation) => {
                    generation.calls_unknown += self.calls_beside();
                    return Ok(generation);
                }
                Came::Fault(error) => return Err(error),
                Came::NotReached(failed) => {
                    self.ask.servers.retain(|server| failed.iter().all(|(at, _)| at != server));
                    not_reached.extend(failed);
                }
            }
            if self.ask.servers.is_empty() {
                return Err(self.pool.unusable(Vec::new(), not_reached));
            }
        }
    }

    /// The most calls that the server of a call beside this one may have begun an answer to.
    fn calls_beside(&self) -> u32 {
        match (self.hedged, &self.request.format) {
            (false, _) => 0,
            (true, ResponseFormat::Text) => 1,
            // Once with a schema, and once without.
            (true, ResponseFormat::Json { .. }) => 2,
        }
    }

    /// The number of the next call.
    pub(super) const fn next_call(&mut self) -> u32 {
        self.calls += 1;
        self.calls
    }

    /// Makes a call at `place`. What is heard is passed on as long as the call is ahead in `race`.
    pub(super) fn call<'c>(
        &self,
        mut place: Place,
        nth: u32,
        hedge: bool,
        race: &'c Race,
    ) -> impl Future<Output = (usize, Result<Generation, Failed>)> + Send + use<'a, 'c>
    where
        'a: 'c,
    {
        let (pool, request, heard, deadline) = (self.pool, self.request, self.heard, self.deadline);
        async move {
            let at = place.server();
            let server = &pool.servers.clients[at];
            let telling = Telling::begin(&pool.world, request, server.label(), nth, hedge);
            let ahead = |tokens: Tokens<'_>| {
                if race.is_ahead(nth) {
                    heard(tokens);
                }
            };
            place.begin();
            let left_ms = deadline.ms_since(pool.world.clock.now()).max(1);
            let result = server.call(request, nth, left_ms, &ahead).await;
            telling.end(result.as_ref().map_err(|failed| &failed.error));
            place.end(&result);
            (at, result)
        }
    }
}

/// The tokens a call may take: four bytes of prompt are about one.
fn estimate(request: &ModelRequest) -> u64 {
    let bytes: usize = request.messages.iter().map(|message| message.text.len()).sum();
    let prompt = u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX);
    prompt.saturating_add(u64::from(request.tokens_max))
}

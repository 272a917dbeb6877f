//! Updates, and between them what is being written, as far as the reader keeps up.

use std::collections::VecDeque;

use fleet_deliberation::{AgentId, DeliberationId, JobId};

use super::{Place, Update, Updates};
use crate::HandleError;
use crate::port::{Seen, TickWatch};

/// The most bytes of text that are joined into one piece, beyond those of the last one that is joined.
const JOINED_BYTES_MAX: usize = 16 * 1024;

/// Something a watcher is shown.
#[derive(Debug, Clone)]
pub enum Shown {
    /// A step. It lasts: whoever comes later is shown it, too.
    Step(Box<Update>),
    /// What is being written. It passes by. The place is that of the step before.
    Writing(Place, Writing),
}

/// What was written of a job since the last time it was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writing {
    /// The job.
    pub job: JobId,
    /// Who writes.
    pub agent: AgentId,
    /// Which attempt at the job it is; the first is 1. What earlier ones wrote does not count.
    pub attempt: u32,
    /// What was written, of the answer or of the reasoning before it.
    pub text: String,
    /// Tokens written so far in this attempt.
    pub tokens: u64,
    /// Whether the text is reasoning before the answer.
    pub reasoning: bool,
    /// How many pieces of the deliberation's texts came before this one and were lost, because nobody asked
    /// for them in time.
    pub left_out: u64,
}

/// Updates of a deliberation with what is being written between them.
pub struct Following {
    updates: Updates,
    ticks: Box<dyn TickWatch>,
    /// What was written and not shown yet, joined. No more than what was seen in one look.
    written: VecDeque<Writing>,
    left_out: u64,
}

impl Following {
    /// Follows `updates`, and what `ticks` show of the same deliberation.
    #[must_use]
    pub fn new(updates: Updates, ticks: Box<dyn TickWatch>) -> Following {
        Following { updates, ticks, written: VecDeque::new(), left_out: 0 }
    }

    /// The deliberation.
    #[must_use]
    pub fn id(&self) -> &DeliberationId {
        self.updates.id()
    }

    /// The sequence of the update shown last; 0 before the first.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.updates.sequence()
    }

    /// What is next; waits for it. `None` after the last update. Dropping the future loses nothing.
    ///
    /// Steps go first: while there is one that was not shown yet, nothing else is.
    pub async fn next(&mut self) -> Result<Option<Shown>, HandleError> {
        loop {
            if let Some(update) = self.updates.ready().await? {
                return Ok(Some(Shown::Step(Box::new(update))));
            }
            if self.updates.is_over() {
                return Ok(None);
            }
            if let Some(writing) = self.writing() {
                return Ok(Some(writing));
            }
            tokio::select! {
                biased;
                () = self.updates.moved() => {}
                seen = self.ticks.seen() => self.join(seen),
            }
        }
    }

    fn writing(&mut self) -> Option<Shown> {
        let (place, state) = (self.updates.place()?, self.updates.state()?);
        // What an answer has overtaken is of no interest any more.
        while let Some(writing) = self.written.pop_front() {
            if state.assignment(&writing.job).is_some() {
                let left_out = std::mem::take(&mut self.left_out);
                return Some(Shown::Writing(place, Writing { left_out, ..writing }));
            }
        }
        None
    }

    /// Joins what belongs together: the pieces of one attempt, but reasoning apart from the answer.
    fn join(&mut self, seen: Seen) {
        self.left_out += seen.left_out;
        for tick in seen.ticks {
            let same = |writing: &&mut Writing| writing.job == tick.job && writing.attempt == tick.attempt;
            let last = self.written.iter_mut().rev().find(same);
            let takes = |writing: &&mut Writing| {
                writing.reasoning == tick.reasoning && writing.text.len() < JOINED_BYTES_MAX
            };
            if let Some(writing) = last.filter(takes) {
                writing.text.push_str(&tick.text);
                writing.tokens = tick.tokens;
                continue;
            }
            self.written.push_back(Writing {
                job: tick.job.clone(),
                agent: tick.agent.clone(),
                attempt: tick.attempt,
                text: tick.text.to_string(),
                tokens: tick.tokens,
                reasoning: tick.reasoning,
                left_out: 0,
            });
        }
    }
}

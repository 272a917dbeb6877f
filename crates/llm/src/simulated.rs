//! A model that is none: seeded, without a server, for demonstrations, load tests and simulation.

mod comparison;
mod draft;
mod errors;
mod task;
mod text;

use std::sync::Arc;

use async_trait::async_trait;
use fleet_deliberation::{FailureKind, Generation, JobKind, Usage};
use fleet_orchestrator::port::{Clock, Heard, LanguageModel, ModelError, ModelRequest, Speaker, Tokens};

use crate::dice::Dice;
use draft::Draft;
pub use errors::{AnswerKey, AnswerKeys, Attempt, ErrorRates, ErrorTrial};
use task::Task;

/// The name of the model in all that it writes.
pub const SIMULATED: &str = "simulated";
/// What every text of the simulated model holds, so that nobody takes one for an answer.
pub const LABEL: &str = "_Written by the simulated model; not a real answer._";

/// How often progress is told of while an answer is being written.
const TICKS: u64 = 6;

/// How the simulated model behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimulatedSettings {
    /// The same seed gives the same answers to the same jobs.
    pub seed: u64,
    /// How long an answer takes on average, in milliseconds.
    pub latency_ms: u64,
    /// How much of that may be more or less: 0 is nothing, 1 is from nothing to twice as long.
    pub latency_spread: f64,
    /// How many tokens are written in a second, on top of the latency; 0 takes no time for them.
    pub tokens_per_second: u64,
    /// The share of calls that fail, from 0 to 1.
    pub failure_rate: f64,
    /// The share of answers that cannot be used, from 0 to 1.
    pub malformed_rate: f64,
}

impl Default for SimulatedSettings {
    fn default() -> Self {
        SimulatedSettings {
            seed: 1,
            latency_ms: 400,
            latency_spread: 0.5,
            tokens_per_second: 0,
            failure_rate: 0.0,
            malformed_rate: 0.0,
        }
    }
}

/// Writes answers that look like a council's at work: right and wrong, better and worse.
pub struct SimulatedModel {
    settings: SimulatedSettings,
    clock: Arc<dyn Clock>,
    keys: Option<Arc<dyn AnswerKeys>>,
}

impl SimulatedModel {
    /// A model that takes its time from `clock`, and nothing else from anywhere.
    #[must_use]
    pub fn new(settings: SimulatedSettings, clock: Arc<dyn Clock>) -> SimulatedModel {
        SimulatedModel { settings, clock, keys: None }
    }

    /// The same, with right and wrong answers to what `keys` knows: of these it errs as its error model says.
    #[must_use]
    pub fn with_keys(self, keys: Option<Arc<dyn AnswerKeys>>) -> SimulatedModel {
        SimulatedModel { keys, ..self }
    }

    fn duration_ms(&self, tokens: u64, dice: &mut Dice) -> u64 {
        let spread = self.settings.latency_spread.clamp(0.0, 1.0) * (2.0 * dice.unit() - 1.0);
        let latency = self.settings.latency_ms as f64 * (1.0 + spread);
        let writing = tokens.saturating_mul(1000).checked_div(self.settings.tokens_per_second).unwrap_or(0);
        (latency as u64).saturating_add(writing)
    }
}

/// What was begun with a real model is not ended by this one.
fn not_meant(model: &str) -> ModelError {
    ModelError {
        kind: FailureKind::Connection,
        message: format!(
            "no server for {model} is known here, only the simulated model; name one with --url"
        ),
        retry_after_ms: None,
    }
}

#[async_trait]
impl LanguageModel for SimulatedModel {
    async fn complete(&self, request: &ModelRequest, heard: Heard<'_>) -> Result<Generation, ModelError> {
        if request.model.as_ref() != SIMULATED {
            return Err(not_meant(&request.model));
        }
        let started = self.clock.now();
        let (job, attempt) = (request.job.to_string(), request.attempt.to_string());
        let mut dice = Dice::new(self.settings.seed, &[&job, &attempt, request.agent.as_str()]);
        let outcome = self.outcome(request, &mut dice);
        let written = outcome.as_ref().map_or(0, |(text, _)| tokens(text.len()));
        let mut duration_ms = self.duration_ms(written, &mut dice);
        if outcome.is_err() {
            // Faults show early or late.
            duration_ms = (duration_ms as f64 * dice.unit()) as u64;
        }
        let (mut first_token_ms, mut shown) = (None, 0);
        for tick in 1..=TICKS {
            let at =
                (duration_ms / TICKS).saturating_mul(tick).max(if tick == TICKS { duration_ms } else { 0 });
            if at > request.timeout_ms {
                self.clock.sleep_until(started.plus_ms(request.timeout_ms)).await;
                return Err(too_slow(request.timeout_ms));
            }
            // Without latency there is nothing to wait for, and one tick tells all.
            if at > 0 {
                self.clock.sleep_until(started.plus_ms(at)).await;
            }
            if outcome.is_ok() && (at > 0 || tick == TICKS) {
                first_token_ms.get_or_insert_with(|| self.clock.now().ms_since(started));
                let text = outcome.as_ref().map_or("", |(text, _)| part(text, &mut shown, tick));
                heard(Tokens { written: written * tick / TICKS, reasoning: false, text });
            }
        }
        let (text, truncated) = outcome?;
        let prompt_tokens = tokens(request.messages.iter().map(|message| message.text.len()).sum());
        Ok(Generation {
            text,
            reasoning: String::new(),
            model: SIMULATED.into(),
            temperature: request.temperature,
            usage: Usage { prompt_tokens, completion_tokens: written, estimated: true },
            truncated,
            first_token_ms: first_token_ms.unwrap_or_default(),
            calls_unknown: 0,
        })
    }
}

impl SimulatedModel {
    /// What comes of a call, and whether it was cut off.
    fn outcome(&self, request: &ModelRequest, dice: &mut Dice) -> Result<(String, bool), ModelError> {
        if dice.happens(self.settings.failure_rate) {
            return Err(fault(dice));
        }
        let malformed = dice.happens(self.settings.malformed_rate);
        if malformed && dice.happens(0.4) {
            return Err(error(FailureKind::Empty, "gave an empty answer"));
        }
        let user = || request.messages.iter().rev().filter(|message| message.speaker == Speaker::User);
        let marked = || user().find_map(|message| Draft::marked(&message.text));
        let trial = self.keys.as_ref().and_then(|keys| keys.trial(&request.job.deliberation));
        let text = match (request.job.kind, trial) {
            (JobKind::Critique, _) if malformed => return Ok((text::malformed_review(dice), false)),
            (JobKind::Judge | JobKind::Select, _) if malformed => {
                return Ok(("I cannot decide.".into(), false));
            }
            (JobKind::Test, _) if malformed => return Ok(("I would test the edges.".into(), false)),
            // The error model says nothing of tests.
            (JobKind::Test, _) => return Ok((text::tests(&Task::of(request), dice), false)),
            (_, Some(trial)) => errors::answer(&trial, self.settings.seed, request),
            (JobKind::Critique, None) => return Ok((text::review(marked(), dice), false)),
            (JobKind::Judge | JobKind::Select, None) => {
                let user = user().next().map_or("", |message| message.text.as_str());
                let say = if request.job.kind == JobKind::Judge {
                    comparison::judgement
                } else {
                    comparison::choice
                };
                return Ok((say(user, dice), false));
            }
            (JobKind::Propose | JobKind::Check | JobKind::Trial, None) => {
                text::proposal(&Task::of(request), Draft::first(dice, request.temperature), dice)
            }
            (JobKind::Revise, None) => {
                let before = marked().unwrap_or_else(|| Draft::first(dice, request.temperature));
                text::revision(&Task::of(request), before, before.revised(dice), dice)
            }
        };
        if !malformed {
            return Ok((text, false));
        }
        // Cut off in the middle, with what tells that it is no answer still there.
        let end = (0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        Ok((format!("{LABEL}\n\n{}", &text[..end]), true))
    }
}

/// What a reader has not seen yet of a text of which `tick` parts of [`TICKS`] are written.
fn part<'a>(text: &'a str, shown: &mut usize, tick: u64) -> &'a str {
    let tick = usize::try_from(tick.min(TICKS)).unwrap_or(0);
    let until = text.len() * tick / (TICKS as usize);
    let until = (*shown..=until).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(*shown);
    &text[std::mem::replace(shown, until)..until]
}

fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX)
}

fn fault(dice: &mut Dice) -> ModelError {
    use FailureKind::{BadRequest, Connection, ContextTooLong, NotFound, RateLimited, Server, Unauthorized};
    if dice.happens(0.2) {
        let kinds = [
            (BadRequest, "refused the request"),
            (Unauthorized, "refused access"),
            (NotFound, "is not there"),
            (ContextTooLong, "cannot take a prompt of this length"),
        ];
        let (kind, what) = dice.one_of(&kinds);
        return error(*kind, what);
    }
    let kinds = [
        (Connection, "broke the connection"),
        (FailureKind::Timeout, "fell silent"),
        (RateLimited, "refuses calls for now"),
        (Server, "failed"),
    ];
    let (kind, what) = dice.one_of(&kinds);
    let retry_after_ms = (*kind == RateLimited).then(|| 50 + dice.below(200));
    ModelError { retry_after_ms, ..error(*kind, what) }
}

fn too_slow(ms: u64) -> ModelError {
    error(FailureKind::Timeout, &format!("had not finished after {ms} ms"))
}

fn error(kind: FailureKind, what: &str) -> ModelError {
    ModelError { kind, message: format!("the simulated model {what}"), retry_after_ms: None }
}

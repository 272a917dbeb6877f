//! Past deliberations as data to train on: what was asked, what won, and what lost to it for a reason.

use fleet_deliberation::{Generation, Ranked, Verdict, prompts, text_job};
use serde::Serialize;

use crate::explain::{Decided, Explanation, decided, explain};
use crate::past::Past;

/// A message of a chat, as fine-tuning tools read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChatMessage {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    /// What it says.
    pub content: String,
}

/// A line for supervised fine-tuning: a chat that ends with the winning proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chat {
    /// System, user, assistant.
    pub messages: Vec<ChatMessage>,
}

/// A line for preference tuning, in the conversational form with the prompt apart: both answers are to the
/// same prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preference {
    /// System, user.
    pub prompt: Vec<ChatMessage>,
    /// The winning proposal.
    pub chosen: Vec<ChatMessage>,
    /// One that lost to it.
    pub rejected: Vec<ChatMessage>,
}

/// A whole deliberation: its explanation, and every text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Whole {
    /// What it was about and how it came out.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// What every agent was asked, without the approach that was given to each.
    pub prompt: Vec<ChatMessage>,
    /// Every version of every proposal, by seat and version.
    pub texts: Vec<Text>,
}

/// A version of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Text {
    /// Its author.
    pub agent_id: String,
    /// The version: the round in which it was written.
    pub version: u32,
    /// What was written.
    pub content: String,
    /// The model that wrote it.
    pub model: String,
    /// Whether it was cut off at the limit of tokens.
    pub truncated: bool,
}

/// Why a deliberation has nothing to train on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unusable {
    /// There is no verdict, or no winner in it.
    NoWinner,
    /// What tells the winner from the next is not what was asked for.
    DecidedOtherwise,
    /// A text is not kept any more.
    Forgotten,
    /// The winning text was cut off at the limit of tokens.
    Truncated,
    /// Nothing but the seat tells the winner from those that lost, or they are nearly the same.
    NothingTells,
}

/// What a deliberation is to have been decided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DecidedBy {
    /// By anything.
    #[default]
    Anything,
    /// By checks: on a rung of the ranking that machines decide. A winner without another proposal is
    /// decided by checks if it passed them.
    Checks,
}

/// The chat that ends with the winner.
pub fn chat(past: &Past, by: DecidedBy) -> Result<Chat, Unusable> {
    let (_, winner) = winner(past, by)?;
    let mut messages = prompt(past);
    messages.push(said(whole_text(past, winner)?));
    Ok(Chat { messages })
}

/// The winner against each proposal that lost to it by something: not by its seat, and of two texts that are nearly
/// the same only by what machines decide, for then the little that differs is what counts. With
/// [`DecidedBy::Checks`], those that lost by what machines decide.
pub fn preferences(past: &Past, by: DecidedBy) -> Result<Vec<Preference>, Unusable> {
    let (verdict, winner) = winner(past, DecidedBy::Anything)?;
    let chosen = whole_text(past, winner)?;
    let (mut pairs, mut otherwise) = (Vec::new(), false);
    for loser in verdict.ranking.iter().skip(1) {
        let Decided { rung, .. } = decided(verdict, winner, loser);
        if !rung.distinguishes() || (is_like(past, winner, loser) && !rung.is_by_checks()) {
            continue;
        }
        if by == DecidedBy::Checks && !rung.is_by_checks() {
            otherwise = true;
            continue;
        }
        let rejected = text(past, loser)?;
        if rejected.text == chosen.text {
            continue;
        }
        pairs.push(Preference {
            prompt: prompt(past),
            chosen: vec![said(chosen)],
            rejected: vec![said(rejected)],
        });
    }
    match (pairs.is_empty(), otherwise) {
        (false, _) => Ok(pairs),
        (true, true) => Err(Unusable::DecidedOtherwise),
        (true, false) => Err(Unusable::NothingTells),
    }
}

/// All of it, with or without a winner; one that is decided otherwise than asked for is unusable.
pub fn whole(past: &Past, by: DecidedBy) -> Result<Whole, Unusable> {
    if by != DecidedBy::Anything {
        winner(past, by)?;
    }
    if !past.missing().is_empty() {
        return Err(Unusable::Forgotten);
    }
    let mut texts = Vec::new();
    for lane in &past.state.lanes {
        for version in &lane.versions {
            let answer = past.answer(&text_job(past.id(), &lane.author, version.round));
            let generation = answer.and_then(|answer| answer.text()).ok_or(Unusable::Forgotten)?;
            texts.push(Text {
                agent_id: lane.author.to_string(),
                version: version.round,
                content: generation.text.clone(),
                model: generation.model.clone(),
                truncated: generation.truncated,
            });
        }
    }
    Ok(Whole { explanation: explain(past), prompt: prompt(past), texts })
}

/// The models that wrote the proposals of a deliberation.
pub fn models(past: &Past) -> impl Iterator<Item = &str> {
    let texts = past.state.lanes.iter().flat_map(|lane| {
        lane.versions.iter().map(|version| text_job(past.id(), &lane.author, version.round))
    });
    texts
        .filter_map(|job| past.answer(&job).and_then(|answer| answer.text()))
        .map(|generation| generation.model.as_str())
}

/// What every agent was asked. The approach that was given to each in diversity mode is left out: two answers
/// are compared as answers to one prompt.
fn prompt(past: &Past) -> Vec<ChatMessage> {
    let prompts::Prompt { system, user } = prompts::propose(&past.state.opened, 0);
    vec![ChatMessage { role: "system", content: system }, ChatMessage { role: "user", content: user }]
}

fn said(generation: &Generation) -> ChatMessage {
    ChatMessage { role: "assistant", content: generation.text.clone() }
}

fn winner(past: &Past, by: DecidedBy) -> Result<(&Verdict, &Ranked), Unusable> {
    let verdict = past.verdict().ok_or(Unusable::NoWinner)?;
    let winner = verdict.winner().ok_or(Unusable::NoWinner)?;
    let by_checks = match verdict.ranking.get(1) {
        Some(next) => decided(verdict, winner, next).rung.is_by_checks(),
        None => winner.standing == fleet_deliberation::Standing::Passed,
    };
    match by {
        DecidedBy::Checks if !by_checks => Err(Unusable::DecidedOtherwise),
        DecidedBy::Checks | DecidedBy::Anything => Ok((verdict, winner)),
    }
}

fn text<'a>(past: &'a Past, ranked: &Ranked) -> Result<&'a Generation, Unusable> {
    let answer = past.answer(&text_job(past.id(), &ranked.author, ranked.version));
    answer.and_then(|answer| answer.text()).ok_or(Unusable::Forgotten)
}

fn whole_text<'a>(past: &'a Past, ranked: &Ranked) -> Result<&'a Generation, Unusable> {
    let text = text(past, ranked)?;
    if text.truncated { Err(Unusable::Truncated) } else { Ok(text) }
}

/// Whether two proposals are nearly the same.
fn is_like(past: &Past, one: &Ranked, other: &Ranked) -> bool {
    let sketch = |ranked: &Ranked| {
        let lane = past.state.lanes.iter().find(|lane| lane.author == ranked.author)?;
        lane.versions.iter().find(|version| version.round == ranked.version).map(|version| &version.sketch)
    };
    matches!((sketch(one), sketch(other)), (Some(one), Some(other)) if one.is_near(other))
}

//! The error model: how the simulated model errs where it is told right and wrong answers.
//!
//! Only an evaluation tells it; everywhere else the simulated model is as it is. With the rates `p`, `rho` and
//! `q`, each from 0 to 1:
//!
//! - An **attempt** (a first proposal, or a revision of one that is wrong) is right with probability `p`. With
//!   probability `sqrt(rho)` it takes the draw that all attempts at the task have in common, else one of its
//!   own; each draw is right with probability `p`. So two attempts both take the common draw with probability
//!   `rho`, and the correlation of their being right is exactly `rho`.
//! - **Which wrong answer** an attempt gives is drawn evenly, by the same draw that made it wrong: attempts
//!   that err in common err alike.
//! - A **reviewer** is right with probability `q`: of a wrong proposal it then finds the fault, with evidence;
//!   of a right one it finds nothing. One that is not right finds nothing in the wrong one, and a fault with
//!   evidence, which is none, in the right one.
//! - A **revision** of a wrong proposal is another attempt. A right one that was found fault with stays right
//!   with probability `q`, as its author sees through the finding; else it becomes wrong.
//! - A **judge** prefers the right one of two with probability `q`, in each order anew; of two that are both right
//!   or both wrong, either with probability 1/2.
//! - An **architect** chooses among the right ones of several with probability `q`, else among the wrong ones; where
//!   there are only right or only wrong ones, among all; each as likely as the others.
//!
//! Draws depend on the seed, the trial, who draws and in which round, and on nothing else: arms of one trial
//! meet the same attempts (common random numbers), and what is right at some `p` is so at every larger one.

mod read;
mod text;

use std::fmt;
use std::sync::Arc;

use fleet_deliberation::{DeliberationId, JobKind};
use fleet_orchestrator::port::{ModelRequest, Speaker};

use super::comparison::chosen;
use crate::dice::Dice;

/// How often the error model errs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ErrorRates {
    /// How likely an attempt is right, from 0 to 1.
    pub p: f64,
    /// The correlation of two attempts' being right, from 0 to 1.
    pub rho: f64,
    /// How likely a reviewer or a judge is right, from 0 to 1.
    pub q: f64,
}

/// What the error model answers a task with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerKey {
    /// The language of the codes, as a fence names it.
    pub language: String,
    /// Right code.
    pub solution: String,
    /// Wrong codes, each another; at least one.
    pub wrong: Vec<String>,
    /// What the task requires; most proposals repeat each of these.
    pub requirements: Vec<String>,
}

/// What a deliberation is about, as the error model knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorTrial {
    /// The answers to its task.
    pub key: Arc<AnswerKey>,
    /// How it errs.
    pub rates: ErrorRates,
    /// Names the trial: deliberations of one name have their draws in common.
    pub name: String,
    /// Which attempt of the trial a deliberation of a single agent is; `None` where agents tell them apart.
    pub attempt: Option<u32>,
}

/// Knows which deliberation is about what.
pub trait AnswerKeys: fmt::Debug + Send + Sync {
    /// What a deliberation is about; `None` leaves it to the ordinary simulated model.
    fn trial(&self, deliberation: &DeliberationId) -> Option<ErrorTrial>;
}

/// What an attempt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The right code.
    Right,
    /// The wrong code of this place.
    Wrong(usize),
}

impl ErrorTrial {
    /// An attempt of `who` in `round`.
    #[must_use]
    pub fn attempt(&self, seed: u64, who: &str, round: u32) -> Attempt {
        let (is_right, wrong) = self.draw(seed, who, round);
        if is_right < self.rates.p { Attempt::Right } else { wrong }
    }

    /// Whether the reviewer of `who`'s proposal in `round` finds a fault with what it sees.
    #[must_use]
    pub fn finds_fault(&self, seed: u64, who: &str, round: u32, seen: Attempt) -> bool {
        let is_right = self.dice(seed, "review", who, round).happens(self.rates.q);
        (seen != Attempt::Right) == is_right
    }

    /// What `who` makes of its proposal in `round`, which was `found_fault` with or not.
    #[must_use]
    pub fn revised(&self, seed: u64, who: &str, round: u32, before: Attempt, found_fault: bool) -> Attempt {
        match before {
            Attempt::Wrong(_) => self.attempt(seed, who, round),
            Attempt::Right if found_fault => {
                let sees_through = self.dice(seed, "believe", who, round).happens(self.rates.q);
                if sees_through { Attempt::Right } else { self.draw(seed, who, round).1 }
            }
            Attempt::Right => Attempt::Right,
        }
    }

    /// Whether a judge prefers the first of two proposals; `judgement` names judge, pair and order.
    #[must_use]
    pub fn prefers_first(&self, seed: u64, judgement: &str, first: Attempt, second: Attempt) -> bool {
        let mut dice = self.dice(seed, "judge", judgement, 0);
        match (first == Attempt::Right, second == Attempt::Right) {
            (true, false) => dice.happens(self.rates.q),
            (false, true) => !dice.happens(self.rates.q),
            (true, true) | (false, false) => dice.happens(0.5),
        }
    }

    /// The place of the proposal that the architect chooses; the first of none.
    #[must_use]
    pub fn chooses(&self, seed: u64, shown: &[Attempt]) -> usize {
        let mut dice = self.dice(seed, "choose", "", 0);
        let wants_right = dice.happens(self.rates.q);
        let places = |right: bool| (0..shown.len()).filter(move |at| (shown[*at] == Attempt::Right) == right);
        let wanted: Vec<usize> = places(wants_right).collect();
        let among = if wanted.is_empty() { places(!wants_right).collect() } else { wanted };
        let nth = usize::try_from(dice.below(among.len() as u64)).unwrap_or(0);
        among.get(nth).copied().unwrap_or(0)
    }

    /// The draw of an attempt: it is right if the number is below p, and else this wrong.
    fn draw(&self, seed: u64, who: &str, round: u32) -> (f64, Attempt) {
        let mut own = self.dice(seed, "attempt", who, round);
        let takes_common = own.happens(self.rates.rho.sqrt());
        let mut dice = if takes_common { self.dice(seed, "common", "", 0) } else { own };
        let is_right = dice.unit();
        let wrong = dice.below(self.key.wrong.len() as u64);
        (is_right, Attempt::Wrong(usize::try_from(wrong).unwrap_or(0)))
    }

    fn dice(&self, seed: u64, what: &str, who: &str, round: u32) -> Dice {
        Dice::new(seed, &[what, &self.name, who, &round.to_string()])
    }

    fn code(&self, attempt: Attempt) -> &str {
        let wrong = |at: usize| self.key.wrong.get(at);
        match attempt {
            Attempt::Right => &self.key.solution,
            Attempt::Wrong(at) => wrong(at).unwrap_or(&self.key.solution),
        }
    }
}

/// The text that answers a request about a trial.
pub(super) fn answer(trial: &ErrorTrial, seed: u64, request: &ModelRequest) -> String {
    let user = request.messages.iter().rev().find(|message| message.speaker == Speaker::User);
    let prompt = user.map_or("", |message| message.text.as_str());
    let who = trial.attempt.map_or_else(|| read::number(request.job.subject.as_str()), |n| n.to_string());
    let round = request.job.round;
    let mut dice = trial.dice(seed, "text", &who, round);
    match request.job.kind {
        JobKind::Propose | JobKind::Check | JobKind::Test | JobKind::Trial => {
            text::proposal(trial, trial.attempt(seed, &who, round), false, &mut dice)
        }
        JobKind::Critique => {
            let seen = read::shown(trial, prompt).next().flatten();
            text::review(seen.map(|seen| trial.finds_fault(seed, &who, round, seen)), &mut dice)
        }
        JobKind::Revise => {
            let found_fault = read::has_evidence(prompt);
            let after = match read::shown(trial, prompt).next().flatten() {
                Some(before) => trial.revised(seed, &who, round, before, found_fault),
                // Not one of its own: it begins anew.
                None => trial.attempt(seed, &who, round),
            };
            text::proposal(trial, after, true, &mut dice)
        }
        JobKind::Judge => {
            let judgement = format!("{}/{round}", request.job.subject);
            let shown: Option<Vec<Attempt>> = read::shown(trial, prompt).collect();
            text::judgement(match shown.as_deref() {
                Some([first, second]) => Some(trial.prefers_first(seed, &judgement, *first, *second)),
                Some(_) | None => None,
            })
        }
        JobKind::Select => {
            // One that is none of its own is as good as a wrong one.
            let shown = read::shown(trial, prompt).map(|shown| shown.unwrap_or(Attempt::Wrong(0)));
            chosen(prompt, trial.chooses(seed, &shown.collect::<Vec<_>>()))
        }
    }
}

//! The arms of an evaluation, what each may spend, and the names of their deliberations.

use std::fmt;

use fleet_deliberation::{DeliberationId, IdError};
use serde::Serialize;

use crate::Rates;

/// The most samples that best-of-n draws for one task, so that a server which counts no tokens ends as well.
pub const SAMPLES_MAX: u32 = 256;

/// A way to spend tokens on a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// One call, its answer as it comes: the floor.
    One,
    /// Samples of the same prompt, ranked by their checks alone, until they have used what the dearest arm did.
    Best,
    /// A council that proposes, reviews and revises.
    Council,
    /// The same, with near ties judged in pairs.
    Judged,
}

/// Why arms cannot be run together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadArms {
    /// No such arm.
    #[error("there is no arm {0:?}; there are one, best, council and judged")]
    Unknown(String),
    /// An arm that is named twice.
    #[error("arm {0} is named twice")]
    Twice(Arm),
    /// Nothing says how much best-of-n may spend.
    #[error("arm best spends what council or judged did, so one of these must be run with it")]
    NoBudget,
    /// No arm.
    #[error("no arm is named")]
    None,
}

impl Arm {
    /// Every arm, as they are reported.
    pub const ALL: [Arm; 4] = [Arm::One, Arm::Best, Arm::Council, Arm::Judged];
    /// Every arm, those first whose tokens others go by.
    pub const DEAREST_FIRST: [Arm; 4] = [Arm::Judged, Arm::Council, Arm::Best, Arm::One];

    /// Its short name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Arm::One => "one",
            Arm::Best => "best",
            Arm::Council => "council",
            Arm::Judged => "judged",
        }
    }

    /// What it is, for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Arm::One => "one call",
            Arm::Best => "best of n by checks",
            Arm::Council => "full council",
            Arm::Judged => "full council with judging",
        }
    }

    /// Whether agents review each other in it.
    #[must_use]
    pub const fn is_council(self) -> bool {
        matches!(self, Arm::Council | Arm::Judged)
    }
}

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Arm {
    type Err = BadArms;

    fn from_str(name: &str) -> Result<Arm, BadArms> {
        Arm::ALL.into_iter().find(|arm| arm.name() == name).ok_or_else(|| BadArms::Unknown(name.to_owned()))
    }
}

/// Whether these arms can be run together.
///
/// # Errors
/// Where one is named twice, or best-of-n has nothing to go by.
pub fn check_arms(arms: &[Arm]) -> Result<(), BadArms> {
    if arms.is_empty() {
        return Err(BadArms::None);
    }
    if let Some(nth) = (1..arms.len()).find(|nth| arms[..*nth].contains(&arms[*nth])) {
        return Err(BadArms::Twice(arms[nth]));
    }
    if arms.contains(&Arm::Best) && !arms.iter().any(|arm| arm.is_council()) {
        return Err(BadArms::NoBudget);
    }
    Ok(())
}

/// Whether best-of-n draws another sample after `drawn` that used `spent` tokens: until it has used
/// `budget`, so that it goes beyond by less than one sample.
#[must_use]
pub const fn draws_another(drawn: u32, spent: u64, budget: u64) -> bool {
    drawn == 0 || (spent < budget && drawn < SAMPLES_MAX)
}

/// What one deliberation of an evaluation is for. Its id says so, and is read back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trial {
    /// The task.
    pub task: String,
    /// How the error model errs; `None` with a real model.
    pub rates: Option<Rates>,
    /// Which repetition, from 1.
    pub repetition: u32,
    /// The arm.
    pub arm: Arm,
    /// Which sample of best-of-n, from 1; 1 in the other arms.
    pub sample: u32,
    /// How often it was begun, from 1: what ran out of time while nobody worked on it is begun anew.
    pub turn: u32,
}

impl Trial {
    /// The id of its deliberation.
    ///
    /// # Errors
    /// Never for a task that was read from a file: its id is short and plain.
    pub fn id(&self) -> Result<DeliberationId, IdError> {
        let Trial { task, repetition, arm, sample, turn, .. } = self;
        let rates = self.rates.map_or("model".into(), |rates| rates.code());
        DeliberationId::new(&format!("eval.{task}.{rates}.{repetition}.{arm}.{sample}.{turn}"))
    }

    /// What a deliberation of this id is for; `None` if it is none of an evaluation's.
    #[must_use]
    pub fn of(id: &DeliberationId) -> Option<Trial> {
        let mut parts = id.as_str().split('.');
        let mut next = || parts.next();
        next().filter(|first| *first == "eval")?;
        let (task, rates) = (next()?.to_owned(), next()?);
        let rates = if rates == "model" { None } else { Some(Rates::of_code(rates)?) };
        let (repetition, arm) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let (sample, turn) = (next()?.parse().ok()?, next()?.parse().ok()?);
        parts.next().is_none().then_some(Trial { task, rates, repetition, arm, sample, turn })
    }
}

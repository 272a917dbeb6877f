//! How the error model of the simulated model errs, and over which of that an evaluation sweeps.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The most points of a sweep.
pub const POINTS_MAX: u32 = 50;
/// Rates are whole thousandths, so that each can be named exactly.
const ONE: u16 = 1000;

/// One of the rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rate {
    /// How likely an attempt is right.
    P,
    /// How strongly the errors of attempts are correlated.
    Rho,
    /// How likely a reviewer or a judge is right.
    Q,
}

impl Rate {
    /// Every rate.
    pub const ALL: [Rate; 3] = [Rate::P, Rate::Rho, Rate::Q];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Rate::P => "p",
            Rate::Rho => "rho",
            Rate::Q => "q",
        }
    }

    /// What it is, for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Rate::P => "p: how likely an attempt is right",
            Rate::Rho => "rho: correlation of the errors of attempts",
            Rate::Q => "q: how likely a reviewer is right",
        }
    }
}

/// The rates of the error model, in whole thousandths from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rates {
    p: u16,
    rho: u16,
    q: u16,
}

impl Default for Rates {
    fn default() -> Rates {
        Rates { p: 600, rho: 300, q: 700 }
    }
}

/// Why a text gives no rates or no sweep.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRates {
    /// A part that is not `NAME=VALUE`.
    #[error("{0:?} is not p=..., rho=... or q=...")]
    Part(String),
    /// A rate that is named twice.
    #[error("{0} is given twice")]
    Twice(&'static str),
    /// A value that is no rate.
    #[error("{name} is {value:?}; it must be a number from 0 to 1, with at most three decimals")]
    Value {
        /// The rate.
        name: &'static str,
        /// What was given.
        value: String,
    },
    /// A sweep that is not of the form.
    #[error("{0:?} is no sweep; give NAME=FROM..TO/POINTS, such as p=0.2..0.9/8")]
    Sweep(String),
    /// A sweep that goes nowhere.
    #[error("the sweep must go up from a smaller to a larger value")]
    Order,
    /// Too few or too many points.
    #[error("the sweep has {0} points; it must have 2 to {POINTS_MAX}")]
    Points(u32),
}

impl Rates {
    /// One of them, from 0 to 1.
    #[must_use]
    pub fn get(self, rate: Rate) -> f64 {
        let thousandths = match rate {
            Rate::P => self.p,
            Rate::Rho => self.rho,
            Rate::Q => self.q,
        };
        f64::from(thousandths) / f64::from(ONE)
    }

    fn set(&mut self, rate: Rate, thousandths: u16) {
        *match rate {
            Rate::P => &mut self.p,
            Rate::Rho => &mut self.rho,
            Rate::Q => &mut self.q,
        } = thousandths;
    }

    /// The rates as part of an id.
    pub(crate) fn code(self) -> String {
        format!("p{}-{}-{}", self.p, self.rho, self.q)
    }

    /// The rates of such a part.
    pub(crate) fn of_code(code: &str) -> Option<Rates> {
        let mut parts =
            code.strip_prefix('p')?.split('-').map(|part| part.parse().ok().filter(|n| *n <= ONE));
        let rates = Rates { p: parts.next()??, rho: parts.next()??, q: parts.next()?? };
        parts.next().is_none().then_some(rates)
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p, rho, q] = Rate::ALL.map(|rate| self.get(rate));
        write!(f, "p={p},rho={rho},q={q}")
    }
}

impl Serialize for Rates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Rate::ALL.map(|rate| (rate.name(), self.get(rate))))
    }
}

impl FromStr for Rates {
    type Err = BadRates;

    /// Reads `p=0.6,rho=0.3,q=0.7`; what is not named has its default.
    fn from_str(text: &str) -> Result<Rates, BadRates> {
        let mut rates = Rates::default();
        let mut named = Vec::new();
        for part in text.split(',').map(str::trim).filter(|_| !text.trim().is_empty()) {
            let (rate, value) = named_value(part).ok_or_else(|| BadRates::Part(part.to_owned()))?;
            if named.contains(&rate) {
                return Err(BadRates::Twice(rate.name()));
            }
            named.push(rate);
            rates.set(rate, thousandths(rate, value)?);
        }
        Ok(rates)
    }
}

/// One rate from one value to another, the others as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// Which rate.
    pub over: Rate,
    from: u16,
    to: u16,
    points: u32,
}

impl Sweep {
    /// The rates at each point, in ascending order, rounded to thousandths; both ends are among them.
    #[must_use]
    pub fn points(&self, base: Rates) -> Vec<Rates> {
        let (from, width) = (u32::from(self.from), u32::from(self.to - self.from));
        let steps = self.points - 1;
        let at = |nth: u32| {
            let mut rates = base;
            let value = from + (width * nth + steps / 2) / steps;
            rates.set(self.over, u16::try_from(value).unwrap_or(ONE));
            rates
        };
        let mut points: Vec<Rates> = (0..self.points).map(at).collect();
        points.dedup();
        points
    }
}

impl FromStr for Sweep {
    type Err = BadRates;

    /// Reads `p=0.2..0.9/8`: eight points from 0.2 to 0.9, both included.
    fn from_str(text: &str) -> Result<Sweep, BadRates> {
        let no_sweep = || BadRates::Sweep(text.to_owned());
        let (over, range) = named_value(text.trim()).ok_or_else(no_sweep)?;
        let (range, points) = range.split_once('/').ok_or_else(no_sweep)?;
        let (from, to) = range.split_once("..").ok_or_else(no_sweep)?;
        let points: u32 = points.trim().parse().map_err(|_| no_sweep())?;
        let (from, to) = (thousandths(over, from)?, thousandths(over, to)?);
        if from >= to {
            return Err(BadRates::Order);
        }
        if !(2..=POINTS_MAX).contains(&points) {
            return Err(BadRates::Points(points));
        }
        Ok(Sweep { over, from, to, points })
    }
}

fn named_value(text: &str) -> Option<(Rate, &str)> {
    let (name, value) = text.split_once('=')?;
    let rate = Rate::ALL.into_iter().find(|rate| rate.name() == name.trim())?;
    Some((rate, value.trim()))
}

fn thousandths(rate: Rate, text: &str) -> Result<u16, BadRates> {
    let bad = || BadRates::Value { name: rate.name(), value: text.to_owned() };
    let value: f64 = text.trim().parse().map_err(|_| bad())?;
    let scaled = value * f64::from(ONE);
    // What has more decimals would be rounded in silence.
    let exact = (0.0..=f64::from(ONE)).contains(&scaled) && (scaled - scaled.round()).abs() < 1e-6;
    if exact { Ok(scaled.round() as u16) } else { Err(bad()) }
}

//! What the tests share: the host that is to be kept from harm, and attempts to harm it.

mod attempt;
mod calls;
mod host;
mod runner;

pub(crate) use attempt::{Attempt, python, shell};
pub(crate) use host::Host;
pub(crate) use runner::{AtLevel, LEVELS, Runner, User, marked, users};

//! What is shown while a deliberation is followed that others work on.

use std::io::IsTerminal as _;

use fleet_api::v1 as wire;
use fleet_deliberation::Timestamp;
use fleet_orchestrator::rfc3339;

use super::steps::Steps;
use super::{line, print_line, say, shortened};

/// The most characters of a step in a plain line; `--events` has all of them.
const STEP_CHARS_MAX: usize = 160;

/// Where updates go.
pub(crate) enum Shows {
    /// Its steps, on a terminal.
    Steps(Box<Steps>),
    /// Its steps on standard error, a plain line each.
    Plain,
    /// Its updates on standard output, a line each.
    Lines,
}

impl Shows {
    pub(crate) fn steps() -> Shows {
        Shows::Steps(Box::new(Steps::new()))
    }

    /// Its steps in the form that standard error takes.
    pub(crate) fn steps_anywhere() -> Shows {
        if std::io::stderr().is_terminal() { Shows::steps() } else { Shows::Plain }
    }

    /// Whether it is also shown what is being written.
    pub(crate) const fn writing(&self) -> bool {
        matches!(self, Shows::Steps(_))
    }

    /// Shows an update; `false` if nobody is there any more to be shown anything.
    pub(super) fn update(&mut self, update: &wire::DeliberationUpdate) -> anyhow::Result<bool> {
        match self {
            Shows::Steps(steps) => {
                steps.show(update);
                Ok(true)
            }
            Shows::Plain => {
                if update.writing.is_none() {
                    say(plain(update));
                }
                Ok(true)
            }
            Shows::Lines => print_line(&line::of(update)?),
        }
    }

    pub(super) fn draw(&self) {
        if let Shows::Steps(steps) = self {
            steps.draw();
        }
    }

    pub(super) fn say(&self, text: &str) {
        match self {
            Shows::Steps(steps) => steps.say(text),
            Shows::Plain | Shows::Lines => say(text),
        }
    }
}

/// A step in words, with its time and how far the deliberation has come.
fn plain(update: &wire::DeliberationUpdate) -> String {
    let wire::DeliberationUpdate { at_ms, progress_percent, current_step, .. } = update;
    let at = rfc3339(Timestamp(u64::try_from(*at_ms).unwrap_or_default()));
    format!("{at}  {progress_percent:3} %  {}", shortened(current_step, STEP_CHARS_MAX))
}

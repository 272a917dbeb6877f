//! What is shown while a deliberation is followed that others work on.

use fleet_api::v1 as wire;

use super::steps::Steps;
use super::{line, print_line, say};

/// Where updates go.
pub(crate) enum Shows {
    /// Its steps, on a terminal.
    Steps(Box<Steps>),
    /// Its updates on standard output, a line each.
    Lines,
}

impl Shows {
    pub(crate) fn steps() -> Shows {
        Shows::Steps(Box::new(Steps::new()))
    }

    /// Shows an update; `false` if nobody is there any more to be shown anything.
    pub(super) fn update(&mut self, update: &wire::DeliberationUpdate) -> anyhow::Result<bool> {
        match self {
            Shows::Steps(steps) => {
                steps.show(update);
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
            Shows::Lines => say(text),
        }
    }
}

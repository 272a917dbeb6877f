//! That something takes a while, on a terminal; nothing anywhere else.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{harmless, is_quiet};

/// How often the line moves.
const MOVES: Duration = Duration::from_millis(100);

/// A line that is there while something is done.
pub(crate) struct Working(ProgressBar);

impl Working {
    pub(crate) fn begin(what: String) -> Working {
        let bar = if is_quiet() { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        let style = ProgressStyle::with_template("{spinner} {msg}");
        let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_message(harmless(&what));
        bar.enable_steady_tick(MOVES);
        Working(bar)
    }

    pub(crate) fn done(self) {
        self.0.finish_and_clear();
    }
}

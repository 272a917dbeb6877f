//! The steps of a deliberation that others work on: a line each for the whole and for every agent, live on a
//! terminal; nothing anywhere else.

use std::time::Instant;

use fleet_api::v1 as wire;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::harmless;

pub(crate) struct Steps {
    all: MultiProgress,
    style: ProgressStyle,
    whole: ProgressBar,
    since: Instant,
    /// What the deliberation is busy with, in words.
    standing: String,
    agents: Vec<(String, ProgressBar)>,
}

impl Steps {
    pub(super) fn new() -> Steps {
        let all = MultiProgress::new();
        let style =
            ProgressStyle::with_template("  {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let whole = all.add(ProgressBar::new_spinner().with_style(style.clone()));
        Steps { all, style, whole, since: Instant::now(), standing: String::new(), agents: Vec::new() }
    }

    pub(super) fn show(&mut self, update: &wire::DeliberationUpdate) {
        let wire::DeliberationUpdate { status, progress_percent, current_step, .. } = update;
        self.standing = format!("{status}  {progress_percent} %");
        match (update.current_agent.as_str(), &update.writing) {
            ("", _) => self.standing += &format!("  {current_step}"),
            (agent, None) => self.line(agent, current_step),
            (agent, Some(writing)) => {
                let again = if writing.attempt > 1 {
                    format!("  attempt {}", writing.attempt)
                } else {
                    String::new()
                };
                self.line(agent, &format!("{current_step}  {} tokens{again}", writing.tokens));
            }
        }
        self.draw();
    }

    pub(super) fn draw(&self) {
        let text = format!("{}  {:.1} s", self.standing, self.since.elapsed().as_secs_f64());
        set(&self.whole, &text);
    }

    /// Says something without disturbing the lines.
    pub(super) fn say(&self, text: &str) {
        self.all.suspend(|| super::say(text));
    }

    fn line(&mut self, agent: &str, text: &str) {
        match self.agents.iter().find(|(known, _)| known == agent) {
            Some((_, bar)) => set(bar, text),
            None => {
                let at = self.agents.partition_point(|(known, _)| known.as_str() < agent);
                let bar = ProgressBar::new_spinner().with_style(self.style.clone());
                let bar = self.all.insert(at + 1, bar);
                set(&bar, text);
                self.agents.insert(at, (agent.to_owned(), bar));
            }
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        // What cannot be cleared stays, and does no harm.
        self.all.clear().ok();
        // Each line that goes would have the others drawn anew.
        self.all.set_draw_target(ProgressDrawTarget::hidden());
    }
}

fn set(bar: &ProgressBar, text: &str) {
    bar.set_message(harmless(text).replace('\n', " "));
    bar.tick();
}

//! The agents' progress, a line each, live on a terminal; nothing anywhere else.

use std::time::Instant;

use fleet_deliberation::{Deliberation, JobId, JobKind, Standing, Step};
use fleet_orchestrator::port::Tick;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::harmless;

pub(crate) struct Lanes {
    all: MultiProgress,
    lines: Vec<Line>,
}

struct Line {
    bar: ProgressBar,
    agent: String,
    phase: String,
    /// The job the line waits for, if it is one.
    job: Option<JobId>,
    since: Instant,
    tokens: u64,
    reasoning: bool,
    attempt: u32,
}

impl Lanes {
    pub(crate) fn of(state: &Deliberation) -> Lanes {
        let all = MultiProgress::new();
        if super::is_quiet() {
            all.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style =
            ProgressStyle::with_template("  {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let line = |lane: &fleet_deliberation::Lane| Line {
            bar: all.add(ProgressBar::new_spinner().with_style(style.clone())),
            agent: lane.author.to_string(),
            phase: String::new(),
            job: None,
            since: Instant::now(),
            tokens: 0,
            reasoning: false,
            attempt: 1,
        };
        let lines = state.lanes.iter().map(line).collect();
        Lanes { all, lines }
    }

    pub(crate) fn update(&mut self, state: &Deliberation) {
        for (seat, line) in self.lines.iter_mut().enumerate() {
            let lane = &state.lanes[seat];
            let job = lane.step.job().map(|(round, kind, _)| JobId {
                deliberation: state.id().clone(),
                round,
                kind,
                subject: lane.author.clone(),
            });
            if job != line.job || line.phase.is_empty() {
                line.phase = phase(state, seat);
                line.job = job;
                line.since = Instant::now();
                (line.tokens, line.reasoning, line.attempt) = (0, false, 1);
            }
        }
        self.draw();
    }

    pub(crate) fn tick(&mut self, tick: &Tick) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.job.as_ref() == Some(&tick.job)) {
            (line.tokens, line.reasoning, line.attempt) = (tick.tokens, tick.reasoning, tick.attempt);
        }
    }

    pub(crate) fn draw(&mut self) {
        let widest = self.lines.iter().map(|line| line.agent.len()).max().unwrap_or(0);
        for line in &self.lines {
            let mut text = format!("{:widest$}  {}", line.agent, line.phase);
            if let Some(job) = &line.job {
                if job.kind != JobKind::Check {
                    let what = if line.reasoning { "reasoning tokens" } else { "tokens" };
                    text += &format!("  {} {what}", line.tokens);
                }
                if line.attempt > 1 {
                    text += &format!("  attempt {}", line.attempt);
                }
                text += &format!("  {:.1} s", line.since.elapsed().as_secs_f64());
            }
            line.bar.set_message(harmless(&text).replace('\n', " "));
            line.bar.tick();
        }
    }

    /// Says something without disturbing the lines.
    pub(crate) fn say(&self, text: &str) {
        self.all.suspend(|| super::say(text));
    }

    pub(crate) fn clear(&self) {
        // What cannot be cleared stays, and does no harm.
        self.all.clear().ok();
    }
}

fn phase(state: &Deliberation, seat: usize) -> String {
    let lane = &state.lanes[seat];
    match lane.step {
        Step::Proposing(_) => "proposes".into(),
        Step::Checking { .. } => "is checked".into(),
        Step::Reviewing { round, reviewer, .. } => {
            format!("is reviewed by {} (round {round})", state.lanes[reviewer].author)
        }
        Step::Revising { round, .. } => format!("revises (round {round})"),
        Step::Checked { .. } | Step::Reviewed { .. } | Step::RoundOver { .. } => {
            let checks = lane.current().and_then(|version| version.checks.as_ref());
            let failed = checks.is_some_and(fleet_deliberation::CheckSummary::any_failed);
            match checks.map(fleet_deliberation::CheckSummary::standing) {
                Some(Standing::Passed | Standing::Unchecked) if failed => {
                    "waits for the others, failed a check that does not decide".into()
                }
                Some(Standing::Passed) => "waits for the others, checks passed".into(),
                Some(Standing::Failed) => "waits for the others, checks failed".into(),
                Some(Standing::Unchecked) | None => "waits for the others, unchecked".into(),
            }
        }
        Step::Out => {
            let why = lane.failures.last().map(|(_, failure)| failure.message.as_str()).unwrap_or_default();
            format!("is out: {why}")
        }
    }
}

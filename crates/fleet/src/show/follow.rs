//! Following a deliberation, wherever it runs, until it ends or somebody interrupts.

use std::future::pending;
use std::pin::{Pin, pin};
use std::time::Duration;

use anyhow::Context as _;
use fleet_api::v1 as wire;
use fleet_deliberation::{DeliberationId, Phase, Status};
use fleet_orchestrator::announcement::{self, Outcome};
use fleet_orchestrator::{Coordinator, View};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, interval, sleep_until};

use super::lanes::Lanes;
use crate::config::Loaded;
use crate::exit::remedy;
use crate::remote::Remote;
use crate::running::Running;
use crate::state::at_work;
use crate::{Exit, Problem};

/// How long a second interrupt is waited for before the first one cancels.
const SECOND_THOUGHTS: Duration = Duration::from_secs(2);
/// How often the display is drawn anew.
const DRAW: Duration = Duration::from_millis(100);
/// How often a server or the files are asked.
const ASK: Duration = Duration::from_millis(250);

/// How a deliberation stands.
pub(crate) enum Standing {
    Ended(Outcome),
    Open(OpenStanding),
}

/// A deliberation that has not ended.
#[derive(Debug, Serialize)]
pub(crate) struct OpenStanding {
    pub(crate) task_id: String,
    pub(crate) status: &'static str,
    pub(crate) phase: String,
    pub(crate) pending: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
}

impl Standing {
    pub(crate) fn of_view(view: &View) -> Standing {
        if let Some(outcome) = announcement::outcome(view) {
            return Standing::Ended(outcome);
        }
        let state = &view.state;
        Standing::Open(OpenStanding {
            task_id: state.id().to_string(),
            status: if state.status() == Status::Pending { "pending" } else { "in_progress" },
            phase: match state.phase() {
                Phase::Generating => "generating",
                Phase::Reviewing => "reviewing",
                Phase::Complete => "complete",
            }
            .into(),
            pending: state.outstanding().count() as u64,
            completed: state.jobs.completed.into(),
            failed: state.jobs.failed.into(),
        })
    }

    pub(crate) fn of_response(response: wire::GetDeliberationResultResponse) -> anyhow::Result<Standing> {
        if !response.event.is_empty() {
            let outcome = serde_json::from_str(&response.event).context("reading the server's event")?;
            return Ok(Standing::Ended(outcome));
        }
        let status = match response.status() {
            wire::DeliberationStatus::Pending => "pending",
            wire::DeliberationStatus::InProgress => "in_progress",
            _ => {
                let message =
                    "the server knows how it ended and does not say it in full; is it of an earlier version?";
                return Err(Problem::new(Exit::Unavailable, message).into());
            }
        };
        let tags = response.metadata.unwrap_or_default().tags;
        let count = |key: &str| tags.get(key).and_then(|n| n.parse().ok()).unwrap_or(0);
        Ok(Standing::Open(OpenStanding {
            task_id: response.task_id,
            status,
            phase: tags.get("phase").cloned().unwrap_or_default(),
            pending: count("pending"),
            completed: count("completed"),
            failed: count("failed"),
        }))
    }
}

/// The ways in which a user ends a run. Listened for from before the task is submitted: from then on an
/// interrupt is not to end the process, but what it began.
pub(crate) struct Signals {
    interrupts: Signal,
    terminations: Signal,
}

impl Signals {
    pub(crate) fn listen() -> anyhow::Result<Signals> {
        let interrupts = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        let terminations = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        Ok(Signals { interrupts, terminations })
    }

    /// Waits for any of them.
    pub(crate) async fn any(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminations.recv() => {}
            _ = self.interrupts.recv() => {}
        }
    }
}

/// Follows a deliberation that runs in this process. The first interrupt cancels it, after a moment for
/// second thoughts; a second one leaves at once, and there is no outcome.
pub(crate) async fn here(
    running: &mut Running,
    id: &DeliberationId,
    signals: Signals,
) -> anyhow::Result<Option<Outcome>> {
    let Signals { mut interrupts, mut terminations } = signals;
    let mut ticks = running.ticks.watch();
    let mut watched = running.coordinator.watch(id).await?;
    let mut lanes = Lanes::of(&watched.borrow().state);
    let mut draw = interval(DRAW);
    let mut cancel_at: Option<Instant> = None;
    loop {
        let state = watched.borrow_and_update().clone();
        lanes.update(&state.state);
        if state.state.ended.is_some() {
            break;
        }
        tokio::select! {
            biased;
            _ = terminations.recv() => {
                lanes.clear();
                return Ok(None);
            }
            _ = interrupts.recv() => {
                if cancel_at.is_some() {
                    lanes.clear();
                    return Ok(None);
                }
                cancel_at = Some(Instant::now() + SECOND_THOUGHTS);
                let seconds = SECOND_THOUGHTS.as_secs();
                lanes.say(&format!("interrupted: cancelling in {seconds} s; interrupt again to leave at once and keep it"));
            }
            () = until(cancel_at) => {
                cancel_at = Some(Instant::now() + SECOND_THOUGHTS);
                running.coordinator.cancel(id, "interrupted".into()).await?;
            }
            broken = running.broken() => return Err(broken),
            changed = watched.changed() => changed.context("the coordinator is gone")?,
            Ok(tick) = ticks.recv() => lanes.tick(&tick),
            _ = draw.tick() => lanes.draw(),
        }
        // What cannot be recorded does not end either, and nobody is to wait for that.
        if running.is_failing()
            && let Err(error) = running.coordinator.histories().store().writable().await
        {
            lanes.clear();
            let (what, why, remedy) = (running.writing(), fleet_orchestrator::chain(&error), remedy(&error));
            let message = format!("{what}: {why}; {remedy}, then go on with: fleet resume {id}");
            return Err(Problem::new(Exit::Unavailable, message).into());
        }
    }
    lanes.clear();
    let view = running.coordinator.view(id).await?;
    let outcome = announcement::outcome(&view).context("an ended deliberation has an outcome")?;
    Ok(Some(outcome))
}

/// Follows a deliberation that a server works on. With `owner`, an interrupt cancels it as [`here`] does;
/// without, it only ends the watching.
pub(crate) async fn remotely(
    remote: &Remote,
    id: &str,
    owner: bool,
    signals: Signals,
) -> anyhow::Result<Outcome> {
    let Signals { mut interrupts, mut terminations } = signals;
    let spinner = spinner();
    let mut cancel_at: Option<Instant> = None;
    // Calls go on beside the signals: a server that stands still must not keep anybody here.
    let mut asked = pin!(ask(remote, id, Duration::ZERO));
    let mut cancelled = pin!(None);
    let left = || {
        let hint = format!("left; the server goes on, follow it with: fleet watch {id}");
        Err(Problem::new(Exit::Left, hint).into())
    };
    loop {
        tokio::select! {
            biased;
            _ = terminations.recv() => return left(),
            _ = interrupts.recv() => {
                if cancel_at.is_some() || !owner {
                    return left();
                }
                cancel_at = Some(Instant::now() + SECOND_THOUGHTS);
                let seconds = SECOND_THOUGHTS.as_secs();
                spinner.suspend(|| {
                    super::say(format_args!("interrupted: cancelling in {seconds} s; interrupt again to leave the server to it"));
                });
            }
            () = until(cancel_at.filter(|_| cancelled.is_none())) => {
                cancelled.set(Some(remote.cancel(id, "interrupted")));
            }
            done = maybe(cancelled.as_mut().as_pin_mut()) => {
                done?;
                cancelled.set(None);
                cancel_at = Some(Instant::now() + SECOND_THOUGHTS);
            }
            standing = &mut asked => match standing? {
                Standing::Ended(outcome) => return Ok(outcome),
                Standing::Open(open) => {
                    show(&spinner, &open);
                    asked.set(ask(remote, id, ASK));
                }
            },
        }
    }
}

async fn ask(remote: &Remote, id: &str, after: Duration) -> anyhow::Result<Standing> {
    tokio::time::sleep(after).await;
    Standing::of_response(remote.result(id).await?)
}

async fn maybe<F: Future>(future: Option<Pin<&mut F>>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// Follows a deliberation that another process, which does not serve, works on.
pub(crate) async fn from_files(
    loaded: &Loaded,
    coordinator: &Coordinator,
    id: &DeliberationId,
) -> anyhow::Result<Outcome> {
    let spinner = spinner();
    let mut ask = interval(ASK);
    loop {
        ask.tick().await;
        // Asked before reading: whoever works may end, and leave, in between.
        let at_work = at_work(loaded);
        coordinator.histories().refresh(id).await.map_err(fleet_orchestrator::HandleError::Store)?;
        match Standing::of_view(&coordinator.view(id).await?) {
            Standing::Ended(outcome) => return Ok(outcome),
            Standing::Open(open) if at_work => show(&spinner, &open),
            Standing::Open(_) => {
                let message = format!("nobody works on deliberation {id}; go on with: fleet resume {id}");
                return Err(Problem::new(Exit::Open, message).into());
            }
        }
    }
}

fn show(spinner: &ProgressBar, open: &OpenStanding) {
    let OpenStanding { phase, pending, completed, failed, .. } = open;
    spinner.set_message(format!("{phase}: {pending} jobs pending, {completed} completed, {failed} failed"));
    spinner.tick();
}

fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

//! Following a deliberation, wherever it runs, until it ends or somebody interrupts.

use std::future::pending;
use std::pin::{Pin, pin};
use std::time::Duration;

use anyhow::Context as _;
use fleet_deliberation::DeliberationId;
use fleet_orchestrator::announcement::{self, Outcome};
use fleet_orchestrator::port::Watching as _;
use fleet_orchestrator::{Coordinator, Shown};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, interval, sleep_until};

use super::lanes::Lanes;
use super::shows::Shows;
use super::standing::Standing;
use crate::config::Loaded;
use crate::exit::remedy;
use crate::remote::{Following, Heard, Remote};
use crate::running::Running;
use crate::state::at_work;
use crate::{Exit, Problem};

/// How long a second interrupt is waited for before the first one cancels.
const SECOND_THOUGHTS: Duration = Duration::from_secs(2);
/// How often the display is drawn anew.
const DRAW: Duration = Duration::from_millis(100);
/// How often the files are asked.
const ASK: Duration = Duration::from_millis(250);

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
    let mut ticks = running.ticks.watch(id);
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
            seen = ticks.seen() => seen.ticks.iter().for_each(|tick| lanes.tick(tick)),
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

/// Follows a deliberation that a server works on; there is no outcome when nobody is there any more to be
/// shown anything. With an `owner`, the server that it was submitted to, an interrupt cancels it as [`here`]
/// does; without, it only ends the watching. `named` is the address that was given for the server, if one was.
pub(crate) async fn remotely(
    following: Following<'_>,
    id: &str,
    owner: Option<&Remote>,
    named: Option<&str>,
    signals: Signals,
    mut shows: Shows,
) -> anyhow::Result<Option<Outcome>> {
    let Signals { mut interrupts, mut terminations } = signals;
    let mut draw = interval(DRAW);
    let mut cancel_at: Option<Instant> = None;
    // Calls go on beside the signals: a server that stands still must not keep anybody here.
    let mut heard = pin!(following.next());
    let mut cancelled = pin!(None);
    let left = || {
        let at = named.map(|address| format!(" --server {address}")).unwrap_or_default();
        let hint = format!("left; the server goes on, follow it with: fleet watch {id}{at}");
        Err(Problem::new(Exit::Left, hint).into())
    };
    loop {
        tokio::select! {
            biased;
            _ = terminations.recv() => return left(),
            _ = interrupts.recv() => {
                if cancel_at.is_some() || owner.is_none() {
                    return left();
                }
                cancel_at = Some(Instant::now() + SECOND_THOUGHTS);
                let seconds = SECOND_THOUGHTS.as_secs();
                shows.say(&format!("interrupted: cancelling in {seconds} s; interrupt again to leave the server to it"));
            }
            () = until(cancel_at.filter(|_| cancelled.is_none())) => {
                cancelled.set(owner.map(|remote| remote.cancel(id, "interrupted")));
            }
            done = maybe(cancelled.as_mut().as_pin_mut()) => {
                done?;
                cancelled.set(None);
                cancel_at = Some(Instant::now() + SECOND_THOUGHTS);
            }
            next = &mut heard => {
                let (following, next) = next?;
                heard.set(following.next());
                match next {
                    Heard::Update(update) => {
                        if !shows.update(&update)? {
                            return Ok(None);
                        }
                    }
                    Heard::Broken(why) => shows.say(&format!("{why}; trying again")),
                    Heard::Ended(result) => return match Standing::of_response(*result)? {
                        Standing::Ended(outcome) => Ok(Some(outcome)),
                        Standing::Open(_) => {
                            let message = "the server ended the stream, and says that the deliberation goes on";
                            Err(Problem::new(Exit::Unexpected, message).into())
                        }
                    },
                }
            }
            _ = draw.tick() => shows.draw(),
        }
    }
}

async fn maybe<F: Future>(future: Option<Pin<&mut F>>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => pending().await,
    }
}

/// Follows a deliberation that another process, which does not serve, works on; there is no outcome when
/// nobody is there any more to be shown anything.
pub(crate) async fn from_files(
    loaded: &Loaded,
    coordinator: &Coordinator,
    id: &DeliberationId,
    after: u64,
    mut shows: Shows,
) -> anyhow::Result<Option<Outcome>> {
    let mut updates = coordinator.updates(id, after).await?;
    let mut ask = interval(ASK);
    loop {
        ask.tick().await;
        // Asked before reading: whoever works may end, and leave, in between.
        let at_work = at_work(loaded);
        coordinator.histories().refresh(id).await.map_err(fleet_orchestrator::HandleError::Store)?;
        while let Some(update) = updates.ready().await? {
            if !shows.update(&fleet_server::update(id, Shown::Step(Box::new(update))))? {
                return Ok(None);
            }
        }
        if updates.is_over() {
            let outcome = announcement::outcome(&coordinator.view(id).await?);
            return Ok(Some(outcome.context("an ended deliberation has an outcome")?));
        }
        if !at_work {
            let message = format!("nobody works on deliberation {id}; go on with: fleet resume {id}");
            return Err(Problem::new(Exit::Open, message).into());
        }
        shows.draw();
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

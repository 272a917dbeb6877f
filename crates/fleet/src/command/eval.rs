//! `fleet eval`: tasks with hidden tests in several arms at equal tokens, and what came of it.

mod deliberations;
mod hidden;
mod keys;
mod place;
mod plan;
mod runs;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fleet_evaluation::{Cell, Outcome, Report, Setup, SweepReport, Unscored};
use fleet_llm::SIMULATED;
use fleet_orchestrator::Scope;
use tokio::task::JoinSet;
use tokio::time::interval;

use crate::cli::Eval;
use crate::config::Loaded;
use crate::exit::remedy;
use crate::model::{self, Chosen, World};
use crate::running::Running;
use crate::show::follow::Signals;
use crate::show::say;
use crate::telemetry::Telemetry;
use crate::{Exit, Problem};
use hidden::Hidden;
use keys::Keys;
use place::Place;
use plan::Plan;
use runs::Runs;

/// How often it is looked whether the state can still be written.
const LOOK: Duration = Duration::from_secs(1);

pub(super) async fn run(mut loaded: Loaded, asked: Eval) -> anyhow::Result<Exit> {
    let plan = Arc::new(Plan::of(&loaded, &asked)?);
    write::prepare(asked.out.as_deref())?;
    let place = Place::find(&loaded)?;
    loaded.work_in(place.dir().to_owned());
    let mut signals = Signals::listen()?;
    let telemetry = Telemetry::start()?;
    let chosen = choose(&loaded, &plan, World::told(telemetry.observer())).await?;
    let models = chosen.label.replace('\n', "; ");
    place.claim(&plan, &chosen.profiles)?;
    let mut running = Running::start(&loaded, chosen, telemetry, Scope::All).await?;
    let found = evaluate(&mut running, &plan, &mut signals).await;
    // Nobody waits any more for what was left, or for what cannot be recorded.
    let is_whole = matches!(found, Ok(Some(_)));
    running.stop((!is_whole).then_some(Duration::ZERO)).await;
    let Some(found) = found? else {
        say(match place.is_kept() {
            true => "left; the same command goes on where it was",
            false => "left; nothing is kept (with --state DIR the same command would go on where it was)",
        });
        return Ok(Exit::Left);
    };
    let points = plan.points().into_iter().map(|rates| {
        let setup = Setup {
            file: plan.file.clone(),
            models: models.clone(),
            simulated: rates,
            seed: plan.seed,
            repetitions: plan.repetitions,
            arms: plan.arms.clone(),
        };
        let mut report = Report::of(setup, &plan.tasks, &found.outcomes);
        report.unscored.extend(found.unscored.iter().cloned());
        report
    });
    let points: Vec<Report> = points.collect();
    let is_scored = points.iter().any(|report| report.tasks > 0);
    match plan.sweep {
        Some(sweep) => write::sweep(&SweepReport { over: sweep.over, points }, &asked)?,
        None => {
            let report = points.first().context("an evaluation has one report at least")?;
            write::report(report, &asked)?;
        }
    }
    if !is_scored {
        let why = found.unscored.first().map_or("see the report", |unscored| unscored.reason.as_str());
        let message = format!("no task could be scored: its hidden tests did not run ({why})");
        return Err(Problem::new(Exit::Unavailable, message).into());
    }
    Ok(Exit::Done)
}

/// The models that are evaluated.
async fn choose(loaded: &Loaded, plan: &Plan, world: World) -> anyhow::Result<Chosen> {
    if plan.simulated {
        return model::erring(loaded, world, plan.seed, Arc::new(Keys::of(plan)?));
    }
    let role = plan.tasks.first().map_or("", |task| task.role.as_str());
    let chosen = model::choose(loaded, world, model::For::Task { role }).await?;
    if chosen.models.profiles().next().is_none() {
        let message = "there is no model to evaluate, and the simulated one answers nothing for real; name a server \
                       with --url, or give --simulated for its error model";
        return Err(Problem::new(Exit::Unavailable, message).into());
    }
    for role in plan.roles() {
        let profile = model::profile_of(&loaded.config, role);
        if chosen.profiles.iter().any(|known| known.name == profile && known.model == SIMULATED) {
            let message = format!(
                "the council of {role} speaks through profile {profile}, which is the simulated model and answers \
                 nothing for real; give --simulated for its error model, or name a server for the profile"
            );
            return Err(Problem::new(Exit::Refused, message).into());
        }
    }
    Ok(chosen)
}

/// What came of an evaluation.
struct Found {
    outcomes: BTreeMap<Cell, Outcome>,
    /// Tasks that were not run, as their hidden tests cannot be.
    unscored: Vec<Unscored>,
}

/// Runs everything there is to run; `None` if the user left before that.
async fn evaluate(
    running: &mut Running,
    plan: &Arc<Plan>,
    signals: &mut Signals,
) -> anyhow::Result<Option<Found>> {
    for role in plan.roles() {
        running.coordinator.councils().get(role)?;
    }
    let hidden = Hidden::new(Arc::clone(&running.checker));
    let unscored = tokio::select! {
        biased;
        () = signals.any() => return Ok(None),
        unscored = hidden.rehearse(plan) => unscored?,
    };
    let runs = Arc::new(Runs::new(running, Arc::clone(plan), hidden));
    let mut units = plan.units(&unscored).into_iter();
    let all = units.len();
    let mut at_work = JoinSet::new();
    let mut look = interval(LOOK);
    let mut found = Found { outcomes: BTreeMap::new(), unscored };
    let mut done = 0;
    loop {
        while at_work.len() < plan.parallel
            && let Some(unit) = units.next()
        {
            at_work.spawn(Arc::clone(&runs).unit(unit));
        }
        tokio::select! {
            biased;
            () = signals.any() => return Ok(None),
            broken = running.broken() => return Err(broken),
            ended = at_work.join_next() => {
                let Some(ended) = ended else { return Ok(Some(found)) };
                let outcomes = ended.context("a run broke off")??;
                done += 1;
                say(runs::line(plan, done, all, &outcomes));
                found.outcomes.extend(outcomes);
            }
            // What cannot be recorded does not end either.
            _ = look.tick() => if running.is_failing()
                && let Err(error) = running.coordinator.histories().store().writable().await
            {
                let (what, why) = (running.writing(), fleet_orchestrator::chain(&error));
                return Err(Problem::new(Exit::Unavailable, format!("{what}: {why}; {}", remedy(&error))).into());
            },
        }
    }
}

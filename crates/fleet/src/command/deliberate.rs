//! `fleet deliberate`: a task, a council, a verdict.

use std::io::Read as _;

use anyhow::Context as _;
use fleet_api::v1 as wire;
use fleet_deliberation::{DeliberationId, Priority, Task};
use fleet_orchestrator::port::Entropy as _;
use fleet_orchestrator::{HandleError, Scope};

use crate::cli::in_flags;
use crate::cli::{Deliberate, TaskPriority};
use crate::config::Loaded;
use crate::remote::{Asked, Following, Remote};
use crate::running::Running;
use crate::show::shows::Shows;
use crate::show::{self, follow};
use crate::telemetry::Telemetry;
use crate::{Exit, Problem, model, telemetry};

pub(super) async fn run(loaded: &Loaded, asked: Deliberate) -> anyhow::Result<Exit> {
    let description = description(&asked)?;
    match asked.server.clone() {
        Some(address) => remotely(&address, asked, description).await,
        None => here(loaded, asked, description).await,
    }
}

async fn here(loaded: &Loaded, asked: Deliberate, description: String) -> anyhow::Result<Exit> {
    let id = match &asked.id {
        Some(id) => id.clone(),
        None => fleet_embedded::SystemEntropy.id(),
    };
    let id =
        DeliberationId::new(&id).map_err(|error| Problem::new(Exit::Refused, format!("--id {error}")))?;
    let telemetry = Telemetry::start()?;
    let chosen = model::choose(
        loaded,
        model::World::told(telemetry.observer()),
        model::For::Task { role: &asked.role },
    )
    .await?;
    let label = chosen.label.clone();
    let mut running = Running::start(loaded, chosen, telemetry, Scope::Only(id.clone())).await?;
    let request = fleet_orchestrator::Request {
        id: Some(id.clone()),
        task: Task {
            description,
            rubric: asked.rubric.unwrap_or_default(),
            requirements: asked.require,
            metadata: asked.metadata.into_iter().collect(),
        },
        role: asked.role,
        rounds: asked.rounds,
        rounds_max: None,
        agents: asked.agents,
        timeout_ms: asked.timeout.map(|s| s.saturating_mul(1000)),
        submitter: "cli".into(),
        priority: asked.priority.map(priority),
        trace: telemetry::caller(),
    };
    let signals = follow::Signals::listen()?;
    let submitted = running.coordinator.submit(request).await;
    if let Err(error) = submitted {
        let writing = running.writing();
        running.stop(None).await;
        let of_the_store = matches!(error, HandleError::Store(_));
        return Err(match of_the_store {
            true => anyhow::Error::from(error).context(writing),
            false => in_flags(error.into()),
        });
    }
    show::introduce(&id, &label);
    let outcome = follow::here(&mut running, &id, signals).await;
    show::conclude(running, outcome, loaded, (&id, &label), asked.json).await
}

async fn remotely(address: &str, asked: Deliberate, description: String) -> anyhow::Result<Exit> {
    let remote = Remote::connect(address).await?;
    let timeout_seconds = number("--timeout", asked.timeout)?;
    let request = wire::DeliberateRequest {
        task_description: description,
        role: asked.role,
        constraints: Some(wire::TaskConstraints {
            rubric: asked.rubric.unwrap_or_default(),
            requirements: asked.require,
            metadata: asked.metadata.into_iter().collect(),
            max_iterations: 0,
            timeout_seconds,
        }),
        rounds: asked.rounds.map(|n| number("--rounds", Some(n.into()))).transpose()?,
        num_agents: number("--agents", asked.agents.map(u64::from))?,
        task_id: asked.id.unwrap_or_default(),
        wait: Some(false),
        after_sequence: 0,
        // As the wire has them: LOW, MEDIUM and HIGH.
        priority: match asked.priority {
            None => 0,
            Some(TaskPriority::Low) => 1,
            Some(TaskPriority::Normal) => 3,
            Some(TaskPriority::High) => 5,
        },
        tokens: None,
    };
    let mut signals = follow::Signals::listen()?;
    let submitted = tokio::select! {
        biased;
        () = signals.any() => {
            let message = "left before the server answered; it may have taken the task: see fleet list";
            return Err(Problem::new(Exit::Left, message).into());
        }
        submitted = remote.deliberate(request) => submitted.map_err(in_flags)?,
    };
    let id = submitted.task_id;
    show::introduce(&id, &format!("the server at {address}"));
    let find = || Some(address.to_owned());
    let what = Asked { id: id.clone(), after: 0, tokens: true, only_end: true };
    let following = Following::new(remote.clone(), &find, what);
    let followed = follow::remotely(following, &id, Some(&remote), signals, Shows::steps()).await?;
    let outcome = followed.context("a deliberation that was followed to its end has an outcome")?;
    show::outcome(&outcome, &format!("the server at {address}"), asked.json)
}

fn priority(asked: TaskPriority) -> Priority {
    match asked {
        TaskPriority::Low => Priority::Low,
        TaskPriority::Normal => Priority::Normal,
        TaskPriority::High => Priority::High,
    }
}

fn number(flag: &str, n: Option<u64>) -> anyhow::Result<i32> {
    let Some(n) = n else { return Ok(0) };
    let too_large = || Problem::new(Exit::Refused, format!("{flag} is {n}, which is too large"));
    i32::try_from(n).map_err(|_| too_large().into())
}

fn description(asked: &Deliberate) -> anyhow::Result<String> {
    match (&asked.task, &asked.file) {
        (Some(task), _) if task == "-" => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|e| {
                Problem::new(Exit::Refused, format!("standard input cannot be read as text: {e}"))
            })?;
            Ok(text)
        }
        (Some(task), _) => Ok(task.clone()),
        (None, Some(path)) => {
            let read = std::fs::read_to_string(path);
            let problem =
                |e| Problem::new(Exit::Refused, format!("{} cannot be read as text: {e}", path.display()));
            Ok(read.map_err(problem)?)
        }
        (None, None) => Err(Problem::new(Exit::Refused, "there is no task")).context("reading the task"),
    }
}

//! `fleet deliberate`: a task, a council, a verdict.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context as _;
use fleet_api::v1 as wire;
use fleet_deliberation::{
    Budget, DESCRIPTION_BYTES_MAX, DeliberationId, METADATA_BYTES_MAX, MONEY_MAX, Priority, Role, TESTS, Task,
};
use fleet_orchestrator::port::Entropy as _;
use fleet_orchestrator::{HandleError, Request, Scope};

use crate::cli::in_flags;
use crate::cli::{Deliberate, TaskPriority};
use crate::config::Loaded;
use crate::remote::{Asked, Following, Remote};
use crate::running::{self, Running};
use crate::show::shows::Shows;
use crate::show::{self, follow};
use crate::state::{Source, source};
use crate::telemetry::Telemetry;
use crate::{Exit, Problem, model, telemetry};

pub(super) async fn run(loaded: &Loaded, asked: Deliberate) -> anyhow::Result<Exit> {
    let request = request(&asked)?;
    match &asked.server {
        Some(address) => remotely(address, request, asked.json).await,
        None => here(loaded, request, asked.json).await,
    }
}

/// What is asked, checked before anybody else is asked anything.
fn request(asked: &Deliberate) -> anyhow::Result<Request> {
    let id = asked.id.as_deref().map(DeliberationId::new).transpose();
    let id = id.map_err(|error| Problem::new(Exit::Refused, format!("--id {error}")))?;
    let request = Request {
        id,
        task: Task {
            description: description(asked)?,
            rubric: asked.rubric.clone().unwrap_or_default(),
            requirements: asked.require.clone(),
            metadata: metadata(asked)?,
        },
        role: asked.role.clone(),
        rounds: asked.rounds,
        rounds_max: None,
        agents: asked.agents,
        timeout_ms: asked.timeout.map(|s| s.saturating_mul(1000)),
        judges: asked.judges,
        top_k: asked.top_k,
        test_writers: asked.test_writers,
        architect: asked.no_architect.then_some(false),
        budget: budget(asked)?,
        submitter: "cli".into(),
        priority: asked.priority.map(priority),
        trace: telemetry::caller(),
    };
    request.validate().map_err(|rejection| in_flags(HandleError::Rejected(rejection).into()))?;
    Ok(request)
}

/// What is said by `--metadata`, and the tests that `--tests` names.
fn metadata(asked: &Deliberate) -> anyhow::Result<BTreeMap<String, String>> {
    let mut metadata: BTreeMap<String, String> = asked.metadata.iter().cloned().collect();
    let Some(path) = &asked.tests else { return Ok(metadata) };
    if metadata.contains_key(TESTS) {
        let message = "--tests and --metadata tests=... both give tests; leave one of them out";
        return Err(Problem::new(Exit::Refused, message).into());
    }
    metadata.insert(TESTS.to_owned(), text_of(path, METADATA_BYTES_MAX)?);
    Ok(metadata)
}

fn text_of(path: &Path, bytes_max: usize) -> anyhow::Result<String> {
    let name = path.display().to_string();
    let file = File::open(path);
    let file =
        file.map_err(|e| Problem::new(Exit::Refused, format!("{name} cannot be read as text: {e}")))?;
    text_from(file, &name, bytes_max)
}

/// All of `from`, if that is no more than is taken: it may never end.
fn text_from(from: impl Read, name: &str, bytes_max: usize) -> anyhow::Result<String> {
    let unreadable =
        |why: &dyn Display| Problem::new(Exit::Refused, format!("{name} cannot be read as text: {why}"));
    let mut bytes = Vec::new();
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    from.take(most).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() > bytes_max {
        let message = format!("{name} is too large: at most {bytes_max} bytes are accepted");
        return Err(Problem::new(Exit::Refused, message).into());
    }
    Ok(String::from_utf8(bytes).map_err(|error| unreadable(&error))?)
}

fn budget(asked: &Deliberate) -> anyhow::Result<Budget> {
    let tokens = asked.budget_tokens;
    if tokens == Some(0) {
        return Err(Problem::new(Exit::Refused, "--budget-tokens is 0; it must be at least 1").into());
    }
    let money = |money: f64| {
        let message = format!("--budget-money is {money}; it must be above 0 and at most {MONEY_MAX}");
        Budget::micros(money).filter(|micros| *micros > 0).ok_or_else(|| Problem::new(Exit::Refused, message))
    };
    Ok(Budget { tokens, money_micros: asked.budget_money.map(money).transpose()? })
}

async fn here(loaded: &Loaded, mut request: Request, json: bool) -> anyhow::Result<Exit> {
    let id = match &request.id {
        Some(id) => id.clone(),
        None => DeliberationId::new(&fleet_embedded::SystemEntropy.id()).context("making an id")?,
    };
    request.id = Some(id.clone());
    check_role(loaded, &request.role).await?;
    let telemetry = Telemetry::start()?;
    let purpose = model::For::Task { role: &request.role };
    let chosen = model::choose(loaded, model::World::told(telemetry.observer()), purpose).await?;
    let label = chosen.label.clone();
    let mut running = Running::start(loaded, chosen, telemetry, Scope::Only(id.clone())).await?;
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
    show::conclude(running, outcome, loaded, (&id, &label), json).await
}

/// Refuses a role without a council before any model server is asked. Where that cannot be told yet, it is
/// told once the state is open.
async fn check_role(loaded: &Loaded, role: &str) -> anyhow::Result<()> {
    match source(loaded, None).await {
        Ok(Source::Files(coordinator)) => coordinator.councils().get(role).map(drop).map_err(Into::into),
        Ok(Source::Server(_)) => Ok(()),
        Err(error) if Problem::report(&error).0 == Exit::NotFound => {
            let existing: Vec<Role> =
                running::configured(&loaded.config)?.into_iter().map(|council| council.role).collect();
            match existing.iter().any(|known| known.as_str().eq_ignore_ascii_case(role)) {
                true => Ok(()),
                false => Err(HandleError::NoCouncil { role: role.to_owned(), existing }.into()),
            }
        }
        Err(_) => Ok(()),
    }
}

async fn remotely(address: &str, request: Request, json: bool) -> anyhow::Result<Exit> {
    let remote = Remote::connect(address).await?;
    let Request {
        id,
        task,
        role,
        rounds,
        agents,
        timeout_ms,
        judges,
        top_k,
        architect,
        budget,
        test_writers,
        priority,
        ..
    } = request;
    let Task { description, rubric, requirements, metadata } = task;
    let request = wire::DeliberateRequest {
        task_description: description,
        role,
        constraints: Some(wire::TaskConstraints {
            rubric,
            requirements,
            metadata: metadata.into_iter().collect(),
            max_iterations: 0,
            timeout_seconds: number("--timeout", timeout_ms.map(|ms| ms / 1000))?,
        }),
        rounds: rounds.map(|n| number("--rounds", Some(n.into()))).transpose()?,
        num_agents: number("--agents", agents.map(u64::from))?,
        task_id: id.map(|id| id.to_string()).unwrap_or_default(),
        wait: Some(false),
        after_sequence: 0,
        // As the wire has them: LOW, MEDIUM and HIGH.
        priority: match priority {
            None => 0,
            Some(Priority::Low) => 1,
            Some(Priority::Normal) => 3,
            Some(Priority::High) => 5,
        },
        tokens: None,
        judges: judges.map(|n| number("--judges", Some(n.into()))).transpose()?,
        top_k: number("--top-k", top_k.map(u64::from))?,
        test_writers: test_writers.map(|n| number("--test-writers", Some(n.into()))).transpose()?,
        architect,
        budget_tokens: i64::try_from(budget.tokens.unwrap_or(0)).unwrap_or(i64::MAX),
        budget_money: budget.money_micros.map_or(0.0, |micros| micros as f64 / 1e6),
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
    let followed =
        follow::remotely(following, &id, Some(&remote), Some(address), signals, Shows::steps()).await?;
    let outcome = followed.context("a deliberation that was followed to its end has an outcome")?;
    show::outcome(&outcome, &format!("the server at {address}"), json)
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
            text_from(std::io::stdin(), "standard input", DESCRIPTION_BYTES_MAX)
        }
        (Some(task), _) => Ok(task.clone()),
        (None, Some(path)) => text_of(path, DESCRIPTION_BYTES_MAX),
        (None, None) => Err(Problem::new(Exit::Refused, "there is no task")).context("reading the task"),
    }
}

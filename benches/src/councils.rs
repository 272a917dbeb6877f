//! Full councils a second, many at once, beside a program that makes the same calls and keeps nothing.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Args;
use tokio::task::JoinSet;

use crate::client::task;
use crate::figures::Figures;
use crate::limit;
use crate::process::{Client, Model, Programs, Server, connect};
use crate::report::{Report, Row};
use crate::{Effort, progress};

const AT_ONCE: [usize; 3] = [1, 32, 256];
const CONNECTIONS: usize = 4;
/// Enough for every call that 256 councils can have under way.
const SLOTS: &str = "1024";
const WARM_UP: Duration = Duration::from_secs(1);

/// What one run gave.
struct Run {
    per_second: f64,
    /// Milliseconds on a core for one council.
    server_ms: f64,
    model_ms: f64,
}

pub(crate) async fn measure(
    programs: &Programs,
    dir: &Path,
    effort: Effort,
    report: &mut Report,
) -> anyhow::Result<()> {
    for latency_ms in [0, 500] {
        let model = programs.model(latency_ms, None).await?;
        let state = dir.join(format!("councils-{latency_ms}"));
        let server = programs.server(&state, &model, &[("FLEET__WORKER__SLOTS", SLOTS)]).await?;
        for at_once in AT_ONCE {
            let (mut runs, mut limits) = (Vec::new(), Vec::new());
            for n in 0..effort.repetitions {
                progress(format_args!(
                    "{at_once} councils at once, a model of {latency_ms} ms, {} of {}",
                    n + 1,
                    effort.repetitions
                ));
                let time = Duration::from_secs_f64(effort.councils_s);
                runs.push(run(&server, &model, at_once, time, &format!("{at_once}-{n}")).await?);
                limits.push(limit::start(programs, &model.url, at_once, time).await?);
            }
            let of = |figure: fn(&Run) -> f64| Figures::new(runs.iter().map(figure).collect()).median();
            let per_second = Figures::new(runs.iter().map(|run| run.per_second).collect());
            let limit = Figures::new(limits);
            let share = per_second.median() / limit.median() * 100.0;
            report.row(Row {
                name: format!("councils a second, {at_once} at once, model {latency_ms} ms"),
                value: format!("{:.1}", per_second.spread()),
                target: if (at_once, latency_ms) == (32, 0) { ">= 1,000".into() } else { String::new() },
                note: format!(
                    "limit {:.1} ({share:.0} %); on a core for each: server {:.2} ms, model {:.2} ms",
                    limit.spread(),
                    of(|run| run.server_ms),
                    of(|run| run.model_ms),
                ),
            });
            let what = format!("after {at_once} councils at once, model {latency_ms} ms");
            report.memory(&what, server.running.memory_mib());
        }
        server.running.stop().await?;
        model.running.stop().await?;
    }
    Ok(())
}

async fn run(
    server: &Server,
    model: &Model,
    at_once: usize,
    time: Duration,
    name: &str,
) -> anyhow::Result<Run> {
    let warm = Instant::now() + WARM_UP;
    let until = warm + time;
    let callers = callers(&server.url, at_once, warm, until, name).await?;
    tokio::time::sleep_until(warm.into()).await;
    let before = (server.running.cpu(), model.running.cpu());
    tokio::time::sleep_until(until.into()).await;
    let after = (server.running.cpu(), model.running.cpu());
    let done = sum(callers).await?;
    let on_core = |before: Duration, after: Duration| (after - before).as_secs_f64() * 1000.0 / done;
    Ok(Run {
        per_second: done / time.as_secs_f64(),
        server_ms: on_core(before.0, after.0),
        model_ms: on_core(before.1, after.1),
    })
}

#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// The server's URL
    #[arg(long)]
    server: String,
    /// Councils at once
    #[arg(long, default_value_t = 32)]
    at_once: usize,
    /// How long, in seconds
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
}

/// Has councils done by a server that was started elsewhere; prints how many a second.
pub(crate) async fn load(load: Load) -> anyhow::Result<()> {
    let from = Instant::now();
    let until = from + Duration::from_secs_f64(load.seconds);
    let name = format!("load-{}", std::process::id());
    let done = between(&load.server, load.at_once, from, until, &name).await?;
    println!("{:.1} councils a second", done / load.seconds);
    Ok(())
}

/// How many councils are done between two moments with so many at once.
pub(crate) async fn between(
    url: &str,
    at_once: usize,
    from: Instant,
    until: Instant,
    name: &str,
) -> anyhow::Result<f64> {
    sum(callers(url, at_once, from, until, name).await?).await
}

type Callers = JoinSet<anyhow::Result<f64>>;

async fn callers(
    url: &str,
    at_once: usize,
    from: Instant,
    until: Instant,
    name: &str,
) -> anyhow::Result<Callers> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS.min(at_once) {
        clients.push(connect(url).await?);
    }
    let mut callers = JoinSet::new();
    for n in 0..at_once {
        let client = clients[n % clients.len()].clone();
        callers.spawn(call_until(client, format!("{name}-{n}"), from, until));
    }
    Ok(callers)
}

async fn sum(mut callers: Callers) -> anyhow::Result<f64> {
    let mut done = 0.0;
    while let Some(caller) = callers.join_next().await {
        done += caller??;
    }
    Ok(done)
}

/// One council after the other; gives how many came to their end in time, the one under way at either
/// end counted by its share.
async fn call_until(mut client: Client, name: String, from: Instant, until: Instant) -> anyhow::Result<f64> {
    let mut done = 0.0;
    let mut began = Instant::now();
    for n in 0.. {
        let answer = client.deliberate(task(format!("{name}-{n}"), true)).await?.into_inner();
        ensure!(answer.status == "COMPLETED", "a council ended as {}", answer.status);
        ensure!(answer.results.len() == 3, "a council gave {} proposals", answer.results.len());
        let ended = Instant::now();
        done += share_within(began, ended, from, until);
        if ended >= until {
            break;
        }
        began = ended;
    }
    Ok(done)
}

/// How much of the time from `began` to `ended` lies between `from` and `until`.
pub(crate) fn share_within(began: Instant, ended: Instant, from: Instant, until: Instant) -> f64 {
    let within = ended.min(until).saturating_duration_since(began.max(from));
    within.as_secs_f64() / (ended - began).as_secs_f64().max(f64::MIN_POSITIVE)
}

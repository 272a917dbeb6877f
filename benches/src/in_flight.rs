//! Many deliberations in flight at one server: all proposals recorded, all reviews pending.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use fleet_api::v1::{DeliberationStatus, GetDeliberationResultRequest, ListDeliberationsRequest};
use tokio::time::sleep;

use crate::client::{all, task};
use crate::figures::Figures;
use crate::ledger::Tally;
use crate::process::{Client, Programs, Script, Server};
use crate::report::{Report, Row};
use crate::{Effort, progress};

const AGENTS: usize = 3;
const SLOTS: usize = 1024;
const REVIEW_MS: u64 = 500;
const ANSWER_BYTES: usize = 8192;
/// How long any of the steps may take.
const PATIENCE: Duration = Duration::from_secs(240);
/// How often it is asked whether any is still open.
const LOOK: Duration = Duration::from_millis(200);

/// What one run gave.
struct Run {
    /// In seconds, each from the one before.
    submitted_s: f64,
    proposed_s: f64,
    ended_s: f64,
    /// In MB, the most so far.
    with_all_submitted: f64,
    with_all_reviews_pending: f64,
    with_all_ended: f64,
    with_all_read: f64,
    refused: usize,
    not_standing: usize,
    not_completed: usize,
    jobs: usize,
    asked_again: usize,
}

pub(crate) async fn measure(
    programs: &Programs,
    dir: &Path,
    effort: Effort,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for n in 0..effort.repetitions {
        progress(format_args!("{} in flight, {} of {}", effort.in_flight, n + 1, effort.repetitions));
        let place = dir.join(format!("in-flight-{n}"));
        runs.push(run(programs, &place, effort.in_flight).await?);
        std::fs::remove_dir_all(&place).context("removing what is not needed any more")?;
    }
    let figures = |figure: fn(&Run) -> f64| Figures::new(runs.iter().map(figure).collect()).spread();
    let sum = |figure: fn(&Run) -> usize| runs.iter().map(figure).sum::<usize>().to_string();
    let name = |what: &str| format!("{} in flight, {what}", effort.in_flight);
    let mut row = |what: &str, value: String, target: &str, note: String| {
        report.row(Row { name: name(what), value, target: target.into(), note });
    };

    let kb = ANSWER_BYTES / 1024;
    row(
        "most memory of the server",
        format!("{:.0} MB", figures(|run| run.with_all_ended)),
        "< 400 MB",
        format!("{} proposals of {kb} KB recorded, as many reviews pending", effort.in_flight * AGENTS),
    );
    row("refused", sum(|run| run.refused), "0", "the default in_flight_max of 10,000".into());
    row("not completed", sum(|run| run.not_completed), "0", format!("in {} runs", runs.len()));
    let note = format!("of {} a run, by the model's ledger", runs.first().map_or(0, |run| run.jobs));
    row("jobs asked for twice", sum(|run| run.asked_again), "0", note);
    let note = "asked one by one while they stood".into();
    row("not found with three reviews pending", sum(|run| run.not_standing), "0", note);
    row("until all were submitted", format!("{:.1} s", figures(|run| run.submitted_s)), "", String::new());
    let note = "30,000 calls and as many checks, the model at once"
        .replace("30,000", &(effort.in_flight * AGENTS).to_string());
    row("then until all had proposed", format!("{:.1} s", figures(|run| run.proposed_s)), "", note);
    let limit = (effort.in_flight * AGENTS) as f64 / SLOTS as f64 * REVIEW_MS as f64 / 1000.0;
    let note = format!("the reviews alone are {limit:.1} s of {SLOTS} slots; revisions and checks follow");
    row("then until all had ended", format!("{:.1} s", figures(|run| run.ended_s)), "", note);

    for (when, figure) in [
        ("with all submitted", (|run| run.with_all_submitted) as fn(&Run) -> f64),
        ("with all reviews pending, each asked for once", |run| run.with_all_reviews_pending),
        ("with all ended", |run| run.with_all_ended),
        ("with all results read", |run| run.with_all_read),
    ] {
        report.memory_mb(&format!("{} in flight, the most so far {when}", effort.in_flight), figures(figure));
    }
    Ok(())
}

/// Proposals are held until all are submitted, and reviews until all proposals are there, so that all
/// come to stand at the same step.
async fn run(programs: &Programs, place: &Path, count: usize) -> anyhow::Result<Run> {
    std::fs::create_dir_all(place)?;
    let ledger = place.join("ledger.jsonl");
    let script = Script {
        latency_ms: 0,
        review_latency_ms: Some(REVIEW_MS),
        answer_bytes: ANSWER_BYTES,
        ledger: Some(&ledger),
        hold: &["propose", "critique"],
    };
    let mut model = programs.scripted(script).await?;
    let slots = SLOTS.to_string();
    let settings = [("FLEET__WORKER__SLOTS", slots.as_str()), ("FLEET__MODEL__CALLS_MAX", &slots)];
    let server = programs.server(&place.join("state"), &model, &settings).await?;
    let mut tally = Tally::of(&ledger);
    let proposals = count * AGENTS;

    let began = Instant::now();
    let accepted =
        all(
            &server,
            count,
            |mut client, n| async move { client.deliberate(task(name(n), false)).await.is_ok() },
        );
    let refused = count - accepted.await?;
    let submitted_s = began.elapsed().as_secs_f64();
    let with_all_submitted = server.running.peak_mb();

    let began = Instant::now();
    model.let_go("propose").await?;
    let pending = SLOTS.min(proposals);
    tally
        .wait("all proposals are there", PATIENCE, |tally| {
            tally.answered("propose") == proposals && tally.begun("critique") == pending
        })
        .await?;
    let proposed_s = began.elapsed().as_secs_f64();
    let standing = all(&server, count, |client, n| async move { stands(client, n).await }).await?;
    ensure!(tally.answered("critique") == 0, "a review was answered that was held");
    let with_all_reviews_pending = server.running.peak_mb();

    let began = Instant::now();
    model.let_go("critique").await?;
    until_none_is_open(&server).await?;
    let ended_s = began.elapsed().as_secs_f64();
    let with_all_ended = server.running.peak_mb();
    let completed = all(&server, count, |client, n| async move { completed(client, n).await }).await?;
    let with_all_read = server.running.peak_mb();
    server.running.stop().await?;
    model.running.stop().await?;
    tally.read_on()?;
    Ok(Run {
        submitted_s,
        proposed_s,
        ended_s,
        with_all_submitted,
        with_all_reviews_pending,
        with_all_ended,
        with_all_read,
        refused,
        not_standing: count - standing,
        not_completed: count - completed,
        jobs: tally.jobs(),
        asked_again: tally.asked_again(),
    })
}

fn name(n: usize) -> String {
    format!("flight-{n}")
}

/// Whether a deliberation waits for three reviews with three proposals recorded and checked.
async fn stands(mut client: Client, n: usize) -> bool {
    let request = GetDeliberationResultRequest { task_id: name(n), with_event: false };
    let Ok(answer) = client.get_deliberation_result(request).await else { return false };
    let tags = answer.into_inner().metadata.unwrap_or_default().tags;
    let is = |tag: &str, value: &str| tags.get(tag).is_some_and(|found| found == value);
    is("phase", "reviewing") && is("pending", "3") && is("completed", "6")
}

/// Whether a deliberation ended with a verdict on three proposals.
async fn completed(mut client: Client, n: usize) -> bool {
    let request = GetDeliberationResultRequest { task_id: name(n), with_event: false };
    let Ok(answer) = client.get_deliberation_result(request).await else { return false };
    let answer = answer.into_inner();
    answer.status() == DeliberationStatus::Completed && answer.results.len() == AGENTS
}

async fn until_none_is_open(server: &Server) -> anyhow::Result<()> {
    let mut client = server.client().await?;
    let until = Instant::now() + PATIENCE;
    loop {
        let mut open = 0;
        for status in [DeliberationStatus::Pending, DeliberationStatus::InProgress] {
            let request = ListDeliberationsRequest { limit: 1, status: status.into(), ..Default::default() };
            open += client.list_deliberations(request).await?.into_inner().deliberations.len();
        }
        if open == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < until, "some are still open after {PATIENCE:?}");
        sleep(LOOK).await;
    }
}

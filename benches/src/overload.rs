//! Ten times as many submissions as may be open, all at once.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::client::task;
use crate::figures::{Figures, ms};
use crate::process::{Programs, Server};
use crate::report::{Report, Row};
use crate::{Effort, progress};

const BOUND: usize = 1000;
const TIMES: usize = 10;
const CONNECTIONS: usize = 8;
const MODEL_MS: u64 = 500;
/// Above what can be asked of the model at once: only admission is to hold anything up.
const SLOTS: &str = "4096";
/// How many councils the server does before anything counts.
const WARM_UP: usize = 100;

/// What became of a submission, and how long that took since all were sent.
enum Outcome {
    /// It was done, all three proposals and the verdict.
    Done(Duration),
    /// It was refused, and told when to come again.
    Refused(Duration),
    /// Anything else, which is not to be.
    Harmed(String),
}

/// What a number of submissions at once came to.
#[derive(Default)]
struct Offered {
    done: Vec<Duration>,
    refused: Vec<Duration>,
    harmed: Vec<String>,
}

pub(crate) async fn measure(
    programs: &Programs,
    dir: &Path,
    effort: Effort,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (mut calm, mut over) = (Vec::new(), Vec::new());
    let (mut calm_mb, mut over_mb) = (Vec::new(), Vec::new());
    for n in 0..effort.repetitions {
        progress(format_args!("{TIMES} times {BOUND} submissions, {} of {}", n + 1, effort.repetitions));
        let model = programs.model(MODEL_MS, None).await?;
        let state = dir.join(format!("overload-{n}"));
        let bound = BOUND.to_string();
        let settings = [
            ("FLEET__SERVER__IN_FLIGHT_MAX", bound.as_str()),
            ("FLEET__WORKER__SLOTS", SLOTS),
            ("FLEET__MODEL__CALLS_MAX", SLOTS),
        ];
        let server = programs.server(&state, &model, &settings).await?;
        offer(&server, "warm-up", WARM_UP).await?;
        calm.push(offer(&server, "calm", BOUND).await?);
        calm_mb.push(server.running.peak_mb());
        over.push(offer(&server, "over", BOUND * TIMES).await?);
        over_mb.push(server.running.peak_mb());
        server.running.stop().await?;
        model.running.stop().await?;
        std::fs::remove_dir_all(&state).context("removing what is not needed any more")?;
    }
    for why in calm.iter().chain(&over).flat_map(|offered| &offered.harmed).take(5) {
        progress(format_args!("harmed: {why}"));
    }

    let at = |runs: &[Offered], of: fn(&Offered) -> &Vec<Duration>, share: f64| {
        let each = runs.iter().map(|run| Figures::of_times(of(run).iter().copied()).at(share));
        Figures::new(each.collect()).spread()
    };
    let counts = |of: fn(&Offered) -> usize| {
        let figures = Figures::new(over.iter().map(|run| of(run) as f64).collect()).spread();
        format!("{figures:.0}")
    };
    let name = |what: &str| format!("{} submissions at once, {BOUND} may be open, {what}", BOUND * TIMES);
    let mut row = |what: &str, value: String, target: &str, note: String| {
        report.row(Row { name: name(what), value, target: target.into(), note });
    };
    row("refused with a hint when to come again", counts(|run| run.refused.len()), "", String::new());
    let note = "with all proposals and the verdict".into();
    row("accepted and done", counts(|run| run.done.len()), &format!(">= {BOUND}"), note);
    let harmed = calm.iter().chain(&over).map(|run| run.harmed.len()).sum::<usize>();
    row("accepted and not done, or refused without a hint", harmed.to_string(), "0", String::new());
    let refused = |share| format!("{:.0} ms", at(&over, |run| &run.refused, share));
    row("time to a refusal, p50", refused(0.5), "", "since all were sent at once".into());
    row("time to a refusal, p99", refused(0.99), "", String::new());
    let mut done = |what: &str, share| {
        let value = format!("{:.0} ms", at(&over, |run| &run.done, share));
        row(what, value, "", format!("{:.0} ms with {BOUND} offered", at(&calm, |run| &run.done, share)));
    };
    done("time to a verdict, p50", 0.5);
    done("time to a verdict, p99", 0.99);
    let note = format!("{:.0} MB with {BOUND} offered", Figures::new(calm_mb).spread());
    row("most memory of the server", format!("{:.0} MB", Figures::new(over_mb).spread()), "", note);
    Ok(())
}

/// Sends `count` submissions at once, and waits until each is refused or done.
async fn offer(server: &Server, name: &str, count: usize) -> anyhow::Result<Offered> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(server.client().await?);
    }
    let mut calls = JoinSet::new();
    let began = Instant::now();
    for n in 0..count {
        let mut client = clients[n % clients.len()].clone();
        let request = task(format!("{name}-{n}"), true);
        calls.spawn(async move {
            match client.deliberate(request).await.map(tonic::Response::into_inner) {
                Ok(answer) if answer.status == "COMPLETED" && answer.results.len() == 3 => {
                    Outcome::Done(began.elapsed())
                }
                Ok(answer) => {
                    Outcome::Harmed(format!("{} with {} results", answer.status, answer.results.len()))
                }
                Err(status) if is_refusal(&status) => Outcome::Refused(began.elapsed()),
                Err(status) => Outcome::Harmed(status.to_string()),
            }
        });
    }
    let mut offered = Offered::default();
    for outcome in calls.join_all().await {
        match outcome {
            Outcome::Done(time) => offered.done.push(time),
            Outcome::Refused(time) => offered.refused.push(time),
            Outcome::Harmed(why) => offered.harmed.push(why),
        }
    }
    let took = ms(began.elapsed());
    progress(format_args!(
        "{name}: {} done, {} refused in {took:.0} ms",
        offered.done.len(),
        offered.refused.len()
    ));
    Ok(offered)
}

fn is_refusal(status: &Status) -> bool {
    let hint = status.get_details_retry_info().and_then(|info| info.retry_delay);
    status.code() == Code::ResourceExhausted && hint.is_some_and(|delay| !delay.is_zero())
}

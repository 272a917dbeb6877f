//! Submissions at a fixed pace, whatever the server does.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::client::task;
use crate::figures::{Figures, ms};
use crate::process::Programs;
use crate::report::{Report, Row};
use crate::{Effort, disk, progress};

const PER_SECOND: u64 = 1000;
const CONNECTIONS: usize = 4;
const MODEL_MS: u64 = 500;
/// Above what is submitted: with a model this slow, all are open at once.
const IN_FLIGHT_MAX: &str = "100000";

pub(crate) async fn measure(
    programs: &Programs,
    dir: &Path,
    effort: Effort,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (mut p50, mut p99, mut highest) = (Vec::new(), Vec::new(), Vec::new());
    let (mut refused, mut syncs, mut memory, mut late) = (0, Vec::new(), Vec::new(), Vec::new());
    let mut ready_again = Vec::new();
    for n in 0..effort.repetitions {
        progress(format_args!("submissions, {} s, {} of {}", effort.submit_s, n + 1, effort.repetitions));
        let state = dir.join(format!("submissions-{n}"));
        let model = programs.model(MODEL_MS, None).await?;
        let settings = [("FLEET__SERVER__IN_FLIGHT_MAX", IN_FLIGHT_MAX)];
        let server = programs.server(&state, &model, &settings).await?;
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(server.client().await?);
        }
        let (times, lateness, refusals) = paced(clients, effort.submit_s).await?;
        memory.push(server.running.memory_mib());
        server.running.kill().await?;
        let again = programs.server(&state, &model, &settings).await?;
        ready_again.push(ms(again.ready_after));
        again.running.kill().await?;
        model.running.stop().await?;
        std::fs::remove_dir_all(&state)?;
        syncs.push(disk::syncs(dir)?.median());
        refused += refusals;
        late.push(lateness.at(0.99));
        p50.push(times.median());
        p99.push(times.at(0.99));
        highest.push(times.max());
    }
    let sync = Figures::new(syncs).median();
    let submitted = PER_SECOND * effort.submit_s;
    let row = |name: &str, values: Vec<f64>, target: &str, note: String| Row {
        name: name.into(),
        value: format!("{:.2} ms", Figures::new(values).spread()),
        target: target.into(),
        note,
    };
    let note = format!("a sync takes {sync:.2} ms (p50)");
    report.row(row("submit under 1,000/s, p50", p50, "", note.clone()));
    report.row(row("submit under 1,000/s, p99", p99, "< 5 ms", note));
    report.row(row("submit under 1,000/s, slowest", highest, "", String::new()));
    report.row(row("the sender's own delay, p99", late, "", "is part of the figures above".into()));
    report.row(Row {
        name: "submissions refused".into(),
        value: refused.to_string(),
        target: "0".into(),
        note: format!("of {submitted} a run"),
    });
    report.memory("with all submitted deliberations open", Figures::new(memory).spread());
    let note = format!("killed with up to {submitted} open, started again");
    report.row(row("ready with these open", ready_again, "", note));
    Ok(())
}

/// Sends at the pace from a thread of its own. A submission's time counts from the moment it was to be
/// sent, so that a server that stalls does not hide behind a sender that waits for it.
async fn paced(
    clients: Vec<crate::process::Client>,
    seconds: u64,
) -> anyhow::Result<(Figures, Figures, usize)> {
    let handle = Handle::current();
    let sender = move || {
        let mut calls = JoinSet::new();
        let mut late = Vec::new();
        let began = Instant::now() + Duration::from_millis(100);
        for n in 0..PER_SECOND * seconds {
            let due = began + Duration::from_nanos(n * (1_000_000_000 / PER_SECOND));
            thread::sleep(due.saturating_duration_since(Instant::now()));
            late.push(due.elapsed());
            let mut client = clients[n as usize % clients.len()].clone();
            let call = async move {
                let answer = client.deliberate(task(format!("submission-{n}"), false)).await;
                (due.elapsed(), answer.is_ok())
            };
            calls.spawn_on(call, &handle);
        }
        (calls, late)
    };
    let sent = tokio::task::spawn_blocking(sender).await.context("sending submissions")?;
    let (calls, late) = sent;
    let answers = calls.join_all().await;
    let refused = answers.iter().filter(|(_, accepted)| !accepted).count();
    Ok((Figures::of_times(answers.into_iter().map(|(time, _)| time)), Figures::of_times(late), refused))
}

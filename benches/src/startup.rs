//! From the start of the process to the first healthy answer.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::ensure;
use fleet_api::v1::DeliberateRequest;
use tokio::task::JoinSet;

use crate::client::task;
use crate::figures::{Figures, ms};
use crate::process::{Programs, Server};
use crate::report::{Report, Row};
use crate::{Effort, progress};

const CALLERS: usize = 64;

pub(crate) async fn measure(
    programs: &Programs,
    dir: &Path,
    effort: Effort,
    report: &mut Report,
) -> anyhow::Result<()> {
    progress(format_args!("{} starts on nothing", effort.starts));
    let model = programs.model(0, None).await?;
    let mut fresh = Vec::new();
    for n in 0..effort.starts {
        let state = dir.join(format!("start-{n}"));
        let server = programs.server(&state, &model, &[]).await?;
        fresh.push(ms(server.ready_after));
        server.running.stop().await?;
    }

    progress(format_args!("{} deliberations to start on", effort.ended));
    let state = dir.join("full");
    let server = programs.server(&state, &model, &[]).await?;
    fill(&server, effort.ended).await?;
    server.running.stop().await?;
    progress(format_args!("{} starts on them", effort.starts));
    let mut full = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..effort.starts {
        let server = programs.server(&state, &model, &[]).await?;
        full.push(ms(server.ready_after));
        memory.push(server.running.memory_mib());
        server.running.stop().await?;
    }
    let bytes = std::fs::metadata(state.join("fleet.db")).map_or(0, |file| file.len());
    model.running.stop().await?;

    let row = |name: String, times: Vec<f64>, note: String| Row {
        name,
        value: format!("{:.1} ms", Figures::new(times).spread()),
        target: "< 100 ms".into(),
        note,
    };
    let note = "from exec to health SERVING".to_owned();
    report.row(row("ready, fresh state".into(), fresh, note));
    let mib = bytes as f64 / 1024.0 / 1024.0;
    let name = format!("ready, {} ended deliberations", effort.ended);
    report.row(row(name, full, format!("a file of {mib:.0} MiB")));
    report.memory("after a start on ended deliberations", Figures::new(memory).median());
    Ok(())
}

/// Brings `count` deliberations to their end: full ones, as users leave them behind.
async fn fill(server: &Server, count: usize) -> anyhow::Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (mut client, next) = (server.client().await?, Arc::clone(&next));
        callers.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return anyhow::Ok(());
                }
                let request: DeliberateRequest = task(format!("ended-{n}"), true);
                let answer = client.deliberate(request).await?.into_inner();
                ensure!(answer.status == "COMPLETED", "a council ended as {}", answer.status);
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    Ok(())
}

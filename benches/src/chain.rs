//! What the server adds to the slowest chain of model calls: one council at a time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;

use crate::client::task;
use crate::figures::{Figures, ms};
use crate::process::Programs;
use crate::report::{Report, Row};
use crate::{Effort, disk, ledger, progress};

/// One after the other in a council of one round: the submission, the proposal, what it led to, its check,
/// the ring, the review, what it led to, the revision, what it led to, its check, the verdict.
const SYNCS: usize = 11;

pub(crate) async fn measure(
    programs: &Programs,
    dir: &Path,
    effort: Effort,
    report: &mut Report,
) -> anyhow::Result<()> {
    for latency_ms in [0, 500] {
        progress(format_args!("{} councils one at a time, a model of {latency_ms} ms", effort.lone));
        let sync_before = disk::syncs(dir)?.median();
        let (state, ledger) =
            (dir.join(format!("chain-{latency_ms}")), dir.join(format!("{latency_ms}.jsonl")));
        let model = programs.model(latency_ms, Some(&ledger)).await?;
        let server = programs.server(&state, &model, &[]).await?;
        let mut client = server.client().await?;
        let mut took = BTreeMap::new();
        for n in 0..effort.lone + 1 {
            let id = format!("lone-{n}");
            let began = Instant::now();
            let answer = client.deliberate(task(id.clone(), true)).await?.into_inner();
            // The first one opens connections.
            if n > 0 && answer.status == "COMPLETED" {
                took.insert(id, ms(began.elapsed()));
            }
        }
        let memory = server.running.memory_mib();
        server.running.stop().await?;
        model.running.stop().await?;
        let sync = Figures::new(vec![sync_before, disk::syncs(dir)?.median()]).median();

        let chains = chains(&ledger)?;
        let added = took.iter().filter_map(|(id, took)| Some(took - chains.get(id)?)).collect();
        let added = Figures::new(added);
        let syncs_ms = sync * SYNCS as f64;
        let name = |what: &str| format!("added to the slowest chain, model {latency_ms} ms, {what}");
        let note = format!("with {SYNCS} syncs of {sync:.2} ms = {syncs_ms:.1} ms; {} councils", added.len());
        report.row(Row::ms(name("median"), added.median(), "", note.clone()));
        report.row(Row::ms(name("p95"), added.at(0.95), "", note));
        let note = format!("median less {SYNCS} syncs");
        report.row(Row::ms(name("without syncs"), added.median() - syncs_ms, "< 5 ms", note));
        report.memory(&format!("after {} lone councils, model {latency_ms} ms", effort.lone), memory);
    }
    Ok(())
}

/// How long the model's side took of each deliberation: its slowest proposal, then the slowest review
/// with the revision behind it. The ring waits for all proposals; after it, lanes wait for nobody.
fn chains(path: &Path) -> anyhow::Result<BTreeMap<String, f64>> {
    let text = fs::read_to_string(path).context("reading the model's ledger")?;
    let mut begun: BTreeMap<&str, u64> = BTreeMap::new();
    let mut proposals: BTreeMap<&str, f64> = BTreeMap::new();
    let mut lanes: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for line in text.lines() {
        let entry = ledger::entry(line)?;
        if entry.outcome == "begun" {
            begun.insert(entry.caller, entry.at_us);
            continue;
        }
        let parts: Vec<&str> = entry.caller.split('/').collect();
        let (Some(from), &[id, _, kind, agent]) = (begun.get(entry.caller), parts.as_slice()) else {
            continue;
        };
        let took = entry.at_us.saturating_sub(*from) as f64 / 1000.0;
        if kind == "propose" {
            let slowest = proposals.entry(id).or_default();
            *slowest = slowest.max(took);
        } else {
            *lanes.entry((id, agent)).or_default() += took;
        }
    }
    let mut chains = BTreeMap::new();
    for (id, proposal) in proposals {
        let lanes = lanes.iter().filter(|((of, _), _)| *of == id).map(|(_, took)| *took);
        chains.insert(id.to_owned(), proposal + lanes.fold(0.0, f64::max));
    }
    Ok(chains)
}

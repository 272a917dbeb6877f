//! One deliberation with many agents against one with a single one.

use std::path::Path;
use std::time::Instant;

use anyhow::ensure;

use crate::client::task;
use crate::figures::{Figures, Spread, ms};
use crate::ledger::Tally;
use crate::process::{Client, Programs, Script};
use crate::report::{Report, Row};
use crate::{Effort, progress};

const AGENTS: [usize; 4] = [1, 5, 20, 50];
const SLOTS: &str = "1024";

/// How many calls follow one another: a proposal, and with a round the review and the revision behind it.
const fn chain(rounds: i32) -> usize {
    1 + 2 * rounds as usize
}

pub(crate) async fn measure(
    programs: &Programs,
    dir: &Path,
    effort: Effort,
    report: &mut Report,
) -> anyhow::Result<()> {
    for latency_ms in [500, 0] {
        progress(format_args!("councils of 1 to 50 agents, a model of {latency_ms} ms"));
        let ledger = dir.join(format!("agents-{latency_ms}.jsonl"));
        let model =
            programs.scripted(Script { latency_ms, ledger: Some(&ledger), ..Script::default() }).await?;
        let state = dir.join(format!("agents-{latency_ms}"));
        let settings = [("FLEET__WORKER__SLOTS", SLOTS), ("FLEET__MODEL__CALLS_MAX", SLOTS)];
        let server = programs.server(&state, &model, &settings).await?;
        let mut client = server.client().await?;
        let mut tally = Tally::of(&ledger);

        // A lone agent has no peer: its chain is its proposal, whatever the rounds.
        let cases: Vec<(i32, usize)> = [0, 1]
            .iter()
            .flat_map(|rounds| AGENTS.map(|n| (*rounds, n)))
            .filter(|case| *case != (1, 1))
            .collect();
        let mut times = vec![Vec::new(); cases.len()];
        // In turns, so that what the machine does besides falls on all of them.
        for n in 0..=effort.councils_of_many {
            for (case, times) in cases.iter().zip(&mut times) {
                let took = council(&mut client, n, *case).await?;
                // The first one opens connections.
                if n > 0 {
                    times.push(took);
                }
                tally.read_on()?;
            }
        }
        server.running.stop().await?;
        model.running.stop().await?;

        let times: Vec<Figures> = times.into_iter().map(Figures::new).collect();
        let Some(one) = times.first().map(Figures::median) else { return Ok(()) };
        for ((rounds, agents), times) in cases.iter().zip(&times).skip(1) {
            let calls = chain(*rounds);
            let per_call = |ms: f64| ms / calls as f64 / one;
            let spread = times.spread();
            let factor = Spread {
                low: per_call(spread.low),
                median: per_call(spread.median),
                high: per_call(spread.high),
            };
            let target = match (latency_ms, agents) {
                (500, 5) => "<= 1.03",
                (500, 50) => "<= 1.10",
                _ => "",
            };
            let note = if calls == 1 {
                format!("{:.0} against {one:.1} ms; {} councils each", spread.median, times.len())
            } else {
                format!("{:.0} ms, of which a {calls}rd is set against {one:.1} ms", spread.median)
            };
            report.row(Row {
                name: format!("{agents} agents against 1, {rounds} rounds, model {latency_ms} ms"),
                value: format!("{factor:.3}"),
                target: target.into(),
                note,
            });
        }
        let called = tally.jobs();
        let expected: usize = cases.iter().map(|(rounds, agents)| agents * chain(*rounds)).sum::<usize>()
            * (effort.councils_of_many + 1);
        ensure!(called == expected, "{called} calls were made where {expected} make sense");
    }
    Ok(())
}

/// One council from its submission to its verdict, in milliseconds.
async fn council(client: &mut Client, n: usize, (rounds, agents): (i32, usize)) -> anyhow::Result<f64> {
    let mut request = task(format!("agents-{agents}-{rounds}-{n}"), true);
    request.rounds = Some(rounds);
    request.num_agents = i32::try_from(agents)?;
    let began = Instant::now();
    let answer = client.deliberate(request).await?.into_inner();
    ensure!(
        answer.status == "COMPLETED" && answer.results.len() == agents,
        "{agents} agents ended as {} with {} results",
        answer.status,
        answer.results.len()
    );
    Ok(ms(began.elapsed()))
}

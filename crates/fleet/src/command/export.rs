//! `fleet export`: past deliberations as data to train on.

mod output;

use std::collections::BTreeMap;

use fleet_llm::SIMULATED;
use fleet_orchestrator::dataset::{self, Unusable};
use fleet_orchestrator::{Past, chain};
use indicatif::{ProgressBar, ProgressStyle};

use self::output::Output;
use crate::cli::{DatasetFormat, DecidedBy, Export};
use crate::config::Loaded;
use crate::past::{is_damaged, is_forgotten, kept, past};
use crate::show::{is_quiet, many, say};
use crate::state::source;
use crate::{Exit, Problem};

/// What an export has done so far.
#[derive(Default)]
struct Tally {
    deliberations: u64,
    lines: u64,
    simulated: u64,
    forgotten: u64,
    unreadable: u64,
    unusable: BTreeMap<Unusable, u64>,
}

pub(super) async fn run(loaded: &Loaded, asked: Export) -> anyhow::Result<Exit> {
    let source = source(loaded, asked.server.as_deref()).await?;
    // Before anything long is begun.
    let mut output = Output::open(asked.output.as_deref(), asked.force)?;
    let listed = kept(&source, asked.since, asked.until).await?;
    let bar = if is_quiet() { ProgressBar::hidden() } else { ProgressBar::new(listed.len() as u64) };
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} deliberations");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let by = match asked.decided_by {
        Some(DecidedBy::Checks) => dataset::DecidedBy::Checks,
        None => dataset::DecidedBy::Anything,
    };
    let mut tally = Tally::default();
    for id in &listed {
        if asked.limit.is_some_and(|limit| tally.deliberations >= limit) {
            break;
        }
        bar.inc(1);
        let past = match past(&source, id).await {
            Ok(past) => past,
            Err(error) if is_forgotten(&error) => {
                tally.forgotten += 1;
                continue;
            }
            // One that is damaged does not keep the others back.
            Err(error) if is_damaged(&error) => {
                say(format_args!("{id} cannot be read: {}", chain(error.as_ref())));
                tally.unreadable += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        let role = &past.state.submission().role;
        if asked.role.as_deref().is_some_and(|wanted| !role.as_str().eq_ignore_ascii_case(wanted)) {
            continue;
        }
        match lines(&past, asked.format, by)? {
            Ok(lines) => {
                tally.deliberations += 1;
                tally.simulated += u64::from(dataset::models(&past).any(|model| model == SIMULATED));
                for line in lines {
                    tally.lines += 1;
                    if !output.write(&line)? {
                        // Whoever reads has read what it wanted.
                        return Ok(Exit::Done);
                    }
                }
            }
            Err(unusable) => *tally.unusable.entry(unusable).or_default() += 1,
        }
    }
    bar.finish_and_clear();
    output.finish()?;
    tally.tell();
    if tally.unreadable > 0 {
        let message = format!(
            "{} could not be read and {} left out; `fleet verify` says what is wrong",
            many(tally.unreadable, "deliberation"),
            if tally.unreadable == 1 { "is" } else { "are" }
        );
        return Err(Problem::new(Exit::Unavailable, message).into());
    }
    Ok(Exit::Done)
}

/// The lines of a deliberation.
fn lines(
    past: &Past,
    format: DatasetFormat,
    by: dataset::DecidedBy,
) -> anyhow::Result<Result<Vec<String>, Unusable>> {
    let made = match format {
        DatasetFormat::Sft => dataset::chat(past, by).map(|chat| vec![serde_json::to_string(&chat)]),
        DatasetFormat::Dpo => dataset::preferences(past, by)
            .map(|pairs| pairs.iter().map(serde_json::to_string).collect::<Vec<_>>()),
        DatasetFormat::Jsonl => dataset::whole(past, by).map(|whole| vec![serde_json::to_string(&whole)]),
    };
    Ok(match made {
        Ok(lines) => Ok(lines.into_iter().collect::<Result<_, _>>()?),
        Err(unusable) => Err(unusable),
    })
}

impl Tally {
    fn tell(&self) {
        let (lines, deliberations) = (many(self.lines, "line"), many(self.deliberations, "deliberation"));
        say(format_args!("{lines} of {deliberations}"));
        if self.simulated > 0 {
            let simulated = self.simulated;
            say(format_args!("warning: {simulated} of them by the SIMULATED model: nothing to learn from"));
        }
        for (unusable, n) in &self.unusable {
            let why = match unusable {
                Unusable::NoWinner => "no verdict, or no winner in it",
                Unusable::DecidedOtherwise => "not decided by checks",
                Unusable::Forgotten => "texts that are not kept any more, as retention removes them",
                Unusable::Truncated => "a winning text cut off at the limit of tokens",
                Unusable::NothingTells => "nothing tells the winner from another proposal",
            };
            say(format_args!("left out {n}: {why}"));
        }
        if self.forgotten > 0 {
            say(format_args!("left out {}: retention removed them meanwhile", self.forgotten));
        }
    }
}

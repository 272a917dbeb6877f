//! What people and programs are shown: progress on standard error, results on standard output.

pub(crate) mod copying;
pub(crate) mod explain;
pub(crate) mod follow;
mod lanes;
mod line;
mod page;
pub(crate) mod replay;
pub(crate) mod shows;
pub(crate) mod standing;
mod steps;
mod verdict;
mod working;

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fleet_deliberation::DeliberationId;
use fleet_orchestrator::announcement::{Failed, Outcome};
use fleet_orchestrator::port::Clock as _;

pub(crate) use working::Working;

use crate::config::{Loaded, Origin, Setting};
use crate::running::Running;
use crate::show::standing::OpenStanding;
use crate::{Exit, Problem};

/// Prints to standard output. A reader that has gone away is no error: it has read what it wanted.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    print_line(text).map(drop)
}

/// Prints one of many lines; `false` if the reader has gone away.
pub(crate) fn print_line(line: &str) -> anyhow::Result<bool> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(harmless(line).as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(true),
    }
}

/// Whether only what went wrong is said on standard error.
static QUIET: AtomicBool = AtomicBool::new(false);

/// From here on, only what went wrong is said on standard error, if `quiet`.
pub(crate) fn quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Whether only what went wrong is said on standard error.
pub(crate) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Whether standard error takes colors: it is a terminal, and nobody asked for none (no-color.org).
pub(crate) fn in_color() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !unwanted && std::env::var_os("TERM").is_none_or(|term| term != "dumb") && std::io::stderr().is_terminal()
}

/// Says something on standard error, unless only what went wrong is to be said.
pub(crate) fn say(text: impl std::fmt::Display) {
    if !is_quiet() {
        tell("INFO", text);
    }
}

/// Says on standard error what went wrong. Work goes on where nobody listens, which `eprintln!` would not
/// allow.
pub fn complain(text: impl std::fmt::Display) {
    tell("ERROR", text);
}

fn tell(level: &str, text: impl std::fmt::Display) {
    let text = harmless(&text.to_string());
    let line = match AS_JSON.load(Ordering::Relaxed) {
        true => {
            let timestamp = fleet_orchestrator::rfc3339(fleet_embedded::SystemClock.now());
            // Whoever reads a log looks for lines, in messages as well.
            let facts = text.lines().map(|fact| {
                serde_json::json!({"timestamp": timestamp, "level": level, "message": fact}).to_string()
            });
            facts.collect::<Vec<_>>().join("\n")
        }
        false => text,
    };
    // There is nobody left to tell.
    writeln!(std::io::stderr(), "{line}").ok();
}

/// Whether what is said is a line of a log that programs read.
static AS_JSON: AtomicBool = AtomicBool::new(false);

/// From here on, what is said is for programs that read the log.
pub(crate) fn say_as_json() {
    AS_JSON.store(true, Ordering::Relaxed);
}

/// Text as a terminal may have it: nothing that models, servers or other users wrote moves the cursor, or
/// worse.
pub(crate) fn harmless(text: &str) -> String {
    let keep = |c: char| !c.is_control() || c == '\n' || c == '\t';
    text.chars().map(|c| if keep(c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// So many of something, in words.
pub(crate) fn many(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Says what is about to happen.
pub(crate) fn introduce(id: impl std::fmt::Display, label: &str) {
    say(format_args!("deliberation {id}\nusing {label}"));
}

/// An id from the command line.
pub(crate) fn parse_id(text: &str) -> Result<DeliberationId, Problem> {
    DeliberationId::new(text).map_err(|error| Problem::new(Exit::Refused, format!("the id {error}")))
}

/// Stops what runs and shows what came of it.
pub(crate) async fn conclude(
    running: Running,
    followed: anyhow::Result<Option<Outcome>>,
    loaded: &Loaded,
    (id, label): (&DeliberationId, &str),
    json: bool,
) -> anyhow::Result<Exit> {
    if let Ok(None) = followed {
        // The flags that say where it is and who answers it are needed again.
        let said = |setting: &&Setting| matches!(setting.key.as_str(), "state.dir" | "model.url");
        let flags = loaded.settings.iter().filter(said).filter_map(|setting| match &setting.origin {
            Origin::Flag(flag) => Some(format!(" {flag} {}", setting.value)),
            Origin::Default | Origin::File { .. } | Origin::Environment(_) => None,
        });
        // The file as well, wherever the next command is given.
        let file =
            loaded.file.as_deref().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.to_owned()));
        let file = file.map(|file| format!(" --config {}", file.display()));
        let flags: String = flags.chain(file).collect();
        say(format_args!("left; until its deadline you can go on with: fleet resume {id}{flags}"));
        return Ok(Exit::Left);
    }
    if followed.is_ok() {
        running.telemetry.end_told().await;
    }
    // Nobody waits for models any more; what cannot be recorded is not waited for either.
    running.stop(followed.is_err().then_some(Duration::ZERO)).await;
    match followed? {
        Some(outcome) => self::outcome(&outcome, label, json),
        None => Ok(Exit::Left),
    }
}

/// Shows how a deliberation ended.
pub(crate) fn outcome(outcome: &Outcome, label: &str, json: bool) -> anyhow::Result<Exit> {
    if json {
        print(&(outcome.to_json() + "\n"))?;
        return Ok(exit(outcome));
    }
    if let Outcome::Completed(completed) = outcome {
        print(&verdict::text(completed, label))?;
    }
    Ok(end(outcome))
}

/// The most characters of an agent's fault that a line repeats; `--json` has all of it.
const FAULT_CHARS_MAX: usize = 160;

/// Says why there is no verdict, or no winner in it, where there is none.
pub(crate) fn end(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Failed(failed) => complain(no_verdict(failed)),
        Outcome::Completed(completed) if completed.winner_id.is_empty() => {
            complain(format_args!("{}: {}", completed.outcome, completed.why));
        }
        Outcome::Completed(_) => {}
    }
    exit(outcome)
}

/// Why there is no verdict, and below it a line for each fault with the agents who had it.
fn no_verdict(failed: &Failed) -> String {
    if failed.error_type != "no_quorum" || failed.failed_agents.is_empty() {
        return format!("no verdict: {}", failed.error);
    }
    let (why, _) = failed.error.split_once("; ").unwrap_or((&failed.error, ""));
    let mut faults: Vec<(String, Vec<&str>)> = Vec::new();
    for agent in &failed.failed_agents {
        let fault = format!("{} ({})", shortened(&agent.error, FAULT_CHARS_MAX), agent.error_type);
        match faults.iter_mut().find(|(known, _)| *known == fault) {
            Some((_, agents)) => agents.push(&agent.agent_id),
            None => faults.push((fault, vec![&agent.agent_id])),
        }
    }
    let lines = faults.iter().map(|(fault, agents)| format!("\n  {}: {fault}", agents.join(", ")));
    format!("no verdict: {why}{}", lines.collect::<String>())
}

/// The beginning of a text, in one line.
pub(crate) fn shortened(text: &str, chars_max: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn exit(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Completed(completed) if completed.winner_id.is_empty() => Exit::NoneAcceptable,
        Outcome::Completed(_) => Exit::Done,
        Outcome::Failed(failed) if failed.status == "timeout" => Exit::TimedOut,
        Outcome::Failed(failed) if failed.error_type == "cancelled" => Exit::Cancelled,
        Outcome::Failed(_) => Exit::Failed,
    }
}

/// Shows a deliberation that has not ended.
pub(crate) fn open(open: &OpenStanding, json: bool) -> anyhow::Result<Exit> {
    if json {
        print(&(serde_json::to_string(open)? + "\n"))?;
    } else {
        say(format_args!(
            "deliberation {} has not ended: {}; {} jobs pending, {} completed, {} failed",
            open.task_id, open.phase, open.pending, open.completed, open.failed
        ));
    }
    Ok(Exit::Open)
}

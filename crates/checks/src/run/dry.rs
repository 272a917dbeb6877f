//! The dry run: what happens when the code of a proposal is run by itself.

use fleet_deliberation::{CheckOutcome, CheckResult, Fault, Run, Severity};

use super::batch::{BatchEnd, StepEnd};
use super::code::{Code, Codes, Tongue};
use super::log::{place, said, tail};
use super::{Dry, How, Ran, Room, bash, broken, c, go, javascript, python, rust};

/// The id of what a dry run holds against a proposal.
const RULE: &str = "run";
const EXCERPT: &str = "an excerpt, which cannot be run by itself";

/// What came of the code in one language.
struct Came {
    outcome: CheckOutcome,
    message: String,
    fault: Option<Fault>,
    run: Option<Run>,
    tool: Option<String>,
    lasting: bool,
}

impl Came {
    fn skipped(message: String) -> Came {
        Came { outcome: CheckOutcome::Skipped, message, fault: None, run: None, tool: None, lasting: true }
    }
}

/// Runs the code of every language.
pub(super) async fn dry_run(room: &Room<'_>, codes: &Codes) -> Ran {
    if let Some(path) = &codes.refused {
        return Ran::new(CheckOutcome::Skipped, format!("not run: the path {path} leaves the folder"));
    }
    let mut all = Vec::new();
    for code in &codes.codes {
        match one(room, codes, code).await {
            Ok(came) => all.push(came),
            Err(ran) => return ran,
        }
    }
    if !codes.others.is_empty() {
        let others: Vec<&str> = codes.others.iter().copied().collect();
        all.push(Came::skipped(format!("nothing here runs {}", others.join(", "))));
    }
    told(all)
}

/// What failed counts most, and what was not run least.
fn rank(outcome: CheckOutcome) -> u8 {
    match outcome {
        CheckOutcome::Fail => 3,
        CheckOutcome::Error => 2,
        CheckOutcome::Pass => 1,
        CheckOutcome::Skipped => 0,
    }
}

/// The results of code and of manifests as one.
pub(super) fn both(code: CheckResult, manifests: CheckResult) -> CheckResult {
    let outcome = if rank(manifests.outcome) > rank(code.outcome) { manifests.outcome } else { code.outcome };
    let message = format!("{}; {}", code.message, manifests.message);
    let mut result = CheckResult { outcome, message, ..code };
    result.faults.extend(manifests.faults);
    result.tools.extend(manifests.tools);
    result.duration_ms = result.duration_ms.max(manifests.duration_ms);
    result
}

/// The results of all languages as one.
fn told(all: Vec<Came>) -> Ran {
    let outcome = all.iter().map(|came| came.outcome).max_by_key(|outcome| rank(*outcome));
    let Some(outcome) = outcome else {
        return Ran::new(CheckOutcome::Skipped, "not run: there is no code that could be run");
    };
    let messages: Vec<&str> = all.iter().map(|came| came.message.as_str()).collect();
    let before = if outcome == CheckOutcome::Skipped { "not run: " } else { "" };
    let mut result = CheckResult::new(outcome, format!("{before}{}", messages.join("; ")));
    let lasting = all.iter().all(|came| came.lasting);
    for came in all {
        if came.outcome == outcome && (result.run.is_none() || outcome == CheckOutcome::Pass) {
            result.run = came.run.or(result.run);
        }
        result.faults.extend(came.fault);
        result.tools.extend(came.tool);
    }
    Ran { result, lasting }
}

async fn one(room: &Room<'_>, codes: &Codes, code: &Code) -> Result<Came, Ran> {
    let tongue = code.tongue;
    let name = tongue.name();
    let Some(tool) = room.tools.get(tongue) else {
        return Ok(Came::skipped(format!("{name}: {}", room.tools.lack(tongue))));
    };
    let time = room.bound.left();
    let dry = match tongue {
        Tongue::Python => Some(python::dry(code, codes, tool, time)),
        Tongue::JavaScript | Tongue::TypeScript => {
            let read = match javascript::read(code, codes, None, time / 2).await {
                Ok(read) => read,
                Err(why) => {
                    let message = format!("{name}: {why}");
                    return Ok(Came {
                        outcome: CheckOutcome::Error,
                        lasting: false,
                        ..Came::skipped(message)
                    });
                }
            };
            if let Some(why) = javascript::beyond(code, tool, &read) {
                let tool = Some(tool.version.clone());
                return Ok(Came { tool, ..Came::skipped(format!("{name}: {why}")) });
            }
            Some(javascript::dry(code, read, tool, room.bound.left()))
        }
        Tongue::Bash => Some(bash::dry(code, codes, tool, time)),
        Tongue::Rust => rust::dry(code, codes, tool, time),
        Tongue::C => c::dry(code, codes, tool, time),
        Tongue::Go => match &room.go {
            Ok(cache) => go::dry(code, codes, tool, cache, time),
            Err(why) => {
                let message = format!("{name}: {why}");
                return Ok(Came { outcome: CheckOutcome::Error, lasting: false, ..Came::skipped(message) });
            }
        },
    };
    let Some(Dry { batch, how }) = dry else {
        return Ok(Came::skipped(format!("{name}: an excerpt, which cannot be built by itself")));
    };
    let needed = batch.steps.iter().filter(|step| step.needed).count();
    let end = batch.run(room.sandbox(), room.bound).await.map_err(|error| broken(&error))?;
    let bad = end.ends.iter().position(|end| !end.well());
    let last = bad.or(end.ends.len().checked_sub(1)).map(|at| &end.ends[at]);
    let run = last.map(|step| run(&end, step));
    let tool = Some(tool.version.clone());
    let lasting = end.ends.iter().all(|end| end.cut.is_none());
    let came = |outcome, message| Came {
        outcome,
        message,
        fault: None,
        run: run.clone(),
        tool: tool.clone(),
        lasting,
    };
    let Some((at, step)) = bad.map(|at| (at, &end.ends[at])) else {
        if end.out_of_time {
            return Ok(Came {
                lasting: false,
                ..came(CheckOutcome::Error, format!("{name}: the time for it was over"))
            });
        }
        let message = match how {
            How::Run => format!("{name} ran to its end"),
            How::Loaded(what) => format!("{name}: {what}"),
        };
        return Ok(came(CheckOutcome::Pass, message));
    };
    let excerpt = code.excerpts && at < needed;
    let reason = excused(code, &step.log).or_else(|| excerpt.then(|| EXCERPT.to_owned()));
    if let Some(reason) = reason {
        return Ok(came(CheckOutcome::Skipped, format!("{name}: {reason}")));
    }
    let why = step.cut.clone().unwrap_or_else(|| said(tongue, &step.log));
    // Building takes long where the machine is busy; and so does all where there is little time.
    if step.cut.is_some() && (at < needed || !room.full) {
        return Ok(came(CheckOutcome::Error, format!("{name}: {why}")));
    }
    let fault = Fault {
        rule: RULE.to_owned(),
        severity: Severity::Medium,
        language: name.to_owned(),
        line: place(codes, tongue, &step.log),
        column: 1,
        message: why.clone(),
        excerpt: String::new(),
    };
    let what = if at < needed { "could not be built" } else { "failed" };
    Ok(Came { fault: Some(fault), ..came(CheckOutcome::Fail, format!("{name} {what}: {why}")) })
}

/// What is not the code's fault: something that is not here, or that an excerpt lacks.
fn excused(code: &Code, log: &str) -> Option<String> {
    let missing = match code.tongue {
        Tongue::Python => python::missing(code, log),
        Tongue::JavaScript | Tongue::TypeScript => javascript::missing(log),
        Tongue::Bash => bash::missing(log),
        Tongue::Rust => rust::missing(log),
        Tongue::C => c::missing(code, log),
        Tongue::Go => go::missing(code, log),
    };
    const EXCERPTS: [&str; 4] =
        ["' outside function", "IndentationError: unexpected indent", "' outside async", "' outside loop"];
    const INPUT: &str = "EOFError: EOF when reading a line";
    missing
        .or_else(|| {
            // What surrounds it would have said what its types are.
            let bare =
                code.tongue == Tongue::C && !code.has(&["#include"]) && log.contains("unknown type name");
            let excerpt = bare || EXCERPTS.iter().any(|says| log.contains(says));
            excerpt.then(|| EXCERPT.to_owned())
        })
        .or_else(|| log.contains(INPUT).then(|| "it waits for input".to_owned()))
}

fn run(end: &BatchEnd, step: &StepEnd) -> Run {
    // Above it the shell tells of a signal.
    const CODE_MAX: i32 = 128;
    let exit_code = Some(step.code).filter(|code| step.cut.is_none() && (0..=CODE_MAX).contains(code));
    Run { exit_code, output: tail(&step.log), sandbox: end.level.clone() }
}

//! The tests that a task gives, run against the code of a proposal.

use std::collections::BTreeSet;

use fleet_deliberation::{CheckOutcome, CheckResult, Fault, Run, Severity, TESTS_MAX, TestOutcome};
use fleet_sandbox::SandboxError;

use super::batch::{BatchEnd, StepEnd};
use super::code::{Code, Codes, Tongue};
use super::given::{Given, LOOSE, NoTests, given};
use super::log::{place, said, tail};
use super::tools::Tool;
use super::{Ran, Room, bash, broken, c, go, javascript, python, rust};

/// The id of what a test that fails holds against a proposal.
const RULE: &str = "test";
/// The part of the whole time that one test may take.
const TEST_PART: u32 = 4;

/// How one test came out: its name, and what went wrong.
struct Tested {
    name: String,
    wrong: Option<Wrong>,
}

struct Wrong {
    why: String,
    /// Of the lines of code, from 1; 0 is none.
    line: u32,
}

/// What came of the tests in one language.
#[derive(Default)]
struct Came {
    tested: Vec<Tested>,
    /// The tests could not be run, for no fault of the code.
    not_run: Option<String>,
    /// It cannot be said how the tests would have come out.
    error: Option<String>,
    run: Option<Run>,
    tool: Option<String>,
    /// It took too long, so it may come out otherwise the next time.
    passing: bool,
    /// There was less time than there should have been.
    too_little_time: bool,
}

/// Runs the tests in `text`.
pub(super) async fn tests(room: &Room<'_>, codes: &Codes, text: &str) -> Ran {
    let of_proposal = codes.codes.first().map(|code| code.tongue);
    let all = match given(text, of_proposal) {
        Ok(all) => all,
        Err(NoTests::Unknown) if codes.others.is_empty() => {
            let came =
                Came { tested: vec![failed(LOOSE, "there is no code to be tested")], ..Came::default() };
            return told(vec![(Tongue::Bash, came)]);
        }
        Err(NoTests::Unknown) => {
            let others: Vec<&str> = codes.others.iter().copied().collect();
            return Ran::new(
                CheckOutcome::Skipped,
                format!("not run: nothing here runs {}", others.join(", ")),
            );
        }
        Err(error) => return Ran::new(CheckOutcome::Error, error.to_string()),
    };
    let count: usize = all.iter().flat_map(|given| &given.files).map(|file| file.names.len()).sum();
    if count > TESTS_MAX {
        let message = format!("there are {count} tests; more than {TESTS_MAX} are not run");
        return Ran::new(CheckOutcome::Error, message);
    }
    let mut came = Vec::new();
    for given in &all {
        match one(room, codes, given).await {
            Ok(one) => came.push((given.tongue, one)),
            Err(error) => return broken(&error),
        }
    }
    told(came)
}

fn told(all: Vec<(Tongue, Came)>) -> Ran {
    let mut result = CheckResult::new(CheckOutcome::Pass, "");
    let (mut not_run, mut lasting, mut too_little_time) = (Vec::new(), true, false);
    let mut names = BTreeSet::new();
    if let Some(why) = all.iter().find_map(|(_, came)| came.error.clone()) {
        return Ran::new(CheckOutcome::Error, why);
    }
    for (tongue, came) in all {
        lasting &= !came.passing && came.not_run.is_none();
        too_little_time |= came.too_little_time;
        not_run.extend(came.not_run.map(|why| format!("{}: {why}", tongue.name())));
        result.tools.extend(came.tool);
        result.run = came.run.or(result.run);
        for test in came.tested {
            let name = if names.insert(test.name.clone()) {
                test.name
            } else {
                format!("{} ({})", test.name, tongue.name())
            };
            if let Some(Wrong { why, line }) = &test.wrong {
                let message = format!("{name}: {why}");
                let (rule, language) = (RULE.to_owned(), tongue.name().to_owned());
                let excerpt = String::new();
                result.faults.push(Fault {
                    rule,
                    severity: Severity::High,
                    language,
                    line: *line,
                    column: 1,
                    message,
                    excerpt,
                });
            }
            result.tests.push(TestOutcome { name, passed: test.wrong.is_none() });
        }
    }
    let (count, failed) = (result.tests.len(), result.faults.len());
    result.message = match (count, failed) {
        (0, _) => "no test was run".to_owned(),
        (_, 0) => format!("{count} of {count} tests passed"),
        _ => format!("{failed} of {count} tests failed; {}", result.faults[0].message),
    };
    result.faults.truncate(crate::FAULTS_MAX);
    result.outcome = match (failed, too_little_time, not_run.is_empty()) {
        (1.., true, _) => CheckOutcome::Error,
        (1.., false, _) => CheckOutcome::Fail,
        (0, _, false) => CheckOutcome::Skipped,
        (0, true, true) => CheckOutcome::Error,
        (0, false, true) => CheckOutcome::Pass,
    };
    match (result.outcome, not_run.is_empty()) {
        (CheckOutcome::Skipped, _) => result.message = format!("not run: {}", not_run.join("; ")),
        (_, false) => result.message += &format!("; not run: {}", not_run.join("; ")),
        (CheckOutcome::Error, true) => {
            result.message = format!("there was too little time for all tests; {}", result.message)
        }
        _ => {}
    }
    if result.outcome == CheckOutcome::Error {
        // What was cut short is no test that failed.
        result.faults.clear();
        result.tests.clear();
    }
    Ran { result, lasting }
}

fn failed(name: &str, why: &str) -> Tested {
    Tested { name: name.to_owned(), wrong: Some(Wrong { why: why.to_owned(), line: 0 }) }
}

async fn one(room: &Room<'_>, codes: &Codes, given: &Given) -> Result<Came, SandboxError> {
    let mut names: Vec<String> = given.files.iter().flat_map(|file| file.names.clone()).collect();
    if names.is_empty() {
        names.push(LOOSE.to_owned());
    }
    let all_fail =
        |why: &str| Came { tested: names.iter().map(|name| failed(name, why)).collect(), ..Came::default() };
    if let Some(path) = &codes.refused {
        return Ok(all_fail(&format!("the path {path} leaves the folder")));
    }
    let Some(code) = codes.get(given.tongue) else {
        return Ok(all_fail(&format!("there is no code in {}", given.tongue.name())));
    };
    let Some(tool) = room.tools.get(given.tongue) else {
        return Ok(Came { not_run: Some(room.tools.lack(given.tongue)), ..Came::default() });
    };
    let time = room.bound.left() / TEST_PART;
    let seals = || SandboxError::Unavailable { reason: "there is no randomness".to_owned() };
    let mut batch = match given.tongue {
        Tongue::JavaScript | Tongue::TypeScript => {
            return in_javascript(room, codes, code, given, tool).await;
        }
        Tongue::Python => python::trial(code, codes, tool, given, time),
        Tongue::Bash => bash::trial(code, codes, tool, given, time),
        Tongue::Rust => rust::trial(code, codes, tool, given, time).ok_or_else(seals)?,
        Tongue::C => c::trial(code, codes, tool, given, time).ok_or_else(seals)?,
        Tongue::Go => match &room.go {
            Ok(cache) => {
                let (batch, ordered) = go::trial(code, codes, tool, cache, given, time)?;
                names = ordered;
                batch
            }
            Err(why) => return Ok(Came { not_run: Some(why.clone()), ..Came::default() }),
        },
    };
    for step in batch.steps.iter_mut().filter(|step| step.needed) {
        step.time = room.bound.left();
    }
    let needed = batch.steps.iter().filter(|step| step.needed).count();
    let end = batch.run(room.sandbox(), room.bound).await?;
    Ok(judged(room, codes, code, tool, names, needed, end))
}

/// The tests of JavaScript have their names only once they are there: these are asked for first.
async fn in_javascript(
    room: &Room<'_>,
    codes: &Codes,
    code: &Code,
    given: &Given,
    tool: &Tool,
) -> Result<Came, SandboxError> {
    let read = match javascript::read(code, codes, Some(given), room.bound.left() / 2).await {
        Ok(read) => read,
        Err(why) => return Ok(Came { error: Some(why.to_string()), ..Came::default() }),
    };
    let time = room.bound.left() / TEST_PART;
    let trial = |steps: &[String]| {
        let none = SandboxError::Unavailable { reason: "there is no randomness".to_owned() };
        javascript::trial(code, &read, tool, steps, time).ok_or(none)
    };
    if let Some(why) = javascript::beyond(code, tool, &read) {
        return Ok(Came { not_run: Some(why), tool: Some(tool.version.clone()), ..Came::default() });
    }
    let asked = trial(&["list".to_owned()])?;
    let end = asked.batch.run(room.sandbox(), room.bound).await?;
    let listed =
        end.ends.first().filter(|end| end.well() && end.sealed).and_then(|end| asked.listed(&end.log));
    let Some(mut names) = listed else {
        let mut came = judged(room, codes, code, tool, vec![LOOSE.to_owned()], 0, end);
        // No test was run: whatever the step said, none has passed.
        let why = "the tests could not be listed: the code did not let the program come so far".to_owned();
        for test in came.tested.iter_mut().filter(|test| test.wrong.is_none()) {
            test.wrong = Some(Wrong { why: why.clone(), line: place(codes, code.tongue, "") });
        }
        return Ok(came);
    };
    let mut steps: Vec<String> = (0..names.len()).map(|nth| nth.to_string()).collect();
    if names.is_empty() {
        (names, steps) = (vec![LOOSE.to_owned()], vec!["whole".to_owned()]);
    }
    if names.len() > TESTS_MAX {
        let message = format!("there are {} tests; more than {TESTS_MAX} are not run", names.len());
        return Ok(Came { error: Some(message), ..Came::default() });
    }
    let end = trial(&steps)?.batch.run(room.sandbox(), room.bound).await?;
    Ok(judged(room, codes, code, tool, names, 0, end))
}

/// How each test came out, by the end of its step.
fn judged(
    room: &Room<'_>,
    codes: &Codes,
    code: &Code,
    tool: &Tool,
    names: Vec<String>,
    needed: usize,
    end: BatchEnd,
) -> Came {
    let tongue = code.tongue;
    let mut came = Came { tool: Some(tool.version.clone()), ..Came::default() };
    came.passing = end.out_of_time || end.ends.iter().any(|end| end.cut.is_some());
    came.too_little_time = came.passing && !room.full;
    let built = end.ends.iter().take(needed).find(|end| !end.well());
    // A build that takes too long says nothing of the code.
    came.too_little_time |= built.is_some_and(|end| end.cut.is_some());
    let none = StepEnd {
        code: -1,
        sealed: false,
        log: String::new(),
        cut: Some("it was not come to in time".to_owned()),
    };
    let mut shown: Option<&StepEnd> = None;
    for (nth, name) in names.into_iter().enumerate() {
        let step = built.or_else(|| end.ends.get(needed + nth)).unwrap_or(&none);
        let well = built.is_none() && step.well() && step.sealed;
        if shown.is_none_or(|shown| shown.well() && !well) {
            shown = Some(step);
        }
        let wrong = (!well).then(|| Wrong { why: why(code, step), line: place(codes, tongue, &step.log) });
        came.tested.push(Tested { name, wrong });
    }
    came.run = shown.map(|step| Run {
        exit_code: Some(step.code).filter(|code| step.cut.is_none() && (0..=128).contains(code)),
        output: tail(&step.log),
        sandbox: end.level.clone(),
    });
    came
}

fn why(code: &Code, step: &StepEnd) -> String {
    let missing = match code.tongue {
        Tongue::Python => python::missing(code, &step.log),
        Tongue::JavaScript | Tongue::TypeScript => javascript::missing(&step.log),
        Tongue::Bash => bash::missing(&step.log),
        Tongue::Rust => rust::missing(&step.log),
        Tongue::C => c::missing(code, &step.log),
        Tongue::Go => go::missing(code, &step.log),
    };
    let ended =
        (step.code == 0).then(|| "the code ended the program before the test came to its end".to_owned());
    let short = step.cut.clone().or(missing).or(ended);
    short.unwrap_or_else(|| match step.log.trim() {
        "" => format!("exit code {}", step.code),
        log => said(code.tongue, log),
    })
}

//! What linters found, as the lint check tells it.

use fleet_deliberation::{CheckOutcome, CheckResult, Fault, Severity};

use super::output::{File, Finding, Read};
use crate::FAULTS_MAX;
use crate::lint::{Found, Sound, fault, shortened};

/// The most that is listed of what linters find in a proposal.
const LISTED_MAX: usize = 20;
const MESSAGE_CHARS_MAX: usize = 160;
const WHY_CHARS_MAX: usize = 240;

/// What came of one linter.
#[derive(Debug)]
pub(super) struct Came<'a> {
    pub(super) name: &'a str,
    pub(super) what: What,
    pub(super) files: Vec<File>,
    /// How many blocks more there were for it than it was given.
    pub(super) left_out: usize,
}

#[derive(Debug)]
pub(super) enum What {
    /// It is not here.
    Missing,
    /// It was not run, and why.
    NotRun(String),
    /// It ran, and what came of it is no result: why.
    Failed {
        version: String,
        why: String,
    },
    Read {
        version: String,
        read: Read,
    },
}

/// Adds what came of all to the result.
pub(super) fn tell(result: &mut CheckResult, came: &[Came<'_>], blocks: &[Sound]) {
    let mut faults: Vec<Fault> = Vec::new();
    let mut missing: Vec<&str> = Vec::new();
    let mut not_run: Vec<(Vec<&str>, &str)> = Vec::new();
    for came in came {
        match &came.what {
            What::Missing => missing.push(came.name),
            // Where there is no sandbox, it is the same for all of them.
            What::NotRun(why) => match not_run.iter_mut().find(|(_, known)| known == why) {
                Some((names, _)) => names.push(came.name),
                None => not_run.push((vec![came.name], why)),
            },
            What::Failed { version, why } => {
                result.message += &format!("; {version} gave no result: {}", shortened(why, WHY_CHARS_MAX));
            }
            What::Read { version, read } => {
                result.message += &format!("; {version}: {}", in_words(read, came));
                result.tools.push(version.clone());
                faults.extend(read.findings.iter().map(|finding| told(came, finding, blocks)));
            }
        }
    }
    for (names, why) in not_run {
        result.message += &format!("; {} not run: {}", names.join(", "), shortened(why, WHY_CHARS_MAX));
    }
    if !missing.is_empty() {
        result.message += &format!("; not on this machine: {}", missing.join(", "));
    }
    if result.outcome == CheckOutcome::Pass && faults.iter().any(|fault| fault.severity != Severity::Low) {
        result.outcome = CheckOutcome::Fail;
    }
    let listed = LISTED_MAX.min(FAULTS_MAX.saturating_sub(result.faults.len()));
    if faults.len() > listed {
        result.message += &format!("; of what they found the first {listed} are listed");
    }
    faults.sort_by_key(|fault| (fault.severity == Severity::Low, fault.line, fault.column));
    faults.truncate(listed);
    result.faults.extend(faults);
}

/// How much a linter found.
fn in_words(read: &Read, came: &Came<'_>) -> String {
    let advice = read.findings.iter().filter(|finding| finding.severity == Severity::Low).count();
    let mut words = match (read.findings.len() - advice, advice) {
        (0, 0) => "nothing".to_owned(),
        (0, advice) => format!("{advice} of advice"),
        (1, 0) => "1 fault".to_owned(),
        (1, advice) => format!("1 fault and {advice} of advice"),
        (faults, 0) => format!("{faults} faults"),
        (faults, advice) => format!("{faults} faults and {advice} of advice"),
    };
    let all = came.files.len() + came.left_out;
    if !read.unread.is_empty() {
        words += &format!(", {} of {all} not read", read.unread.len());
    }
    if came.left_out > 0 {
        words += &format!(", {} of {all} not looked at", came.left_out);
    }
    words
}

/// A finding in its place in the Markdown.
fn told(came: &Came<'_>, finding: &Finding, blocks: &[Sound]) -> Fault {
    let file = &came.files[finding.file];
    let Sound { language, part } = &blocks[file.block];
    let row = finding.row - file.before - 1;
    let text = part.lines.get(row).map(|line| line.text.as_str()).unwrap_or_default();
    let column = text.char_indices().nth(finding.column.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
    let message = shortened(&finding.message, MESSAGE_CHARS_MAX);
    let found = Found { row, column, message: format!("{message} ({} {})", came.name, finding.rule) };
    fault(&format!("{}/{}", came.name, finding.rule), finding.severity, language.name(), part, &found)
}

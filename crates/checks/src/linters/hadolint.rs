//! hadolint, for Dockerfiles and the shell in them.

use fleet_deliberation::Severity;
use serde::Deserialize;

use super::output::{Finding, Read, Said};
use super::shellcheck::NO_BUGS;
use super::{Linter, Takes};
use crate::lint::Language;

pub(super) const HADOLINT: Linter = Linter {
    name: "hadolint",
    comes_with: None,
    takes: |sound| (sound.language == Language::Dockerfile).then_some(Takes::as_it_is("dockerfile")),
    args: &["--no-fail", "--no-color", "--format=json", "--disable-ignore-pragma"],
    read,
};

/// Rules that find what does not build, or does not do what it says. Not among them: pinned versions, small images,
/// one's own registry, and what the policies say.
const BUGS: &[&str] = &[
    "DL3000", "DL3011", "DL3012", "DL3014", "DL3021", "DL3022", "DL3023", "DL3024", "DL3030", "DL3034",
    "DL3038", "DL3043", "DL3044", "DL3045", "DL3061", "DL4003", "DL4004", "DL4005", "DL4006",
];
/// Those that need what stands before an excerpt.
const OF_WHOLE_FILES: &[&str] = &["DL3022", "DL3045", "DL3061", "DL4006"];
/// A Dockerfile that it cannot read.
const PARSER: &str = "DL1000";

#[derive(Deserialize)]
struct Diagnostic {
    code: String,
    file: String,
    level: String,
    line: usize,
    column: usize,
    message: String,
}

fn read(said: &Said<'_>) -> Result<Read, String> {
    let diagnostics: Vec<Diagnostic> = said.json()?;
    if said.code != 0 {
        return Err(said.unreadable("it says that it failed"));
    }
    let begins =
        |line: &str| line.trim_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case("from "));
    let whole: Vec<bool> = said.files.iter().map(|file| file.text.lines().any(begins)).collect();
    let mut read = Read::default();
    for diagnostic in diagnostics {
        let file = said.file(&diagnostic.file)?;
        let rule = diagnostic.code.as_str();
        if rule == PARSER {
            read.unread.insert(file);
            continue;
        }
        let bug = match rule.strip_prefix("SC").map(str::parse) {
            // Those of shellcheck.
            Some(Ok(code)) => {
                matches!(diagnostic.level.as_str(), "error" | "warning") && !NO_BUGS.contains(&code)
            }
            Some(Err(_)) => false,
            None => BUGS.contains(&rule) && (whole[file] || !OF_WHOLE_FILES.contains(&rule)),
        };
        if bug {
            read.findings.push(Finding {
                file,
                row: diagnostic.line,
                column: diagnostic.column,
                rule: diagnostic.code,
                message: diagnostic.message,
                severity: Severity::Low,
            });
        }
    }
    Ok(read)
}

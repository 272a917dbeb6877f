//! The lint check: whether the code of a proposal reads like its language.

mod language;
mod python;
mod rust;
mod syntax;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use fleet_deliberation::{CheckOutcome, CheckResult, Fault, Severity};

use crate::parts::{Part, parts};
use crate::{FAULTS_MAX, PROPOSAL_BYTES_MAX, TIME_MS_MAX};
use language::Language;
pub(crate) use syntax::shortened;
use syntax::{Found, OutOfTime, Reading, read};

const EXCERPT_CHARS_MAX: usize = 120;
const TAGS_MAX: usize = 10;

/// Reads every block in a known language until `deadline`.
pub(crate) fn lint(proposal: &str, deadline: Instant) -> CheckResult {
    if proposal.len() > PROPOSAL_BYTES_MAX {
        let bytes = proposal.len();
        let message = format!("the proposal has {bytes} bytes; more than {PROPOSAL_BYTES_MAX} are not read");
        return CheckResult::new(CheckOutcome::Error, message);
    }
    let mut seen = Seen::default();
    for mut part in parts(proposal) {
        let Some(language) = Language::of_tag(&part.tag) else {
            seen.other(&part.tag);
            continue;
        };
        if language == Language::Python {
            python::without_prompts(&mut part);
        }
        match read(language, &part.code(), deadline) {
            Ok(Reading::NoCode) => seen.other(&format!("{} without code", language.name())),
            Ok(Reading::Code(found)) => seen.block(language, &part, &found),
            Err(OutOfTime) => {
                let line = part.fence_line;
                let message = format!("the block at line {line} could not be read within {TIME_MS_MAX} ms");
                return CheckResult { tools: seen.tools(), ..CheckResult::new(CheckOutcome::Error, message) };
            }
        }
    }
    seen.result()
}

/// What has been looked at so far.
#[derive(Default)]
struct Seen {
    blocks: BTreeMap<Language, usize>,
    faults: Vec<Fault>,
    faults_unlisted: usize,
    unclosed: Option<u32>,
    other: BTreeSet<String>,
}

impl Seen {
    fn other(&mut self, tag: &str) {
        let tag = if tag.is_empty() { "no language" } else { tag };
        if self.other.len() < TAGS_MAX {
            self.other.insert(tag.to_owned());
        }
    }

    fn block(&mut self, language: Language, part: &Part, found: &[Found]) {
        *self.blocks.entry(language).or_default() += 1;
        if !part.closed {
            self.unclosed = Some(part.fence_line);
        }
        for found in found {
            if self.faults.len() == FAULTS_MAX {
                self.faults_unlisted += 1;
            } else {
                self.faults.push(fault(language, part, found));
            }
        }
    }

    fn tools(&self) -> Vec<String> {
        self.blocks.keys().map(|language| language.tool().to_owned()).collect()
    }

    fn result(self) -> CheckResult {
        let tools = self.tools();
        let (outcome, mut message) = if self.blocks.is_empty() {
            (CheckOutcome::Skipped, self.nothing_known())
        } else if self.faults.is_empty() {
            (CheckOutcome::Pass, format!("{}: no syntax errors", self.looked_at()))
        } else {
            let count = self.faults.len() + self.faults_unlisted;
            let errors = if count == 1 { "error" } else { "errors" };
            let mut message = format!("{}: {count} syntax {errors}", self.looked_at());
            if self.faults_unlisted > 0 {
                message += &format!(", the first {FAULTS_MAX} listed, {} more", self.faults_unlisted);
            }
            (CheckOutcome::Fail, message)
        };
        if let Some(line) = self.unclosed {
            message += &format!("; the fence at line {line} is never closed, so its code runs to the end");
        }
        CheckResult { faults: self.faults, tools, ..CheckResult::new(outcome, message) }
    }

    fn looked_at(&self) -> String {
        let count = |(language, n): (&Language, &usize)| format!("{n} {}", language.name());
        let blocks = self.blocks.values().sum::<usize>();
        let list = self.blocks.iter().map(count).collect::<Vec<_>>().join(", ");
        format!("{blocks} code block{} read ({list})", if blocks == 1 { "" } else { "s" })
    }

    fn nothing_known(&self) -> String {
        if self.other.is_empty() {
            return "not run: the proposal has no fenced code".to_owned();
        }
        let tags = self.other.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        format!("not run: no code in a language that is checked (python, rust); seen: {tags}")
    }
}

/// A fault in its place in the Markdown.
fn fault(language: Language, part: &Part, found: &Found) -> Fault {
    let (line, column, text) = match part.lines.get(found.row) {
        Some(line) => {
            let before = line.text.char_indices().take_while(|(at, _)| *at < found.column).count();
            (line.number, line.removed as usize + before + 1, line.text.as_str())
        }
        // Behind the last line: something is missing at the end.
        None => match part.lines.last() {
            Some(line) => {
                let length = line.removed as usize + line.text.chars().count();
                (line.number, length + 1, line.text.as_str())
            }
            None => (part.fence_line, 1, ""),
        },
    };
    Fault {
        rule: "syntax".to_owned(),
        severity: Severity::High,
        language: language.name().to_owned(),
        line,
        column: u32::try_from(column).unwrap_or(u32::MAX),
        message: found.message.clone(),
        excerpt: shortened(text, EXCERPT_CHARS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_in_time_is_neither_passed_nor_failed() {
        let result = lint("a\n```python\nx = 1\n```", Instant::now());
        assert_eq!(result.outcome, CheckOutcome::Error);
        assert_eq!(result.message, "the block at line 2 could not be read within 2000 ms");
        assert!(result.faults.is_empty());
    }
}

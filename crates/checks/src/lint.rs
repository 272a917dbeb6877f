//! The lint check: whether what a proposal holds reads like its language, its format, its schema.

mod beyond;
mod dockerfile;
mod excerpt;
mod kubernetes;
mod language;
mod manifests;
mod python;
mod soften;
mod sql;
mod syntax;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use fleet_deliberation::{CheckOutcome, CheckResult, Fault, Severity};

use crate::data::{self, BadData, Document, Format, Places};
use crate::parts::{Part, parts};
use crate::{FAULTS_MAX, PROPOSAL_BYTES_MAX, diff};
pub(crate) use kubernetes::tool as schema;
pub(crate) use language::Language;
pub(crate) use manifests::{Manifest, Manifests};
pub(crate) use syntax::{Found, OutOfTime, parse, shortened, walk};
use syntax::{Reading, read};

const EXCERPT_CHARS_MAX: usize = 120;
const TAGS_MAX: usize = 10;

/// Code that does not parse, or breaks a rule of its language.
const SYNTAX: &str = "syntax";
/// Data that cannot be read.
const DATA: &str = "data";
/// A manifest that its schema does not allow.
const MANIFEST: &str = "manifest";
/// A diff that is not what it says.
const DIFF: &str = "diff";

/// What came of reading a proposal, and what can be looked at further.
#[derive(Debug)]
pub(crate) struct Linted {
    pub(crate) result: CheckResult,
    /// The blocks with nothing against them that could keep others from reading them; in order.
    pub(crate) sound: Vec<Sound>,
}

/// A block that reads as its language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sound {
    pub(crate) language: Language,
    pub(crate) part: Part,
}

/// Reads every block in a known language, in `time`.
pub(crate) fn lint(proposal: &str, time: Duration) -> Linted {
    let started = Instant::now();
    let mut seen = Seen::default();
    let mut result = read_all(&mut seen, proposal, time, started + time);
    result.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Linted { result, sound: seen.sound }
}

fn read_all(seen: &mut Seen, proposal: &str, time: Duration, deadline: Instant) -> CheckResult {
    if proposal.len() > PROPOSAL_BYTES_MAX {
        let bytes = proposal.len();
        let message = format!("the proposal has {bytes} bytes; more than {PROPOSAL_BYTES_MAX} are not read");
        return CheckResult::new(CheckOutcome::Error, message);
    }
    let parts = parts(proposal);
    let patches = kubernetes::patches(&parts);
    for part in parts {
        let line = part.fence_line;
        if look_at(seen, part, &patches, deadline).is_err() {
            let ms = time.as_millis();
            let message = format!("the block at line {line} could not be read within {ms} ms");
            return CheckResult { tools: seen.tools(), ..CheckResult::new(CheckOutcome::Error, message) };
        }
    }
    seen.result()
}

/// Whether a block shows what was typed and what came of it.
pub(crate) fn is_transcript(tag: &str, code: &str) -> bool {
    Language::of_tag(tag).is_some_and(|language| template::is_transcript(language, code))
}

fn look_at(
    seen: &mut Seen,
    mut part: Part,
    patches: &BTreeSet<String>,
    deadline: Instant,
) -> Result<(), OutOfTime> {
    if Instant::now() >= deadline {
        return Err(OutOfTime);
    }
    if diff::is_diff(&part) {
        let wrong = diff::wrong_hunks(&part).into_iter();
        let found: Vec<_> = wrong.map(|(row, message)| Found { row, column: 0, message }).collect();
        seen.hold(DIFF, Severity::Low, "diff", &part, &found);
        seen.other("diff");
        return Ok(());
    }
    let by_path = part.path.as_deref().filter(|path| template::relaxed_json(path)).map(|_| Language::Jsonc);
    let language = Language::of_tag(&part.tag);
    let language = if language == Some(Language::Json) { by_path.or(language) } else { language };
    let Some(language) = language else {
        seen.other(&part.tag);
        return Ok(());
    };
    let code = part.code();
    if template::is_template_file(part.path.as_deref(), &code) {
        seen.unread(&format!("{} (a template)", language.name()));
        return Ok(());
    }
    if template::is_transcript(language, &code) {
        seen.unread(&format!("{} (a transcript)", language.name()));
        return Ok(());
    }
    if let Some(format) = language.format() {
        look_at_data(seen, part, language, format, patches, &code);
        return Ok(());
    }
    match language {
        Language::Python => python::without_prompts(&mut part),
        Language::Sql | Language::Dockerfile if template::has_template(&code) => {
            seen.unread(&format!("{} (a template)", language.name()));
            return Ok(());
        }
        _ => {}
    }
    let reading = match language {
        Language::Sql => sql::read(&code),
        Language::Dockerfile => dockerfile::read(&code),
        _ => read(language, &part.code(), deadline)?,
    };
    match reading {
        Reading::NoCode => seen.other(&format!("{} without code", language.name())),
        Reading::Code(found) => {
            seen.block(language, &part);
            seen.hold(SYNTAX, Severity::High, language.name(), &part, &found);
            // A part whose text is no longer that of the block is no program.
            if found.is_empty() && part.code() == code {
                seen.sound.push(Sound { language, part });
            }
        }
    }
    Ok(())
}

fn look_at_data(
    seen: &mut Seen,
    part: Part,
    language: Language,
    format: Format,
    patches: &BTreeSet<String>,
    code: &str,
) {
    let text = template::without_placeholders(format, code);
    let (before, read) = documents(format, &text);
    let odd = read.as_ref().map_or(true, |documents| documents.iter().any(|document| document.odd_keys));
    if odd && template::has_template(&text) {
        seen.unread(&format!("{} (a template)", language.name()));
        return;
    }
    let places = Places::of(&text);
    let found = |at: usize, message: &str| {
        let (row, column) = places.at(at.saturating_sub(before));
        Found { row, column, message: message.to_owned() }
    };
    match read {
        Err(bad) if bad.beyond_bounds => seen.unread(&format!("{} ({bad})", language.name())),
        Err(bad) => {
            seen.block(language, &part);
            seen.hold(DATA, Severity::High, language.name(), &part, &[found(bad.at, &bad.message)]);
        }
        Ok(documents) if documents.is_empty() => seen.other(&format!("{} without code", language.name())),
        Ok(documents) => {
            seen.block(language, &part);
            let partial = kubernetes::is_partial(part.path.as_deref(), code, patches);
            for document in &documents {
                seen.manifests += kubernetes::count(&document.root);
                for wrong in kubernetes::faults(&document.root, partial) {
                    let place = found(wrong.at, &wrong.message);
                    seen.hold(MANIFEST, wrong.severity, language.name(), &part, &[place]);
                }
            }
            seen.sound.push(Sound { language, part });
        }
    }
}

/// The documents of a text and how many bytes were put before it: an excerpt of YAML may begin further in
/// than it goes on.
fn documents(format: Format, text: &str) -> (usize, Result<Vec<Document>, BadData>) {
    let read = data::documents(format, text);
    let (Format::Yaml, Err(_)) = (format, &read) else { return (0, read) };
    let indents = || {
        let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
        lines.map(|line| line.len() - line.trim_start_matches(' ').len())
    };
    let (first, least) = (indents().next().unwrap_or(0), indents().min().unwrap_or(0));
    if least >= first {
        return (0, read);
    }
    let before = format!("{}x:\n", " ".repeat(least));
    match data::documents(format, &(before.clone() + text)) {
        Ok(documents) => (before.len(), Ok(documents)),
        Err(bad) if read.as_ref().is_err_and(|first| first.at + before.len() < bad.at) => {
            (before.len(), Err(bad))
        }
        Err(_) => (0, read),
    }
}

/// What has been looked at so far.
#[derive(Default)]
struct Seen {
    blocks: BTreeMap<Language, usize>,
    manifests: usize,
    faults: Vec<Fault>,
    faults_unlisted: usize,
    advice: usize,
    fails: bool,
    syntax_only: Option<bool>,
    unclosed: Option<u32>,
    other: BTreeSet<String>,
    unread: BTreeSet<String>,
    sound: Vec<Sound>,
}

impl Seen {
    fn other(&mut self, tag: &str) {
        let tag = if tag.is_empty() { "no language" } else { tag };
        if self.other.len() < TAGS_MAX {
            self.other.insert(tag.to_owned());
        }
    }

    /// What is in a known language and was not read all the same.
    fn unread(&mut self, what: &str) {
        if self.unread.len() < TAGS_MAX {
            self.unread.insert(what.to_owned());
        }
    }

    fn block(&mut self, language: Language, part: &Part) {
        *self.blocks.entry(language).or_default() += 1;
        if !part.closed {
            self.unclosed = Some(part.fence_line);
        }
    }

    fn hold(&mut self, rule: &str, severity: Severity, language: &str, part: &Part, found: &[Found]) {
        for found in found {
            if severity == Severity::Low {
                self.advice += 1;
            } else {
                self.fails = true;
                self.syntax_only = Some(self.syntax_only.unwrap_or(true) && rule == SYNTAX);
            }
            if self.faults.len() == FAULTS_MAX {
                self.faults_unlisted += 1;
            } else {
                self.faults.push(fault(rule, severity, language, part, found));
            }
        }
    }

    fn tools(&self) -> Vec<String> {
        let mut tools: Vec<String> = Vec::new();
        for tool in self.blocks.keys().map(|language| language.tool()) {
            if !tools.iter().any(|known| known == tool) {
                tools.push(tool.to_owned());
            }
        }
        if self.manifests > 0 {
            tools.push(kubernetes::tool());
        }
        tools
    }

    fn result(&mut self) -> CheckResult {
        let tools = self.tools();
        let (outcome, mut message) = if self.blocks.is_empty() && !self.fails {
            (CheckOutcome::Skipped, self.nothing_known())
        } else if self.fails {
            let count = self.faults.len() + self.faults_unlisted - self.advice;
            let what = if self.syntax_only == Some(true) { "syntax error" } else { "fault" };
            let mut message =
                format!("{}: {count} {what}{}", self.looked_at(), if count == 1 { "" } else { "s" });
            if self.faults_unlisted > 0 {
                message += &format!(", the first {FAULTS_MAX} listed, {} more", self.faults_unlisted);
            }
            (CheckOutcome::Fail, message)
        } else {
            (CheckOutcome::Pass, format!("{}: no syntax errors", self.looked_at()))
        };
        if !self.unread.is_empty() && !self.blocks.is_empty() {
            message += &format!("; not read: {}", list(&self.unread));
        }
        if self.advice > 0 {
            message += &format!("; and {} of advice", self.advice);
        }
        if let Some(line) = self.unclosed {
            message += &format!("; the fence at line {line} is never closed, so its code runs to the end");
        }
        CheckResult { faults: std::mem::take(&mut self.faults), tools, ..CheckResult::new(outcome, message) }
    }

    fn looked_at(&self) -> String {
        let count = |(language, n): (&Language, &usize)| format!("{n} {}", language.name());
        let blocks = self.blocks.values().sum::<usize>();
        let list = self.blocks.iter().map(count).collect::<Vec<_>>().join(", ");
        let manifests = match self.manifests {
            0 => String::new(),
            1 => "; 1 Kubernetes manifest".to_owned(),
            n => format!("; {n} Kubernetes manifests"),
        };
        format!("{blocks} code block{} read ({list}{manifests})", if blocks == 1 { "" } else { "s" })
    }

    fn nothing_known(&self) -> String {
        if self.other.is_empty() && self.unread.is_empty() {
            return "not run: the proposal has no fenced code".to_owned();
        }
        let known = Language::ALL.map(Language::name).join(", ");
        let seen = self.other.union(&self.unread).cloned().collect();
        format!("not run: no code in a language that is checked ({known}); seen: {}", list(&seen))
    }
}

fn list(words: &BTreeSet<String>) -> String {
    words.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A fault in its place in the Markdown.
pub(crate) fn fault(rule: &str, severity: Severity, language: &str, part: &Part, found: &Found) -> Fault {
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
        rule: rule.to_owned(),
        severity,
        language: language.to_owned(),
        line,
        column: u32::try_from(column).unwrap_or(u32::MAX),
        message: found.message.clone(),
        excerpt: shortened(text, EXCERPT_CHARS_MAX),
    }
}

/// Of some words the one that is meant by another, if it is nearly one of them.
fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const DISTANCE_MAX: usize = 2;
    let near = words.map(|known| (distance(word, known), known)).min()?;
    (near.0 <= DISTANCE_MAX && near.0 < word.chars().count().min(near.1.chars().count())).then_some(near.1)
}

/// How many characters must be put in, taken out, changed or swapped with the next.
fn distance(a: &str, b: &str) -> usize {
    const LENGTH_MAX: usize = 60;
    let a: Vec<char> = a.chars().take(LENGTH_MAX).collect();
    let b: Vec<char> = b.chars().take(LENGTH_MAX).collect();
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_in_time_is_neither_passed_nor_failed() {
        let Linted { result, sound } = lint("a\n```python\nx = 1\n```", Duration::ZERO);
        assert!(sound.is_empty());
        assert_eq!(result.outcome, CheckOutcome::Error);
        assert_eq!(result.message, "the block at line 2 could not be read within 0 ms");
        assert!(result.faults.is_empty());
    }

    #[test]
    fn a_slip_is_told_from_another_word() {
        let words = ["containers", "image", "SELECT"];
        assert_eq!(nearest("container", words.into_iter()), Some("containers"));
        assert_eq!(nearest("iamge", words.into_iter()), Some("image"));
        assert_eq!(nearest("volumes", words.into_iter()), None);
        assert_eq!((distance("ab", "ba"), distance("abc", ""), distance("a", "a")), (1, 3, 0));
    }
}

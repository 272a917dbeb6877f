//! The policy check: what a proposal may not contain, by rules written in Rego.

mod blocks;
mod input;
mod load;
mod views;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet_deliberation::{CheckOutcome, CheckResult, Fault, Role, Severity, Task};
use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, LimitError, Value};
use serde::Deserialize;

use crate::bound::Bound;
use crate::lint::shortened;
use crate::{FAULTS_MAX, PROPOSAL_BYTES_MAX};
pub(crate) use blocks::blocks;
use input::Input;
pub use load::BadPolicy;
pub(crate) use views::views;

/// The longest all policies together may take for a proposal, in milliseconds.
pub const POLICY_MS_MAX: u64 = 2_000;

/// How many steps of an evaluation go by between two looks at the clock.
const STEPS_A_LOOK: u32 = 256;
/// The most faults of a package whose places are looked for.
const PLACED_MAX: usize = 4 * FAULTS_MAX;
const EXCERPT_CHARS_MAX: usize = 120;
const MESSAGE_CHARS_MAX: usize = 300;
/// What stands for the text outside of code where a fault names a language.
const PROSE: &str = "markdown";

/// Policies, read and ready: those that are built in, and those of a folder. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Policies(Arc<Loaded>);

#[derive(Debug)]
struct Loaded {
    /// Prepared once; every evaluation works on a clone, which shares what was prepared.
    engine: Engine,
    /// The packages in the order in which they are evaluated.
    packages: Vec<String>,
    rules: Vec<Rule>,
}

/// What is known of a rule: its entry in the `rules` of its package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its id, such as `secrets/private-key`.
    pub id: String,
    /// The package it stands in, such as `fleet.policy.secrets`.
    pub package: String,
    /// How much a fault against it matters.
    pub severity: Severity,
    /// What it is about, in a few words.
    pub title: String,
    /// Why it is there, and what counts.
    pub explanation: String,
    /// A proposal it catches.
    pub catches: Option<String>,
    /// A proposal that looks alike and that it does not catch.
    pub passes: Option<String>,
    /// The metadata of the task both answer.
    pub metadata: BTreeMap<String, String>,
}

/// A fault as a policy gives it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Denied {
    id: String,
    severity: Option<Severity>,
    message: String,
    /// The index of the part; the text outside of code where there is none.
    part: Option<usize>,
    /// The row in the part, from 0.
    line: Option<usize>,
    /// Instead, texts that stand in the part, each after the one before.
    at: Option<At>,
    /// What an excerpt does not repeat.
    hide: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum At {
    Text(String),
    Texts(Vec<String>),
}

/// Why policies gave no result.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{package} took more than {} ms together with those before it", time.as_millis())]
    OutOfTime { package: String, time: Duration },
    #[error("{package} could not be evaluated: {}{what}", at(place.as_ref()))]
    Broken { package: String, place: Option<Place>, what: String },
}

/// A file and a line in it, from 1.
type Place = (String, usize);

fn at(place: Option<&Place>) -> String {
    place.map(|(file, line)| format!("{file}:{line}: ")).unwrap_or_default()
}

impl Policies {
    /// The rules, in the order of their packages and ids.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.0.rules
    }

    /// Evaluates every policy on a proposal.
    #[must_use]
    pub fn check(&self, proposal: &str, task: Option<&Task>, role: Option<&Role>) -> CheckResult {
        self.check_within(proposal, task, role, Duration::from_millis(POLICY_MS_MAX))
    }

    /// The same in `time`, where that is less.
    pub(crate) fn check_within(
        &self,
        proposal: &str,
        task: Option<&Task>,
        role: Option<&Role>,
        time: Duration,
    ) -> CheckResult {
        let started = Instant::now();
        let mut result =
            self.result(proposal, task, role, Bound::new(time.min(Duration::from_millis(POLICY_MS_MAX))));
        result.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        result
    }

    fn result(&self, proposal: &str, task: Option<&Task>, role: Option<&Role>, bound: Bound) -> CheckResult {
        if proposal.len() > PROPOSAL_BYTES_MAX {
            let bytes = proposal.len();
            let message =
                format!("the proposal has {bytes} bytes; more than {PROPOSAL_BYTES_MAX} are not read");
            return CheckResult::new(CheckOutcome::Error, message);
        }
        let input = Input::new(proposal, task, role);
        if input.is_empty() {
            return CheckResult::new(CheckOutcome::Skipped, "not run: there is nothing in the proposal");
        }
        let tools = vec![format!("regorus 0.14 with {} rules", self.0.rules.len())];
        let mut engine = self.0.engine.clone();
        engine.set_input(input.document.clone());
        let mut faults = Vec::new();
        let mut broken: Vec<String> = Vec::new();
        for package in &self.0.packages {
            match self.denied(&mut engine, package, bound) {
                Ok(denied) => {
                    let places = denied.iter().take(PLACED_MAX);
                    faults.extend(places.filter_map(|denied| self.fault(&input, denied)));
                }
                // The others hold all the same.
                Err(failure) => broken.push(failure.to_string()),
            }
        }
        faults.sort_by(|a, b| (a.line, a.column, &a.rule).cmp(&(b.line, b.column, &b.rule)));
        faults.dedup_by(|a, b| (a.line, &a.rule) == (b.line, &b.rule));
        let against = faults.iter().any(|fault| fault.severity > Severity::Low);
        // Words alone are looked at for secrets only, which is too little to pass by.
        if faults.is_empty() && broken.is_empty() && !input.has_code() {
            let message = "not run: there is no fenced code; no secret stands in the text";
            return CheckResult { tools, ..CheckResult::new(CheckOutcome::Skipped, message) };
        }
        let outcome = match (against, broken.is_empty()) {
            (true, _) => CheckOutcome::Fail,
            (false, true) => CheckOutcome::Pass,
            (false, false) => CheckOutcome::Error,
        };
        let message = match broken.is_empty() {
            true => told(&input, self.0.rules.len(), &faults),
            false => format!("{}; {}", broken.join("; "), told(&input, self.0.rules.len(), &faults)),
        };
        faults.truncate(FAULTS_MAX);
        CheckResult { faults, tools, ..CheckResult::new(outcome, message) }
    }

    /// What a package denies.
    fn denied(&self, engine: &mut Engine, package: &str, bound: Bound) -> Result<Vec<Denied>, Failure> {
        let out_of_time = || Failure::OutOfTime { package: package.to_owned(), time: bound.time };
        let left = bound.left();
        if left.is_zero() {
            return Err(out_of_time());
        }
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: left,
            check_interval: NonZeroU32::new(STEPS_A_LOOK).unwrap_or(NonZeroU32::MIN),
        });
        let broken = |what: String| Failure::Broken { package: package.to_owned(), place: None, what };
        let value = engine.eval_rule(format!("data.{package}.deny")).map_err(|error| {
            match error.downcast_ref::<LimitError>() {
                Some(LimitError::TimeLimitExceeded { .. }) => out_of_time(),
                _ => {
                    let (place, what) = load::said(&error);
                    Failure::Broken { package: package.to_owned(), place, what }
                }
            }
        })?;
        let Value::Set(denied) = value else {
            return Err(broken("deny is no set of faults: `deny contains fault if { … }`".to_owned()));
        };
        let read = |value: &Value| {
            let json = serde_json::to_value(value).map_err(|error| broken(error.to_string()))?;
            let denied: Denied = serde_json::from_value(json)
                .map_err(|error| broken(format!("a fault is not of the form of faults: {error}")))?;
            if self.rule(&denied.id).is_none_or(|rule| rule.package != package) {
                return Err(broken(format!("a fault has the id {:?}, which rules does not name", denied.id)));
            }
            Ok(denied)
        };
        denied.iter().map(read).collect()
    }

    fn rule(&self, id: &str) -> Option<&Rule> {
        self.0.rules.iter().find(|rule| rule.id == id)
    }

    /// A fault in its place in the Markdown; nothing where it is on a line that a diff only shows.
    fn fault(&self, input: &Input, denied: &Denied) -> Option<Fault> {
        let severity = denied.severity.or_else(|| self.rule(&denied.id).map(|rule| rule.severity))?;
        let block = denied.part.and_then(|part| input.blocks.get(part));
        let texts: Vec<&str> = match block {
            Some(block) => block.rows.iter().map(|row| row.line.text.as_str()).collect(),
            None => input.prose.iter().map(String::as_str).collect(),
        };
        // A comment may say what the code then does: what is found without comments comes first.
        let views = denied.part.and_then(|part| input.views.get(part));
        let [bare, code] = [views.map(|views| views.bare.lines()), views.map(|views| views.code.lines())]
            .map(|lines| lines.into_iter().flatten().collect::<Vec<&str>>());
        let ways = [bare.as_slice(), code.as_slice(), texts.as_slice()];
        let (row, column) = match (&denied.at, denied.line) {
            (Some(At::Text(text)), _) => place(ways, std::slice::from_ref(text)),
            (Some(At::Texts(all)), _) => place(ways, all),
            (None, row) => {
                let row = row.unwrap_or(0).min(texts.len().saturating_sub(1));
                (row, texts.get(row).map_or(0, |text| indent(text)))
            }
        };
        let (line, removed, language) = match block {
            Some(block) => {
                let row = block.rows.get(row)?;
                if !row.new {
                    return None;
                }
                (row.line.number, row.line.removed as usize, block.language.as_str())
            }
            None => (u32::try_from(row + 1).unwrap_or(u32::MAX), 0, PROSE),
        };
        let mut excerpt = texts.get(row).copied().unwrap_or_default().trim().to_owned();
        if let Some(hidden) = denied.hide.as_deref().and_then(|text| text.lines().next()) {
            let shown: String = hidden.chars().take(4).chain(['…']).collect();
            excerpt = excerpt.replace(hidden, &shown);
        }
        Some(Fault {
            rule: denied.id.clone(),
            severity,
            language: language.to_owned(),
            line,
            column: u32::try_from(removed + column + 1).unwrap_or(u32::MAX),
            message: shortened(&denied.message, MESSAGE_CHARS_MAX),
            excerpt: shortened(&excerpt, EXCERPT_CHARS_MAX),
        })
    }
}

/// Row and column, in characters, of the last of some texts that stand one after the other; of the last that
/// is found, and the first row's where none is. The rows are given in several ways, of which an earlier one
/// counts more; quotes in them do not count.
fn place(ways: [&[&str]; 3], texts: &[String]) -> (usize, usize) {
    let [.., rows] = ways;
    let mut found = None;
    let mut from = 0;
    for text in texts {
        let Some(first) = text.lines().map(str::trim).find(|line| !line.is_empty()) else { continue };
        let plain = first.replace(['"', '\''], "");
        let whole = |row: &str| row.find(first).map(|at| row[..at].chars().count());
        let alike = |row: &str| row.replace(['"', '\''], "").contains(&plain).then(|| indent(row));
        let look = |rows: &[&str], here: &dyn Fn(&str) -> Option<usize>| {
            (from..rows.len()).find_map(|row| Some((row, here(rows[row])?)))
        };
        let place = ways.iter().find_map(|rows| look(rows, &whole).or_else(|| look(rows, &alike)));
        if let Some((row, column)) = place {
            found = Some((row, column));
            from = row;
        }
    }
    found.unwrap_or_else(|| (0, rows.first().map_or(0, |row| indent(row))))
}

fn indent(text: &str) -> usize {
    text.chars().take_while(|c| c.is_whitespace()).count()
}

fn told(input: &Input, rules: usize, faults: &[Fault]) -> String {
    let blocks = input.blocks.len();
    let looked =
        format!("{rules} rules on the text and {blocks} block{}", if blocks == 1 { "" } else { "s" });
    if faults.is_empty() {
        return format!("{looked}: nothing held against it");
    }
    let mut ids: Vec<&str> = faults.iter().map(|fault| fault.rule.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let count = faults.len();
    let mut message =
        format!("{looked}: {count} fault{} ({})", if count == 1 { "" } else { "s" }, ids.join(", "));
    if count > FAULTS_MAX {
        message += &format!(", the first {FAULTS_MAX} listed");
    }
    message
}

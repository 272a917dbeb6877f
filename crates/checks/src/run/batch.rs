//! One sandbox in which steps run one after the other, each in a process and a time of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use fleet_sandbox::{End, Ended, Job, Limits, Sandbox, SandboxError};

use crate::bound::Bound;

/// What steps may use together.
const MEMORY_BYTES: u64 = 1024 * 1024 * 1024;
const OUTPUT_BYTES: u64 = 16 * 1024 * 1024;
/// How much of what the supervisor says is kept: some 4 KB for each of 200 steps.
const KEPT_BYTES: usize = 4 * 1024 * 1024;
/// What the supervisor takes besides its steps, in milliseconds.
const SPARE_MS: u64 = 1_000;
/// No step is begun with less, in milliseconds.
const STEP_MS_MIN: u128 = 50;
const SEAL_BYTES: usize = 16;

const SUPERVISOR: &str = include_str!("runners/supervise.sh");

/// What is laid out in a sandbox, and what is done there.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Files by their path in the folder of the code.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// What is shown of the machine besides what every command sees.
    pub(super) read_only: Vec<PathBuf>,
    /// The text of the program that runs a step: `$1` in commands.
    pub(super) runner: &'static str,
    /// What every step is told, in one line.
    pub(super) common: String,
    pub(super) steps: Vec<Step>,
}

/// One process.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// Without it none of those after it makes sense.
    pub(super) needed: bool,
    /// What it is told to do.
    pub(super) name: String,
    /// The command, in the words of bash.
    pub(super) command: String,
    /// The longest it may take.
    pub(super) time: Duration,
    /// What it gives back when it has come to its end; made anew where there is none.
    pub(super) seal: Option<String>,
}

/// How a step came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StepEnd {
    /// Its exit status, as the shell gives it.
    pub(super) code: i32,
    /// It has come to its end, and not merely ended.
    pub(super) sealed: bool,
    /// The end of what it wrote.
    pub(super) log: String,
    /// What ended it before its end, in words.
    pub(super) cut: Option<String>,
}

impl StepEnd {
    /// It ended by itself, said that all is well, and came to its end.
    pub(super) fn well(&self) -> bool {
        self.code == 0 && self.cut.is_none()
    }
}

/// What came of a batch.
#[derive(Debug)]
pub(super) struct BatchEnd {
    /// As many as were come to.
    pub(super) ends: Vec<StepEnd>,
    /// What it was shut in by.
    pub(super) level: String,
    /// The time was over before all steps were come to.
    pub(super) out_of_time: bool,
}

/// A word that nobody can guess.
pub(super) fn seal() -> Result<String, SandboxError> {
    let mut bytes = [0; SEAL_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| SandboxError::Unavailable { reason: error.to_string() })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Batch {
    /// Runs the steps within `bound`. What ends the sandbox as a whole (memory, files, output) ends only the step
    /// that was at work: those after it run in a sandbox of their own, after the steps that they need.
    pub(super) async fn run(&self, sandbox: &Sandbox, bound: Bound) -> Result<BatchEnd, SandboxError> {
        let needed = self.steps.iter().take_while(|step| step.needed).count();
        let (mut ends, mut level): (Vec<StepEnd>, String) = (Vec::new(), String::new());
        let mut stopped = false;
        while ends.len() < self.steps.len() && !stopped && bound.left().as_millis() > STEP_MS_MIN {
            let come_to = ends.len();
            let again = if come_to == 0 { 0 } else { needed };
            let steps: Vec<&Step> = self.steps[..again].iter().chain(&self.steps[come_to..]).collect();
            let mark = seal()?;
            let ended = sandbox.run(&self.job(&mark, &steps, bound.left())?).await?;
            level = ended.level.to_string();
            let mut more = read(&ended, &mark);
            stopped = more.iter().zip(&steps).any(|(end, step)| step.needed && !end.well());
            if more.len() < steps.len() && !stopped {
                more.push(cut(&ended));
                // It was at work on something that the rest needs.
                stopped = more.len() <= needed;
            }
            ends.extend(more.into_iter().skip(again));
        }
        Ok(BatchEnd { out_of_time: !stopped && ends.len() < self.steps.len(), ends, level })
    }

    fn job(&self, mark: &str, steps: &[&Step], left: Duration) -> Result<Job, SandboxError> {
        let mut told = format!("{mark}\n{}\n", self.common);
        for step in steps {
            let seal = step.seal.clone().map_or_else(seal, Ok)?;
            let needed = if step.needed { "needed" } else { "apart" };
            let seconds = step.time.min(left).as_secs_f64();
            told += &format!("{needed}\n{seconds:.3}\n{seal}\n{}\n{}\n", step.name, step.command);
        }
        let mut job = Job::new("bash", ["-c", SUPERVISOR, "fleet", self.runner]);
        for (path, bytes) in &self.files {
            job.files.insert(format!("code/{path}"), bytes.clone());
        }
        if self.files.is_empty() {
            job.files.insert("code/.none".to_owned(), Vec::new());
        }
        job.read_only.clone_from(&self.read_only);
        job.stdin = told.into_bytes();
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        job.limits = Limits {
            wall_ms: left_ms.saturating_add(SPARE_MS).clamp(1, 3_600_000),
            cpu_s: (left_ms.saturating_add(SPARE_MS) / 1000 * 2).clamp(2, 7_200),
            memory_bytes: MEMORY_BYTES,
            output_bytes: OUTPUT_BYTES,
            kept_bytes: KEPT_BYTES,
            ..Limits::default()
        };
        Ok(job)
    }
}

/// What a step was ended by that ended the sandbox.
fn cut(ended: &Ended) -> StepEnd {
    let reason = match ended.end {
        End::Limit(limit) => limit.to_string(),
        End::Exit(_) | End::Signal(_) => "it ended what watches over it".to_owned(),
    };
    StepEnd { code: -1, sealed: false, log: String::new(), cut: Some(reason) }
}

/// The steps that the supervisor has told of.
fn read(ended: &Ended, mark: &str) -> Vec<StepEnd> {
    const KILLED: i32 = 128 + 9;
    let text = ended.stdout.text();
    let mut ends: Vec<StepEnd> = Vec::new();
    for line in text.lines() {
        if let Some(numbers) = line.strip_prefix(mark) {
            let mut numbers = numbers.split_whitespace().map(|number| number.parse::<i64>().unwrap_or(-1));
            let code = numbers.next().and_then(|code| i32::try_from(code).ok()).unwrap_or(-1);
            let took_ms = numbers.next().unwrap_or(0);
            let sealed = numbers.next() == Some(1) && code == 0;
            let cut = (code == KILLED).then(|| format!("it did not end in {:.1} s", took_ms as f64 / 1000.0));
            ends.push(StepEnd { code, sealed, log: String::new(), cut });
        } else if let Some(end) = ends.last_mut() {
            end.log.push_str(line);
            end.log.push('\n');
        }
    }
    ends
}

/// A text as one word of bash that stands on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut word = String::from("$'");
    for c in text.chars() {
        match c {
            '\'' => word.push_str("\\'"),
            '\\' => word.push_str("\\\\"),
            '\n' => word.push_str("\\n"),
            '\r' => word.push_str("\\r"),
            '\t' => word.push_str("\\t"),
            // The shell's words cannot hold it.
            '\0' => {}
            c => word.push(c),
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_word_on_one_line() {
        assert_eq!(quoted("a 'b'\n\\c\t$x"), "$'a \\'b\\'\\n\\\\c\\t$x'");
    }
}

//! Runs the code of proposals, shut in: by itself, and against the tests that the task gives.
//!
//! Nothing is run outside of a sandbox. Where there is none, where a toolchain is missing, or where there is
//! nothing that could be run, it is said and nothing is passed.

mod bash;
mod batch;
mod c;
pub(crate) mod cache;
mod cluster;
pub(crate) mod code;
mod dry;
mod given;
mod go;
mod javascript;
mod log;
mod prepared;
mod python;
mod rust;
mod tests;
pub(crate) mod tools;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet_deliberation::{CheckKind, CheckOutcome, CheckResult};
use fleet_sandbox::{Ended, Job, Sandbox, SandboxError};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tree_sitter::Parser;

use crate::bound::Bound;
use crate::lint::{Language, Manifests};
use batch::Batch;
use cache::{Cache, Key};
use code::{Codes, Tongue};
use prepared::Prepared;
use tools::Tools;

pub use cluster::Cluster;

/// What is kept free at the end of a request's time to end what runs, in milliseconds.
const END_MS: u64 = 300;

/// The bounds of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunBounds {
    /// How many sandboxes are at work at once; further ones wait.
    pub at_once: NonZeroUsize,
    /// The longest a dry run may take, building included, in milliseconds.
    pub dry_run_ms: u64,
    /// The longest all tests of a task may take together, building included, in milliseconds.
    pub tests_ms: u64,
}

impl Default for RunBounds {
    /// As many at once as there are cores; 5 s and 10 s.
    fn default() -> RunBounds {
        let at_once = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        RunBounds { at_once, dry_run_ms: 5_000, tests_ms: 10_000 }
    }
}

/// What of the machine runs make use of.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Where toolchains are looked for, as in `PATH`; none is the `PATH` of this program.
    pub path: Option<OsString>,
    /// The names of the languages in which code is run, such as `python`; none is all that there are.
    pub languages: Option<Vec<String>>,
    /// A folder to be kept, some 200 MB, for what is built once for each toolchain: the standard library of Go. Only
    /// who is trusted may write to it. Without it code in Go is not run.
    pub folder: Option<PathBuf>,
    /// The cluster that manifests are shown to; none is held against the schema alone.
    pub cluster: Option<Cluster>,
}

/// Runs the code of proposals. Cloning shares all of it.
#[derive(Debug, Clone)]
pub struct Runs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sandbox: Sandbox,
    bounds: RunBounds,
    surroundings: Surroundings,
    tools: OnceCell<Tools>,
    prepared: Prepared,
    permits: Semaphore,
    cache: Cache<Ran>,
}

/// A result that does not know yet where in the Markdown its lines are: those of its faults count the lines of
/// [`Codes::rows`], from 1; 0 is no line.
#[derive(Debug, Clone)]
struct Ran {
    result: CheckResult,
    /// It would be the same the next time.
    lasting: bool,
}

impl Ran {
    fn new(outcome: CheckOutcome, message: impl Into<String>) -> Ran {
        Ran { result: CheckResult::new(outcome, message), lasting: false }
    }
}

/// A dry run that is ready to be done, and how much of one it is.
struct Dry {
    batch: Batch,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Run,
    /// Not run but read in some way, and why.
    Loaded(&'static str),
}

impl Runs {
    /// Runs in this sandbox, with these surroundings.
    #[must_use]
    pub fn new(sandbox: Sandbox, bounds: RunBounds, surroundings: Surroundings) -> Runs {
        let permits = Semaphore::new(bounds.at_once.get().min(Semaphore::MAX_PERMITS));
        let prepared = Prepared::new(surroundings.folder.clone());
        let (tools, cache) = (OnceCell::new(), Cache::default());
        Runs(Arc::new(Inner { sandbox, bounds, surroundings, tools, prepared, permits, cache }))
    }

    /// The sandbox that is in force, such as `bubblewrap 0.8.0`.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn sandbox(&self) -> Result<String, SandboxError> {
        Ok(self.0.sandbox.level().await?.to_string())
    }

    /// The toolchains that were found on this machine, each with its version.
    pub async fn toolchains(&self) -> Vec<String> {
        self.tools().await.versions()
    }

    /// The languages that code is not run in on this machine, each with the reason.
    pub async fn lacking(&self) -> Vec<String> {
        let tools = self.tools().await;
        let lacking = Tongue::ALL.into_iter().filter(|tongue| tools.get(*tongue).is_none());
        lacking.map(|tongue| format!("{} ({})", tongue.name(), tools.lack(tongue))).collect()
    }

    pub(crate) async fn tools(&self) -> &Tools {
        let Surroundings { path, languages, .. } = &self.0.surroundings;
        let find = async || {
            let tools = Tools::find(path.as_deref()).await;
            let is_meant = |tongue: &Tongue| {
                languages.as_ref().is_none_or(|names| names.iter().any(|name| name == tongue.name()))
            };
            tools.only(&Tongue::ALL.into_iter().filter(is_meant).collect::<Vec<_>>())
        };
        self.0.tools.get_or_init(find).await
    }

    /// The context of the cluster that manifests are shown to, such as `kind-kind`; none where none is configured.
    ///
    /// # Errors
    /// Why its server cannot be asked, in words.
    pub async fn cluster(&self) -> Option<Result<String, String>> {
        let Surroundings { cluster, path, .. } = &self.0.surroundings;
        let bound = Bound::new(Duration::from_millis(self.0.bounds.dry_run_ms));
        Some(cluster::context(cluster.as_ref()?, path.clone(), bound).await)
    }

    /// Runs the code of a proposal by itself, and asks a cluster or the schema of its manifests.
    pub(crate) async fn dry_run(&self, proposal: &str, bound: Bound) -> CheckResult {
        let code = self.check_either(CheckKind::DryRun, proposal, "", bound);
        let (code, manifests) = tokio::join!(code, self.manifests(proposal, bound));
        match manifests {
            None => code,
            Some(manifests) if Codes::of(proposal).is_empty() => manifests,
            Some(manifests) => dry::both(code, manifests),
        }
    }

    async fn manifests(&self, proposal: &str, bound: Bound) -> Option<CheckResult> {
        if !Manifests::may_be_in(proposal) {
            return None;
        }
        let broken = |why: &str| CheckResult::new(CheckOutcome::Error, why);
        let begun = Instant::now();
        let text = proposal.to_owned();
        let time = left(bound);
        let read = tokio::task::spawn_blocking(move || Manifests::of(&text, begun + time));
        // It looks at the time between manifests, of which one may be large.
        let found = match tokio::time::timeout(time, read).await {
            Ok(Ok(Ok(found))) => found,
            Ok(Err(_)) => return Some(broken("the manifests could not be read")),
            Ok(Ok(Err(_))) | Err(_) => return Some(broken("the manifests could not be read in time")),
        };
        let Surroundings { cluster, path, .. } = &self.0.surroundings;
        let most = Duration::from_millis(self.0.bounds.dry_run_ms);
        let time = bound.left().saturating_sub(Duration::from_millis(END_MS)).min(most);
        let mut result = cluster::dry_run(cluster.as_ref(), path.clone(), found, Bound::new(time)).await?;
        result.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Some(result)
    }

    /// Runs the tests that a task gives against the code of a proposal.
    pub(crate) async fn tests(&self, proposal: &str, text: &str, bound: Bound) -> CheckResult {
        self.check_either(CheckKind::Tests, proposal, text, bound).await
    }

    /// What a proposal says in parts may be one program, or several ways to write it: what fails as the one is
    /// tried as the other.
    async fn check_either(&self, kind: CheckKind, proposal: &str, text: &str, bound: Bound) -> CheckResult {
        let result = self.check(kind, &Codes::of(proposal), text, bound).await;
        let other = Codes::of_longest(proposal).filter(|_| result.outcome == CheckOutcome::Fail);
        let Some(codes) = other else { return result };
        let other = self.check(kind, &codes, text, bound).await;
        let passed = |result: &CheckResult| result.tests.iter().filter(|test| test.passed).count();
        if other.outcome == CheckOutcome::Pass || passed(&other) > passed(&result) {
            let message = format!("{}; its longest part alone", other.message);
            let duration_ms = result.duration_ms + other.duration_ms;
            return CheckResult { message, duration_ms, ..other };
        }
        result
    }

    async fn check(&self, kind: CheckKind, codes: &Codes, text: &str, bound: Bound) -> CheckResult {
        let begun = Instant::now();
        let level = match self.0.sandbox.level().await {
            Ok(level) => level.to_string(),
            Err(error) => return CheckResult::new(CheckOutcome::Skipped, format!("not run: {error}")),
        };
        let key = Key::of(kind, codes, text, &level, &self.tools().await.versions());
        let ran = match self.0.cache.get(&key) {
            Some(ran) => ran,
            None => {
                let ran = self.run(kind, codes, text, bound).await;
                if ran.lasting {
                    self.0.cache.put(key, &ran);
                }
                ran
            }
        };
        let rows = codes.rows();
        let mut result = ran.result;
        for fault in &mut result.faults {
            let row = (fault.line as usize).checked_sub(1).and_then(|row| rows.get(row));
            (fault.line, fault.column) = row.map_or((0, 0), |row| (*row, fault.column));
        }
        result.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        result
    }

    /// One job in the sandbox, of no proposal's code, within `most`; it waits as runs do. Its limit of time is set
    /// here.
    ///
    /// # Errors
    /// Why it was not run, in words.
    pub(crate) async fn shut_in(&self, job: Job, bound: Bound, most: Duration) -> Result<Ended, String> {
        let _permit = self.permit(bound).await?;
        let time = u64::try_from(left(bound).min(most).as_millis()).unwrap_or(u64::MAX);
        if time == 0 {
            return Err("the time for it was over".to_owned());
        }
        let mut job = job;
        job.limits.wall_ms = time;
        self.0.sandbox.run(&job).await.map_err(|error| in_words(&error))
    }

    /// The leave to start a sandbox.
    async fn permit(&self, bound: Bound) -> Result<SemaphorePermit<'_>, String> {
        match timeout(left(bound), self.0.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(format!("{} runs were at work until the time for it was over", self.0.bounds.at_once)),
        }
    }

    async fn run(&self, kind: CheckKind, codes: &Codes, text: &str, bound: Bound) -> Ran {
        let bounds = self.0.bounds;
        let most = Duration::from_millis(match kind {
            CheckKind::Tests => bounds.tests_ms,
            _ => bounds.dry_run_ms,
        });
        let tools = self.tools().await;
        // What is built once for all takes none of the time that the code has.
        let go = match tools.get(Tongue::Go).filter(|_| codes.get(Tongue::Go).is_some()) {
            Some(go) => self.0.prepared.cache(go, left(bound).saturating_sub(most)).await,
            None => Err(tools.lack(Tongue::Go)),
        };
        let _permit = match self.permit(bound).await {
            Ok(permit) => permit,
            Err(why) => return Ran::new(CheckOutcome::Error, format!("not run: {why}")),
        };
        let time = left(bound).min(most);
        let room = Room { runs: self, tools, go, bound: Bound::new(time), full: time == most };
        match kind {
            CheckKind::Tests => tests::tests(&room, codes, text).await,
            _ => dry::dry_run(&room, codes).await,
        }
    }
}

/// What is left of a request's time for something to run in.
fn left(bound: Bound) -> Duration {
    bound.left().saturating_sub(Duration::from_millis(END_MS))
}

/// What a check that runs code works with.
struct Room<'a> {
    runs: &'a Runs,
    tools: &'a Tools,
    /// Where the standard library of Go is, or why there is none.
    go: Result<PathBuf, String>,
    bound: Bound,
    /// There is as much time as there is at the most, so that the code is at fault if it is not enough.
    full: bool,
}

impl Room<'_> {
    fn sandbox(&self) -> &Sandbox {
        &self.runs.0.sandbox
    }
}

/// What came of a sandbox that could not do its work.
fn broken(error: &SandboxError) -> Ran {
    let message = in_words(error);
    let outcome = match error {
        SandboxError::Unavailable { .. } | SandboxError::Program { .. } => CheckOutcome::Skipped,
        SandboxError::Job(_) | SandboxError::Broken { .. } => CheckOutcome::Error,
    };
    Ran::new(outcome, format!("not run: {message}"))
}

fn in_words(error: &SandboxError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Whether a code reads as a file, and not as an excerpt from inside of a function; in a language where that is
/// another thing.
fn reads_as_file(tongue: Tongue, code: &str) -> bool {
    const STATEMENTS: [&str; 9] = [
        "let_declaration",
        "expression_statement",
        "if_statement",
        "for_statement",
        "while_statement",
        "do_statement",
        "switch_statement",
        "return_statement",
        "ERROR",
    ];
    if tongue == Tongue::Go {
        return code.lines().any(|line| line.starts_with("package "));
    }
    if !matches!(tongue, Tongue::Rust | Tongue::C) {
        return true;
    }
    let mut parser = Parser::new();
    let grammar = Language::of_tag(tongue.name()).and_then(Language::grammar);
    if grammar.is_none_or(|grammar| parser.set_language(&grammar).is_err()) {
        return true;
    }
    let Some(tree) = parser.parse(code, None) else { return true };
    let root = tree.root_node();
    let is_statement = |node: tree_sitter::Node| {
        // A macro that makes items looks like an expression.
        let is_macro = node.named_child(0).is_some_and(|child| child.kind() == "macro_invocation");
        STATEMENTS.contains(&node.kind()) && !is_macro
    };
    !root.named_children(&mut root.walk()).any(is_statement)
}

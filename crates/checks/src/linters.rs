//! The linters of this machine (ruff, shellcheck, ...): which are here, and what they say of a proposal's blocks.
//!
//! They see the blocks that read without a fault, each as a file of its own under a name of ours, in the sandbox and
//! without any configuration but the one that is built in. What they say is advice, but for a name that a whole file
//! uses and nobody defines, where nothing speaks for it. What they fail to say changes nothing, and the message says so.

mod biome;
mod find;
mod hadolint;
mod output;
mod ruff;
mod rustfmt;
mod shellcheck;
mod tell;
mod undefined;
mod yamllint;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleet_deliberation::{CheckOutcome, CheckResult};
use fleet_sandbox::{Ended, Job, Limits};
use tokio::sync::OnceCell;

use crate::bound::Bound;
use crate::lint::Sound;
use crate::run::Runs;
use crate::run::cache::{Cache, Key};
use crate::run::code::Tongue;
use find::Place;
use output::{File, Read, Said};
use tell::{Came, What};

/// The longest a linter may take, for all blocks of a proposal.
const TIME_MAX: Duration = Duration::from_secs(10);
/// With less left of a proposal's time than this, what did not end may have had less than its own.
const SPARE: Duration = Duration::from_secs(1);
/// The most blocks that one is given.
const FILES_MAX: usize = 100;
const MEMORY_BYTES: u64 = 1024 * 1024 * 1024;
const OUTPUT_BYTES: u64 = 4 * 1024 * 1024;

/// One that is known here.
#[derive(Debug)]
struct Linter {
    /// The program's name.
    name: &'static str,
    /// The toolchain that it comes with, where it is not looked for by its name.
    comes_with: Option<Tongue>,
    /// How a block is laid out for it; `None` where it is not for it.
    takes: fn(&Sound) -> Option<Takes>,
    /// What stands before the names of the files.
    args: &'static [&'static str],
    /// What it means by what it said; an error where that is not what it says when it has done its work.
    read: fn(&Said<'_>) -> Result<Read, String>,
}

/// How a block becomes a file.
#[derive(Debug, Clone, Copy)]
struct Takes {
    extension: &'static str,
    /// Whole lines that are put before it.
    before: &'static str,
}

impl Takes {
    const fn as_it_is(extension: &'static str) -> Takes {
        Takes { extension, before: "" }
    }
}

const LINTERS: [&Linter; 6] = [
    &ruff::RUFF,
    &shellcheck::SHELLCHECK,
    &hadolint::HADOLINT,
    &yamllint::YAMLLINT,
    &rustfmt::RUSTFMT,
    &biome::BIOME,
];

/// The linters of this machine. Cloning shares what was found and what came of them.
#[derive(Debug, Clone)]
pub struct Linters(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    runs: Runs,
    path: OsString,
    states: [OnceCell<State>; LINTERS.len()],
    cache: Cache<Read>,
}

/// Whether a linter is here.
#[derive(Debug, Clone)]
enum State {
    Missing,
    /// It is, and does not start in the sandbox: why.
    Broken(String),
    There(There),
}

#[derive(Debug, Clone)]
struct There {
    place: Place,
    /// With its name, such as `ruff 0.17.6`.
    version: String,
}

/// How a linter was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinterFound {
    /// It works: its name and version.
    Works(String),
    /// It is here, and could not be started in the sandbox: its name, and why.
    Broken(&'static str, String),
    /// It is not here: its name.
    Missing(&'static str),
}

impl Linters {
    /// Those on this process's `PATH`, run as `runs` runs: in its sandbox, within its bounds.
    #[must_use]
    pub fn new(runs: Runs) -> Linters {
        Linters::on_path(runs, std::env::var_os("PATH").unwrap_or_default())
    }

    /// Those in these folders, written as a `PATH` is; `rustfmt` is that of the Rust that `runs` has found.
    #[must_use]
    pub fn on_path(runs: Runs, path: impl Into<OsString>) -> Linters {
        let states = std::array::from_fn(|_| OnceCell::new());
        Linters(Arc::new(Inner { runs, path: path.into(), states, cache: Cache::default() }))
    }

    /// How each was found. They are looked for once, at the first block that is for them, or here.
    pub async fn found(&self) -> Vec<LinterFound> {
        let mut found = Vec::new();
        for (nth, linter) in LINTERS.iter().enumerate() {
            found.push(match self.state(nth, Bound::new(Duration::MAX)).await {
                Ok(State::There(there)) => LinterFound::Works(there.version.clone()),
                Ok(State::Broken(why)) => LinterFound::Broken(linter.name, why.clone()),
                Ok(State::Missing) => LinterFound::Missing(linter.name),
                Err(why) => LinterFound::Broken(linter.name, why),
            });
        }
        found
    }

    /// Adds to a result of the lint check what linters say of the blocks.
    pub(crate) async fn look(&self, result: &mut CheckResult, blocks: &[Sound], bound: Bound) {
        if blocks.is_empty() || !matches!(result.outcome, CheckOutcome::Pass | CheckOutcome::Fail) {
            return;
        }
        let begun = Instant::now();
        let one = |nth| self.one(nth, blocks, bound);
        // As many at once as there are permits for.
        let (a, b, c, d, e, f) = tokio::join!(one(0), one(1), one(2), one(3), one(4), one(5));
        let came: Vec<Came<'_>> = [a, b, c, d, e, f].into_iter().flatten().collect();
        tell::tell(result, &came, blocks);
        result.duration_ms += u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    }

    /// What came of one; `None` where there is nothing for it.
    async fn one(&self, nth: usize, blocks: &[Sound], bound: Bound) -> Option<Came<'static>> {
        let linter = LINTERS[nth];
        let (files, left_out) = laid_out(linter, blocks);
        if files.is_empty() {
            return None;
        }
        let what = match self.state(nth, bound).await {
            Err(why) => What::NotRun(why),
            Ok(State::Missing) => What::Missing,
            Ok(State::Broken(why)) => What::NotRun(format!("it does not start in the sandbox: {why}")),
            Ok(State::There(there)) => match self.run(linter, there, &files, bound).await {
                Ok(read) => What::Read { version: there.version.clone(), read },
                Err(why) => What::Failed { version: there.version.clone(), why },
            },
        };
        Some(Came { name: linter.name, what, files, left_out })
    }

    async fn run(
        &self,
        linter: &Linter,
        there: &There,
        files: &[File],
        bound: Bound,
    ) -> Result<Read, String> {
        let runs = &self.0.runs;
        let level = runs.sandbox().await.map_err(|error| error.to_string())?;
        let texts = files.iter().flat_map(|file| [file.name.as_str(), &file.text]);
        let key = Key::of_texts(["linter", &there.version, &level].into_iter().chain(texts));
        if let Some(read) = self.0.cache.get(&key) {
            return Ok(read);
        }
        let names = files.iter().map(|file| file.name.as_str());
        let mut job = there.place.job(linter.args.iter().copied().chain(names));
        for file in files {
            job.files.insert(file.name.clone(), file.text.clone().into_bytes());
        }
        let ended = runs.shut_in(limited(job), bound, TIME_MAX).await?;
        let read = Said::of(&ended, files).and_then(|said| (linter.read)(&said)?.within(files))?;
        self.0.cache.put(key, &read);
        Ok(read)
    }

    /// Whether it is here.
    ///
    /// # Errors
    /// Why this is not known: there is no sandbox, or no time.
    async fn state(&self, nth: usize, bound: Bound) -> Result<&State, String> {
        self.0.states[nth].get_or_try_init(|| self.find(LINTERS[nth], bound)).await
    }

    async fn find(&self, linter: &Linter, bound: Bound) -> Result<State, String> {
        let runs = &self.0.runs;
        // Before toolchains are asked for, which would be for nothing.
        runs.sandbox().await.map_err(|error| error.to_string())?;
        let place = match linter.comes_with {
            Some(tongue) => runs.tools().await.get(tongue).and_then(|tool| find::beside(tool, linter.name)),
            None => find::on_path(linter.name, &self.0.path),
        };
        let Some(place) = place else { return Ok(State::Missing) };
        let ended = runs.shut_in(limited(place.job(["--version"])), bound, TIME_MAX).await?;
        match version(linter.name, &ended) {
            Ok(version) => Ok(State::There(There { place, version })),
            // It may have been cut short by the time of this proposal.
            Err(why) if bound.left() < SPARE => Err(why),
            Err(why) => Ok(State::Broken(why)),
        }
    }
}

/// The blocks that are for a linter as files, and how many more there are.
fn laid_out(linter: &Linter, blocks: &[Sound]) -> (Vec<File>, usize) {
    let mut files = Vec::new();
    let mut left_out = 0;
    for (block, sound) in blocks.iter().enumerate() {
        let Some(takes) = (linter.takes)(sound) else { continue };
        if files.len() == FILES_MAX {
            left_out += 1;
            continue;
        }
        files.push(File {
            // Of the proposal's own names none is used: they could be options or configuration.
            name: format!("b{}.{}", files.len(), takes.extension),
            text: takes.before.to_owned() + &sound.part.code(),
            block,
            before: takes.before.lines().count(),
        });
    }
    (files, left_out)
}

fn limited(mut job: Job) -> Job {
    job.limits = Limits {
        cpu_s: TIME_MAX.as_secs() * 2,
        memory_bytes: MEMORY_BYTES,
        output_bytes: OUTPUT_BYTES,
        kept_bytes: 2 * usize::try_from(OUTPUT_BYTES).unwrap_or(usize::MAX / 2),
        ..Limits::default()
    };
    job
}

/// The version in what a linter says of itself, after its name.
fn version(name: &str, ended: &Ended) -> Result<String, String> {
    const LENGTH_MAX: usize = 30;
    let said = Said::of(ended, &[])?;
    let is_version = |word: &&str| {
        word.starts_with(|c: char| c.is_ascii_digit())
            && word.contains('.')
            && word.len() <= LENGTH_MAX
            && word.chars().all(|c| c.is_ascii_alphanumeric() || ".+-".contains(c))
    };
    match said.stdout.split_whitespace().find(is_version) {
        Some(version) if said.code == 0 => Ok(format!("{name} {version}")),
        Some(_) | None => Err(said.but("it does not say its version")),
    }
}

//! The sandbox as its user sees it: finds the best level once, and runs jobs.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::bubblewrap;
use crate::ended::Ended;
use crate::error::SandboxError;
use crate::helper;
use crate::job::{Job, SYSTEM};
use crate::level::{Choice, Level};
use crate::limits::Limits;
use crate::plan::{How, Inner, Plan, Report};
use crate::run::{self, Told, with_words};

const VERSION_MS_MAX: u64 = 5_000;
const NAME_BYTES: usize = 8;

/// Runs commands shut in. One serves a whole program; what works here is found out at the first use.
#[derive(Debug)]
pub struct Sandbox {
    choice: Choice,
    helper: Option<PathBuf>,
    folder: PathBuf,
    abi_max: Option<i32>,
    level: OnceCell<Result<(Level, How), String>>,
}

impl Sandbox {
    /// A sandbox of the level that is chosen. Scratch folders on disk are made in the folder for temporary files.
    #[must_use]
    pub fn new(choice: Choice) -> Self {
        let folder = std::env::temp_dir();
        Self { choice, helper: None, folder, abi_max: None, level: OnceCell::new() }
    }

    /// Starts `program`, which calls [`helper()`](crate::helper()), instead of the running one.
    #[must_use]
    pub fn with_helper(self, program: impl Into<PathBuf>) -> Self {
        Self { helper: Some(program.into()), ..self }
    }

    /// Makes scratch folders on disk in `folder`. As root it must be one in which everybody may make
    /// folders, as in the one for temporary files.
    #[must_use]
    pub fn with_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), ..self }
    }

    /// Acts as if the kernel's Landlock were not newer than `abi`.
    #[must_use]
    pub fn with_landlock_abi_max(self, abi: u32) -> Self {
        Self { abi_max: Some(i32::try_from(abi).unwrap_or(i32::MAX)), ..self }
    }

    /// The level that is in force for everything this runs.
    ///
    /// # Errors
    /// [`SandboxError::Unavailable`]: there is none.
    pub async fn level(&self) -> Result<Level, SandboxError> {
        Ok(self.found().await?.0.clone())
    }

    /// Runs a job to its end. When this returns, or is dropped, nothing that it started is left; dropped, it may
    /// take a moment.
    ///
    /// # Errors
    /// The job was not run, or its end is not known: [`SandboxError`] says why. What the command itself does
    /// wrong, passing a limit included, is no error but in [`Ended`].
    pub async fn run(&self, job: &Job) -> Result<Ended, SandboxError> {
        job.check()?;
        let (level, how) = self.found().await?.clone();
        let system = SYSTEM.iter().map(PathBuf::from).filter(|path| path.exists());
        let inner = Inner {
            program: Some(job.program.clone()),
            args: job.args.clone(),
            env: job.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            limits: job.limits.clone(),
            files: job.files.iter().map(|(path, bytes)| (path.clone(), bytes.len())).collect(),
            stdin: job.stdin.len(),
            ..nothing()
        };
        let plan = self.plan(how, system.chain(job.read_only.iter().cloned()).collect(), inner);
        let blobs = job.files.values().flatten().chain(&job.stdin).copied().collect();
        let told = match plan {
            Ok(plan) => run::run(self.program(), &plan, blobs).await,
            Err(error) => Err(error),
        };
        let Told { report, stdout, stderr } =
            told.map_err(|error| SandboxError::Broken { level: level.clone(), reason: error.to_string() })?;
        match report {
            Report::Ended { end, duration_us } => {
                let duration = Duration::from_micros(duration_us);
                Ok(Ended { end, stdout, stderr, duration, level })
            }
            Report::Program { reason } => Err(SandboxError::Program { program: job.program.clone(), reason }),
            Report::Failed { reason } => {
                Err(SandboxError::Broken { level, reason: with_words(&reason, &stderr) })
            }
            Report::Works { .. } => {
                Err(SandboxError::Broken { level, reason: "it was tried instead of run".to_owned() })
            }
        }
    }

    async fn found(&self) -> Result<&(Level, How), SandboxError> {
        let found = self.level.get_or_init(|| self.find()).await;
        found.as_ref().map_err(|reason| SandboxError::Unavailable { reason: reason.clone() })
    }

    async fn find(&self) -> Result<(Level, How), String> {
        if self.choice == Choice::Off {
            return Err("it is turned off".to_owned());
        }
        if self.helper.is_none() && !helper::open() {
            return Err("this program cannot be started again as its helper".to_owned());
        }
        let mut reasons = Vec::new();
        if matches!(self.choice, Choice::Auto | Choice::Bubblewrap) {
            match self.try_bubblewrap().await {
                Ok(found) => return Ok(found),
                Err(reason) => reasons.push(format!("bubblewrap: {reason}")),
            }
        }
        if matches!(self.choice, Choice::Auto | Choice::Landlock) {
            match self.try_landlock().await {
                Ok(found) => return Ok(found),
                Err(reason) => reasons.push(format!("landlock: {reason}")),
            }
        }
        Err(reasons.join("; "))
    }

    async fn try_bubblewrap(&self) -> Result<(Level, How), String> {
        let program = bubblewrap::find().ok_or("it is not installed")?;
        let owner = std::fs::metadata(&program).map_err(|error| error.to_string())?.uid();
        if owner != 0 && owner == rustix::process::geteuid().as_raw() {
            return Err("it belongs to the user that commands run as, who could change it".to_owned());
        }
        let version = version(&program).await.map_err(|error| format!("it does not start: {error}"))?;
        let how = How::Bubblewrap { program };
        self.attempt(&how).await?;
        Ok((Level::Bubblewrap { version }, how))
    }

    async fn try_landlock(&self) -> Result<(Level, How), String> {
        let how = How::Landlock { abi_max: self.abi_max };
        let abi = self.attempt(&how).await?.ok_or("it does not say what it does")?;
        Ok((Level::Landlock { abi }, how))
    }

    /// Goes all the way but for the command itself.
    async fn attempt(&self, how: &How) -> Result<Option<u32>, String> {
        let system = SYSTEM.iter().map(PathBuf::from).filter(|path| path.exists()).collect();
        let plan = self.plan(how.clone(), system, nothing()).map_err(|error| error.to_string())?;
        let told = run::run(self.program(), &plan, Vec::new()).await.map_err(|error| error.to_string())?;
        match told.report {
            Report::Works { abi } => Ok(abi),
            Report::Failed { reason } | Report::Program { reason } => Err(with_words(&reason, &told.stderr)),
            Report::Ended { end, .. } => Err(format!("it ended: {end}")),
        }
    }

    fn program(&self) -> &Path {
        self.helper.as_deref().unwrap_or(Path::new("/proc/self/exe"))
    }

    fn plan(&self, how: How, read_only: Vec<PathBuf>, inner: Inner) -> io::Result<Plan> {
        let mut name = [0; NAME_BYTES];
        getrandom::fill(&mut name).map_err(io::Error::other)?;
        let name = format!("fleet-sandbox-{:016x}", u64::from_ne_bytes(name));
        let folder = std::path::absolute(&self.folder)?.join(name);
        Ok(Plan { how, scratch: folder, read_only, inner })
    }
}

/// What is to be done inside when nothing is.
fn nothing() -> Inner {
    Inner {
        program: None,
        args: Vec::new(),
        env: Vec::new(),
        limits: Limits::default(),
        files: Vec::new(),
        stdin: 0,
        scratch: PathBuf::new(),
        tasks_max: 0,
        own_user: false,
        landlock: None,
    }
}

async fn version(program: &Path) -> io::Result<String> {
    let mut command = Command::new(program);
    command.arg("--version").env_clear().stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(Duration::from_millis(VERSION_MS_MAX), command.output()).await??;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_whitespace().last().filter(|_| output.status.success());
    version.map(str::to_owned).ok_or_else(|| io::Error::other("it does not say its version"))
}

//! The standard library of Go, built once outside of any sandbox: building it takes longer than code may run.
//!
//! It is made of nothing but the machine's own toolchain, in a folder of its own for each, and sandboxes are shown it
//! read-only. What is not there yet when the first code comes is waited for.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::sync::{OnceCell, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::go::ENVIRONMENT;
use super::tools::Tool;

/// What most programs need; the rest is built after it, while these can be used already.
const FIRST: [&str; 34] = [
    "bufio",
    "bytes",
    "container/heap",
    "container/list",
    "context",
    "cmp",
    "encoding/base64",
    "encoding/csv",
    "encoding/hex",
    "encoding/json",
    "errors",
    "fmt",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "math/big",
    "math/bits",
    "math/rand",
    "os",
    "path/filepath",
    "reflect",
    "regexp",
    "slices",
    "sort",
    "strconv",
    "strings",
    "sync",
    "sync/atomic",
    "testing",
    "testing/internal/testdeps",
    "time",
    "unicode/utf8",
];
/// Which part is there is said by an empty file of this name.
const READY: &str = "ready";
const WHOLE: &str = "whole";
/// How often it is looked whether another process has built it, in milliseconds.
const LOOK_MS: u64 = 200;
/// The longest it may take to build either part, in seconds.
const BUILD_S_MAX: u64 = 600;

/// The standard library of one toolchain, built when it is first asked for.
#[derive(Debug)]
pub(super) struct Prepared {
    /// Where all that is built lies; without it nothing is built.
    folder: Option<PathBuf>,
    building: OnceCell<Building>,
}

#[derive(Debug)]
struct Building {
    state: watch::Receiver<State>,
    cache: PathBuf,
    /// Ends with it.
    _task: JoinSet<()>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Under,
    Ready,
    Failed(String),
}

impl Prepared {
    pub(super) fn new(folder: Option<PathBuf>) -> Prepared {
        Prepared { folder, building: OnceCell::new() }
    }

    /// The build cache to be shown to sandboxes.
    ///
    /// # Errors
    /// Why there is none within `wait`, in words.
    pub(super) async fn cache(&self, go: &Tool, wait: Duration) -> Result<PathBuf, String> {
        let Some(folder) = &self.folder else {
            return Err("there is no folder that its standard library could be built in".to_owned());
        };
        let building = self.building.get_or_init(async || begin(go, folder)).await;
        let mut state = building.state.clone();
        let ended = timeout(wait, state.wait_for(|state| *state != State::Under)).await;
        match ended.map(|state| state.map(|state| state.clone())) {
            Ok(Ok(State::Ready)) => Ok(building.cache.clone()),
            Ok(Ok(State::Failed(why))) => Err(format!("its standard library could not be built: {why}")),
            Ok(Ok(State::Under) | Err(_)) | Err(_) => {
                Err("its standard library is being built, once on this machine".to_owned())
            }
        }
    }
}

fn begin(go: &Tool, folder: &Path) -> Building {
    let named = Sha256::digest(format!("{}\n{}", go.version, go.program.display()));
    let name: String = named.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let folder = folder.join(format!("{}-{name}", go.version.replace(' ', "-")));
    let (tell, state) = watch::channel(State::Under);
    let (program, cache) = (go.program.clone(), folder.join("cache"));
    let mut task = JoinSet::new();
    task.spawn(async move {
        if let Err(why) = build_both(&program, &folder, &tell).await {
            tracing::warn!(folder = %folder.display(), why, "the standard library of Go could not be built");
            tell.send_if_modified(|state| {
                let under = *state == State::Under;
                if under {
                    *state = State::Failed(why);
                }
                under
            });
        }
    });
    Building { state, cache, _task: task }
}

async fn build_both(go: &Path, folder: &Path, tell: &watch::Sender<State>) -> Result<(), String> {
    let is_there = |name: &str| folder.join(name).exists();
    let ready = || tell.send_replace(State::Ready);
    if is_there(READY) {
        ready();
    }
    if is_there(WHOLE) {
        return Ok(());
    }
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(failed)?;
    let lock = File::create(folder.join("lock")).map_err(failed)?;
    // It is let go of with this process, whatever ends that.
    while let Err(error) = lock.try_lock() {
        match error {
            TryLockError::WouldBlock => sleep(Duration::from_millis(LOOK_MS)).await,
            TryLockError::Error(error) => return Err(failed(error)),
        }
        if is_there(READY) {
            ready();
        }
    }
    for (packages, name) in [(FIRST.as_slice(), READY), (&["std"], WHOLE)] {
        if !is_there(name) {
            build(go, folder, packages).await?;
            File::create(folder.join(name)).map_err(failed)?;
        }
        ready();
    }
    Ok(())
}

async fn build(go: &Path, folder: &Path, packages: &[&str]) -> Result<(), String> {
    // Whoever runs in a sandbox is nobody here, and must read it.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "umask 022; exec \"$@\"", "go"]).arg(go).arg("build").args(packages);
    command.env_clear().envs(ENVIRONMENT).env("PATH", "/usr/bin:/bin");
    if let Some(root) = go.parent().and_then(Path::parent) {
        command.env("GOROOT", root);
    }
    command.env("HOME", folder).env("GOPATH", folder.join("path")).env("GOCACHE", folder.join("cache"));
    command.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(Duration::from_secs(BUILD_S_MAX), command.output());
    let output = output.await.map_err(|_| format!("it took longer than {BUILD_S_MAX} s"))?;
    let output = output.map_err(|error| format!("{} cannot be started: {error}", go.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().next_back().unwrap_or("it said nothing").chars().take(200).collect())
}

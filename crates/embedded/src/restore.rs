//! Puts a backup in the place of the state, as a whole or not at all.
//!
//! The new file is made ready beside the state, in a directory of its own. Giving that directory its name
//! decides: from then on whoever opens the state for writing carries the rest out before anything else. A log
//! that belongs to the old file never stands beside the new one, and nothing is deleted.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use fleet_orchestrator::port::{Clock, Source};
use fleet_orchestrator::rfc3339;

use crate::backup::{CheckError, Contents, Step, Watch, check, deliberations};
use crate::{OpenError, StateLock, SystemClock, connection, directory, lock, schema};

/// Where a decided restore is carried out from, in the directory of state.
pub(crate) const STAGED: &str = "restoring";

/// Where a restore is prepared.
pub(crate) const PREPARED: &str = "restoring.part";

/// The new file, in either.
const NEW: &str = "new.db";

/// Bytes copied at once.
const COPIED: usize = 1024 * 1024;

/// A state that was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What it holds now.
    pub contents: Contents,
    /// The directory that what was there before lies in now, if there was something.
    pub before: Option<PathBuf>,
}

/// Why a backup was not restored. The state is as it was, unless it says something else.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The state is in use, or its directory cannot be used.
    #[error(transparent)]
    State(OpenError),
    /// The file is no backup that can be relied on, or of a newer version.
    #[error("the backup cannot be used")]
    Backup(#[source] OpenError),
    /// The file is one that a process works on, or worked on; there may be more in the log beside it.
    #[error("{} is the file of a state, not a backup", .0.display())]
    WorkedOn(PathBuf),
    /// There is something in the way: say that it may be moved aside.
    #[error("{} holds deliberations ({deliberations})", dir.display())]
    Holds {
        /// The directory of state.
        dir: PathBuf,
        /// How many it holds.
        deliberations: u64,
    },
    /// What is in the way cannot be read, so it is not known what it holds: say that it may be moved aside.
    #[error("what {} holds cannot be told", dir.display())]
    HoldsUnknown {
        /// The directory of state.
        dir: PathBuf,
        /// Why it cannot be read.
        source: OpenError,
    },
    /// The new file cannot be written.
    #[error("{} cannot be written", .0.display())]
    NotWritable(PathBuf, #[source] Source),
    /// It was decided, and not carried out to its end; whoever opens the state for writing next does that.
    #[error("the restore into {} is not complete", .0.display())]
    NotCompleted(PathBuf, #[source] Source),
    /// It was told to end.
    #[error("interrupted")]
    Interrupted,
}

/// Puts the backup in `file` in the place of the state in `dir`, on which nobody may work. A state that
/// holds deliberations is only replaced if it is said so; what was there lies in a directory of its own then,
/// which can be opened as a state.
pub fn restore(dir: &Path, file: &Path, replace: bool, watch: &Watch) -> Result<Restored, RestoreError> {
    // Before anything is made for a file that is none.
    look(file)?;
    let lock = StateLock::take(dir).map_err(RestoreError::State)?;
    let of_state = |error: io::Error| RestoreError::State(OpenError::io(dir, error));
    lock.describe(&format!("process {}, which restores a backup", std::process::id())).map_err(of_state)?;
    directory::hand_over(dir, &dir.join(lock::FILE)).map_err(of_state)?;
    complete(dir).map_err(|error| RestoreError::NotCompleted(dir.into(), error.into()))?;
    if !replace {
        nothing_in_the_way(dir)?;
    }
    let (prepared, contents) = prepare(dir, file, watch)?;
    prepared.decide(dir).map_err(of_state)?;
    let before = complete(dir).map_err(|error| RestoreError::NotCompleted(dir.into(), error.into()))?;
    Ok(Restored { contents, before })
}

fn look(file: &Path) -> Result<(), RestoreError> {
    let read = |error| RestoreError::Backup(OpenError::read(file, error));
    let found = fs::metadata(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => RestoreError::Backup(OpenError::Missing(file.into())),
        _ => read(error),
    })?;
    if !found.is_file() {
        return Err(RestoreError::Backup(OpenError::NotOurs(file.into())));
    }
    match schema::look(file).map_err(RestoreError::Backup)? {
        schema::State::Ours => {}
        schema::State::Empty => return Err(RestoreError::Backup(OpenError::NotOurs(file.into()))),
    }
    match schema::has_log(file).map_err(read)? {
        true => Err(RestoreError::WorkedOn(file.into())),
        false => Ok(()),
    }
}

fn nothing_in_the_way(dir: &Path) -> Result<(), RestoreError> {
    let unknown = |source| RestoreError::HoldsUnknown { dir: dir.into(), source };
    let connection = match connection::reader(dir) {
        Ok(connection) => connection,
        Err(OpenError::Missing(_)) => return Ok(()),
        Err(error) => return Err(unknown(error)),
    };
    let sqlite = |error| unknown(OpenError::sqlite(&dir.join(schema::FILE), error));
    match deliberations(&connection).map_err(sqlite)? {
        (0, _) => Ok(()),
        (deliberations, _) => Err(RestoreError::Holds { dir: dir.into(), deliberations }),
    }
}

/// Makes the new file ready, where it is in nobody's way, and checks it there: what was checked is what
/// will count.
fn prepare(dir: &Path, file: &Path, watch: &Watch) -> Result<(Prepared, Contents), RestoreError> {
    let prepared = Prepared(dir.join(PREPARED));
    let new = prepared.0.join(NEW);
    let not_writable = |error: io::Error| RestoreError::NotWritable(new.clone(), error.into());
    let make = || {
        DirBuilder::new().mode(0o700).create(&prepared.0)?;
        directory::hand_over(dir, &prepared.0)?;
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        directory::hand_over(dir, &new)?;
        Ok(made)
    };
    let mut into = make().map_err(not_writable)?;
    copy(file, &mut into, watch).map_err(|error| match error {
        CopyError::Read(error) => RestoreError::Backup(OpenError::read(file, error)),
        CopyError::Write(error) => not_writable(error),
        CopyError::Interrupted => RestoreError::Interrupted,
    })?;
    let contents = check(&new, watch).map_err(|error| match error {
        CheckError::Open(error) => RestoreError::Backup(error.about(file)),
        CheckError::Interrupted => RestoreError::Interrupted,
    })?;
    into.sync_all().and_then(|()| directory::sync(&prepared.0)).map_err(not_writable)?;
    Ok((prepared, contents))
}

enum CopyError {
    Read(io::Error),
    Write(io::Error),
    Interrupted,
}

fn copy(file: &Path, into: &mut File, watch: &Watch) -> Result<(), CopyError> {
    let mut from = File::open(file).map_err(CopyError::Read)?;
    let whole = from.metadata().map_err(CopyError::Read)?.len();
    let mut piece = vec![0; COPIED];
    let mut done = 0;
    loop {
        if watch(Step::Copying { done, whole }).is_break() {
            return Err(CopyError::Interrupted);
        }
        let n = from.read(&mut piece).map_err(CopyError::Read)?;
        if n == 0 {
            return Ok(());
        }
        into.write_all(&piece[..n]).map_err(CopyError::Write)?;
        done += n as u64;
    }
}

/// Carries out a restore that was decided, if there is one; says where what was there before lies now. May
/// be called again wherever it was interrupted. The lock must be held.
pub(crate) fn complete(dir: &Path) -> io::Result<Option<PathBuf>> {
    // What was prepared and not decided counts for nothing.
    drop(Prepared(dir.join(PREPARED)));
    let staged = dir.join(STAGED);
    let new = staged.join(NEW);
    if !staged.try_exists()? {
        return Ok(None);
    }
    if new.try_exists()? {
        for suffix in [schema::LOG, schema::LOG_INDEX, ""] {
            let name = format!("{}{suffix}", schema::FILE);
            match fs::rename(dir.join(&name), staged.join(&name)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        directory::sync(&staged)?;
        directory::sync(dir)?;
        fs::rename(&new, dir.join(schema::FILE))?;
        directory::sync(&staged)?;
        directory::sync(dir)?;
    }
    if fs::read_dir(&staged)?.next().is_none() {
        fs::remove_dir(&staged)?;
        directory::sync(dir)?;
        return Ok(None);
    }
    let before = dir.join(format!("replaced-{}", rfc3339(SystemClock.now()).replace(':', "-")));
    fs::rename(&staged, &before)?;
    directory::sync(dir)?;
    Ok(Some(before))
}

/// What is prepared; gone unless it is decided.
struct Prepared(PathBuf);

impl Prepared {
    fn decide(self, dir: &Path) -> io::Result<()> {
        fs::rename(&self.0, dir.join(STAGED))?;
        directory::sync(dir)
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // Where it was decided, nothing has this name any more.
        _ = fs::remove_dir_all(&self.0);
    }
}

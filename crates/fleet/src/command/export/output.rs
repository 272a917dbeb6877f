//! Where an export goes: standard output, or a file that is whole once it has its name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::{Exit, Problem};

/// Where an export goes.
pub(super) enum Output {
    /// To standard output.
    Stdout,
    /// Into a file that is not whole yet.
    File(Part),
}

/// A file that is not whole yet, beside the one it is to become; gone unless it is kept.
pub(super) struct Part {
    into: BufWriter<File>,
    path: PathBuf,
    target: PathBuf,
    replace: bool,
}

impl Output {
    /// A file there is not written over, unless it is to be replaced.
    pub(super) fn open(target: Option<&Path>, replace: bool) -> anyhow::Result<Output> {
        let Some(target) = target else { return Ok(Output::Stdout) };
        let stands = target.symlink_metadata().is_ok();
        if stands && (!replace || target.is_dir()) {
            return Err(exists(target).into());
        }
        let mut path = target.as_os_str().to_owned();
        path.push(format!(".{}.part", std::process::id()));
        let path = PathBuf::from(path);
        // Closed to others: prompts and answers are in it.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = made.map_err(|error| not_writable(target, &error))?;
        let into = BufWriter::new(file);
        Ok(Output::File(Part { into, path, target: target.to_owned(), replace }))
    }

    /// Writes a line as it is; `false` if the reader has gone away.
    pub(super) fn write(&mut self, line: &str) -> anyhow::Result<bool> {
        match self {
            Output::Stdout => {
                let mut stdout = io::stdout().lock();
                match stdout.write_all(line.as_bytes()).and_then(|()| stdout.write_all(b"\n")) {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
                    Err(error) => Err(error.into()),
                    Ok(()) => Ok(true),
                }
            }
            Output::File(part) => {
                let written = part.into.write_all(line.as_bytes()).and_then(|()| part.into.write_all(b"\n"));
                written.map_err(|error| not_writable(&part.target, &error))?;
                Ok(true)
            }
        }
    }

    /// Gives the file its name, once all of it is on disk.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Output::Stdout => match io::stdout().lock().flush() {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
                _ => Ok(()),
            },
            Output::File(mut part) => {
                let failed = |error: io::Error| not_writable(&part.target, &error);
                part.into.flush().and_then(|()| part.into.get_ref().sync_all()).map_err(failed)?;
                // A link fails where the name was taken meanwhile, which a rename would not; not every file
                // system has links.
                let named = match part.replace {
                    true => fs::rename(&part.path, &part.target),
                    false => match fs::hard_link(&part.path, &part.target) {
                        Err(error) if error.kind() != ErrorKind::AlreadyExists && !part.target.exists() => {
                            fs::rename(&part.path, &part.target)
                        }
                        other => other,
                    },
                };
                match named {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                        Err(exists(&part.target).into())
                    }
                    other => Ok(other.map_err(|error| not_writable(&part.target, &error))?),
                }
            }
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Where it was renamed, nothing has this name any more.
        _ = fs::remove_file(&self.path);
    }
}

fn exists(target: &Path) -> Problem {
    let target = target.display();
    Problem::new(
        Exit::Refused,
        format!("{target} is there already; name another file, or give --force to replace it"),
    )
}

fn not_writable(target: &Path, error: &io::Error) -> Problem {
    let message = format!(
        "{} cannot be written ({error}); name a file in a directory that can be written and has room",
        target.display()
    );
    Problem::new(Exit::Unavailable, message)
}

//! A command to be run, and what must be true of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::JobError;
use crate::limits::Limits;

/// The most files that are put into the scratch folder.
pub const FILES_MAX: usize = 1000;
/// The most bytes that all of them have together.
pub const FILES_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most bytes that are given on standard input.
pub const STDIN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What every command sees of the system, where it is there.
pub const SYSTEM: [&str; 7] = [
    "/usr",
    "/bin",
    "/lib",
    "/lib64",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    // Without it Node does not start where it cannot see that there is none.
    "/etc/ssl/openssl.cnf",
];

const PATH_BYTES_MAX: usize = 512;
const WORDS_BYTES_MAX: usize = 96 * 1024;
const READ_ONLY_MAX: usize = 64;
const SHOWN_CHARS_MAX: usize = 80;
/// What is the sandbox's own in the file system of a command.
const TAKEN: [&str; 5] = ["/proc", "/dev", "/sys", "/scratch", "/tmp"];

/// A command to be run in a fresh scratch folder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Job {
    /// A name to be found in the job's `PATH`, or a path: absolute, or from the scratch folder.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Files for the scratch folder, by their path in it. Those that begin with `#!` can be started.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Paths of the host that can be read besides [`SYSTEM`], at the same place. What is in them is for the
    /// command to use: a socket there can be connected to.
    pub read_only: Vec<PathBuf>,
    /// The environment. `PATH`, `HOME` and `TMPDIR` (the scratch folder, and one in it) and `LANG` are there
    /// if it does not name them; nothing is inherited.
    pub env: BTreeMap<String, String>,
    /// What it reads on standard input.
    pub stdin: Vec<u8>,
    /// What it may use.
    pub limits: Limits,
}

impl Job {
    /// A job that runs `program` with `args`.
    #[must_use]
    pub fn new<A: Into<String>>(program: impl Into<String>, args: impl IntoIterator<Item = A>) -> Self {
        Self { program: program.into(), args: args.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), bytes.into());
        self
    }

    pub(crate) fn check(&self) -> Result<(), JobError> {
        self.limits.check()?;
        self.check_words()?;
        self.check_files()?;
        at_most("bytes on standard input", self.stdin.len(), STDIN_BYTES_MAX)?;
        at_most("read-only paths", self.read_only.len(), READ_ONLY_MAX)?;
        self.read_only.iter().try_for_each(|path| check_read_only(path))
    }

    fn check_words(&self) -> Result<(), JobError> {
        let wrong = |what, value: &str, reason| {
            let value = value.chars().take(SHOWN_CHARS_MAX).collect();
            Err(JobError::Words { what, value, reason })
        };
        if self.program.is_empty() {
            return wrong("the program", "", "has no name");
        }
        let variables =
            self.env.iter().flat_map(|(name, value)| [("the variable", name), ("the value", value)]);
        let arguments = self.args.iter().map(|word| ("the argument", word));
        let mut bytes = 0;
        for (what, word) in arguments.chain(variables).chain([("the program", &self.program)]) {
            bytes += word.len() + 1;
            if word.contains('\0') {
                return wrong(what, word, "has a zero byte in it");
            }
        }
        if let Some(name) = self.env.keys().find(|name| name.is_empty() || name.contains('=')) {
            return wrong("the variable", name, "is not a name");
        }
        at_most("bytes in arguments and environment", bytes, WORDS_BYTES_MAX)
    }

    fn check_files(&self) -> Result<(), JobError> {
        let most = FILES_MAX.min(usize::try_from(self.limits.files).unwrap_or(FILES_MAX));
        at_most("files", self.files.len(), most)?;
        let bytes: usize = self.files.values().map(Vec::len).sum();
        let most = FILES_BYTES_MAX.min(usize::try_from(self.limits.file_bytes).unwrap_or(FILES_BYTES_MAX));
        at_most("bytes in files", bytes, most)?;
        let mut folders = BTreeSet::new();
        for path in self.files.keys() {
            let wrong =
                |reason| JobError::File { path: path.chars().take(SHOWN_CHARS_MAX).collect(), reason };
            inside(path).map_err(wrong)?;
            folders.extend(Path::new(path).ancestors().skip(1).map(Path::to_path_buf));
        }
        match self.files.keys().find(|path| folders.contains(Path::new(path))) {
            Some(path) => Err(JobError::File { path: path.clone(), reason: "is a folder of another file" }),
            None => Ok(()),
        }
    }
}

/// Whether `path` names something in the scratch folder, and in one way only.
pub(crate) fn inside(path: &str) -> Result<(), &'static str> {
    if path.len() > PATH_BYTES_MAX {
        return Err("has too long a path");
    }
    if path.is_empty() || path.contains('\0') || path.ends_with('/') {
        return Err("has no name");
    }
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    if path.split('/').all(plain) { Ok(()) } else { Err("is not a plain path inside the scratch folder") }
}

fn check_read_only(path: &Path) -> Result<(), JobError> {
    let wrong = |reason| Err(JobError::ReadOnly { path: path.to_owned(), reason });
    if path.to_str().is_none_or(|path| path.contains('\0')) {
        return wrong("is not plain text");
    }
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    if !path.is_absolute() || !path.components().all(plain) {
        return wrong("is not an absolute path without `..`");
    }
    if path.parent().is_none() || TAKEN.iter().any(|taken| path == Path::new(taken)) {
        return wrong("cannot be shown as a whole");
    }
    if ["/proc", "/sys", "/dev", "/scratch"].iter().any(|taken| path.starts_with(taken)) {
        return wrong("lies where the sandbox has its own");
    }
    if !path.exists() {
        return wrong("does not exist");
    }
    Ok(())
}

fn at_most(what: &'static str, value: usize, max: usize) -> Result<(), JobError> {
    if value > max {
        return Err(JobError::TooMuch { what, value: value as u64, max: max as u64 });
    }
    Ok(())
}

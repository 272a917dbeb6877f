//! What a linter said, and what is made of it.

use std::collections::BTreeSet;

use fleet_deliberation::Severity;
use fleet_sandbox::{End, Ended};
use serde::de::DeserializeOwned;

use crate::lint::shortened;

/// The longest of a linter's words that is kept, in characters.
const WORDS_CHARS_MAX: usize = 160;

/// A block, laid out for a linter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Its name in the folder that the linter works in.
    pub(super) name: String,
    pub(super) text: String,
    /// Which of the blocks it is.
    pub(super) block: usize,
    /// How many lines stand before those of the block.
    pub(super) before: usize,
}

/// What a linter that ended by itself said.
#[derive(Debug)]
pub(super) struct Said<'a> {
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// 0, or 1, by which most say that they found something.
    pub(super) code: i32,
    pub(super) files: &'a [File],
}

/// What it means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) findings: Vec<Finding>,
    /// The files that it could not read, as excerpts often cannot be; nothing else that it says of them is kept.
    pub(super) unread: BTreeSet<usize>,
}

/// One thing that it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// Which of the files.
    pub(super) file: usize,
    /// Line in the file, from 1.
    pub(super) row: usize,
    /// Column in characters, from 1.
    pub(super) column: usize,
    /// The linter's id of it, such as `F821`.
    pub(super) rule: String,
    pub(super) message: String,
    pub(super) severity: Severity,
}

impl<'a> Said<'a> {
    pub(super) fn of(ended: &Ended, files: &'a [File]) -> Result<Said<'a>, String> {
        let stderr = ended.stderr.text();
        let code = match ended.end {
            End::Exit(code @ (0 | 1)) => code,
            end => return Err(with_words(&end.to_string(), &stderr)),
        };
        if ended.stdout.cut_bytes > 0 {
            return Err("it said more than can be read".to_owned());
        }
        let stdout =
            String::from_utf8(ended.stdout.head.clone()).map_err(|_| "its output is not text".to_owned())?;
        Ok(Said { stdout, stderr, code, files })
    }

    /// Which file it speaks of by this name, with whatever folder before it.
    pub(super) fn file(&self, name: &str) -> Result<usize, String> {
        let last = name.rsplit('/').next().unwrap_or(name);
        let file = self.files.iter().position(|file| file.name == last);
        file.ok_or_else(|| self.unreadable(&format!("it speaks of {name}")))
    }

    /// Its output as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_str(&self.stdout).map_err(|error| self.unreadable(&error.to_string()))
    }

    /// That this is not what it says when it has done its work.
    pub(super) fn unreadable(&self, why: &str) -> String {
        self.but(&format!("its output cannot be read: {}", shortened(why, WORDS_CHARS_MAX)))
    }

    /// This, and what it said besides.
    pub(super) fn but(&self, what: &str) -> String {
        with_words(what, &self.stderr)
    }
}

fn with_words(what: &str, stderr: &str) -> String {
    match stderr.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{what} ({})", shortened(line, WORDS_CHARS_MAX)),
        None => what.to_owned(),
    }
}

impl Read {
    /// The same, if all of it is about lines that are there. What is said of files that could not be read, and of
    /// lines that were put before them, is left out.
    pub(super) fn within(mut self, files: &[File]) -> Result<Read, String> {
        for finding in &self.findings {
            let lines = files[finding.file].text.lines().count();
            // Behind the last line: something is missing at the end.
            if !(1..=lines + 1).contains(&finding.row) {
                return Err(format!(
                    "its output cannot be read: it speaks of line {} of {lines}",
                    finding.row
                ));
            }
        }
        self.findings.retain(|finding| {
            !self.unread.contains(&finding.file) && finding.row > files[finding.file].before
        });
        Ok(self)
    }
}

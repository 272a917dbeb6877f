//! Which calls were made, by whom, and what came of them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// What came of a call, as far as it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was received, and nothing has come of it yet.
    Begun,
    /// Its reply was handed to the network whole.
    Answered,
    /// The script cut its reply off.
    Cut,
    /// The caller went away before the reply was at its end.
    Abandoned,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Which call it was; the first is 1.
    pub number: u64,
    /// When that became of it, in milliseconds since 1970.
    pub at_ms: u64,
    /// The same moment in microseconds, to measure by.
    pub at_us: u64,
    /// The model that was asked for.
    pub model: String,
    /// Whom the call was made for: the `user` of the request.
    pub caller: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// Keeps the calls of one server.
#[derive(Debug, Default)]
pub struct Ledger {
    kept: Option<Mutex<Vec<Entry>>>,
    file: Option<Mutex<File>>,
}

impl Ledger {
    /// A ledger that keeps every call in memory.
    #[must_use]
    pub fn in_memory() -> Ledger {
        Ledger { kept: Some(Mutex::default()), file: None }
    }

    /// A ledger that keeps nothing.
    #[must_use]
    pub fn none() -> Ledger {
        Ledger::default()
    }

    /// A ledger that appends a line of JSON to a file when a call begins, and another one when it ends.
    pub fn in_file(path: &Path) -> io::Result<Ledger> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Ledger { kept: None, file: Some(Mutex::new(file)) })
    }

    /// The calls so far, in the order in which they came, each with what has become of it.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let kept = self.kept.as_ref().map(|kept| kept.lock().unwrap_or_else(PoisonError::into_inner).clone());
        kept.unwrap_or_default()
    }

    pub(crate) fn begin(self: &Arc<Self>, number: u64, model: &str, caller: &str) -> Turn {
        if self.kept.is_none() && self.file.is_none() {
            return Turn::default();
        }
        let at_us = now_us();
        let entry = Entry {
            number,
            at_ms: at_us / 1000,
            at_us,
            model: model.into(),
            caller: caller.into(),
            outcome: Outcome::Begun,
        };
        self.write(&entry);
        let mut at = 0;
        if let Some(kept) = &self.kept {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            at = kept.len();
            kept.push(entry.clone());
        }
        Turn { open: Some((self.clone(), at, entry)) }
    }

    fn end(&self, at: usize, mut entry: Entry, outcome: Outcome) {
        let at_us = now_us();
        (entry.at_ms, entry.at_us, entry.outcome) = (at_us / 1000, at_us, outcome);
        self.write(&entry);
        if let Some(kept) = &self.kept
            && let Some(place) = kept.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at)
        {
            *place = entry;
        }
    }

    /// Written at once and unbuffered: whoever reads the file sees every call that was received.
    fn write(&self, entry: &Entry) {
        if let Some(file) = &self.file
            && let Ok(mut line) = serde_json::to_vec(entry)
        {
            line.push(b'\n');
            let written = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
            if let Err(error) = written {
                eprintln!("the ledger cannot be written: {error}");
            }
        }
    }
}

/// A call that goes on; dropped without an end, it was abandoned.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    open: Option<(Arc<Ledger>, usize, Entry)>,
}

impl Turn {
    pub(crate) fn end(&mut self, outcome: Outcome) {
        if let Some((ledger, at, entry)) = self.open.take() {
            ledger.end(at, entry, outcome);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.end(Outcome::Abandoned);
    }
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

//! The ledger of the scripted model: which calls were made, and what came of them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::time::sleep;

/// How often the ledger is looked at by those who wait for something to stand in it.
const LOOK: Duration = Duration::from_millis(50);

/// A line of the ledger.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry<'a> {
    pub(crate) at_us: u64,
    /// The job's id, `{deliberation}/{round}/{kind}/{agent}`.
    pub(crate) caller: &'a str,
    pub(crate) outcome: &'a str,
}

/// The entry that a line holds.
pub(crate) fn entry(line: &str) -> anyhow::Result<Entry<'_>> {
    serde_json::from_str(line).context("reading a line of the ledger")
}

/// Counts of the calls so far.
pub(crate) struct Tally {
    path: PathBuf,
    read_to: u64,
    /// How often each job was asked for.
    asked: HashMap<String, u32>,
    begun: BTreeMap<String, usize>,
    answered: BTreeMap<String, usize>,
}

impl Tally {
    /// Of the ledger in `path`, from its beginning.
    pub(crate) fn of(path: &Path) -> Tally {
        Tally {
            path: path.to_owned(),
            read_to: 0,
            asked: HashMap::new(),
            begun: BTreeMap::new(),
            answered: BTreeMap::new(),
        }
    }

    /// Calls for jobs of a kind that were received.
    pub(crate) fn begun(&self, kind: &str) -> usize {
        self.begun.get(kind).copied().unwrap_or_default()
    }

    /// Calls for jobs of a kind whose answer went out whole.
    pub(crate) fn answered(&self, kind: &str) -> usize {
        self.answered.get(kind).copied().unwrap_or_default()
    }

    /// How many jobs were asked for.
    pub(crate) fn jobs(&self) -> usize {
        self.asked.len()
    }

    /// How many jobs were asked for more than once.
    pub(crate) fn asked_again(&self) -> usize {
        self.asked.values().filter(|times| **times > 1).count()
    }

    /// Reads on until `there` holds.
    pub(crate) async fn wait(
        &mut self,
        what: &str,
        patience: Duration,
        there: impl Fn(&Tally) -> bool,
    ) -> anyhow::Result<()> {
        let until = Instant::now() + patience;
        loop {
            self.read_on()?;
            if there(self) {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "{what}: not so after {patience:?}; begun {:?}, answered {:?}",
                self.begun,
                self.answered
            );
            sleep(LOOK).await;
        }
    }

    /// Takes in what was written since the last time.
    pub(crate) fn read_on(&mut self) -> anyhow::Result<()> {
        let mut file = File::open(&self.path).context("opening the model's ledger")?;
        file.seek(SeekFrom::Start(self.read_to))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // The last line may be half written.
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        self.read_to += whole as u64;
        for line in text[..whole].lines() {
            let Entry { caller, outcome, .. } = entry(line)?;
            let kind = caller.rsplit('/').nth(1).unwrap_or_default().to_owned();
            match outcome {
                "begun" => {
                    *self.asked.entry(caller.to_owned()).or_default() += 1;
                    *self.begun.entry(kind).or_default() += 1;
                }
                "answered" => *self.answered.entry(kind).or_default() += 1,
                _ => {}
            }
        }
        Ok(())
    }
}

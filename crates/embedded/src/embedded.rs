//! All of it together.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use fleet_orchestrator::port::{Announcements, Answers, Clock, Entropy, EventStore, JobQueue, StoreError};
use tokio::sync::mpsc;

use crate::announcements::SqliteAnnouncements;
use crate::answers::SqliteAnswers;
use crate::attempts::Attempts;
use crate::checkpoint::Checkpoints;
use crate::event_store::SqliteEventStore;
use crate::job_queue::MemoryJobQueue;
use crate::known_answers::KnownAnswers;
use crate::ledger::{Given, Ledger};
use crate::reader::Reader;
use crate::recent::Recent;
use crate::stats::Counters;
use crate::write::{WRITES_MAX, Writes};
use crate::writer::{Shared, Writer};
use crate::{OpenError, StateLock, Stats, SystemEntropy, Ticks, connection, restore, schema};

/// What can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a lease of a job holds without a beat, in milliseconds.
    pub lease_ms: u64,
    /// The most pages of 4 KiB the file may have; what does not fit is refused. None is the limit of the
    /// disk.
    pub pages_max: Option<u32>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { lease_ms: 30_000, pages_max: None }
    }
}

/// The ports for one process, on a directory of state.
pub struct Embedded {
    /// Histories.
    pub events: Arc<dyn EventStore>,
    /// Answers.
    pub answers: Arc<dyn Answers>,
    /// Jobs.
    pub jobs: Arc<dyn JobQueue>,
    /// Announcements.
    pub announcements: Arc<dyn Announcements>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Progress, to be shown and to be watched.
    pub ticks: Arc<Ticks>,
    writes: Writes,
    shared: Arc<Shared>,
    lock: Arc<StateLock>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Embedded {
    /// Opens the state in `dir` for this process alone; makes it where there is none.
    pub fn open(dir: &Path, settings: Settings, clock: Arc<dyn Clock>) -> Result<Embedded, OpenError> {
        let path = dir.join(schema::FILE);
        let sqlite = |error| OpenError::sqlite(&path, error);
        let io = |error| OpenError::io(&path, error);

        let lock = Arc::new(StateLock::take(dir)?);
        if let Some(before) = restore::complete(dir).map_err(|error| OpenError::io(dir, error))? {
            tracing::warn!(before = %before.display(), "a restore that was interrupted is complete now");
        }
        let mut ledger = Ledger::open(connection::writer(dir, settings.pages_max)?).map_err(sqlite)?;
        let attempts = Attempts::stored(ledger.attempts().map_err(sqlite)?);
        let shared = Arc::new(shared(ledger.given(), attempts));
        let reader = Reader::start(connection::reader(dir)?, connection::reader(dir)?).map_err(io)?;
        let checkpoints =
            Checkpoints::start(ledger.connection(), connection::checkpointer(dir)?).map_err(sqlite)?;
        let (writes, inbox) = mpsc::channel(WRITES_MAX);
        let writes = Writes::to(writes);
        let waits = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(io)?;
        let writer = Writer {
            ledger,
            dir: dir.to_owned(),
            had_room: None,
            inbox,
            shared: Arc::clone(&shared),
            checkpoints,
            waits,
            lock: Arc::clone(&lock),
        };
        let writer = writer.start().map_err(io)?;

        Ok(Embedded {
            events: Arc::new(SqliteEventStore {
                writes: writes.clone(),
                reader: reader.clone(),
                shared: Arc::clone(&shared),
            }),
            answers: Arc::new(SqliteAnswers { writes: writes.clone(), reader, shared: Arc::clone(&shared) }),
            jobs: Arc::new(MemoryJobQueue::new(
                writes.clone(),
                Arc::clone(&shared),
                Arc::clone(&clock),
                settings.lease_ms,
            )),
            announcements: Arc::new(SqliteAnnouncements {
                writes: writes.clone(),
                shared: Arc::clone(&shared),
                clock,
            }),
            entropy: Arc::new(SystemEntropy),
            ticks: Arc::new(Ticks::new()),
            writes,
            shared,
            lock,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Says who works on the state, for others who would like to: a line for people.
    pub fn describe(&self, holder: &str) -> std::io::Result<()> {
        self.lock.describe(holder)
    }

    /// What the writer has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.stats()
    }

    /// Whether commits fail, because there is no room or the disk does not do it.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.shared.failing.load(Ordering::Relaxed)
    }

    /// Does all writes handed over so far, takes the log over into the file, and closes it. Later writes
    /// are refused. Others may open the state once this instance is dropped.
    pub async fn close(&self) {
        self.writes.close().await;
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // Either fails only if the writer panicked, which has been said by then.
            _ = tokio::task::spawn_blocking(move || _ = writer.join()).await;
        }
    }
}

/// Histories and answers for reading only, while another process may write.
pub struct ReadOnly {
    /// Histories. A tail gives what there is, and does not wake up for what others write later.
    pub events: Arc<dyn EventStore>,
    /// Answers. A tail gives what there is, and does not wake up for what others write later.
    pub answers: Arc<dyn Answers>,
}

impl ReadOnly {
    /// Opens the state in `dir` without asking who works on it.
    pub fn open(dir: &Path) -> Result<ReadOnly, OpenError> {
        let path = dir.join(schema::FILE);
        let ledger = Ledger::open(connection::reader(dir)?).map_err(|e| OpenError::sqlite(&path, e))?;
        let given = ledger.given();
        let shared = Arc::new(shared(given, Attempts::default()));
        let reader = Reader::start(connection::reader(dir)?, connection::reader(dir)?)
            .map_err(|error| OpenError::io(&path, error))?;
        let writes = Writes::refused();
        Ok(ReadOnly {
            events: Arc::new(SqliteEventStore {
                writes: writes.clone(),
                reader: reader.clone(),
                shared: Arc::clone(&shared),
            }),
            answers: Arc::new(SqliteAnswers { writes, reader, shared }),
        })
    }
}

fn shared(given: Given, attempts: Attempts) -> Shared {
    Shared {
        records: Recent::behind_stored(given.records),
        answers: Recent::behind_stored(given.answers),
        known: KnownAnswers::new(),
        attempts,
        asleep: AtomicBool::new(false),
        published: AtomicU64::new(given.published),
        failing: AtomicBool::new(false),
        counters: Counters::default(),
    }
}

/// Nothing that can be done with an open store needs more than this.
const _: fn() = || {
    fn usable_anywhere<T: Send + Sync>() {}
    usable_anywhere::<Embedded>();
    usable_anywhere::<ReadOnly>();
    usable_anywhere::<StoreError>();
};

//! The one thread that writes: it takes all writes that wait into one transaction, syncs once, and only
//! then answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fleet_deliberation::Answer;
use fleet_orchestrator::chain;
use fleet_orchestrator::port::{Recorded, StoreError, Stored};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::StateLock;
use crate::attempts::Attempts;
use crate::checkpoint::Checkpoints;
use crate::error::{Nonsense, store_error};
use crate::known_answers::KnownAnswers;
use crate::ledger::{Applied, Committed, Ledger};
use crate::recent::Recent;
use crate::room;
use crate::stats::Counters;
use crate::write::Write;

/// The most writes that share one commit.
const BATCH_MAX: usize = 1024;

/// The bytes after which a batch is taken no further.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How long after the last write the writer looks for counts of attempts.
const LINGER: Duration = Duration::from_millis(20);

/// How long it is believed that there is room, however often it is asked.
const ROOM_HOLDS: Duration = Duration::from_secs(1);

/// What the writer tells everyone else.
pub(crate) struct Shared {
    pub(crate) records: Recent<Stored>,
    pub(crate) answers: Recent<Arc<Answer>>,
    pub(crate) known: KnownAnswers,
    pub(crate) attempts: Attempts,
    /// Whether the writer sleeps until it is woken, so that it would not notice attempts by itself.
    pub(crate) asleep: AtomicBool,
    pub(crate) published: AtomicU64,
    /// Whether commits fail, because there is no room or the disk does not do it.
    pub(crate) failing: AtomicBool,
    pub(crate) counters: Counters,
}

/// The writer, before and while it runs.
pub(crate) struct Writer {
    pub(crate) ledger: Ledger,
    pub(crate) dir: PathBuf,
    /// When there was room.
    pub(crate) had_room: Option<Instant>,
    pub(crate) inbox: mpsc::Receiver<Write>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) checkpoints: Checkpoints,
    /// What the thread waits with.
    pub(crate) waits: Runtime,
    /// Held until the last write is done, whoever else lets go of it before.
    pub(crate) lock: Arc<StateLock>,
}

impl Writer {
    /// Starts the thread. It ends when told to, or when the last way to it is dropped, after all writes
    /// before that.
    pub(crate) fn start(self) -> std::io::Result<JoinHandle<()>> {
        thread::Builder::new().name("fleet-write".into()).spawn(move || self.run())
    }

    fn run(mut self) {
        let mut waiting = Vec::with_capacity(BATCH_MAX);
        while self.next(&mut waiting) {
            while !waiting.is_empty() {
                let batch = waiting.drain(..batch_len(&waiting)).collect();
                self.commit(batch);
                if self.checkpoints.between_commits(self.ledger.connection()) {
                    self.shared.counters.checkpointed();
                }
            }
        }
        // Counts that nobody nudged for.
        self.commit(Vec::new());
        self.checkpoints.finish(self.ledger.connection());
        drop(self.ledger);
        drop(self.lock);
    }

    /// Waits for writes; false when none can come any more. Counts of attempts are stored when nothing
    /// else comes for a while, so that they need not wake anybody as long as something does.
    fn next(&mut self, waiting: &mut Vec<Write>) -> bool {
        let soon = self.inbox.recv_many(waiting, BATCH_MAX);
        let received = match self.waits.block_on(async { timeout(LINGER, soon).await }) {
            Ok(received) => received,
            Err(_) => {
                self.shared.asleep.store(true, Ordering::SeqCst);
                // Looked at only now: whoever counts from here on sees that nobody is awake.
                self.commit(Vec::new());
                let received = self.inbox.blocking_recv_many(waiting, BATCH_MAX);
                self.shared.asleep.store(false, Ordering::SeqCst);
                received
            }
        };
        received > 0
    }

    fn commit(&mut self, mut batch: Vec<Write>) {
        if batch.iter().any(|write| matches!(write, Write::Close)) {
            // What was sent before is still received.
            self.inbox.close();
        }
        if batch.iter().any(|write| matches!(write, Write::Probe { .. })) {
            batch = self.refuse_probes_without_room(batch);
        }
        let attempts = self.shared.attempts.take_changes();
        let alone = attempts.is_empty();
        if alone && batch.is_empty() {
            return;
        }
        let result = self.ledger.transact(&batch, &attempts);
        self.shared.attempts.settle(attempts, result.is_ok());
        self.note(result.as_ref().err());
        match result {
            Ok(committed) => self.settle(batch, committed),
            Err(error) if !alone && concerns_one(&error) => self.commit_apart(batch),
            Err(error) => self.split(batch, &error),
        }
    }

    /// Commits without the attempts, for which nobody waits.
    fn commit_apart(&mut self, batch: Vec<Write>) {
        let result = self.ledger.transact(&batch, &[]);
        self.note(result.as_ref().err());
        match result {
            Ok(committed) => self.settle(batch, committed),
            Err(error) => self.split(batch, &error),
        }
    }

    fn refuse_probes_without_room(&mut self, batch: Vec<Write>) -> Vec<Write> {
        let known = self.had_room.is_some_and(|looked| looked.elapsed() < ROOM_HOLDS);
        if known && !self.shared.failing.load(Ordering::Relaxed) {
            return batch;
        }
        let Err(error) = room::look(&self.dir) else {
            self.had_room = Some(Instant::now());
            return batch;
        };
        let refused = |error: &StoreError| match error {
            StoreError::Full => StoreError::Full,
            other => StoreError::Unavailable(Nonsense(chain(other)).into()),
        };
        let (probes, rest): (Vec<Write>, Vec<Write>) =
            batch.into_iter().partition(|write| matches!(write, Write::Probe { .. }));
        probes.into_iter().for_each(|probe| probe.refuse(refused(&error)));
        self.fails(&error);
        rest
    }

    fn note(&mut self, error: Option<&rusqlite::Error>) {
        match error.map(store_error) {
            // What is broken in one place says nothing about others.
            Some(StoreError::Corrupt(..)) => {}
            Some(error) => self.fails(&error),
            // What is small may still find room where nothing else does.
            None if self.shared.failing.load(Ordering::Relaxed) && room::look(&self.dir).is_ok() => {
                self.shared.failing.store(false, Ordering::Relaxed);
                tracing::info!(state = %self.dir.display(), "the state can be written again");
            }
            None => {}
        }
    }

    /// Says it in the log, once until it works again.
    fn fails(&mut self, error: &StoreError) {
        if !self.shared.failing.swap(true, Ordering::Relaxed) {
            tracing::error!(state = %self.dir.display(), error = chain(error), "the state cannot be written");
        }
    }

    /// One write may be too large for the room that is left, or meet a broken page. The others, above all
    /// those that free room, are not to suffer for it.
    fn split(&mut self, mut batch: Vec<Write>, error: &rusqlite::Error) {
        if batch.len() > 1 && concerns_one(error) {
            let rest = batch.split_off(batch.len() / 2);
            self.commit_apart(batch);
            self.commit_apart(rest);
        } else {
            batch.into_iter().for_each(|write| write.refuse(store_error(error)));
        }
    }

    /// Makes known what is durable now: first to those who look for it, then to those who wrote it.
    fn settle(&mut self, writes: Vec<Write>, Committed { applied, given, took }: Committed) {
        let shared = &self.shared;
        let (mut records, mut answers) = (Vec::new(), Vec::new());
        for (write, applied) in writes.iter().zip(&applied) {
            match (write, applied) {
                (_, Applied::Appended(stored, opened)) => {
                    if let Some(opened) = opened {
                        shared.known.opened(opened.clone());
                    }
                    let size = stored.entry.body.len() + size_of::<Stored>();
                    records.push((stored.position.0, size, stored.clone()));
                }
                (Write::Record { answer, body, .. }, Applied::Recorded(position)) => {
                    shared.known.recorded(Arc::clone(answer), body.len());
                    answers.push((*position, body.len() + size_of::<Answer>(), Arc::clone(answer)));
                }
                (Write::ForgetHistory { history, .. }, Applied::HistoryForgotten(last)) => {
                    records.retain(|(_, _, stored): &(_, _, Stored)| stored.history != *history);
                    shared.records.forget(*last, |stored| stored.history == *history);
                }
                (Write::ForgetAnswers { deliberation, .. }, Applied::AnswersForgotten(last)) => {
                    let gone = |answer: &Arc<Answer>| answer.job.deliberation == *deliberation;
                    shared.known.forget(deliberation);
                    answers.retain(|(_, _, answer)| !gone(answer));
                    shared.answers.forget(*last, gone);
                }
                _ => {}
            }
        }
        shared.published.store(given.published, Ordering::Release);
        shared.records.push(records, given.records);
        shared.answers.push(answers, given.answers);
        let operations = writes.iter().filter(|write| write.is_awaited()).count();
        shared.counters.committed(operations, took, self.checkpoints.pages());
        writes.into_iter().zip(applied).for_each(|(write, applied)| answer(write, applied));
    }
}

/// Whether others in the same transaction might do better without the write that failed.
fn concerns_one(error: &rusqlite::Error) -> bool {
    matches!(store_error(error), StoreError::Full | StoreError::Corrupt(..))
}

fn batch_len(waiting: &[Write]) -> usize {
    let mut bytes = 0;
    let fits = waiting.iter().take_while(|write| {
        let room = bytes < BATCH_BYTES_MAX;
        bytes += write.bytes();
        room
    });
    fits.count()
}

fn answer(write: Write, applied: Applied) {
    // Whoever waited may be gone.
    match (write, applied) {
        (write, Applied::Conflict) => write.refuse(StoreError::Conflict),
        (Write::Append { done, .. }, Applied::Appended(stored, _)) => _ = done.send(Ok(stored.sequence)),
        (Write::Record { done, .. }, Applied::Recorded(_)) => _ = done.send(Ok(Recorded::First)),
        (Write::Record { done, .. }, Applied::Already) => _ = done.send(Ok(Recorded::Already)),
        (
            Write::ForgetHistory { done, .. }
            | Write::ForgetAnswers { done, .. }
            | Write::Publish { done, .. }
            | Write::Probe { done },
            _,
        ) => _ = done.send(Ok(())),
        // Nobody waits, or `done` is dropped and says that we are closed: a bug, but not theirs.
        (Write::Append { .. } | Write::Record { .. } | Write::Attempts | Write::Close, _) => {}
    }
}

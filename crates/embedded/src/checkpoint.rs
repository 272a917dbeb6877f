//! Taking the write-ahead log over into the file, beside the writer.
//!
//! SQLite can only begin its log anew when all of it was taken over and nothing was written meanwhile,
//! which under load never happens by itself. So a thread of its own does the bulk, and the writer what
//! came in since, between two commits and after the answers to the first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use fleet_orchestrator::chain;
use rusqlite::Connection;

/// Pages in the log from which it is taken over: 64 MiB.
const PAGES: usize = 16384;

/// The writer's side of checkpoints.
pub(crate) struct Checkpoints {
    pages: Arc<AtomicUsize>,
    asked: bool,
    done: Arc<AtomicBool>,
    ask: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread on `connection`, and listens to how long the log is after each of `writer`'s
    /// commits.
    pub(crate) fn start(writer: &mut Connection, connection: Connection) -> rusqlite::Result<Checkpoints> {
        let pages = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&pages);
        writer.wal_hook(Some(move |_: &mut _, pages| {
            seen.store(usize::try_from(pages).unwrap_or_default(), Ordering::Relaxed);
            Ok(())
        }))?;
        let done = Arc::new(AtomicBool::new(false));
        let (ask, asked) = sync_channel(1);
        let mut checkpoints = Checkpoints { pages, asked: false, done, ask: Some(ask), thread: None };
        let done = Arc::clone(&checkpoints.done);
        let thread = thread::Builder::new().name("fleet-checkpoint".into());
        match thread.spawn(move || serve(&connection, &asked, &done)) {
            Ok(thread) => checkpoints.thread = Some(thread),
            Err(error) => tracing::warn!(error = chain(&error), "checkpoints are left to the writer"),
        }
        Ok(checkpoints)
    }

    /// How many pages the log held after the last commit.
    pub(crate) fn pages(&self) -> usize {
        self.pages.load(Ordering::Relaxed)
    }

    /// Does what is due between two commits. True when the log was taken over.
    pub(crate) fn between_commits(&mut self, writer: &Connection) -> bool {
        let bulk_is_done = if self.asked {
            self.done.swap(false, Ordering::Acquire)
        } else if self.pages() >= PAGES {
            self.asked = self.ask.as_ref().is_some_and(|ask| ask.try_send(()).is_ok());
            !self.asked
        } else {
            false
        };
        if bulk_is_done {
            self.asked = false;
            checkpoint(writer, "PASSIVE");
        }
        bulk_is_done
    }

    /// Takes all of the log over and ends the thread.
    pub(crate) fn finish(mut self, writer: &Connection) {
        drop(self.ask.take());
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
        checkpoint(writer, "TRUNCATE");
    }
}

fn serve(connection: &Connection, asked: &Receiver<()>, done: &AtomicBool) {
    while asked.recv().is_ok() {
        checkpoint(connection, "PASSIVE");
        done.store(true, Ordering::Release);
    }
}

fn checkpoint(connection: &Connection, mode: &str) {
    let sql = format!("PRAGMA wal_checkpoint({mode})");
    // The log only grows meanwhile; the next one may do better.
    if let Err(error) = connection.query_row(&sql, [], |_| Ok(())) {
        tracing::warn!(error = chain(&error), "the log could not be taken over");
    }
}

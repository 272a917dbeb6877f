//! Threads that read SQLite, so that no task waits for a disk on a thread others need.

use std::thread;

use fleet_orchestrator::port::StoreError;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::{closed, store_error};

/// The most reads that wait for a thread; whoever comes then waits before.
const READS_MAX: usize = 1024;

/// The most reads done in one transaction.
const BATCH_MAX: usize = 128;

type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Hands reads to threads. One does what is small and waited for, another what may take long.
#[derive(Clone)]
pub(crate) struct Reader {
    points: mpsc::Sender<Read>,
    scans: mpsc::Sender<Read>,
}

impl Reader {
    /// Starts the threads on connections of their own. They end when the last reader is dropped.
    pub(crate) fn start(points: Connection, scans: Connection) -> std::io::Result<Reader> {
        let start = |name: &str, connection: Connection| {
            let (requests, inbox) = mpsc::channel(READS_MAX);
            thread::Builder::new().name(name.into()).spawn(move || serve(&connection, inbox))?;
            Ok::<_, std::io::Error>(requests)
        };
        Ok(Reader { points: start("fleet-read", points)?, scans: start("fleet-scan", scans)? })
    }

    /// Does a read that touches little.
    pub(crate) async fn point<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        run(&self.points, read).await
    }

    /// Does a read that may touch much.
    pub(crate) async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        run(&self.scans, read).await
    }
}

async fn run<T: Send + 'static>(
    requests: &mpsc::Sender<Read>,
    read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (done, result) = oneshot::channel();
    let read: Read = Box::new(move |connection| {
        // Whoever asked may be gone.
        _ = done.send(read(connection));
    });
    requests.send(read).await.map_err(|_| closed())?;
    result.await.map_err(|_| closed())?
}

fn serve(connection: &Connection, mut inbox: mpsc::Receiver<Read>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while inbox.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
        // The snapshot is taken by the first read in the transaction, so it holds all that was committed
        // before any of these were asked for. Without a transaction each read takes one of its own.
        let together = batch.len() > 1 && connection.execute_batch("BEGIN").is_ok();
        for read in batch.drain(..) {
            read(connection);
        }
        if together && let Err(error) = connection.execute_batch("COMMIT") {
            tracing::warn!(error = %store_error(&error), "a read transaction did not end");
        }
    }
}

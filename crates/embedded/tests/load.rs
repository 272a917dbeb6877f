//! Under load, syncs are shared, the log stays short, and nobody who lags behind misses anything.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::sync::Arc;

use bytes::Bytes;
use fleet_deliberation::{DeliberationId, Timestamp};
use fleet_embedded::{Embedded, Settings, SystemClock};
use fleet_orchestrator::port::{Entry, HistoryId, Position, Sequence};
use tokio::task::JoinSet;

fn open() -> (tempfile::TempDir, Arc<Embedded>) {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path(), Settings::default(), Arc::new(SystemClock)).unwrap();
    (dir, Arc::new(store))
}

/// Many append at once, each to histories of its own.
async fn append(store: &Arc<Embedded>, writers: usize, records: usize, bytes: usize) {
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let history = HistoryId::deliberation(&DeliberationId::new(&writer.to_string()).unwrap());
            let body = Bytes::from(vec![b'x'; bytes]);
            for after in 0..records as u64 {
                let entry = Entry { body: body.clone(), at: Timestamp(1), ends: false };
                store.events.append(&history, Sequence(after), entry).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_that_wait_share_a_sync() {
    let (_dir, store) = open();
    append(&store, 200, 10, 100).await;
    let stats = store.stats();
    assert_eq!(stats.operations, 2000);
    assert!(stats.commits < 1000, "{} syncs", stats.commits);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_short_while_many_write() {
    let (dir, store) = open();
    append(&store, 64, 100, 64 * 1024).await;
    let stats = store.stats();
    assert!(stats.checkpoints >= 2, "{} checkpoints of some 400 MiB", stats.checkpoints);
    let log = std::fs::metadata(dir.path().join("fleet.db-wal")).unwrap().len();
    assert!(log < 256 * 1024 * 1024, "the log has {log} bytes");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_lags_far_behind_is_served_from_the_file() {
    const RECORDS: usize = 20_000;
    let (_dir, store) = open();
    append(&store, 1000, RECORDS / 1000, 20).await;
    let (mut position, mut followed) = (Position(0), 0);
    while followed < RECORDS {
        let records = store.events.tail(position, 777).await.unwrap();
        for record in &records {
            assert_eq!(record.position, Position(position.0 + 1), "nothing is left out");
            position = record.position;
        }
        followed += records.len();
    }
    store.close().await;
}

//! Files that are not ours, too new, broken or full are told apart, and nothing in them is harmed.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fleet_deliberation::{AgentId, Answer, DeliberationId, Generation, JobId, JobKind, Outcome, Timestamp};
use fleet_embedded::{Embedded, OpenError, ReadOnly, Settings, SystemClock};
use fleet_orchestrator::port::{Entry, HistoryId, HistoryKind, Listing, Position, Sequence, StoreError};
use rusqlite::Connection;
use tokio::task::JoinSet;

const KIB: usize = 1024;

fn try_open(dir: &Path) -> Result<Embedded, OpenError> {
    Embedded::open(dir, Settings::default(), Arc::new(SystemClock))
}

fn history(name: &str) -> HistoryId {
    HistoryId::deliberation(&DeliberationId::new(name).unwrap())
}

fn entry(bytes: usize, ends: bool) -> Entry {
    Entry { body: Bytes::from(vec![b'x'; bytes]), at: Timestamp(1), ends }
}

fn answer(name: &str) -> Answer {
    let text = "x".repeat(4 * KIB);
    Answer {
        job: JobId {
            deliberation: DeliberationId::new(name).unwrap(),
            round: 0,
            kind: JobKind::Propose,
            subject: AgentId::new("x").unwrap(),
        },
        attempt: 1,
        started_at: Timestamp(1),
        ended_at: Timestamp(2),
        outcome: Outcome::Text(Generation { text, ..Generation::default() }),
    }
}

async fn filled(dir: &Path) {
    let store = try_open(dir).unwrap();
    for n in 0..100 {
        let name = n.to_string();
        store.events.append(&history(&name), Sequence(0), entry(4 * KIB, false)).await.unwrap();
        store.answers.record(answer(&name)).await.unwrap();
    }
    store.close().await;
}

#[tokio::test]
async fn state_is_closed_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("a/b");
    let store = try_open(&state).unwrap();
    store.events.append(&history("a"), Sequence(0), entry(1, false)).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for file in ["fleet.db", "fleet.db-wal", "lock"] {
        assert_eq!(mode(&state.join(file)), 0o600, "{file}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let path = dir.path().join("fleet.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 4).unwrap();
    let before = fs::read(&path).unwrap();
    for _ in 0..2 {
        assert!(matches!(try_open(dir.path()), Err(OpenError::Newer { found: 4, known: 3, .. })));
        assert!(matches!(ReadOnly::open(dir.path()), Err(OpenError::Newer { found: 4, known: 3, .. })));
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_newer_format_that_only_the_log_knows_of_is_refused_too() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let path = dir.path().join("fleet.db");
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 7).unwrap();
    let log = dir.path().join("fleet.db-wal");
    let before = (fs::read(&path).unwrap(), fs::read(&log).unwrap());
    assert!(matches!(try_open(dir.path()), Err(OpenError::Newer { found: 7, known: 3, .. })));
    assert_eq!((fs::read(&path).unwrap(), fs::read(&log).unwrap()), before);
}

#[tokio::test]
async fn a_foreign_file_is_refused_and_left_alone() {
    let text =
        |path: &Path| fs::write(path, "Dear diary, this is none of your business. ".repeat(9)).unwrap();
    let short = |path: &Path| fs::write(path, "short").unwrap();
    let sqlite = |path: &Path| {
        Connection::open(path).unwrap().execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    };
    let marked = |path: &Path| {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "application_id", 77).unwrap();
    };
    let foreign: [&dyn Fn(&Path); 4] = [&text, &short, &sqlite, &marked];
    for write in foreign {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.db");
        write(&path);
        let before = fs::read(&path).unwrap();
        assert!(matches!(try_open(dir.path()), Err(OpenError::NotOurs(_))));
        assert!(matches!(ReadOnly::open(dir.path()), Err(OpenError::NotOurs(_))));
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn what_is_left_of_dying_while_making_the_file_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("fleet.db"), "").unwrap();
    filled(dir.path()).await;
    let dir = tempfile::tempdir().unwrap();
    let half_made = Connection::open(dir.path().join("fleet.db")).unwrap();
    half_made.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
    drop(half_made);
    filled(dir.path()).await;
}

#[tokio::test]
async fn a_log_without_the_file_it_belongs_to_is_kept_and_said() {
    for leave in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let store = try_open(dir.path()).unwrap();
        store.events.append(&history("a"), Sequence(0), entry(KIB, false)).await.unwrap();
        let (path, log) = (dir.path().join("fleet.db"), dir.path().join("fleet.db-wal"));
        let before = fs::read(&log).unwrap();
        assert!(!before.is_empty());
        // As if the machine had stopped at this moment, and somebody had lost the file since.
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("fleet.db-wal"), &before).unwrap();
        if leave {
            fs::write(dir.path().join("fleet.db"), "").unwrap();
        }
        assert!(matches!(try_open(dir.path()), Err(OpenError::Damaged(..))));
        assert!(matches!(ReadOnly::open(dir.path()), Err(OpenError::Damaged(..))));
        assert_eq!(fs::read(dir.path().join("fleet.db-wal")).unwrap(), before);
        assert!(path.exists());
        store.close().await;
    }
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_damaged_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let path = dir.path().join("fleet.db");
    let whole = fs::read(&path).unwrap();
    for kept in [whole.len() - 1, whole.len() / 2, 4 * KIB, 4 * KIB - 1, 512, 100] {
        fs::write(&path, &whole[..kept]).unwrap();
        let opened = try_open(dir.path()).map(|_| ());
        assert!(matches!(opened, Err(OpenError::Damaged(..))), "{kept}: {opened:?}");
        assert_eq!(fs::read(&path).unwrap(), &whole[..kept]);
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for at in [file.join("state"), file] {
        let Err(OpenError::NotWritable(path, _)) = try_open(&at) else { panic!() };
        assert_eq!(path, at);
    }
}

#[tokio::test]
async fn broken_pages_are_errors_and_nothing_worse() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let path = dir.path().join("fleet.db");
    let mut bytes = fs::read(&path).unwrap();
    // Everything but the first pages, which hold the schema.
    bytes[16 * 4 * KIB..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let store = match try_open(dir.path()) {
        Ok(store) => store,
        Err(OpenError::Damaged(..)) => return,
        Err(other) => panic!("{other:?}"),
    };
    let mut broken = 0;
    let mut count = |error: Option<StoreError>| match error {
        None => {}
        Some(StoreError::Corrupt(..) | StoreError::Unavailable(_)) => broken += 1,
        Some(other) => panic!("{other:?}"),
    };
    for n in 0..100 {
        let name = n.to_string();
        count(store.events.read(&history(&name), Sequence(0)).await.err());
        count(store.events.append(&history(&name), Sequence(1), entry(10, false)).await.err());
        count(store.answers.find(&answer(&name).job).await.err());
        count(store.answers.record(answer(&format!("new-{n}"))).await.err());
    }
    count(store.events.tail(Position(0), 1000).await.err());
    count(store.events.histories(Listing::Open(HistoryKind::Deliberation)).await.err());
    assert!(broken > 0);
    store.close().await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_corrupt_and_not_absent() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let file = Connection::open(dir.path().join("fleet.db")).unwrap();
    file.execute("UPDATE answers SET body = CAST('{\"job\":' AS BLOB) WHERE position = 7", []).unwrap();
    file.execute("DELETE FROM records WHERE history = 3", []).unwrap();
    drop(file);
    let store = try_open(dir.path()).unwrap();
    let found = store.answers.find(&answer("6").job).await;
    assert!(matches!(found, Err(StoreError::Corrupt(Sequence(7), _))), "{found:?}");
    assert!(matches!(store.answers.tail(Position(0), 100).await, Err(StoreError::Corrupt(..))));
    assert!(store.answers.find(&answer("7").job).await.unwrap().is_some());
    store.close().await;
}

#[tokio::test]
async fn a_gap_in_a_history_is_corrupt() {
    let dir = tempfile::tempdir().unwrap();
    let store = try_open(dir.path()).unwrap();
    for after in 0..5 {
        store.events.append(&history("a"), Sequence(after), entry(1, false)).await.unwrap();
    }
    store.close().await;
    drop(store);
    let file = Connection::open(dir.path().join("fleet.db")).unwrap();
    file.execute("DELETE FROM records WHERE sequence = 3", []).unwrap();
    drop(file);
    let store = try_open(dir.path()).unwrap();
    let read = store.events.read(&history("a"), Sequence(0)).await;
    assert!(matches!(read, Err(StoreError::Corrupt(Sequence(3), _))), "{read:?}");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_store_refuses_and_takes_more_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { pages_max: Some(256), ..Settings::default() };
    let store = Arc::new(Embedded::open(dir.path(), settings, Arc::new(SystemClock)).unwrap());
    let mut appends = JoinSet::new();
    for n in 0..200 {
        let store = Arc::clone(&store);
        appends.spawn(async move {
            let name = n.to_string();
            match store.events.append(&history(&name), Sequence(0), entry(16 * KIB, true)).await {
                Ok(_) => Some(name),
                Err(StoreError::Full) => None,
                Err(other) => panic!("{other:?}"),
            }
        });
    }
    let kept: Vec<String> = appends.join_all().await.into_iter().flatten().collect();
    assert!((20..64).contains(&kept.len()), "{} of 64 fit without what is beside them", kept.len());
    let newest = store
        .events
        .histories(Listing::Newest { kind: HistoryKind::Deliberation, limit: 1000 })
        .await
        .unwrap();
    assert_eq!(newest.len(), kept.len(), "what was refused is not there, nor a part of it");
    for name in &kept {
        assert_eq!(store.events.read(&history(name), Sequence(0)).await.unwrap().len(), 1);
    }
    assert_eq!(store.events.tail(Position(0), 1000).await.unwrap().len(), kept.len());

    // Room is made while others still try in vain: those that do not fit must not keep it from them.
    let mut tries = JoinSet::new();
    for n in 0..50 {
        let store = Arc::clone(&store);
        tries.spawn(async move {
            let name = format!("in-vain-{n}");
            store.events.append(&history(&name), Sequence(0), entry(1100 * KIB, false)).await.unwrap_err();
        });
    }
    for name in &kept {
        store.events.forget(&history(name)).await.unwrap();
    }
    tries.join_all().await;
    for n in 0..kept.len() {
        let name = format!("again-{n}");
        store.events.append(&history(&name), Sequence(0), entry(16 * KIB, false)).await.unwrap();
    }
    assert_eq!(
        store.events.histories(Listing::Open(HistoryKind::Deliberation)).await.unwrap().len(),
        kept.len()
    );
    store.close().await;
}

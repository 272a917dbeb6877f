//! A backup is a whole state of one moment; a restore takes its place, or leaves everything as it was.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use fleet_deliberation::{
    AgentId, Answer, DeliberationId, Generation, JobId, JobKind, Outcome, Priority, Timestamp,
};
use fleet_embedded::{
    BackupError, Contents, Embedded, OpenError, ReadOnly, RestoreError, Settings, StateLock, Step,
    SystemClock, Watch, back_up, restore,
};
use fleet_orchestrator::port::{Entry, HistoryId, HistoryKind, Listing, Sequence};
use rusqlite::Connection;

const KIB: usize = 1024;

fn open(dir: &Path) -> Embedded {
    Embedded::open(dir, Settings::default(), Arc::new(SystemClock)).unwrap()
}

fn history(name: &str) -> HistoryId {
    HistoryId::deliberation(&DeliberationId::new(name).unwrap())
}

fn entry(ends: bool) -> Entry {
    Entry { body: Bytes::from(vec![b'x'; 4 * KIB]), at: Timestamp(1), ends }
}

fn job(name: &str) -> JobId {
    JobId {
        deliberation: DeliberationId::new(name).unwrap(),
        round: 0,
        kind: JobKind::Propose,
        subject: AgentId::new("x").unwrap(),
    }
}

fn answer(name: &str) -> Answer {
    let generation = Generation { text: "x".repeat(4 * KIB), ..Generation::default() };
    let (started_at, ended_at) = (Timestamp(1), Timestamp(2));
    Answer { job: job(name), attempt: 1, started_at, ended_at, outcome: Outcome::Text(generation) }
}

/// Nobody watches.
fn unwatched() -> Watch {
    Arc::new(|_| ControlFlow::Continue(()))
}

/// A state of so many deliberations, the first of which has ended.
async fn state(names: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for (nth, name) in names.iter().enumerate() {
        store.events.append(&history(name), Sequence(0), entry(false)).await.unwrap();
        store.answers.record(answer(name)).await.unwrap();
        if nth == 0 {
            store.events.append(&history(name), Sequence(1), entry(true)).await.unwrap();
        }
    }
    store.close().await;
    dir
}

/// The names of the deliberations in a state, oldest first.
async fn names(dir: &Path) -> Vec<String> {
    let read = ReadOnly::open(dir).unwrap();
    let mut found = read
        .events
        .histories(Listing::Newest { kind: HistoryKind::Deliberation, limit: 10_000 })
        .await
        .unwrap();
    found.reverse();
    found.iter().map(|info| info.id.as_deliberation().unwrap().to_string()).collect()
}

/// Everything in a directory by its name; of directories, what is in them.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_while_others_write_holds_all_that_was_acknowledged_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()));
    let (acknowledged, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (counts, stops, writes) = (Arc::clone(&acknowledged), Arc::clone(&stop), Arc::clone(&store));
    let writing = tokio::spawn(async move {
        let mut n = 0;
        while !stops.load(Ordering::SeqCst) {
            let name = n.to_string();
            // The answer first: a history without its answer would show a moment that never was.
            writes.answers.record(answer(&name)).await.unwrap();
            writes.events.append(&history(&name), Sequence(0), entry(false)).await.unwrap();
            n += 1;
            counts.store(n, Ordering::SeqCst);
        }
    });
    let places = tempfile::tempdir().unwrap();
    let mut sizes = Vec::new();
    for nth in 0..10 {
        let before = acknowledged.load(Ordering::SeqCst);
        let (state, file) = (dir.path().to_owned(), places.path().join(format!("{nth}.db")));
        let copied = file.clone();
        let made = tokio::task::spawn_blocking(move || back_up(&state, &copied, false, &unwatched()));
        let made = made.await.unwrap().unwrap();
        let restored = places.path().join(nth.to_string());
        restore(&restored, &file, false, &unwatched()).unwrap();
        let names = names(&restored).await;
        assert!(names.len() as u64 >= before, "{before} were acknowledged, {} are there", names.len());
        assert_eq!((made.deliberations, made.open), (names.len() as u64, names.len() as u64));
        assert_eq!(names, (0..names.len()).map(|n| n.to_string()).collect::<Vec<_>>(), "without a gap");
        let read = ReadOnly::open(&restored).unwrap();
        for name in &names {
            assert_eq!(read.events.read(&history(name), Sequence(0)).await.unwrap().len(), 1);
            assert!(read.answers.find(&job(name)).await.unwrap().is_some());
        }
        sizes.push(names.len());
    }
    stop.store(true, Ordering::SeqCst);
    writing.await.unwrap();
    assert!(sizes.first() < sizes.last(), "nothing was written meanwhile: {sizes:?}");
    store.close().await;
}

#[tokio::test]
async fn a_backup_is_one_closed_file_without_counts_of_attempts() {
    let dir = state(&["a", "b"]).await;
    let store = open(dir.path());
    store.jobs.put(&[job("b")], Priority::Normal).await.unwrap();
    store.jobs.lease(1).await.unwrap();
    store.close().await;
    let attempts = |path: &Path| {
        let connection = Connection::open(path).unwrap();
        connection.query_row("SELECT count(*) FROM attempts", [], |row| row.get::<_, u32>(0)).unwrap()
    };
    assert_eq!(attempts(&dir.path().join("fleet.db")), 1);
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("backup.db");
    let made = back_up(dir.path(), &file, false, &unwatched()).unwrap();
    let bytes = fs::metadata(&file).unwrap().len();
    assert_eq!(made, Contents { deliberations: 2, open: 1, bytes });
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(attempts(&file), 0);
    assert_eq!(files(place.path()).len(), 1, "{:?}", files(place.path()));
}

#[tokio::test]
async fn what_has_the_name_of_a_backup_is_only_replaced_if_that_is_said() {
    let dir = state(&["a"]).await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("backup.db");
    fs::write(&file, "mine").unwrap();
    let refused = back_up(dir.path(), &file, false, &unwatched());
    assert!(matches!(refused, Err(BackupError::Exists(_))), "{refused:?}");
    assert_eq!(files(place.path()), [(file.clone(), b"mine".to_vec())]);
    assert_eq!(back_up(dir.path(), &file, true, &unwatched()).unwrap().deliberations, 1);
    let refused = back_up(dir.path(), place.path(), true, &unwatched());
    assert!(matches!(refused, Err(BackupError::Exists(_))), "a directory is not replaced: {refused:?}");
    for name in ["fleet.db", "fleet.db-wal", "fleet.db-shm", "lock", "restoring"] {
        let refused = back_up(dir.path(), &dir.path().join(name), true, &unwatched());
        assert!(matches!(refused, Err(BackupError::OfTheState(_))), "{name}: {refused:?}");
    }
    assert_eq!(names(dir.path()).await, ["a"]);
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_leaves_nothing_behind() {
    let dir = state(&["a"]).await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("backup.db");
    let nowhere = back_up(dir.path(), &place.path().join("no/backup.db"), false, &unwatched());
    assert!(matches!(nowhere, Err(BackupError::NotWritable(..))), "{nowhere:?}");
    for when in [|step| matches!(step, Step::Copying { .. }), |step| step == Step::Checking] {
        let stops: Watch = Arc::new(move |step| match when(step) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        // More than the steps between two looks.
        let store = open(dir.path());
        for n in 0..300 {
            let name = format!("more-{n}-{}", when(Step::Checking));
            store.events.append(&history(&name), Sequence(0), entry(false)).await.unwrap();
        }
        store.close().await;
        drop(store);
        let interrupted = back_up(dir.path(), &file, false, &stops);
        assert!(matches!(interrupted, Err(BackupError::Interrupted)), "{interrupted:?}");
        assert_eq!(files(place.path()), []);
    }
    let empty = tempfile::tempdir().unwrap();
    let missing = back_up(empty.path(), &file, false, &unwatched());
    assert!(matches!(missing, Err(BackupError::State(OpenError::Missing(_)))), "{missing:?}");
    let path = dir.path().join("fleet.db");
    let mut bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let damaged = back_up(dir.path(), &file, false, &unwatched());
    assert!(matches!(damaged, Err(BackupError::NotReadable(_))), "{damaged:?}");
    assert_eq!(files(place.path()), []);
}

#[tokio::test]
async fn what_is_no_backup_is_refused_before_anything_is_touched() {
    let (dir, place) = (state(&["a", "b"]).await, tempfile::tempdir().unwrap());
    let good = place.path().join("good.db");
    back_up(dir.path(), &good, false, &unwatched()).unwrap();
    let sound = fs::read(&good).unwrap();
    let file = place.path().join("file.db");
    let newer = |path: &Path| {
        fs::write(path, &sound).unwrap();
        Connection::open(path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    };
    let bad_page = |path: &Path| {
        let mut bytes = sound.clone();
        bytes[5 * 4 * KIB..6 * 4 * KIB].fill(0xa5);
        fs::write(path, bytes).unwrap();
    };
    let cut = |path: &Path| fs::write(path, &sound[..sound.len() - 4 * KIB]).unwrap();
    let garbage = |path: &Path| fs::write(path, "Dear diary, none of your business. ".repeat(99)).unwrap();
    let empty = |path: &Path| fs::write(path, "").unwrap();
    let foreign = |path: &Path| {
        _ = fs::remove_file(path);
        Connection::open(path).unwrap().execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    };
    let no_tables = |path: &Path| {
        fs::write(path, &sound).unwrap();
        Connection::open(path).unwrap().execute_batch("DROP TABLE histories").unwrap();
    };
    let missing = |path: &Path| fs::remove_file(path).unwrap();
    type Case<'a> = (&'a dyn Fn(&Path), fn(&OpenError) -> bool);
    let cases: [Case<'_>; 8] = [
        (&newer, |error| matches!(error, OpenError::Newer { found: 99, .. })),
        (&bad_page, |error| matches!(error, OpenError::Damaged(..))),
        (&cut, |error| matches!(error, OpenError::Damaged(..))),
        (&garbage, |error| matches!(error, OpenError::NotOurs(_))),
        (&empty, |error| matches!(error, OpenError::NotOurs(_))),
        (&foreign, |error| matches!(error, OpenError::NotOurs(_))),
        (&no_tables, |error| matches!(error, OpenError::Damaged(..))),
        (&missing, |error| matches!(error, OpenError::Missing(_))),
    ];
    // The lock says who held it last.
    let without_lock = |dir: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        files(dir).into_iter().filter(|(path, _)| !path.ends_with("lock")).collect()
    };
    let before = without_lock(dir.path());
    for (nth, (make, expected)) in cases.into_iter().enumerate() {
        make(&file);
        match restore(dir.path(), &file, true, &unwatched()) {
            Err(RestoreError::Backup(error)) if expected(&error) => {
                assert!(error.to_string().contains("file.db"), "case {nth} names the file: {error}");
            }
            other => panic!("case {nth}: {other:?}"),
        }
        assert_eq!(without_lock(dir.path()), before, "case {nth}");
    }
    let refused = restore(dir.path(), place.path(), true, &unwatched());
    assert!(matches!(refused, Err(RestoreError::Backup(OpenError::NotOurs(_)))), "{refused:?}");
    let (elsewhere, fresh) = (state(&["c"]).await, place.path().join("fresh"));
    let refused = restore(&fresh, &elsewhere.path().join("fleet.db"), true, &unwatched());
    assert!(matches!(refused, Err(RestoreError::WorkedOn(_))), "{refused:?}");
    assert!(!fresh.exists(), "nothing is made for what is no backup");
    let stops: Watch = Arc::new(|_| ControlFlow::Break(()));
    let interrupted = restore(dir.path(), &good, true, &stops);
    assert!(matches!(interrupted, Err(RestoreError::Interrupted)), "{interrupted:?}");
    assert_eq!(without_lock(dir.path()), before);
}

#[tokio::test]
async fn a_state_that_holds_deliberations_is_moved_aside_only_if_that_is_said() {
    let (old, new, place) = (state(&["a", "b"]).await, state(&["c"]).await, tempfile::tempdir().unwrap());
    let file = place.path().join("backup.db");
    back_up(new.path(), &file, false, &unwatched()).unwrap();
    // Something only the log holds.
    let store = open(old.path());
    store.events.append(&history("in-the-log"), Sequence(0), entry(false)).await.unwrap();
    let at_crash = tempfile::tempdir().unwrap();
    for name in ["fleet.db", "fleet.db-wal"] {
        fs::copy(old.path().join(name), at_crash.path().join(name)).unwrap();
    }
    let old = at_crash;
    assert!(fs::metadata(old.path().join("fleet.db-wal")).unwrap().len() > 0);

    let refused = restore(old.path(), &file, false, &unwatched());
    assert!(matches!(refused, Err(RestoreError::Holds { deliberations: 3, .. })), "{refused:?}");
    assert_eq!(names(old.path()).await, ["a", "b", "in-the-log"]);
    let restored = restore(old.path(), &file, true, &unwatched()).unwrap();
    assert_eq!(restored.contents.deliberations, 1);
    assert_eq!(names(old.path()).await, ["c"]);
    let before = restored.before.unwrap();
    assert_eq!(before.parent(), Some(old.path()));
    assert_eq!(names(&before).await, ["a", "b", "in-the-log"], "what was there can be opened where it is");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&before), mode(&old.path().join("fleet.db"))), (0o700, 0o600));

    // It is a state like any other.
    let store = open(old.path());
    store.events.append(&history("d"), Sequence(0), entry(false)).await.unwrap();
    store.close().await;
    assert_eq!(names(old.path()).await, ["c", "d"]);
}

#[tokio::test]
async fn a_state_in_which_nothing_was_submitted_is_replaced_without_asking() {
    let (new, place) = (state(&["c"]).await, tempfile::tempdir().unwrap());
    let file = place.path().join("backup.db");
    back_up(new.path(), &file, false, &unwatched()).unwrap();
    let nothing = place.path().join("nothing/here");
    assert_eq!(restore(&nothing, &file, false, &unwatched()).unwrap().before, None);
    assert_eq!(names(&nothing).await, ["c"]);
    let empty = state(&[]).await;
    let restored = restore(empty.path(), &file, false, &unwatched()).unwrap();
    assert!(restored.before.is_some(), "nothing is deleted");
    assert_eq!(names(empty.path()).await, ["c"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_moved_aside_only_if_that_is_said() {
    let (new, place) = (state(&["c"]).await, tempfile::tempdir().unwrap());
    let file = place.path().join("backup.db");
    back_up(new.path(), &file, false, &unwatched()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("fleet.db"), "somebody else's".repeat(100)).unwrap();
    fs::write(dir.path().join("fleet.db-wal"), "and more of it").unwrap();
    let refused = restore(dir.path(), &file, false, &unwatched());
    assert!(matches!(refused, Err(RestoreError::HoldsUnknown { .. })), "{refused:?}");
    let before = restore(dir.path(), &file, true, &unwatched()).unwrap().before.unwrap();
    assert_eq!(names(dir.path()).await, ["c"]);
    assert!(fs::read_to_string(before.join("fleet.db")).unwrap().starts_with("somebody else's"));
    assert_eq!(fs::read_to_string(before.join("fleet.db-wal")).unwrap(), "and more of it");
}

#[tokio::test]
async fn a_state_that_somebody_works_on_is_not_replaced() {
    let (old, new, place) = (state(&["a"]).await, state(&["c"]).await, tempfile::tempdir().unwrap());
    let file = place.path().join("backup.db");
    back_up(new.path(), &file, false, &unwatched()).unwrap();
    let lock = StateLock::take(old.path()).unwrap();
    lock.describe("process 7, a server").unwrap();
    match restore(old.path(), &file, true, &unwatched()) {
        Err(RestoreError::State(OpenError::Held { by })) => assert_eq!(by, "process 7, a server"),
        other => panic!("{other:?}"),
    }
    drop(lock);
    assert_eq!(names(old.path()).await, ["a"]);
}

#[tokio::test]
async fn a_restore_that_was_decided_is_carried_out_by_whoever_comes_next() {
    let (new, place) = (state(&["c"]).await, tempfile::tempdir().unwrap());
    let file = place.path().join("backup.db");
    back_up(new.path(), &file, false, &unwatched()).unwrap();
    // What is there after each of its steps.
    let moved: [&[&str]; 4] = [
        &[],
        &["fleet.db-wal"],
        &["fleet.db-wal", "fleet.db-shm"],
        &["fleet.db-wal", "fleet.db-shm", "fleet.db"],
    ];
    for (nth, moved) in moved.into_iter().enumerate() {
        for placed in [false, true] {
            let old = state(&["a", "b"]).await;
            let staged = old.path().join("restoring");
            fs::create_dir(&staged).unwrap();
            fs::copy(&file, staged.join("new.db")).unwrap();
            for name in moved {
                fs::rename(old.path().join(name), staged.join(name)).unwrap();
            }
            if placed {
                if moved.len() < 3 {
                    continue;
                }
                fs::rename(staged.join("new.db"), old.path().join("fleet.db")).unwrap();
            }
            let read = ReadOnly::open(old.path()).map(|_| ());
            assert!(matches!(read, Err(OpenError::Restoring(_))), "step {nth}: {read:?}");
            open(old.path()).close().await;
            assert_eq!(names(old.path()).await, ["c"], "step {nth}, {placed}");
            let entries = fs::read_dir(old.path()).unwrap().map(|entry| entry.unwrap().path());
            let aside: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
            assert_eq!(aside.len(), 1, "{aside:?}");
            assert_eq!(names(&aside[0]).await, ["a", "b"], "step {nth}, {placed}");
        }
    }
    // What was only prepared counts for nothing.
    let old = state(&["a", "b"]).await;
    let prepared = old.path().join("restoring.part");
    fs::create_dir(&prepared).unwrap();
    fs::copy(&file, prepared.join("new.db")).unwrap();
    assert_eq!(names(old.path()).await, ["a", "b"]);
    open(old.path()).close().await;
    assert_eq!(names(old.path()).await, ["a", "b"]);
    assert!(!prepared.exists());
}

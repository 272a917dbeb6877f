//! What was acknowledged is there after a restart, and goes on as before.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fleet_deliberation::{
    AgentId, Answer, DeliberationId, Generation, JobId, JobKind, Outcome, Priority, Review, Timestamp,
};
use fleet_embedded::{Embedded, OpenError, ReadOnly, Settings, SystemClock, held_by};
use fleet_orchestrator::contract::announcements::sample;
use fleet_orchestrator::port::{
    Entry, HistoryId, HistoryKind, Listing, Position, Recorded, Sequence, StoreError,
};

fn open(dir: &Path) -> Embedded {
    Embedded::open(dir, Settings::default(), Arc::new(SystemClock)).unwrap()
}

fn deliberation(name: &str) -> DeliberationId {
    DeliberationId::new(name).unwrap()
}

fn history(name: &str) -> HistoryId {
    HistoryId::deliberation(&deliberation(name))
}

fn entry(body: &str, ends: bool) -> Entry {
    Entry { body: Bytes::copy_from_slice(body.as_bytes()), at: Timestamp(5), ends }
}

fn job(name: &str, round: u32) -> JobId {
    let subject = AgentId::new("x").unwrap();
    JobId { deliberation: deliberation(name), round, kind: JobKind::Critique, subject }
}

fn review(job: JobId, score: f64) -> Answer {
    let review = Review { score, findings: Vec::new(), summary: String::new() };
    Answer {
        job,
        attempt: 1,
        started_at: Timestamp(1),
        ended_at: Timestamp(2),
        outcome: Outcome::Review { review, generation: Generation::default() },
    }
}

#[tokio::test]
async fn everything_acknowledged_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let first = store.events.append(&history("a"), Sequence(0), entry("one", false)).await.unwrap();
    store.events.append(&history("a"), first, entry("two", true)).await.unwrap();
    store.events.append(&history("b"), Sequence(0), entry("three", false)).await.unwrap();
    store.announcements.publish(&[(sample("a"), Position(2))]).await.unwrap();
    store.close().await;
    drop(store);

    let store = open(dir.path());
    let records = store.events.tail(Position(0), 10).await.unwrap();
    let bodies: Vec<&[u8]> = records.iter().map(|stored| &stored.entry.body[..]).collect();
    assert_eq!(bodies, [&b"one"[..], b"two", b"three"]);
    assert_eq!(store.events.end().await.unwrap(), records[2].position);
    assert_eq!(store.events.read(&history("a"), first).await.unwrap().len(), 1);
    assert_eq!(store.events.histories(Listing::Open(HistoryKind::Deliberation)).await.unwrap().len(), 1);
    assert_eq!(store.announcements.published_to().await.unwrap(), Position(2));
    // Histories go on where they were.
    let late = store.events.append(&history("a"), Sequence(2), entry("late", false)).await;
    assert!(matches!(late, Err(StoreError::Conflict)));
    store.events.append(&history("b"), Sequence(1), entry("four", false)).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_commit_comes_before_every_acknowledgement() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..10 {
        assert_eq!(store.stats().commits, 2 * n);
        store.events.append(&history(&n.to_string()), Sequence(0), entry("x", false)).await.unwrap();
        assert_eq!(store.stats().commits, 2 * n + 1);
        store.answers.record(review(job("a", n as u32), 0.5)).await.unwrap();
    }
    // What changes nothing needs no commit.
    store.events.append(&history("0"), Sequence(0), entry("x", false)).await.unwrap_err();
    assert_eq!(store.answers.record(review(job("a", 0), 0.5)).await.unwrap(), Recorded::Already);
    assert_eq!(store.stats().commits, 20);
    store.close().await;
}

#[tokio::test]
async fn a_score_is_the_same_number_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let scores: Vec<f64> = (0..2000).map(|_| store.entropy.unit()).collect();
    let mut records = tokio::task::JoinSet::new();
    for (round, score) in (0..).zip(scores.clone()) {
        let answers = Arc::clone(&store.answers);
        records.spawn(async move { answers.record(review(job("a", round), score)).await.unwrap() });
    }
    assert!(records.join_all().await.iter().all(|recorded| *recorded == Recorded::First));
    store.close().await;
    drop(store);

    let store = open(dir.path());
    for (round, score) in (0..).zip(&scores) {
        let found = store.answers.find(&job("a", round)).await.unwrap().unwrap();
        assert_eq!(*found, review(job("a", round), *score));
    }
    assert_eq!(store.answers.record(review(job("a", 0), 0.5)).await.unwrap(), Recorded::Already);
    store.close().await;
}

#[tokio::test]
async fn a_follower_comes_from_the_file_into_memory_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let mut after = Sequence(0);
    for part in 0..3 {
        let store = open(dir.path());
        for _ in 0..50 {
            after = store.events.append(&history("a"), after, entry("x", false)).await.unwrap();
        }
        let mut position = Position(0);
        for expected in 1..=(part + 1) * 50 {
            let records = store.events.tail(position, 1).await.unwrap();
            assert_eq!(records[0].sequence, Sequence(expected));
            position = records[0].position;
        }
        store.close().await;
    }
}

#[tokio::test]
async fn positions_are_not_given_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.events.append(&history("a"), Sequence(0), entry("all", true)).await.unwrap();
    store.answers.record(review(job("a", 0), 0.5)).await.unwrap();
    store.announcements.publish(&[(sample("a"), Position(1))]).await.unwrap();
    store.events.forget(&history("a")).await.unwrap();
    store.answers.forget(&deliberation("a")).await.unwrap();
    store.close().await;
    drop(store);

    let store = open(dir.path());
    assert_eq!(store.announcements.published_to().await.unwrap(), Position(1));
    assert_eq!(store.events.end().await.unwrap(), Position(1));
    store.events.append(&history("b"), Sequence(0), entry("b", false)).await.unwrap();
    store.answers.record(review(job("b", 0), 0.5)).await.unwrap();
    assert_eq!(store.events.tail(Position(0), 10).await.unwrap()[0].position, Position(2));
    assert_eq!(store.answers.tail(Position(0), 10).await.unwrap()[0].0, Position(2));
    store.close().await;
}

#[tokio::test]
async fn announcements_are_kept_once_and_go_with_their_record() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.events.append(&history("a"), Sequence(0), entry("all", true)).await.unwrap();
    for _ in 0..2 {
        store.announcements.publish(&[(sample("a"), Position(1))]).await.unwrap();
    }
    store.announcements.publish(&[(sample("b"), Position(9))]).await.unwrap();
    let file = rusqlite::Connection::open(dir.path().join("fleet.db")).unwrap();
    let count =
        || file.query_row("SELECT count(*) FROM announcements", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 2);
    store.events.forget(&history("a")).await.unwrap();
    assert_eq!(count(), 1);
    drop(file);
    store.close().await;
}

#[tokio::test]
async fn attempts_outlive_the_process_until_the_job_is_finished_or_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let jobs = [job("lost", 0), job("done", 0), job("forgotten", 0)];
    let store = open(dir.path());
    store.jobs.put(&jobs, Priority::Normal).await.unwrap();
    let leases = store.jobs.lease(3).await.unwrap();
    assert!(leases.iter().map(|lease| &lease.job).eq(&jobs));
    // Without finishing anything: as if each had taken the process along.
    store.close().await;
    drop(store);

    let store = open(dir.path());
    store.jobs.put(&jobs, Priority::Normal).await.unwrap();
    let leases = store.jobs.lease(3).await.unwrap();
    assert!(leases.iter().all(|lease| lease.attempt == 2));
    store.jobs.finish(&leases[1]).await.unwrap();
    store.answers.forget(&deliberation("forgotten")).await.unwrap();
    store.close().await;
    drop(store);

    let store = open(dir.path());
    store.jobs.put(&jobs, Priority::Normal).await.unwrap();
    let leases = store.jobs.lease(3).await.unwrap();
    assert_eq!(leases.iter().map(|lease| lease.attempt).collect::<Vec<_>>(), [3, 1, 1]);
    store.close().await;
}

#[tokio::test]
async fn attempts_reach_the_disk_by_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.jobs.put(&[job("a", 0)], Priority::Normal).await.unwrap();
    store.jobs.lease(1).await.unwrap();
    // The writer takes one thing after another: what is asked later is answered later.
    store.answers.forget(&deliberation("b")).await.unwrap();
    let file = rusqlite::Connection::open(dir.path().join("fleet.db")).unwrap();
    let attempts = file.query_row("SELECT attempts FROM attempts", [], |row| row.get::<_, u32>(0));
    assert_eq!(attempts.unwrap(), 1);
    drop(file);
    store.close().await;
}

#[tokio::test]
async fn a_job_done_before_the_next_commit_costs_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let jobs: Vec<JobId> = (0..1000).map(|round| job("a", round)).collect();
    store.jobs.put(&jobs, Priority::Normal).await.unwrap();
    for lease in store.jobs.lease(1000).await.unwrap() {
        store.jobs.finish(&lease).await.unwrap();
    }
    store.close().await;
    // The lease may have been seen before the finish, not each of them.
    assert!(store.stats().commits <= 3, "{} commits", store.stats().commits);
}

#[tokio::test]
async fn one_process_at_a_time_works_on_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let again = || Embedded::open(dir.path(), Settings::default(), Arc::new(SystemClock));
    let Err(OpenError::Held { by }) = again() else { panic!("it is held") };
    assert_eq!(by, format!("process {}", std::process::id()));
    store.describe("fleet serve at 127.0.0.1:50055").unwrap();
    let Err(OpenError::Held { by }) = again() else { panic!("it is held") };
    assert_eq!(by, "fleet serve at 127.0.0.1:50055");
    assert_eq!(held_by(dir.path()), Some(by));
    store.close().await;
    drop(store);
    assert_eq!(held_by(dir.path()), None);
    again().unwrap().close().await;
}

#[tokio::test]
async fn state_can_be_read_while_another_writes_it() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(ReadOnly::open(dir.path()), Err(OpenError::Missing(_))));
    let store = open(dir.path());
    store.events.append(&history("a"), Sequence(0), entry("one", false)).await.unwrap();
    let reader = ReadOnly::open(dir.path()).unwrap();
    store.events.append(&history("a"), Sequence(1), entry("two", false)).await.unwrap();
    store.answers.record(review(job("a", 0), 0.5)).await.unwrap();
    assert_eq!(reader.events.read(&history("a"), Sequence(0)).await.unwrap().len(), 2);
    assert!(reader.answers.find(&job("a", 0)).await.unwrap().is_some());
    assert_eq!(
        reader
            .events
            .histories(Listing::Newest { kind: HistoryKind::Deliberation, limit: 5 })
            .await
            .unwrap()
            .len(),
        1
    );
    let written = reader.events.append(&history("a"), Sequence(2), entry("three", false)).await;
    assert!(matches!(written, Err(StoreError::Unavailable(_))));
    store.close().await;
    assert_eq!(reader.events.read(&history("a"), Sequence(0)).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_closed_store_refuses_and_has_done_all_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()));
    let mut appends = tokio::task::JoinSet::new();
    for n in 0..200 {
        let store = Arc::clone(&store);
        appends.spawn(async move {
            store.events.append(&history(&n.to_string()), Sequence(0), entry("x", false)).await
        });
    }
    tokio::task::yield_now().await;
    store.close().await;
    let done = appends.join_all().await.iter().filter(|result| result.is_ok()).count();
    let late = store.events.append(&history("late"), Sequence(0), entry("x", false)).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))));
    assert_eq!(store.events.histories(Listing::Open(HistoryKind::Deliberation)).await.unwrap().len(), done);
    let log = std::fs::metadata(dir.path().join("fleet.db-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "the log was taken over into the file");
}
